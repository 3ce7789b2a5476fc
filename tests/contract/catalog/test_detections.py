"""Detection runs: nothing looks like a result that is none."""

from __future__ import annotations

import threading
from dataclasses import asdict

import pytest

from prismata.catalog import open_catalog
from prismata.core.errors import ConflictError, NotFoundError
from prismata.core.events import Event
from prismata.core.jobs import FailureCause, JobState


def hits(*times_us, score=0.25):
    return [Event.point("hit", time_us, score) for time_us in times_us]


@pytest.fixture
def run(catalog, make):
    return catalog.detections.start(
        video_id=make.video().id,
        model_id=make.model().id,
        settings={"threshold": 0.1, "model_sha256": "ab"},
    )


def test_a_run_comes_back_exactly(catalog, make, url, clock):
    job = catalog.jobs.submit("detect", {}, author="anna")
    video, model = make.video(), make.model()
    started = catalog.detections.start(
        video_id=video.id, model_id=model.id, job_id=job.id, settings={"t": 0.1}, runtime="cpu"
    )
    assert (started.state, started.peak_rss_mb) == (JobState.RUNNING, None)
    clock.advance(12.000_001)
    finished = catalog.detections.finish(
        started.id,
        hits(3, score=1.0),
        result_key="runs/1/events.json",
        scores_key="runs/1/scores.npz",
        runtime="onnxruntime 1.27",
        settings={"t": 0.2},
        peak_rss_mb=512,
        wall_seconds=12.000_001,
        message="ok ✓",
    )
    assert (finished.state, finished.event_count, finished.peak_rss_mb) == ("succeeded", 1, 512.0)
    assert (finished.settings, finished.runtime) == ({"t": 0.2}, "onnxruntime 1.27")
    assert finished.finished_at == clock.now
    with open_catalog(url) as reopened:
        assert asdict(reopened.detections.get(started.id)) == asdict(finished)
        (event,) = reopened.events.list(detection_run_id=started.id)
    assert (event.event, event.origin, event.author) == (hits(3, score=1.0)[0], "detection", "")
    assert (event.model_id, event.domain, event.domain_version) == (model.id, "cricket", 3)


def test_final_events_take_the_place_of_provisional_ones(catalog, run):
    catalog.detections.add_events(run.id, hits(1, 2))
    assert catalog.detections.add_events(run.id, hits(3)).event_count == 3
    seen = catalog.events.list(detection_run_id=run.id)
    assert [item.provisional for item in seen] == [True] * 3

    assert catalog.detections.finish(run.id, hits(2, 4)).event_count == 2

    final = catalog.events.list(detection_run_id=run.id)
    assert [(item.event.start_us, item.provisional) for item in final] == [(2, False), (4, False)]


def test_events_stored_as_final_early_stay_when_the_run_finishes(catalog, run):
    catalog.detections.add_events(run.id, hits(1), provisional=False)
    catalog.detections.add_events(run.id, hits(2))
    assert catalog.detections.finish(run.id, hits(3)).event_count == 2
    final = catalog.events.list(detection_run_id=run.id, provisional=False)
    assert [item.event.start_us for item in final] == [1, 3]


def test_no_reader_sees_a_run_between_provisional_and_final(catalog, run):
    catalog.detections.add_events(run.id, hits(*range(40)))
    finished = threading.Event()
    counts = set()

    def watch():
        while not finished.is_set():
            counts.add(len(catalog.events.list(detection_run_id=run.id)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    catalog.detections.finish(run.id, hits(*range(30)))
    finished.set()
    watcher.join()
    assert counts <= {40, 30}


def test_a_provisional_event_cannot_be_decided_on(catalog, run):
    catalog.detections.add_events(run.id, hits(1))
    (event,) = catalog.events.list(provisional=True)
    with pytest.raises(ConflictError, match="still running"):
        catalog.events.set_review_state(event.id, "accepted", "anna", event.revision)
    with pytest.raises(ConflictError, match="still running"):
        catalog.events.delete(event.id, event.revision)
    assert catalog.events.count_by_type("cricket", origin="detection") == {}


def test_a_detection_keeps_having_no_author_when_a_person_corrects_it(catalog, run):
    catalog.detections.finish(run.id, hits(1))
    (event,) = catalog.events.list(detection_run_id=run.id)
    changed = catalog.events.update(
        event.id, event=Event.point("hit", 2), expected_revision=1, author="anna"
    )
    reviewed = catalog.events.set_review_state(event.id, "corrected", "anna", changed.revision)
    assert (reviewed.origin, reviewed.author, reviewed.reviewer) == ("detection", "", "anna")


@pytest.mark.parametrize("ending", ["fail", "cancel"])
def test_a_run_without_a_result_owns_no_events(catalog, run, ending):
    catalog.detections.add_events(run.id, hits(1, 2))
    catalog.detections.add_events(run.id, hits(3), provisional=False)
    if ending == "fail":
        ended = catalog.detections.fail(
            run.id, FailureCause.OUT_OF_MEMORY, "needs 900 MB", peak_rss_mb=899.5, wall_seconds=2
        )
        assert (ended.state, ended.cause) == (JobState.FAILED, FailureCause.OUT_OF_MEMORY)
        assert (ended.message, ended.peak_rss_mb) == ("needs 900 MB", 899.5)
    else:
        ended = catalog.detections.cancel(run.id, "stopped by anna")
        assert (ended.state, ended.message) == (JobState.CANCELLED, "stopped by anna")
    assert ended.event_count == 0
    assert catalog.events.list() == []


@pytest.mark.parametrize("ending", ["finish", "fail", "cancel"])
def test_a_run_ends_once(catalog, run, ending):
    endings = {
        "finish": lambda: catalog.detections.finish(run.id, hits(1)),
        "fail": lambda: catalog.detections.fail(run.id, FailureCause.CRASHED, "boom"),
        "cancel": lambda: catalog.detections.cancel(run.id),
    }
    ended = endings[ending]()
    kept = catalog.events.list()
    for again in endings.values():
        with pytest.raises(ConflictError, match="cannot become"):
            again()
    with pytest.raises(ConflictError, match="takes no more events"):
        catalog.detections.add_events(run.id, hits(9))
    assert catalog.detections.get(run.id) == ended
    assert catalog.events.list() == kept


def test_runs_are_listed_newest_first(catalog, make, run, clock):
    other_video = make.video("other.mp4")
    clock.advance(1)
    later = catalog.detections.start(video_id=other_video.id, model_id=run.model_id, settings={})
    assert catalog.detections.list() == [later, run]
    assert catalog.detections.list(video_id=other_video.id) == [later]
    assert catalog.detections.list(model_id=run.model_id, video_id=run.video_id) == [run]
    assert catalog.detections.list(model_id="nowhere") == []


def test_a_run_needs_a_video_a_model_and_a_job_that_exist(catalog, make):
    video, model = make.video(), make.model()
    for wrong in ({"video_id": "x"}, {"model_id": "x"}, {"job_id": "x"}):
        fields = {"video_id": video.id, "model_id": model.id, "settings": {}} | wrong
        with pytest.raises(NotFoundError, match="with the id 'x'"):
            catalog.detections.start(**fields)
    assert catalog.detections.list() == []
