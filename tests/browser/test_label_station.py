"""The label station as people use it: the real program, a real browser, keys and pointer."""

import re
import warnings

import numpy as np
import pytest

from prismata.core.events import Event
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.ingest import ingest_file, remove_video
from prismata.services.labels import (
    ImportOptions,
    add_label,
    apply_label_import,
    list_labels,
    plan_label_import,
)
from prismata.testing.barcode import read_barcode, write_barcode_video

READY = ".frame-of-station[data-ready=true]"
SAVED = ".saved[data-state=saved]"


def open_station(page, server, video, domain="ball_throw"):
    page.goto(f"{server.url}/?domain={domain}&video={video.id}")
    page.locator(READY).wait_for()
    wait_for_frame(page, exact=True)


def wait_for_frame(page, number=None, *, exact=True):
    """Wait until the station tells a frame that it verified."""
    expected = re.compile(r"frame \d+" if number is None else rf"frame {number}$")
    page.locator(".frame.exact").filter(has_text=expected).wait_for()


def saved(page):
    page.locator(SAVED).wait_for()


def stored(bench, video, domain="ball_throw"):
    return list_labels(bench, video, domain)


def wait_until(page, condition, timeout_ms=20_000):
    """Look again and again, as the catalog is behind the browser's back."""
    for _ in range(timeout_ms // 50):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not happen in time")


def keys_of(bench, name):
    record = bench.catalog.annotators.get(name)
    return record.preferences.get("keys") if record else None


@pytest.fixture
def empty_video(bench, flashes):
    """A video without labels."""
    return ingest_file(bench, flashes.path, domain="ball_throw").video


def test_a_point_and_a_segment_are_labelled_by_keyboard_alone(page, server, bench, empty_video):
    open_station(page, server, empty_video)
    timeline = bench.timeline(empty_video)
    for number in range(1, 6):
        page.keyboard.press("ArrowRight")
        wait_for_frame(page, number)
    page.keyboard.press("t")
    page.keyboard.press("f")
    for number in range(6, 10):
        page.keyboard.press("ArrowRight")
        wait_for_frame(page, number)
    page.keyboard.press("f")
    saved(page)
    wait_until(page, lambda: len(stored(bench, empty_video)) == 2)
    by_type = {record.event.event_type: record for record in stored(bench, empty_video)}
    release, flight = by_type["release"], by_type["flight"]
    assert (release.frame_index, release.event.start_us) == (5, timeline.start_us(5))
    assert release.source_pts == timeline.source_pts(5)
    assert (flight.event.start_us, flight.event.end_us) == (
        timeline.start_us(5),
        timeline.span(9).end_us,
    )
    assert {record.author for record in by_type.values()} == {"ada"}


def test_undo_and_redo_survive_a_reload(page, server, bench, empty_video):
    open_station(page, server, empty_video)
    page.keyboard.press("t")
    wait_until(page, lambda: len(stored(bench, empty_video)) == 1)
    page.keyboard.press("Control+z")
    wait_until(page, lambda: stored(bench, empty_video) == [])
    page.reload()
    page.locator(READY).wait_for()
    page.keyboard.press("Control+Shift+z")
    wait_until(page, lambda: len(stored(bench, empty_video)) == 1)
    page.reload()
    page.locator(READY).wait_for()
    page.keyboard.press("Control+z")
    wait_until(page, lambda: stored(bench, empty_video) == [])


def test_two_people_on_one_video_see_each_other_and_conflicts_show_both_versions(
    page, server, bench, browser, empty_video
):
    record = add_label(bench, empty_video, "ball_throw", Event.point("release", 1_000_000))
    open_station(page, server, empty_video)
    page.locator(".event-row").click()
    other = browser.new_context(viewport={"width": 1200, "height": 900}).new_page()
    other.set_default_timeout(30_000)
    open_station(other, server, empty_video)
    other.locator(".event-row").click()
    page.context.set_offline(True)
    page.keyboard.press("]")
    page.locator(".saved[data-state=offline]").wait_for()
    other.keyboard.press("[")
    saved(other)
    wait_until(page, lambda: stored(bench, empty_video)[0].revision == record.revision + 1)
    theirs = stored(bench, empty_video)[0].event
    page.context.set_offline(False)
    page.locator(".conflict").wait_for()
    assert stored(bench, empty_video)[0].event == theirs, "nothing was overwritten"
    page.get_by_role("button", name="Keep mine").click()
    wait_until(page, lambda: stored(bench, empty_video)[0].event != theirs)
    other.locator(".event-row").click()
    mine = stored(bench, empty_video)[0].event
    seconds = f"{mine.start_us / 1e6:.3f}"
    other.locator(".event-row", has_text=f"0:0{seconds}").wait_for()
    other.context.close()


def test_a_suggestion_becomes_a_label_only_when_it_is_accepted(
    page, server, bench, flashes, add_bundle
):
    video = ingest_file(bench, flashes.path, domain="flashes").video
    model = add_bundle()
    run_detection(bench, prepare_detection(bench, DetectRequest(video.id, model.id)))
    open_station(page, server, video, "flashes")
    page.get_by_label("suggestions of model").select_option(index=1)
    page.get_by_text(f"{len(flashes.events)} open").wait_for()
    assert stored(bench, video, "flashes") == []
    page.keyboard.press("n")
    page.keyboard.press("a")
    wait_until(page, lambda: len(stored(bench, video, "flashes")) == 1)
    page.keyboard.press("x")
    wait_until(page, lambda: len(stored(bench, video, "flashes")) == 2)
    page.get_by_text(f"{len(flashes.events) - 2} open").wait_for()
    states = sorted(record.review_state for record in stored(bench, video, "flashes"))
    assert states == ["accepted", "rejected"]
    for record in stored(bench, video, "flashes"):
        assert record.attributes["source"]["model"] == model.name


def test_a_removed_video_is_told_in_words_and_nothing_is_dropped(page, server, bench, empty_video):
    open_station(page, server, empty_video)
    remove_video(bench, empty_video.id)
    page.keyboard.press("t")
    page.locator(".saved[data-state=gone]").wait_for()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile(r"Download \d+ unsaved")).click()
    assert "release" in waiting.value.path().read_text()


def test_an_unknown_video_in_the_address_gives_way_to_one_that_is_there(page, server, empty_video):
    page.goto(f"{server.url}/?domain=ball_throw&video={'0' * 32}")
    page.get_by_text("was removed").wait_for()
    page.locator(READY).wait_for()


def test_a_restarted_server_gets_what_was_done_meanwhile(page, server, bench, empty_video):
    open_station(page, server, empty_video)
    server.kill()
    page.keyboard.press("t")
    page.locator(".saved[data-state=offline]").wait_for()
    assert stored(bench, empty_video) == []
    server.start_again()
    wait_until(page, lambda: len(stored(bench, empty_video)) == 1, timeout_ms=60_000)
    saved(page)


def test_keys_can_be_changed_and_a_conflict_is_told(page, server, bench, empty_video):
    open_station(page, server, empty_video)
    page.keyboard.press("?")
    page.locator("dialog.cheatsheet[open]").wait_for()
    page.locator("[data-action=step_forward]").click()
    page.keyboard.press("m")
    page.locator(".told").filter(has_text=re.compile(r"\w+")).wait_for()
    page.locator("[data-action=step_forward]").click()
    page.keyboard.press("v")
    page.keyboard.press("Escape")
    page.locator("dialog.cheatsheet[open]").wait_for(state="detached")
    page.keyboard.press("v")
    wait_for_frame(page, 1)
    wait_until(page, lambda: keys_of(bench, "ada"))
    page.reload()
    page.locator(READY).wait_for()
    wait_for_frame(page)
    page.keyboard.press("v")
    wait_for_frame(page, 2)


def test_letters_typed_into_a_note_are_text_and_not_keys(page, server, bench, empty_video):
    add_label(bench, empty_video, "ball_throw", Event.point("release", 1_000_000))
    open_station(page, server, empty_video)
    page.locator(".event-row").click()
    page.get_by_label("note about this event").fill("")
    page.get_by_label("note about this event").press_sequentially("12 rcx")
    page.get_by_label("note about this event").press("Tab")
    wait_until(page, lambda: stored(bench, empty_video)[0].attributes.get("note") == "12 rcx")
    assert len(stored(bench, empty_video)) == 1


def test_what_was_played_counts_as_watched(page, server, bench, empty_video):
    open_station(page, server, empty_video)
    page.keyboard.press("Space")
    page.locator(".playing").wait_for()
    page.wait_for_timeout(1500)
    page.keyboard.press("Space")

    def watched():
        spans = bench.catalog.labels.load(empty_video.id, "ball_throw").sheet.coverage
        return sum(span.end_us - span.start_us for span in spans if span.state == "watched")

    wait_until(page, lambda: watched() > 300_000)
    assert watched() < empty_video.duration_us


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_barrier_for_people_with_disabilities(
    browser, server, bench, empty_video, scheme
):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    add_label(bench, empty_video, "ball_throw", Event.point("release", 1_000_000))
    for width in (1440, 390):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        page.set_default_timeout(30_000)
        open_station(page, server, empty_video)
        if width == 1440:
            page.locator(".event-row").click()
        found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
        serious = [
            f"{item['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
            for item in found
            if item["impact"] in ("serious", "critical")
            for node in item["nodes"]
        ]
        context.close()
        assert serious == [], f"at {width} pixels, {scheme}"


def test_the_page_is_never_wider_than_a_telephone(page, server, empty_video):
    page.set_viewport_size({"width": 390, "height": 844})
    open_station(page, server, empty_video)
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0
    page.get_by_role("button", name=re.compile("Release")).click()
    saved(page)
    page.locator(".event-row").wait_for()


def test_an_hevc_upload_becomes_playable_with_the_same_frames(
    page, server, bench, empty_video, tmp_path
):
    made = write_barcode_video(tmp_path / "phone.mp4", frames=40, codec="libx265", gop=40)
    open_station(page, server, empty_video)
    page.get_by_text("Add videos").click()
    page.locator("input[accept^=video]").set_input_files(str(made))
    page.locator(".rendition").filter(has_text="proxy of hevc, same frames").wait_for()
    (stored_video,) = [item for item in bench.catalog.videos.list() if item.name == "phone.mp4"]
    page.locator(".screen").click()
    wait_for_frame(page, 0)
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    wait_for_frame(page, 30)
    assert read_barcode(shown_pixels(page)) == 30
    page.keyboard.press("t")
    wait_until(page, lambda: len(stored(bench, stored_video)) == 1)
    (record,) = stored(bench, stored_video)
    timeline = bench.timeline(stored_video)
    assert (record.frame_index, record.source_pts) == (30, timeline.source_pts(30))


def shown_pixels(page):
    """The picture that the player shows, as a `(H, W, 3)` array."""
    flat, width, height = page.locator("video").evaluate(
        """video => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
            const drawn = canvas.getContext("2d");
            drawn.drawImage(video, 0, 0);
            const {data} = drawn.getImageData(0, 0, canvas.width, canvas.height);
            return [Array.from(data), canvas.width, canvas.height];
        }"""
    )
    return np.array(flat, np.uint8).reshape(height, width, 4)[:, :, :3]


def test_a_hundred_thousand_events_in_one_video_stay_usable(
    page, server, bench, empty_video, tmp_path
):
    number, duration_s = 100_000, empty_video.duration_us / 1e6
    rows = [
        f"{empty_video.name},release,point,{index * duration_s / number:.6f},"
        for index in range(number)
    ]
    table = tmp_path / "many.csv"
    table.write_text("\n".join(["video,label,kind,start_s,end_s", *rows]))
    plan = plan_label_import(bench, table, ImportOptions("ball_throw", {}))
    assert apply_label_import(bench, plan, "ball_throw") == number
    page.set_default_timeout(90_000)
    open_station(page, server, empty_video)
    page.locator(".count").filter(has_text=f"{number} events").wait_for()
    drawn = page.locator(".event-row").count()
    assert 0 < drawn < 200, "only the rows in sight exist"
    page.keyboard.press("t")
    page.locator(".count").filter(has_text=f"{number + 1} events").wait_for()
    saved(page)
    wait_until(page, lambda: bench.catalog.events.count_by_type("ball_throw")["release"] > number)


def test_the_station_goes_on_when_something_appears_above_it(
    page, server, bench, empty_video, flashes
):
    open_station(page, server, empty_video)
    page.keyboard.press("ArrowRight")
    wait_for_frame(page, 1)
    page.locator("video").evaluate("video => { video.mark = 'the same one' }")
    page.get_by_text("Add videos").click()
    page.locator("input[accept^=video]").set_input_files(str(flashes.path))
    page.get_by_text("is already here as").first.wait_for()
    assert page.locator("video").evaluate("video => video.mark") == "the same one"
    wait_for_frame(page, 1)
