"""The queue of detections in a real browser: submitted, arranged, killed in the middle, opened."""

import hashlib
import re

import pytest
from playwright.sync_api import expect

from prismata.core.jobs import JobState
from prismata.services.ingest import ingest_file
from prismata.testing.synth import render_flashes


@pytest.fixture
def videos(bench, tmp_path):
    made = []
    for number in range(3):
        path = tmp_path / f"clip-{number}.mp4"
        render_flashes(path, seconds=30, seed=number, size=(96, 64), fps=20)
        made.append(ingest_file(bench, path, domain="flashes").video)
    return made


def line(page, name):
    return page.locator("tr[data-job]", has_text=name)


def submit_all(page, server, count):
    page.goto(f"{server.url}/detect")
    choose = page.get_by_role("button", name=f"Choose all {count}")
    expect(choose).to_have_count(1)  # while the page runs, its last state stands beside the new one
    choose.click()
    page.get_by_role("button", name=re.compile(f"Detect in {count} video")).click()
    page.get_by_text(f"{count} submitted").wait_for()


def test_a_batch_survives_the_death_of_the_workbench(page, server, bench, videos, add_bundle):
    add_bundle()
    submit_all(page, server, 3)
    server.detection_child()
    server.kill()
    page.get_by_text("The workbench does not answer").wait_for()
    server.start_again()
    for number in range(3):
        line(page, f"clip-{number}.mp4").locator("[data-state=done]").wait_for(timeout=60_000)
    runs = [bench.catalog.detections.list(video_id=video.id) for video in videos]
    assert [[run.state for run in each] for each in runs] == [[JobState.SUCCEEDED]] * 3
    page.get_by_role("button", name="clip-1.mp4", exact=True).click()
    page.get_by_text(re.compile(r"\d+ events? in clip-1\.mp4")).wait_for()
    page.locator("video").wait_for()


def test_rows_are_arranged_and_what_is_chosen_stays_while_they_change(
    page, server, bench, videos, add_bundle, long_video
):
    model = add_bundle()
    for video in (long_video, *videos):
        job = bench.catalog.jobs.submit(
            "detect",
            {"video": video.name, "model": model.name},
            author="ada",
            detection={"video_id": video.id, "model_id": model.id, "settings": {}},
        )
        bench.catalog.queue_order.hold(job.id)
    page.goto(f"{server.url}/detect")
    names = page.locator("tr[data-job] .open")
    line(page, "clip-2.mp4").get_by_role("checkbox").check()
    page.get_by_role("button", name="To the front").click()
    page.locator("tr[data-job]").nth(0).get_by_text("clip-2.mp4").wait_for()
    assert line(page, "clip-2.mp4").get_by_role("checkbox").is_checked()
    page.get_by_role("button", name="Cancel", exact=True).click()
    line(page, "clip-2.mp4").locator("[data-state=cancelled]").wait_for()
    page.get_by_role("combobox", name="which are shown").select_option("active")
    line(page, "clip-2.mp4").wait_for(state="detached")
    assert names.all_inner_texts() == ["minute.mp4", "clip-0.mp4", "clip-1.mp4"]
    assert page.get_by_role("button", name="Pause").is_disabled(), "none that waits is selected"


def test_a_curve_grows_and_nothing_else_moves(page, server, bench, long_video, add_bundle):
    add_bundle()
    page.goto(f"{server.url}/analyze")
    page.locator(".frame-of-station[data-ready]").wait_for()
    page.locator("video").evaluate("video => { video.mark = 'the same one' }")
    page.evaluate("scrollTo(0, 120)")
    page.get_by_role("button", name="Run detection").click()
    first = page.locator(".live .events button").first
    first.wait_for()
    first.click()
    first.evaluate("node => { node.mark = 'the same row' }")
    points = int(page.locator(".live canvas").get_attribute("data-points"))
    page.wait_for_function(
        """before => {
          const hosts = [...document.querySelectorAll('*')].filter((node) => node.shadowRoot);
          const find = (node) => node.shadowRoot.querySelector('.live canvas');
          const canvas = hosts.map(find).find(Boolean);
          return !canvas || Number(canvas.dataset.points) > before;
        }""",
        arg=points,
    )
    if first.count():
        assert first.get_attribute("aria-pressed") == "true"
        assert first.evaluate("node => node.mark") == "the same row"
    page.get_by_text("events in minute.mp4").wait_for()
    assert page.locator("video").evaluate("video => video.mark") == "the same one"


def test_files_are_sent_whatever_happens_to_the_workbench(
    page, server, bench, add_bundle, tmp_path
):
    """Three files; the workbench dies while the second one is sent, and the third is no video."""
    add_bundle()
    film = render_flashes(tmp_path / "film.mp4", seconds=2, seed=1, size=(96, 64)).path
    # A box that players pass over makes it as large as what is sent for minutes elsewhere.
    large = tmp_path / "large.mp4"
    padding = 24 * 2**20
    large.write_bytes(film.read_bytes() + padding.to_bytes(4, "big") + b"free" + bytes(padding - 8))
    story = tmp_path / "story.mp4"
    story.write_text("once upon a time " * 1000)
    page.goto(f"{server.url}/detect")
    from_this_computer(page)
    page.locator("input[accept^=video]").set_input_files([str(film), str(large), str(story)])
    page.locator(".files .done", has_text="film.mp4").wait_for()
    page.wait_for_function(
        """() => window.__prismataUploads.uploads[1].offset >= 8 * 1024 * 1024"""
    )
    server.kill()
    page.get_by_text("connection lost, trying again").wait_for()
    server.start_again()
    page.locator(".files .done", has_text="large.mp4").wait_for()
    page.locator(".files .refused", has_text="no video but a text").wait_for()
    stored = bench.catalog.videos.find("large.mp4")
    assert stored.size_bytes == large.stat().st_size
    assert stored.sha256 == hashlib.sha256(large.read_bytes()).hexdigest()
    page.get_by_text("3 of 3 files").wait_for()


def test_after_a_closed_page_the_same_file_goes_on_where_it_stopped(
    page, server, bench, add_bundle, tmp_path
):
    add_bundle()
    film = render_flashes(tmp_path / "film.mp4", seconds=2, seed=1, size=(96, 64)).path
    padding = 20 * 2**20
    film.write_bytes(film.read_bytes() + padding.to_bytes(4, "big") + b"free" + bytes(padding - 8))
    page.goto(f"{server.url}/detect")
    from_this_computer(page)
    page.route(
        "**/api/upload/*", lambda route: route.abort() if halfway(page) else route.continue_()
    )
    page.locator("input[accept^=video]").set_input_files(str(film))
    page.get_by_text("connection lost, trying again").wait_for()
    page.unroute("**/api/upload/*")
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("about:blank")
    page.goto(f"{server.url}/detect")
    from_this_computer(page)
    page.get_by_text(re.compile(r"Not finished: film\.mp4 \(\d+ %\)")).wait_for()
    offsets = []
    page.on("request", lambda asked: offsets.append(asked.headers.get("upload-offset")))
    page.locator("input[accept^=video]").set_input_files(str(film))
    page.locator(".files .done", has_text="film.mp4").wait_for()
    sent = [int(offset) for offset in offsets if offset is not None]
    assert min(sent) >= 8 * 2**20, "what was there was not sent again"
    assert bench.catalog.videos.find("film.mp4").size_bytes == film.stat().st_size


def from_this_computer(page):
    page.get_by_text("From this computer", exact=True).click()
    page.get_by_text("Choose videos", exact=True).wait_for()


def halfway(page):
    return page.evaluate("(window.__prismataUploads?.uploads[0]?.offset ?? 0) >= 8 * 1024 * 1024")
