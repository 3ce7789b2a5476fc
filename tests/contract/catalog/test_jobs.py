"""Jobs: claimed once, leased, fenced, and honest about how they ended."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta

import pytest
from sqlalchemy import text

from prismata.catalog import Offer, open_catalog
from prismata.core.errors import BusyError, ConflictError, InvalidInputError, NotFoundError
from prismata.core.jobs import FailureCause, JobState

POSTGRES = pytest.param("postgresql", marks=pytest.mark.postgres)


def submit(catalog, kind="detect", **more):
    return catalog.jobs.submit(kind, {"video": "Übung 🎬", "fps": 12.5}, author="Zoë", **more)


def claimed(catalog, **more):
    return catalog.leases.claim(submit(catalog, **more).id, lease_seconds=45)


def test_a_job_comes_back_exactly_at_every_step(catalog, url, clock):
    with open_catalog(url) as other:
        queued = submit(catalog, dedupe_key="detect:v1:m1")
        assert (queued.state, queued.attempt, queued.created_at) == ("queued", 0, clock.now)
        assert asdict(other.jobs.get(queued.id)) == asdict(queued)

        clock.advance(1.000_001)
        running = catalog.leases.claim(queued.id, lease_seconds=45)
        assert (running.state, running.attempt, running.started_at) == ("running", 1, clock.now)
        assert running.lease_until == clock.now + timedelta(seconds=45)
        assert asdict(other.jobs.get(queued.id)) == asdict(running)

        token = running.lease_token
        clock.advance(15)
        cancel = catalog.leases.heartbeat(
            queued.id, token, lease_seconds=45, progress=1 / 3, note="½ ✓", peak_rss_mb=300
        )
        assert cancel is False
        beat = other.jobs.get(queued.id)
        assert (beat.progress, beat.progress_note, beat.peak_rss_mb) == (1 / 3, "½ ✓", 300.0)
        assert beat.lease_until == clock.now + timedelta(seconds=45)

        done = catalog.leases.end_attempt(
            queued.id,
            token,
            state=JobState.SUCCEEDED,
            result={"events": [1, {"µ": None}]},
            log_tail=[f"line {number}" for number in range(150)],
        )
        assert (done.state, done.progress, done.cause) == ("succeeded", 1.0, None)
        assert (done.lease_token, done.lease_until, done.finished_at) == (None, None, clock.now)
        assert done.log_tail == tuple(f"line {number}" for number in range(50, 150))
        assert asdict(other.jobs.get(queued.id)) == asdict(done)


def test_the_same_work_is_refused_politely_while_it_is_active(catalog, clock):
    first = submit(catalog, dedupe_key="detect:v1:m1")
    with pytest.raises(BusyError, match=rf"already queued: Zoë started it just now.*{first.id}"):
        submit(catalog, dedupe_key="detect:v1:m1")
    running = catalog.leases.claim(first.id, lease_seconds=1000)
    catalog.leases.heartbeat(first.id, running.lease_token, lease_seconds=1000, progress=0.42)
    clock.advance(200)
    with pytest.raises(BusyError, match="3 min ago and it is 42% done") as caught:
        submit(catalog, dedupe_key="detect:v1:m1")
    assert "\n" not in str(caught.value)
    submit(catalog, dedupe_key="detect:v1:m2")
    submit(catalog)
    submit(catalog)
    catalog.leases.end_attempt(first.id, running.lease_token, state=JobState.CANCELLED)
    assert submit(catalog, dedupe_key="detect:v1:m1").id != first.id


def test_work_whose_supervisor_vanishes_again_and_again_can_be_asked_for_anew(catalog, clock):
    lost = submit(catalog, dedupe_key="k")
    for attempt in (1, 2, 3, 4):
        assert catalog.leases.claim(lost.id, lease_seconds=45).attempt == attempt
        clock.advance(45.1)
        if attempt < 4:
            with pytest.raises(BusyError, match="is already queued"):
                submit(catalog, dedupe_key="k")
    again = submit(catalog, dedupe_key="k")
    assert again.state is JobState.QUEUED
    given_up = catalog.jobs.get(lost.id)
    assert (given_up.state, given_up.cause) == (JobState.FAILED, FailureCause.LOST)
    assert given_up.failures == {"lost": 4}


def test_of_threads_that_submit_the_same_work_one_gets_it(catalog):
    barrier = threading.Barrier(8)

    def try_to_submit(_):
        barrier.wait()
        try:
            return submit(catalog, dedupe_key="k").id
        except BusyError:
            return None

    with ThreadPoolExecutor(8) as pool:
        ids = [job_id for job_id in pool.map(try_to_submit, range(8)) if job_id]
    assert len(ids) == len(catalog.jobs.list()) == 1


def test_the_database_itself_keeps_active_work_unique(catalog, monkeypatch):
    """What stands between our look and our insert on PostgreSQL, where writers overlap."""
    submit(catalog, dedupe_key="k")
    looks = []
    real = catalog.jobs._check_free

    def look_too_early_once(session, dedupe_key):
        looks.append(dedupe_key)
        if len(looks) > 1:
            real(session, dedupe_key)

    monkeypatch.setattr(catalog.jobs, "_check_free", look_too_early_once)
    with pytest.raises(BusyError, match="already queued"):
        submit(catalog, dedupe_key="k")
    assert looks == ["k", "k"]


def test_eight_workers_claim_every_job_exactly_once(catalog):
    wanted = {submit(catalog).id for _ in range(40)}
    submit(catalog, "train")
    barrier = threading.Barrier(8)

    def work(_):
        barrier.wait()
        mine = []
        while (job := catalog.leases.claim_next(Offer(["detect", "export"]), 45)) is not None:
            mine.append((job.id, job.lease_token))
        return mine

    with ThreadPoolExecutor(8) as pool:
        taken = [pair for mine in pool.map(work, range(8)) for pair in mine]
    assert len(taken) == 40
    assert {job_id for job_id, _ in taken} == wanted
    assert len({token for _, token in taken}) == 40
    assert [job.kind for job in catalog.jobs.list(state=JobState.QUEUED)] == ["train"]


@pytest.mark.parametrize("backend", [POSTGRES], indirect=True)
def test_a_job_that_another_worker_is_just_taking_is_passed_over(catalog, raw, clock):
    oldest = submit(catalog)
    clock.advance(1)
    next_one = submit(catalog)
    with raw.begin() as connection:
        connection.execute(text("SELECT 1 FROM job WHERE id = :id FOR UPDATE"), {"id": oldest.id})
        assert catalog.leases.claim_next(Offer(["detect"]), 45).id == next_one.id
    assert catalog.leases.claim_next(Offer(["detect"]), 45).id == oldest.id


def test_the_oldest_job_is_next(catalog, clock):
    ids = []
    for _ in range(3):
        ids.append(submit(catalog).id)
        clock.advance(1)
    assert [catalog.leases.claim_next(Offer(["detect"]), 45).id for _ in ids] == ids
    assert catalog.leases.claim_next(Offer(["detect"]), 45) is None
    assert catalog.leases.claim_next(Offer([]), 45) is None


def test_a_job_is_claimed_only_from_the_queue(catalog):
    job = claimed(catalog)
    with pytest.raises(ConflictError, match="running cannot become running"):
        catalog.leases.claim(job.id, lease_seconds=45)
    with pytest.raises(NotFoundError, match="no job with the id 'nowhere'"):
        catalog.leases.claim("nowhere", lease_seconds=45)


def test_a_stale_token_changes_nothing(catalog, clock):
    first = claimed(catalog)
    catalog.leases.end_attempt(
        first.id,
        first.lease_token,
        state=JobState.FAILED,
        cause=FailureCause.PREEMPTED,
        message="the machine is going away",
    )
    waiting = catalog.jobs.get(first.id)
    assert (waiting.state, waiting.lease_token) == (JobState.QUEUED, None)
    second = catalog.leases.claim(first.id, lease_seconds=45)
    assert (second.attempt, second.lease_token != first.lease_token) == (2, True)
    for stale_use in (
        lambda: catalog.leases.heartbeat(first.id, first.lease_token, lease_seconds=45, progress=1),
        lambda: catalog.leases.end_attempt(first.id, first.lease_token, state=JobState.SUCCEEDED),
    ):
        with pytest.raises(ConflictError, match=r"lease .* was lost"):
            stale_use()
    assert catalog.jobs.get(first.id) == second


def test_nobody_writes_after_the_end(catalog):
    job = claimed(catalog)
    done = catalog.leases.end_attempt(job.id, job.lease_token, state=JobState.SUCCEEDED, result={})
    for late in (
        lambda: catalog.leases.heartbeat(job.id, job.lease_token, lease_seconds=45),
        lambda: catalog.leases.end_attempt(job.id, job.lease_token, state=JobState.CANCELLED),
        lambda: catalog.jobs.request_cancel(job.id),
    ):
        with pytest.raises(ConflictError, match="succeeded"):
            late()
    assert catalog.jobs.get(job.id) == done
    with pytest.raises(NotFoundError):
        catalog.leases.heartbeat("nowhere", "token", lease_seconds=45)


def test_a_failure_has_a_cause(catalog):
    job = claimed(catalog)
    with pytest.raises(InvalidInputError, match="needs a cause"):
        catalog.leases.end_attempt(job.id, job.lease_token, state=JobState.FAILED)
    with pytest.raises(InvalidInputError, match="not an end"):
        catalog.leases.end_attempt(job.id, job.lease_token, state=JobState.QUEUED)
    failed = catalog.leases.end_attempt(
        job.id,
        job.lease_token,
        state=JobState.FAILED,
        cause=FailureCause.USER_ERROR,
        message="it needs a video",
    )
    assert (failed.cause, failed.message) == (FailureCause.USER_ERROR, "it needs a video")


def test_a_child_that_dies_with_garbage_is_still_recorded(catalog):
    job = claimed(catalog)
    failed = catalog.leases.end_attempt(
        job.id,
        job.lease_token,
        state=JobState.FAILED,
        cause=FailureCause.BUG,
        message="it said \0\udcff and left",
        log_tail=["\0\x1b[31m\udcff", "last words"],
    )
    assert failed.message == "it said \ufffd? and left"
    assert failed.log_tail[1] == "last words"
    assert catalog.jobs.get(job.id) == failed


def test_a_peak_never_sinks(catalog):
    job = claimed(catalog)
    for seen in (100, 300.5, 200):
        catalog.leases.heartbeat(job.id, job.lease_token, lease_seconds=45, peak_rss_mb=seen)
    assert catalog.jobs.get(job.id).peak_rss_mb == 300.5
    done = catalog.leases.end_attempt(
        job.id, job.lease_token, state=JobState.SUCCEEDED, peak_rss_mb=250
    )
    assert done.peak_rss_mb == 300.5


@pytest.mark.parametrize("progress", [-0.1, 1.1, float("nan")])
def test_progress_outside_its_range_is_refused(catalog, progress):
    job = claimed(catalog)
    with pytest.raises(InvalidInputError, match=r"lies in \[0, 1\]"):
        catalog.leases.heartbeat(job.id, job.lease_token, lease_seconds=45, progress=progress)


def test_a_lease_lasts(catalog):
    job = submit(catalog)
    for use in (
        lambda: catalog.leases.claim(job.id, lease_seconds=0),
        lambda: catalog.leases.claim_next(Offer(["detect"]), -1),
    ):
        with pytest.raises(InvalidInputError, match="longer than 0 s"):
            use()
    assert catalog.jobs.get(job.id) == job


def test_a_queued_job_is_cancelled_at_once_and_never_claimed(catalog, clock):
    job = submit(catalog)
    cancelled = catalog.jobs.request_cancel(job.id)
    assert (cancelled.state, cancelled.finished_at) == (JobState.CANCELLED, clock.now)
    assert catalog.leases.claim_next(Offer(["detect"]), 45) is None
    with pytest.raises(ConflictError, match="cancelled cannot become cancelled"):
        catalog.jobs.request_cancel(job.id)


def test_a_running_job_learns_from_its_heartbeat_that_it_should_stop(catalog):
    job = claimed(catalog)
    asked = catalog.jobs.request_cancel(job.id)
    assert (asked.state, asked.cancel_requested) == (JobState.RUNNING, True)
    assert asked.lease_token == job.lease_token
    assert catalog.jobs.request_cancel(job.id) == asked
    assert catalog.leases.heartbeat(job.id, job.lease_token, lease_seconds=45) is True


def test_reaping_puts_back_what_ran_out_and_spares_what_is_alive(catalog, clock):
    lost, alive, queued = claimed(catalog), claimed(catalog), submit(catalog)
    clock.advance(30)
    catalog.leases.heartbeat(alive.id, alive.lease_token, lease_seconds=45)
    clock.advance(15)
    assert catalog.leases.reap() == []  # its last instant still belongs to the lease
    clock.advance(0.000_001)

    (reaped,) = catalog.leases.reap()

    assert (reaped.id, reaped.state, reaped.failures) == (lost.id, "queued", {"lost": 1})
    assert (reaped.lease_token, reaped.finished_at) == (None, None)
    assert "start it again" in reaped.message
    (attempt,) = catalog.jobs.attempts(lost.id)
    assert (attempt.state, attempt.cause) == ("failed", FailureCause.LOST)
    assert attempt.ended_at == clock.now
    assert catalog.jobs.get(alive.id).state is JobState.RUNNING
    assert catalog.jobs.get(queued.id).state is JobState.QUEUED
    with pytest.raises(ConflictError, match=r"lease .* was lost"):
        catalog.leases.end_attempt(lost.id, lost.lease_token, state=JobState.SUCCEEDED)
    assert catalog.leases.reap() == []


def test_what_a_lost_job_had_started_is_lost_with_it(catalog, make, clock):
    job, other = claimed(catalog), claimed(catalog)
    detection, training = make.runs(job)
    spared, spared_training = make.runs(other, "other")
    catalog.leases.heartbeat(other.id, other.lease_token, lease_seconds=1000)
    for _ in range(3):
        clock.advance(46)
        catalog.leases.reap()
        assert catalog.detections.get(detection.id).event_count == 1  # it goes on
        catalog.leases.claim(job.id, lease_seconds=45)
    clock.advance(46)
    catalog.leases.reap()

    lost = catalog.detections.get(detection.id)
    assert (lost.state, lost.cause, lost.event_count) == ("failed", FailureCause.LOST, 0)
    ended = catalog.runs.get(training.id)
    assert (ended.state, ended.finished_at) == (JobState.FAILED, clock.now)
    assert "start it again" in ended.error
    assert [item.detection_run_id for item in catalog.events.list()] == [spared.id]
    assert catalog.detections.get(spared.id).state is JobState.RUNNING
    assert catalog.runs.get(spared_training.id) == spared_training


def test_runs_of_a_job_that_is_cancelled_before_it_starts_end_with_it(catalog, make):
    queued, running = submit(catalog), claimed(catalog)
    ended = make.runs(queued)
    still = make.runs(running, "other")
    for job in (queued, running):
        catalog.jobs.request_cancel(job.id)
    detection, training = catalog.detections.get(ended[0].id), catalog.runs.get(ended[1].id)
    assert (detection.state, detection.cause) == (JobState.CANCELLED, None)
    assert training.state is JobState.CANCELLED
    assert {item.detection_run_id for item in catalog.events.list()} == {still[0].id}
    assert catalog.detections.get(still[0].id).state is JobState.RUNNING


def test_jobs_are_listed_newest_first(catalog, clock):
    jobs = []
    for kind in ("ingest", "train", "detect"):
        jobs.append(submit(catalog, kind, dedupe_key=f"{kind}:1"))
        clock.advance(1)
    assert catalog.jobs.list() == jobs[::-1]
    assert catalog.jobs.list(limit=2) == jobs[:0:-1]
    assert catalog.jobs.list("train") == [jobs[1]]
    assert catalog.jobs.list(dedupe_key="ingest:1", state=JobState.QUEUED) == [jobs[0]]
    assert catalog.jobs.list("train", JobState.RUNNING) == []


def test_a_job_that_cannot_be_described_is_refused(catalog):
    for change, message in [
        ({"kind": "Train now"}, "kind of job 'Train now' cannot be used"),
        ({"author": " "}, "author needs a name"),
        ({"params": {"path": object()}}, "parameters of a job cannot be stored"),
        ({"params": {"lr": float("inf")}}, "parameters of a job cannot be stored"),
        ({"dedupe_key": "a\0b"}, "not text"),
    ]:
        fields = {"kind": "train", "params": {}, "author": "anna"} | change
        with pytest.raises(InvalidInputError, match=message):
            catalog.jobs.submit(**fields)
    assert catalog.jobs.list() == []
