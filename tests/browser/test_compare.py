"""Compare in a browser: both curves are told apart, and a click on a stretch seeks the video."""

import time
from types import SimpleNamespace

from prismata.core.events import Event


def test_a_click_in_the_picture_seeks_there_and_the_curves_differ_without_colour(
    bench, long_video, add_bundle, finished_run, server, page
):
    for name, times in (("one", ()), ("other", (30_000_000,))):
        found = [Event.point("flash", time) for time in times]
        finished_run(long_video, add_bundle(name), SimpleNamespace(events=found))
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.url}/compare")
    page.get_by_role("combobox", name="Domain").wait_for()
    page.get_by_role("combobox", name="Domain").fill("Flashes")
    page.get_by_role("option", name="Flashes").click()
    picture = page.locator(".overlay")
    picture.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    dashes = [
        picture.locator(f".{side} polyline").evaluate(
            "line => getComputedStyle(line).strokeDasharray"
        )
        for side in ("first", "second")
    ]
    assert dashes[0] != "none" == dashes[1]
    video, head = page.locator("video"), page.locator(".head")
    until(lambda: video.evaluate("video => video.readyState") > 1)
    # The stretch is 15 to 45 s, so a fifth of it is 21 s; 50 s lies outside.
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 5, box["y"] + box["height"] / 2)
    until(lambda: abs(video.evaluate("video => video.currentTime") - 21) < 0.4)
    until(lambda: abs(float(head.evaluate("head => head.style.left")[:-1]) - 20) < 2)
    assert head.is_visible()
    video.evaluate("video => { video.currentTime = 50; }")
    head.wait_for(state="hidden")


def until(holds):
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
