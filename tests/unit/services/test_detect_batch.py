"""Batches through the services, in real children that keep their model, crash and starve."""

import shutil
from pathlib import Path

import pytest

from prismata.core.jobs import FailureCause, JobState
from prismata.services import detect_model
from prismata.services.detect import (
    DetectRequest,
    assign_detection,
    prepare_detection,
    run_detection,
)
from prismata.services.detect_batch import detect_many
from prismata.services.video_sources import find_sources
from prismata.testing.children import handling_child

ONE = JobState.SUCCEEDED


@pytest.fixture
def folder(tmp_path, flashes, uneven_flashes, copy_of):
    """`1.mp4` and `3.mp4` are videos, `2.mp4` is none."""
    made = tmp_path / "rec"
    made.mkdir()
    shutil.copyfile(flashes.path, made / "1.mp4")
    (made / "2.mp4").write_text("no video")
    shutil.copyfile(uneven_flashes.path, made / "3.mp4")
    return made


@pytest.fixture
def model(add_bundle):
    return add_bundle()


def detect(bench, *words, again=False, on_message=lambda _: None, **request):
    """Detect in what the words name; return the reports and the messages."""
    messages, progress = [], []

    def hear(message):
        messages.append(message)
        on_message(message)

    reports = detect_many(
        bench,
        find_sources(bench, [str(word) for word in words]),
        DetectRequest(video="", domain="flashes", **request),
        again=again,
        on_message=hear,
        on_progress=progress.append,
    )
    return reports, messages, progress


def pids(messages):
    return [message["pid"] for message in messages if message["type"] == "started"]


def misbehave(monkeypatch, body):
    """Put a child in the place of ours that does `body` and then really detects."""
    child = handling_child(
        body + "\nfrom prismata.detection.child import DetectionChild\n"
        "ours = globals().setdefault('ours', DetectionChild())\n"
        "return ours(request, reporter)"
    )
    monkeypatch.setattr(detect_model, "DETECT_CHILD", tuple(child))


def test_a_file_that_is_no_video_is_one_line_and_the_others_go_on(bench, folder, model):
    reports, messages, progress = detect(bench, folder)
    first, bad, last = reports
    assert [report.source for report in reports] == [str(folder / f"{n}.mp4") for n in (1, 2, 3)]
    assert [report.state for report in reports] == [ONE, JobState.FAILED, ONE]
    assert (bad.cause, bad.reason, bad.run_id) == (FailureCause.USER_ERROR, "not_a_video", "")
    assert "2.mp4" in bad.message
    assert first.result["events"]
    assert last.result["events"]
    assert (first.video, first.model) == ("1.mp4", "flash-detector")
    assert len(set(pids(messages))) == 1, "one child for all"
    assert len(pids(messages)) == 2
    jobs = bench.catalog.jobs.list()
    assert [job.state for job in jobs] == [ONE, ONE]
    assert progress[0].number == 1
    assert (progress[-1].number, progress[-1].count) == (3, 3)
    assert progress[-1].total_share == pytest.approx(1.0)


def test_a_crash_costs_one_video(bench, folder, model, monkeypatch):
    misbehave(monkeypatch, "import ctypes\nif '1.mp4' in request['video']: ctypes.string_at(0)")
    (folder / "2.mp4").unlink()
    reports, messages, _ = detect(bench, folder)
    assert [report.cause for report in reports] == [FailureCause.CRASHED, None]
    assert reports[1].result["events"]
    assert len(set(pids(messages))) == 3, "it gets another attempt, the next video a new child"
    jobs = {job.params["video"]: job for job in bench.catalog.jobs.list()}
    assert jobs["1.mp4"].cause is FailureCause.CRASHED
    assert any("Segmentation fault" in line for line in jobs["1.mp4"].log_tail)
    assert jobs["3.mp4"].log_tail == ()


def test_what_was_found_before_is_reported_and_not_run_again(bench, folder, model):
    before, _, _ = detect(bench, folder)
    reports, messages, _ = detect(bench, folder)
    assert messages == []
    assert [report.reused for report in reports] == [True, False, True]
    assert [report.result for report in reports] == [report.result for report in before]
    assert [report.run_id for report in reports] == [report.run_id for report in before]


@pytest.mark.parametrize(
    ("request_", "reused"),
    [
        ({"thresholds": {"flash": 0.5}}, True),  # what the model has anyway
        ({"thresholds": {"flash": 0.31}}, False),
        ({"reader": "opencv"}, False),
        ({"runtime": "onnxruntime"}, False),
        ({"runtime": "auto", "precision": "auto"}, True),
        ({"precision": "fp32"}, False),
        ({"batch": 3}, True),
        ({"coarse": True}, False),
        ({"measure_floors": True}, False),
        ({"again": True}, False),
    ],
)
def test_other_settings_are_another_run(bench, folder, model, request_, reused):
    detect(bench, folder / "1.mp4")
    (report,), messages, _ = detect(bench, folder / "1.mp4", **request_)
    assert report.state is ONE, report
    assert report.reused is reused
    assert bool(messages) is not reused


def test_a_failed_run_or_a_lost_result_is_run_again(bench, folder, model):
    (report,), _, _ = detect(bench, folder / "1.mp4")
    bench.storage.delete(f"detections/{report.run_id}/result.json")
    (second,), messages, _ = detect(bench, folder / "1.mp4")
    assert (second.state, second.reused) == (ONE, False)
    assert messages


def test_ctrl_c_leaves_what_is_done_and_starting_again_goes_on(bench, folder, model):
    (folder / "2.mp4").unlink()
    started = []

    def interrupt(message):
        if message["type"] == "started":
            started.append(message)
            if len(started) == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        detect(bench, folder, on_message=interrupt)
    states = {job.params["video"]: job.state for job in bench.catalog.jobs.list()}
    assert states == {"1.mp4": ONE, "3.mp4": JobState.CANCELLED}
    reports, messages, _ = detect(bench, folder)
    assert [(report.state, report.reused) for report in reports] == [(ONE, True), (ONE, False)]
    assert len(pids(messages)) == 1


def test_one_job_cancelled_elsewhere_is_one_video(bench, folder, model, monkeypatch):
    misbehave(
        monkeypatch,
        "if '1.mp4' in request['video']:\n    reporter.progress(0, 1)\n    time.sleep(600)",
    )
    (folder / "2.mp4").unlink()

    def cancel(message):
        if message["type"] == "progress" and message["total"] == 1:
            (job,) = [job for job in bench.catalog.jobs.list() if job.state is JobState.RUNNING]
            bench.catalog.jobs.request_cancel(job.id)

    reports, _, _ = detect(bench, folder, on_message=cancel)
    assert [report.state for report in reports] == [JobState.CANCELLED, ONE]


STARVING = """
if "1.mp4" in request["video"]:
    print("batch", request.get("batch"), "threads", request["threads"])
    reporter.event({"start_us": 1, "end_us": 1, "event_type": "flash", "kind": "point",
                    "score": 0.9})
    if LEAST_OR_NOT:
        reporter.progress(1, 4)
        return {"hog": bytearray(1 << 60)}
"""


def test_lost_memory_is_answered_with_one_smaller_attempt(bench, folder, model, monkeypatch):
    misbehave(monkeypatch, STARVING.replace("LEAST_OR_NOT", "request.get('batch') != 2"))
    (folder / "2.mp4").unlink()
    shown = []

    def look(message):
        if message["type"] == "event" and message["event"]["start_us"] == 1:
            run = bench.catalog.detections.list()[-1]
            shown.append(len(bench.catalog.events.list(detection_run_id=run.id)))

    first, other = detect(bench, folder, on_message=look)[0]
    assert shown == [1, 1], "what both attempts find is shown once"
    assert first.state is other.state is ONE
    assert "The first attempt ran out of memory" in first.message
    assert first.result["notes"] == [first.message]
    (job,) = [job for job in bench.catalog.jobs.list() if job.params["video"] == "1.mp4"]
    assert (job.state, job.attempt) == (ONE, 2)
    lost, done = bench.catalog.jobs.attempts(job.id)
    assert lost.cause is FailureCause.OUT_OF_MEMORY
    assert lost.log_tail[0] == "batch None threads 1"
    assert done.log_tail == job.log_tail == ("batch 2 threads 1",)
    asked = [
        bench.catalog.detections.get(report.run_id).settings["asked"]["profile"]
        for report in (first, other)
    ]
    assert asked == ["smallest", "smallest"], "the videos after it are spared the same"
    run = bench.catalog.detections.get(first.run_id)
    found = bench.catalog.events.list(detection_run_id=run.id, origin="detection")
    assert len(found) == len(first.result["events"])


def test_two_attempts_are_enough(bench, folder, model, monkeypatch):
    misbehave(monkeypatch, STARVING.replace("LEAST_OR_NOT", "True"))
    reports, messages, _ = detect(bench, folder / "1.mp4", folder / "3.mp4")
    starved, other = reports
    assert (starved.state, starved.cause) == (JobState.FAILED, FailureCause.OUT_OF_MEMORY)
    assert "close other programs or use a smaller or shorter video" in starved.message
    assert "The first attempt ran out of memory" in starved.message
    assert other.state is ONE
    assert len(pids(messages)) > 2
    provisional = bench.catalog.events.list(detection_run_id=starved.run_id, origin="detection")
    assert provisional == []


def test_a_warm_child_s_memory_is_not_asked_for_twice(bench, folder, model, monkeypatch):
    held = []

    def spy(*args, held_mb, **options):
        held.append(held_mb)
        return admit(*args, held_mb=held_mb, **options)

    from prismata.services.admission import admit

    monkeypatch.setattr("prismata.services.detect.admit", spy)
    detect(bench, folder)
    assert held[0] == 0.0
    assert held[1] > 20.0


def test_an_open_event_is_passed_on_and_not_stored(bench, folder, model, monkeypatch):
    misbehave(
        monkeypatch,
        "reporter._send('open_event', event={'start_us': 7, 'event_type': 'flash'})\n"
        "reporter.progress(0, 5)\ntime.sleep(0.3)",
    )
    seen = []

    def look(message):
        if message["type"] == "open_event":
            (run,) = bench.catalog.detections.list()
            seen.append(len(bench.catalog.events.list(detection_run_id=run.id)))

    (report,), _, _ = detect(bench, folder / "1.mp4", on_message=look)
    assert report.state is ONE
    assert seen[0] == 0
    stored = bench.catalog.events.list(detection_run_id=report.run_id)
    assert 7 not in [item.event.start_us for item in stored]


def test_without_a_batch_a_detection_says_what_it_was_asked(bench, video, model):
    prepared = prepare_detection(bench, DetectRequest("flashes.mp4", precision="fp32"))
    assignment = assign_detection(bench, prepared.job)
    assignment.resources.close()
    request = assignment.request
    assert request["precision"] == "fp32"
    assert request["video_sha256"] == video.sha256
    assert request["cache"]["max_bytes"] == 5_000_000_000
    assert Path(request["cache"]["folder"]).is_absolute()
    assert run_detection(bench, prepared).state is ONE
