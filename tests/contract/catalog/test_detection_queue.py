"""The table of detections in one question, and the scores of a run while it goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from prismata.core.errors import ConflictError, NotFoundError
from prismata.core.events import Event
from prismata.core.jobs import FailureCause, JobState


def detection(catalog, make, name, **more):
    video, model = make.video(f"{name}.mp4"), more.pop("model", None) or make.model(name)
    return catalog.jobs.submit(
        "detect",
        {},
        author="anna",
        detection={"video_id": video.id, "model_id": model.id, "settings": {}},
        **more,
    )


def run_of(catalog, job):
    return catalog.detections.list(job_id=job.id)[0]


def names(catalog, clock, **more):
    more = {"ended_since": clock.now - timedelta(hours=1), "limit": 100} | more
    return [item.video for item in catalog.detection_queue.list(**more)]


def test_running_ones_come_first_then_those_that_wait_then_what_ended(catalog, clock, make):
    jobs = {}
    for name in ("old", "ended", "also ended", "running", "waits", "waits first"):
        clock.advance(1)
        jobs[name] = detection(catalog, make, name)
    for name in ("old", "ended", "also ended", "running"):
        lease = catalog.leases.claim(jobs[name].id, lease_seconds=10_000)
        if name != "running":
            catalog.leases.end_attempt(
                jobs[name].id, lease.lease_token, state=JobState.FAILED, cause=FailureCause.BUG
            )
        clock.advance(4000 if name == "old" else 1)
    catalog.queue_order.move_first(jobs["waits first"].id)
    expected = ["running", "waits first", "waits", "also ended", "ended"]
    assert names(catalog, clock) == [f"{name}.mp4" for name in expected]
    assert names(catalog, clock, limit=2) == ["running.mp4", "waits first.mp4"]
    assert names(catalog, clock, job_ids=[jobs["waits"].id]) == ["waits.mp4"]


def test_a_row_tells_what_was_found_so_far(catalog, clock, make):
    job = detection(catalog, make, "a")
    (row,) = catalog.detection_queue.list(ended_since=clock.now, limit=9)
    assert (row.job, row.events, row.first_us, row.model) == (job, 0, None, "a")
    assert (row.duration_us, row.from_cache) == (10_000_001, False)
    catalog.detections.add_events(row.run_id, [Event.point("hit", 700, 0.5)])
    catalog.detections.add_events(row.run_id, [Event.point("hit", 300, 0.5)])
    (row,) = catalog.detection_queue.list(ended_since=clock.now, limit=9)
    assert (row.events, row.first_us) == (2, 300)


def test_scores_are_read_from_where_a_reader_was(catalog, make):
    run = run_of(catalog, detection(catalog, make, "a"))
    first = catalog.live_scores.add(run.id, [0, 50_000], [[0.25, 1.0], [0.5, 0.0]])
    assert catalog.live_scores.since(run.id) == [first]
    second = catalog.live_scores.add(run.id, [100_000], [[0.75, 0.5]])
    assert (first.number, second.number) == (1, 2)
    assert catalog.live_scores.since(run.id, 1) == [second]
    assert second.scores == ((0.75, 0.5),)
    catalog.live_scores.forget(run.id)
    assert catalog.live_scores.since(run.id) == []


@pytest.mark.parametrize("end", ["finish", "fail", "cancel", "job"])
def test_scores_go_with_the_end_of_their_run(catalog, make, end):
    job = detection(catalog, make, "a")
    other = run_of(catalog, detection(catalog, make, "b"))
    run = run_of(catalog, job)
    for item in (run, other):
        catalog.live_scores.add(item.id, [0], [[0.5]])
    if end == "finish":
        catalog.detections.finish(run.id, [])
    elif end == "fail":
        catalog.detections.fail(run.id, FailureCause.BUG, "no")
    elif end == "cancel":
        catalog.detections.cancel(run.id)
    else:
        catalog.jobs.request_cancel(job.id)
    assert catalog.live_scores.since(run.id) == []
    assert len(catalog.live_scores.since(other.id)) == 1
    with pytest.raises(ConflictError, match="takes no more scores"):
        catalog.live_scores.add(run.id, [1], [[0.5]])


def test_scores_of_nobody_are_refused_and_a_video_takes_its_scores_along(catalog, make):
    with pytest.raises(NotFoundError):
        catalog.live_scores.add("nobody", [0], [[0.5]])
    run = run_of(catalog, detection(catalog, make, "a"))
    catalog.live_scores.add(run.id, [0], [[0.5]])
    catalog.videos.remove(run.video_id)
    assert catalog.live_scores.since(run.id) == []
