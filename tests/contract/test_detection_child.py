"""The isolated detection child, as production starts it: a real process, supervised."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading

import pytest

from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import ChildLimits
from prismata.core.scores import ScoreTrack
from prismata.jobs import ChildSupervisor
from prismata.testing.children import PATIENCE_SECONDS, wait_until_gone
from prismata.testing.synth import render_flashes
from prismata.testing.tiny_onnx import write_classic_onnx, write_flash_bundle

DETECTION = (sys.executable, "-m", "prismata.detection")
WITHOUT_TORCH = (
    sys.executable,
    "-c",
    "import runpy, sys\n"
    "sys.modules['torch'] = sys.modules['torchvision'] = sys.modules['sqlalchemy'] = None\n"
    "runpy.run_module('prismata.detection', run_name='__main__')",
)


def detect(request, argv=DETECTION, limits=None, on_message=None):
    messages = []

    def take(message):
        messages.append(message)
        if on_message is not None:
            on_message(message)

    outcome = ChildSupervisor(grace_seconds=1).run(
        argv,
        {"threads": 1, **request},
        on_message=take,
        limits=limits or ChildLimits(wall_seconds=PATIENCE_SECONDS),
    )
    return outcome, messages


def of_type(messages, name):
    return [message for message in messages if message["type"] == name]


@pytest.fixture(scope="session")
def long_video(tmp_path_factory):
    """Long enough that a child is still at work when somebody stops it."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    return render_flashes(path, seconds=60, seed=1, size=(64, 48)).path


def test_it_finds_the_flashes_and_says_everything_that_was_really_used(
    flashes, flash_bundle, tmp_path
):
    timeline = tmp_path / "timeline.npz"
    flashes.timeline.save(timeline)
    scores = tmp_path / "scores.npz"
    outcome, messages = detect(
        {
            "video": str(flashes.path),
            "bundle": str(flash_bundle),
            "runtime": "onnxruntime",
            "timeline": str(timeline),
            "scores_path": str(scores),
            "thresholds": {"flash": 0.4},
            "batch": 5,
        }
    )
    assert outcome.state is JobState.SUCCEEDED, outcome
    result = outcome.result
    assert len(result["events"]) == len(flashes.events)
    for found, true in zip(result["events"], flashes.events, strict=True):
        # A point is the middle of the 0.12 s of white; samples are 0.05 s apart.
        assert abs(found["start_us"] - (true.start_us + 60_000)) <= 50_000
        assert found["start_frame"] == flashes.timeline.index_at(found["start_us"])
        assert found["clip_start_s"] < found["start_s"] == found["end_s"] < found["clip_end_s"]
        assert found["score"] > 0.99
        assert found["confidence"] is None, "its card does not say what scores mean"
    assert result["schema"] == "prismata.detection/1"
    assert result["status"] == "ok"
    assert result["video"] == {"frames": 120, "duration_s": 4.0, "variable_rate": False}
    assert result["model"]["name"] == "flash-detector"
    assert set(result["model"]["files"]) == {"encoder.onnx", "temporal.onnx"}
    assert result["settings"]["batch"] == 5
    assert result["settings"]["reader"] == "pyav"
    assert result["settings"]["rules"]["flash"]["threshold"] == 0.4
    assert result["runtime"]["name"] == "onnxruntime"
    assert result["runtime"]["threads"] == 1
    assert result["timing_s"]["total"] > 0
    assert result["samples"] == result["windows"] == len(ScoreTrack.load(scores)) == 80
    assert outcome.peak_rss_mb > 20

    kinds = [message["type"] for message in messages]
    assert kinds[0] == "started"
    assert kinds[-1] == "result"
    assert kinds.count("result") == 1
    assert [item["event"] for item in of_type(messages, "event")] == result["events"]
    assert of_type(messages, "memory")[-1]["peak_rss_mb"] > 20
    last = of_type(messages, "progress")[-1]
    assert last["done"] == last["total"] == 80


def test_it_runs_where_torch_and_the_database_are_not_installed(flashes, flash_bundle):
    request = {"video": str(flashes.path), "bundle": str(flash_bundle)}
    outcome, _ = detect(request, WITHOUT_TORCH)
    assert outcome.state is JobState.SUCCEEDED, outcome
    assert len(outcome.result["events"]) == len(flashes.events)


def test_a_foreign_model_runs_in_it_too(flashes, flash_bundle, tmp_path):
    classic = write_classic_onnx(tmp_path / "classic.onnx", num_frames=3, width=32, height=32)
    card = (flash_bundle / "card.json").read_text()
    foreign = {"path": str(classic), "card": card, "normalization": "unit"}
    outcome, _ = detect({"video": str(flashes.path), "foreign": foreign})
    assert outcome.state is JobState.SUCCEEDED, outcome
    assert len(outcome.result["events"]) == len(flashes.events)


def bad_requests(flashes, flash_bundle, tmp_path):
    (tmp_path / "text.mp4").write_text("this is no video")
    good = {"video": str(flashes.path), "bundle": str(flash_bundle)}
    return {
        "no video": good | {"video": str(tmp_path / "text.mp4")},
        "no file": good | {"video": str(tmp_path / "gone.mp4")},
        "no bundle": good | {"bundle": str(tmp_path)},
        "unknown event": good | {"thresholds": {"bang": 0.5}},
        "unknown reader": good | {"reader": "vlc"},
    }


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("no video", r"text\.mp4"),
        ("no file", r"gone\.mp4"),
        ("no bundle", r"it has no card\.json"),
        ("unknown event", "no event type 'bang'; it has flash"),
        ("unknown reader", "no reader 'vlc'; use pyav"),
    ],
)
def test_bad_input_is_the_users_to_mend_and_is_said_in_one_sentence(
    flashes, flash_bundle, tmp_path, what, sentence
):
    outcome, messages = detect(bad_requests(flashes, flash_bundle, tmp_path)[what])
    assert outcome.state is JobState.FAILED
    assert outcome.cause is FailureCause.USER_ERROR
    assert outcome.result is None
    (error,) = of_type(messages, "error")
    assert error["message"] in outcome.message
    assert re.search(sentence, outcome.message), outcome.message
    if what == "no video":
        assert error["reason"] == "not_a_video"
    if what == "no file":
        assert error["reason"] == "missing_file"


def test_a_child_that_is_killed_from_outside_is_said_to_be_killed(long_video, flash_bundle):
    pids = []

    def kill_at_work(message):
        if message["type"] == "started":
            pids.append(message["pid"])
        elif message["type"] == "progress" and message["done"] < message["total"]:
            os.kill(pids[0], signal.SIGKILL)

    request = {"video": str(long_video), "bundle": str(flash_bundle), "batch": 1}
    outcome, messages = detect(request, on_message=kill_at_work)
    assert (outcome.state, outcome.cause) == (JobState.FAILED, FailureCause.KILLED)
    assert outcome.exit_code == -signal.SIGKILL
    assert of_type(messages, "result") == []
    wait_until_gone(pids[0])


def test_a_child_that_is_cancelled_ends_without_a_result(long_video, flash_bundle):
    cancelled = threading.Event()
    outcome = ChildSupervisor(grace_seconds=5).run(
        DETECTION,
        {"video": str(long_video), "bundle": str(flash_bundle), "batch": 1, "threads": 1},
        on_message=lambda message: message["type"] == "progress" and cancelled.set(),
        limits=ChildLimits(wall_seconds=PATIENCE_SECONDS),
        cancelled=cancelled.is_set,
    )
    assert outcome.state is JobState.CANCELLED
    assert outcome.result is None


@pytest.mark.parametrize("memory_mb", [700, 1000], ids=["numpy asks", "onnxruntime asks"])
def test_a_child_that_needs_more_memory_than_it_may_have_is_out_of_memory(
    flashes, tmp_path, memory_mb
):
    # 80 frames of 1024 x 1024 are 240 MB, and 960 MB once the network has made floats of them.
    bundle = write_flash_bundle(tmp_path / "large", width=1024, height=1024)
    outcome, messages = detect(
        {
            "video": str(flashes.path),
            "bundle": str(bundle),
            "runtime": "onnxruntime",
            "batch": 80,
        },
        limits=ChildLimits(memory_mb=memory_mb, wall_seconds=PATIENCE_SECONDS),
    )
    assert (outcome.state, outcome.cause) == (JobState.FAILED, FailureCause.OUT_OF_MEMORY), outcome
    assert f"more than the {memory_mb} MB" in outcome.message
    assert of_type(messages, "result") == []
