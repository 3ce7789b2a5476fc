"""Many detections into the queue: nothing twice, one bad file is one row, all of it arranged."""

import shutil
import time

import pytest

from prismata.core.errors import ConflictError, InvalidInputError
from prismata.core.jobs import FailureCause, JobState
from prismata.services import detect_model
from prismata.services.detect import DetectRequest
from prismata.services.detect_queue import (
    act_on_job,
    retry_job,
    submit_detections,
    videos_without_result,
)
from prismata.services.ingest import ingest_file
from prismata.services.queue_view import describe_queue, look_at_queue
from prismata.services.video_sources import LibrarySource, find_sources
from prismata.wiring import open_workbench

LIMIT = 60


@pytest.fixture
def asker(settings):
    """A workbench that runs nothing itself."""
    with open_workbench(settings.model_copy(update={"dispatcher": "none"})) as opened:
        yield opened


@pytest.fixture
def videos(bench, flashes, uneven_flashes):
    return [
        ingest_file(bench, made.path, domain="flashes").video for made in (flashes, uneven_flashes)
    ]


@pytest.fixture
def model(add_bundle):
    return add_bundle()


def submit(bench, videos, **more):
    again = more.pop("again", False)
    sources = [LibrarySource(video) for video in videos]
    return submit_detections(
        bench, sources, DetectRequest("", domain="flashes", **more), again=again
    )


def rows(bench):
    return {row.video: row for row in look_at_queue(bench).rows}


def wait_until(condition):
    deadline = time.monotonic() + LIMIT
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)
    return found


def all_ended(bench):
    return wait_until(
        lambda: (
            (jobs := bench.catalog.jobs.list()) and all(job.state.is_final for job in jobs) and jobs
        )
    )


def test_the_same_work_is_asked_for_once_and_other_settings_are_other_work(asker, videos, model):
    first = submit(asker, videos)
    assert first.sentence() == "2 submitted"
    again = submit(asker, videos)
    assert again.sentence() == "0 submitted, 2 waiting or running already"
    assert again.active == [video.name for video in videos]
    assert submit(asker, videos, thresholds={"flash": 0.5}).sentence().endswith("running already")
    assert submit(asker, videos, thresholds={"flash": 0.7}).sentence() == "2 submitted"
    assert submit(asker, videos, coarse=True).sentence() == "2 submitted"
    assert len(asker.catalog.jobs.list()) == 6


def test_what_was_found_before_is_offered(bench, videos, model):
    submit(bench, videos[:1])
    all_ended(bench)
    told = submit(bench, videos)
    assert told.sentence() == "1 submitted, 1 already done"
    ((video, run),) = told.finished
    assert (video.id, run.state) == (videos[0].id, JobState.SUCCEEDED)
    assert videos_without_result(bench, videos, model) == videos[1:]
    assert submit(bench, videos[:1], again=True).sentence() == "1 submitted"
    all_ended(bench)


def test_a_folder_is_taken_in_file_by_file_and_a_bad_one_is_a_row(
    bench, model, tmp_path, flashes, uneven_flashes
):
    folder = tmp_path / "rec"
    folder.mkdir()
    shutil.copyfile(flashes.path, folder / "1.mp4")
    (folder / "2.mp4").write_text("no video at all")
    shutil.copyfile(uneven_flashes.path, folder / "3.mp4")
    request = DetectRequest("", model.id, domain="flashes")
    told = submit_detections(bench, find_sources(bench, [str(folder)]), request)
    assert told.sentence() == "3 submitted"
    wait_until(lambda: len(bench.catalog.jobs.list("detect")) == 2)
    all_ended(bench)
    seen = rows(bench)
    assert {name: row.state for name, row in seen.items()} == {
        "1.mp4": "done",
        "2.mp4": "failed",
        "3.mp4": "done",
    }
    assert "2.mp4" in seen["2.mp4"].note
    assert seen["1.mp4"].events == len(flashes.events)
    assert abs(seen["1.mp4"].first_us - flashes.events[0].start_us) < 150_000
    assert bench.catalog.videos.find("1.mp4").domain == "flashes"
    told = submit_detections(bench, find_sources(bench, [str(folder / "1.mp4")]), request)
    wait_until(lambda: all(job.state.is_final for job in bench.catalog.jobs.list("intake")))
    assert len(bench.catalog.jobs.list("detect")) == 2, "its result is there already"


def test_an_intake_that_was_called_off_queues_no_detection(
    asker, settings, model, tmp_path, flashes
):
    shutil.copyfile(flashes.path, tmp_path / "a.mp4")
    request = DetectRequest("", model.id)
    told = submit_detections(asker, find_sources(asker, [str(tmp_path / "a.mp4")]), request)
    (job,) = told.submitted
    assert rows(asker)["a.mp4"].state == "waiting"
    assert act_on_job(asker, "cancel", job.id).state is JobState.CANCELLED
    again = retry_job(asker, job.id)
    claimed = asker.catalog.leases.claim(again.id, lease_seconds=60)
    asker.catalog.jobs.request_cancel(again.id)
    from prismata.services.intake import assign_intake

    with pytest.raises(ConflictError, match="no detection was queued"):
        assign_intake(asker, claimed)
    assert asker.catalog.jobs.list("detect") == []


def test_rows_are_paused_moved_and_resumed(asker, videos, model):
    a, b = submit(asker, videos).submitted
    act_on_job(asker, "up", b.id)
    assert [row.job.id for row in look_at_queue(asker).rows] == [b.id, a.id]
    act_on_job(asker, "up", b.id)
    assert [row.job.id for row in look_at_queue(asker).rows] == [b.id, a.id]
    act_on_job(asker, "first", a.id)
    assert [row.job.id for row in look_at_queue(asker).rows] == [a.id, b.id]
    act_on_job(asker, "pause", a.id)
    told = describe_queue(look_at_queue(asker))
    assert told["counts"] == {"paused": 1, "waiting": 1}
    assert told["left_s"] is None
    act_on_job(asker, "resume", a.id)
    assert look_at_queue(asker).counts == {"waiting": 2}
    with pytest.raises(InvalidInputError, match="there is no action"):
        act_on_job(asker, "explode", a.id)


def test_what_failed_is_tried_again_as_it_was_asked_for(bench, videos, model, monkeypatch):
    whole = detect_model.DETECT_CHILD
    monkeypatch.setattr(detect_model, "DETECT_CHILD", ("sh", "-c", "kill -9 $$"))
    (job,) = submit(bench, videos[:1], thresholds={"flash": 0.7}).submitted
    all_ended(bench)
    row = rows(bench)["flashes.mp4"]
    assert (row.state, row.job.cause) == ("failed", FailureCause.KILLED)
    assert row.note.startswith("Killed: ")
    monkeypatch.setattr(detect_model, "DETECT_CHILD", whole)
    again = act_on_job(bench, "retry", job.id)
    assert again.id != job.id
    assert again.params == job.params
    all_ended(bench)
    (row,) = look_at_queue(bench).rows
    assert (row.job.id, row.state) == (again.id, "done"), "one row for one piece of work"
    with pytest.raises(ConflictError, match="is succeeded"):
        retry_job(bench, again.id)


def test_other_kinds_are_started_where_they_were(asker):
    job = asker.catalog.jobs.submit("train", {}, author="anna")
    asker.catalog.jobs.request_cancel(job.id)
    with pytest.raises(InvalidInputError, match="where it was started the first time"):
        retry_job(asker, job.id)


def test_a_running_one_tells_how_long_it_takes(asker, videos, model):
    first, _ = submit(asker, videos).submitted
    claimed = asker.catalog.leases.claim(first.id, lease_seconds=600)
    asker.catalog.leases.heartbeat(
        first.id, claimed.lease_token, lease_seconds=600, progress=0.5, note="detecting"
    )
    time.sleep(0.1)
    view = look_at_queue(asker)
    running, waiting = view.rows
    assert (running.state, running.note) == ("running", "detecting")
    assert 0 < running.left_seconds < waiting.left_seconds == view.left_seconds
    assert view.share == pytest.approx(0.25, abs=0.02)
    asker.catalog.jobs.request_cancel(first.id)
    assert rows(asker)["flashes.mp4"].state == "stopping"
