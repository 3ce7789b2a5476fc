"""Pages in a real browser over the real program."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from prismata.core.jobs import JobState
from prismata.testing.children import wait_until_gone

PAGES = {"": "undo", "train": "Start training", "analyze": "Run detection"}


def choose(page, label, option):
    page.get_by_role("combobox", name=re.compile(label)).click()
    page.get_by_role("option", name=re.compile(option)).click()


def seconds_shown(page):
    minutes, seconds = page.locator(".clock").inner_text().split(":")
    return 60 * int(minutes) + float(seconds)


def test_every_page_opens_and_asks_nobody_else_for_anything(
    page, server, bench, video, add_bundle, outside
):
    add_bundle()
    for path, button in PAGES.items():
        page.goto(f"{server.url}/{path}")
        if path in ("", "train"):
            choose(page, "Domain", "Flashes")
        page.get_by_role("button", name=button).wait_for()
    page.goto(f"{server.url}/library")
    page.get_by_text("Choose videos").wait_for()
    page.goto(f"{server.url}/jobs")
    page.get_by_text("Nothing runs and nothing waits").wait_for()
    page.goto(f"{server.url}/health")
    page.get_by_text("storage").first.wait_for()
    assert outside == []
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 844})
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0, f"the page is wider than {width} pixels"


def test_the_player_survives_what_happens_around_it(page, server, bench, video, add_bundle):
    add_bundle()
    page.goto(f"{server.url}/analyze")
    page.locator(".frame-of-station[data-ready]").wait_for()
    page.locator("video").evaluate("video => { video.mark = 'the same one' }")
    page.get_by_role("button", name="Run detection").click()
    page.get_by_text("events in flashes.mp4").wait_for()
    assert page.locator("video").evaluate("video => video.mark") == "the same one"


def test_a_detection_shows_its_events_and_a_click_on_the_picture_seeks(
    page, server, bench, video, add_bundle, flashes
):
    add_bundle()
    page.goto(f"{server.url}/analyze")
    page.get_by_role("button", name="Run detection").click()
    number = len(flashes.events)
    page.get_by_text(f"{number} events in flashes.mp4").wait_for()
    page.locator("[data-testid=stDataFrame]").wait_for()
    page.get_by_text(f"{number} of {number} found, 0 false alarms", exact=True).wait_for()
    (run,) = bench.catalog.detections.list(video_id=video.id)
    assert run.state is JobState.SUCCEEDED
    assert run.runtime.split()[0] in ("onnxruntime", "openvino")
    page.get_by_text(run.runtime).wait_for()
    page.locator(".frame-of-station[data-ready]").wait_for()
    page.locator(".picture").scroll_into_view_if_needed()
    box = page.locator(".picture").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 50)
    page.locator(".clock", has_text=re.compile(r"^0:0[12]\.\d")).wait_for()
    assert seconds_shown(page) == pytest.approx(2.0, abs=0.1)


def test_a_killed_detection_leaves_the_app_and_says_why(
    page, server, bench, long_video, add_bundle
):
    add_bundle()
    page.goto(f"{server.url}/analyze")
    page.get_by_role("button", name="Run detection").wait_for()
    page.get_by_role("button", name="Run detection").click()
    child = server.detection_child()
    os.kill(child, signal.SIGSTOP)
    page.get_by_role("button", name="Cancel").wait_for()
    page.get_by_role("button", name="Run detection").click()
    page.get_by_text(re.compile("already running")).wait_for()
    os.kill(child, signal.SIGKILL)
    wait_until_gone(child)
    again = server.detection_child()
    os.kill(again, signal.SIGSTOP)
    page.get_by_text(re.compile("attempt 2")).wait_for()
    page.get_by_text(re.compile("An attempt ended early: .* was killed")).wait_for()
    os.kill(again, signal.SIGKILL)
    page.get_by_text(re.compile("^Killed")).wait_for()
    assert server.answers()
    (run,) = bench.catalog.detections.list(video_id=long_video.id)
    assert (run.state, run.cause) == (JobState.FAILED, "killed")
    page.get_by_role("button", name="Run detection").click()
    page.get_by_text("events in minute.mp4").wait_for()


def test_a_running_detection_can_be_cancelled(page, server, bench, long_video, add_bundle):
    add_bundle()
    page.goto(f"{server.url}/analyze")
    page.get_by_role("button", name="Run detection").click()
    child = server.detection_child()
    os.kill(child, signal.SIGSTOP)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text(re.compile("^Cancelling")).first.wait_for()
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGCONT)
    page.get_by_text("This was cancelled before it finished").wait_for()
    (run,) = bench.catalog.detections.list(video_id=long_video.id)
    assert run.state is JobState.CANCELLED


def test_a_video_is_uploaded_in_pieces_and_a_bad_file_is_refused_in_words(
    page, server, bench, flashes, tmp_path
):
    page.goto(f"{server.url}/library")
    story = tmp_path / "story.mp4"
    story.write_text("once upon a time " * 1000)
    page.locator("input[accept^=video]").set_input_files([str(flashes.path), str(story)])
    page.locator(".refused").wait_for()
    assert "story.mp4" in page.locator(".refused").inner_text()
    page.locator("[data-testid=stDataFrame]").wait_for()
    (video,) = bench.catalog.videos.list()
    assert bench.storage.get(video.storage_key) == flashes.path.read_bytes()


def test_a_model_is_taken_along_as_a_zip(page, server, bench, add_bundle):
    add_bundle()
    page.goto(f"{server.url}/train")
    choose(page, "Domain", "Flashes")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Export").click()
    assert waiting.value.suggested_filename == "flash-detector.zip"
    assert waiting.value.path().stat().st_size > 1000


def test_no_token_reaches_the_log(page, server, video):
    page.goto(server.url)
    page.locator(".frame.exact").filter(has_text="frame 0").wait_for()
    assert "token=" not in server.log.read_text()


def test_the_port_that_is_taken_is_named(server, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "prismata", "serve", "--port", str(server.port)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert f"127.0.0.1:{server.port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr
