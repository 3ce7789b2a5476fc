"""Figures of a catalog, counted by either database."""

from __future__ import annotations

from prismata.core.jobs import FailureCause, JobState, ResourceClass
from prismata.core.processes import this_process

LIMITS = (1, 10, 100)


def look(catalog):
    return catalog.figures.look(LIMITS, seen_within_seconds=60)


def test_an_empty_catalog_has_figures_too(catalog):
    figures = look(catalog)
    assert (figures.jobs, figures.attempts, figures.durations) == ({}, {}, [])
    assert (figures.videos, figures.video_seconds, figures.events) == (0, 0.0, {})
    assert figures.recent_realtime_factor is None


def test_jobs_attempts_and_how_long_they_took(catalog, clock):
    for seconds in (0.5, 10, 300):
        job = catalog.jobs.submit("detect", {}, author="anna")
        token = catalog.leases.claim(job.id, lease_seconds=1000).lease_token
        clock.advance(seconds)
        catalog.leases.end_attempt(job.id, token, state=JobState.SUCCEEDED)
    job = catalog.jobs.submit("train", {}, author="anna", resource_class=ResourceClass.GPU)
    for _ in range(2):
        token = catalog.leases.claim(job.id, lease_seconds=1000).lease_token
        failed = {"state": JobState.FAILED, "cause": FailureCause.CRASHED}
        catalog.leases.end_attempt(job.id, token, **failed)
    figures = look(catalog)
    assert figures.jobs == {
        ("detect", JobState.SUCCEEDED): 3,
        ("train", JobState.FAILED): 1,
    }
    assert figures.attempts == {
        ("detect", JobState.SUCCEEDED, None): 3,
        ("train", JobState.FAILED, FailureCause.CRASHED): 2,
    }
    (took,) = figures.durations
    assert (took.kind, took.at_most, took.count) == ("detect", (1, 2, 2), 3)
    assert abs(took.seconds - 310.5) < 0.01


def test_who_waits_longest_and_who_works(catalog, clock):
    held = catalog.jobs.submit("detect", {}, author="anna")
    catalog.queue_order.hold(held.id)
    clock.advance(100)
    catalog.jobs.submit("detect", {}, author="anna")
    clock.advance(7)
    catalog.jobs.submit("detect", {}, author="anna")
    catalog.workers.add("gone:1", this_process(), {ResourceClass.CPU: 8}, version="0")
    clock.advance(61)
    catalog.workers.add("box:1", this_process(), {ResourceClass.CPU: 2}, version="0")
    leaving = catalog.workers.add("box:2", this_process(), {ResourceClass.IO: 1}, version="0")
    catalog.workers.beat(leaving.id, draining=True)
    figures = look(catalog)
    assert figures.oldest_queued_seconds == {ResourceClass.CPU: 68.0}
    assert figures.workers == {False: 1, True: 1}
    assert figures.worker_slots == {ResourceClass.CPU: 2, ResourceClass.GPU: 0, ResourceClass.IO: 1}


def test_how_fast_detections_are(catalog, make, clock):
    for name, wall_seconds in (("slow", 20.0), ("quick", 2.0)):
        job = catalog.jobs.submit("detect", {}, author="anna")
        run = catalog.detections.start(
            video_id=make.video(name).id, model_id=make.model(name).id, job_id=job.id, settings={}
        )
        catalog.detections.finish(
            run.id,
            [],
            runtime="r",
            result_key="",
            scores_key="",
            peak_rss_mb=1.0,
            wall_seconds=wall_seconds,
            settings={},
        )
        clock.advance(13 * 3600)
    figures = look(catalog)
    assert abs(figures.detected_video_seconds - 20.000002) < 1e-6
    assert figures.detecting_seconds == 22.0
    assert abs(figures.recent_realtime_factor - 5.0) < 0.001
