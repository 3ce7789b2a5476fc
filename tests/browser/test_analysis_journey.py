"""From clips to a better model, as a reviewer does it: upload, detect, review, export, retrain."""

import csv
import io
import os
import re
import signal
import subprocess
import time

import pytest
from playwright.sync_api import expect

pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")

from prismata.core.jobs import JobState
from prismata.core.time import TimeSpan
from prismata.media.scanning import scan
from prismata.services.annotate import LabelDesk
from prismata.services.compare import compare_models
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.labels import add_label
from prismata.services.train import TrainRequest, prepare_training, run_training, trained_model
from prismata.testing.children import halt_descendant
from prismata.testing.synth import render_flashes

pytestmark = pytest.mark.torch

WAIT_MS = 90_000
TINY = {
    **{"encoder": "tiny", "frozen": False, "weights": "none", "head": {"hidden": 8}},
    **{"epochs": 12, "head_lr": 0.02, "encoder_lr": 0.02},
}


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)


@pytest.fixture
def clips(tmp_path):
    """A long one, a short one, one in HEVC, one that breaks off, one that is only sound."""
    folder = tmp_path / "clips"
    folder.mkdir()
    long = render_flashes(folder / "long.mp4", seconds=60, seed=1, size=(96, 64), fps=20)
    short = render_flashes(folder / "short.mp4", seconds=12, seed=2, size=(96, 64), fps=20)
    hevc = folder / "hevc.mp4"
    other = render_flashes(tmp_path / "other.mp4", seconds=12, seed=3, size=(96, 64), fps=20)
    ffmpeg("-i", other.path, "-c:v", "libx265", "-x265-params", "log-level=none", hevc)
    broken = folder / "broken.mp4"
    broken.write_bytes(short.path.read_bytes()[:4000])
    sound = folder / "sound.mp4"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=2", "-c:a", "aac", sound)
    return [long.path, short.path, hevc, broken, sound]


def download(page, name):
    with page.expect_download(timeout=WAIT_MS) as waiting:
        page.get_by_role("button", name=name).click()
    return waiting.value


def decide(page, key):
    """Press a key and wait until another card is looked at."""
    about = page.locator(".about")
    before = about.inner_text()
    page.keyboard.press(key)
    deadline = time.monotonic() + WAIT_MS / 1000
    while about.is_visible() and about.inner_text() == before:
        assert time.monotonic() < deadline, f"{key} changed nothing"
        page.wait_for_timeout(20)


def test_a_reviewer_goes_from_clips_to_a_better_model(page, server, bench, clips, add_bundle):
    model = add_bundle()
    upload(page, server, clips)
    first_event_comes_before_the_clip_ends(page, server, bench, model)
    the_threshold_moves_without_a_run(page, server, bench)
    review(page, server, bench)
    take_along(page, server, bench)
    retrain(bench, model)


def upload(page, server, clips):
    page.goto(f"{server.url}/detect")
    page.get_by_text("From this computer", exact=True).click()
    page.get_by_text("Choose videos", exact=True).wait_for()
    page.locator("input[accept^=video]").set_input_files([str(path) for path in clips])
    for name in ("long.mp4", "short.mp4", "hevc.mp4"):
        page.locator(".files .done", has_text=name).wait_for(timeout=WAIT_MS)
    for name in ("broken.mp4", "sound.mp4"):
        page.locator(".files .refused", has_text=name).wait_for(timeout=WAIT_MS)


def first_event_comes_before_the_clip_ends(page, server, bench, model):
    page.get_by_test_id("stButtonGroup").get_by_text("Library", exact=True).click()
    choose = page.get_by_role("button", name="Choose all 3")
    expect(choose).to_have_count(1)  # while the page runs, its last state stands beside the new one
    choose.click()
    page.get_by_role("button", name="Detect in 3 videos").click()
    page.get_by_text("3 submitted").wait_for()
    long = bench.catalog.videos.find("long.mp4")
    deadline = time.monotonic() + WAIT_MS / 1000
    seen = None
    while seen is None:
        assert time.monotonic() < deadline, "no event came"
        runs = bench.catalog.detections.list(video_id=long.id)
        going = (run for run in runs if run.state is JobState.RUNNING and run.event_count)
        seen = next(going, None)
        slow_down(server)
    for name in ("long.mp4", "short.mp4", "hevc.mp4"):
        row = page.locator("tr[data-job]", has_text=name)
        row.locator("[data-state=done]").wait_for(timeout=WAIT_MS)
    (run,) = bench.catalog.detections.list(video_id=long.id, model_id=model.id)
    assert run.event_count > seen.event_count


def slow_down(server):
    """Let a running detection have a fifth of the time: a fast machine is done before a look."""
    if child := halt_descendant(server.process.pid, "prismata.detection"):
        time.sleep(0.2)
        os.kill(child, signal.SIGCONT)
    time.sleep(0.05)


def the_threshold_moves_without_a_run(page, server, bench):
    page.goto(f"{server.url}/analyze")
    page.get_by_text(re.compile(r"\d+ events? in")).wait_for()
    page.get_by_role("slider", name="Threshold").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.get_by_text("0.53").wait_for()
    assert len(bench.catalog.detections.list()) == 3


def review(page, server, bench):
    page.goto(f"{server.url}/review?domain=flashes")
    page.locator(".inbox[data-card] .queue .row.here").wait_for(timeout=WAIT_MS)
    page.get_by_label("order of the queue").select_option("time")
    page.locator(".queue .row .number").first.wait_for()
    for key in ["a"] * 10 + ["x"] * 3:
        decide(page, key)
    page.keyboard.press("e")
    page.locator(".edges .edge.here").wait_for()
    start = page.locator(".edges .edge.here").inner_text()
    page.keyboard.press("ArrowRight")
    while page.locator(".edges .edge.here").inner_text() == start:
        page.wait_for_timeout(20)
    decide(page, "a")
    page.locator('.saved[data-state="saved"]').wait_for()
    made = [item.decision for item in bench.catalog.reviews.list("flashes")]
    assert made == ["accepted"] * 10 + ["rejected"] * 3 + ["corrected"]


def take_along(page, server, bench):
    page.goto(f"{server.url}/events")
    page.get_by_role("button", name="Download", exact=True).click(timeout=WAIT_MS)
    rows = list(csv.DictReader(io.StringIO(download(page, "Events as CSV").path().read_text())))
    states = [row["review_state"] for row in rows]
    assert (states.count("accepted") >= 10, states.count("rejected") >= 3) == (True, True)
    page.goto(f"{server.url}/analyze")
    page.get_by_role("button", name="Download", exact=True).click(timeout=WAIT_MS)
    report = bench.settings.data_dir / "report.html"
    download(page, "Report (HTML)").save_as(report)
    page.get_by_role("button", name="Make a highlight reel").click()
    page.get_by_role("button", name="Highlight reel,").wait_for(timeout=WAIT_MS)
    page.keyboard.press("Escape")
    reel = download(page, "Highlight reel,")
    assert scan(reel.path()).timeline.duration_us > 2_000_000
    page.goto(report.as_uri())
    page.get_by_role("heading", name=re.compile("What flash-detector found")).wait_for()


def retrain(bench, model):
    """A model from fourteen decisions against one that finds every flash: it may only lose."""
    request = TrainRequest("flashes", TINY)
    second = trained_model(bench, run_training(bench, prepare_training(bench, request)))
    short = bench.catalog.videos.find("short.mp4")
    label_the_rest(bench, short)
    for name in (model.id, second.id):
        run_detection(bench, prepare_detection(bench, DetectRequest(short.id, name)))
    told = compare_models(bench, model.id, second.id, [short])
    old, new = told.first.report.points.mean, told.second.report.points.mean
    assert old == pytest.approx(1.0)
    assert 0 <= new <= old
    assert told.points.difference == pytest.approx(new - old, abs=1e-6)


def label_the_rest(bench, video):
    """Everything in the short clip is labelled and watched: models can be measured there."""
    room = render_flashes(
        bench.settings.data_dir / "truth.mp4", seconds=12, seed=2, size=(96, 64), fps=20
    )
    kept = bench.catalog.events.list(video_id=video.id, origin="annotation")
    for event in room.events:
        if all(abs(event.start_us - item.event.start_us) > 200_000 for item in kept):
            add_label(bench, video, "flashes", event)
    LabelDesk(bench).watch(video.id, "flashes", TimeSpan(0, video.duration_us), "ada")
