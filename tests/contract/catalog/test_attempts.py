"""Attempts: what follows each end, who may go first, who may still write, who is there to work."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from prismata.catalog import Claimant, Offer
from prismata.core.errors import ConflictError, NotFoundError
from prismata.core.jobs import FailureCause, JobLease, JobState, ResourceClass
from prismata.core.processes import ProcessIdentity, this_process


def submit(catalog, kind="detect", **more):
    return catalog.jobs.submit(kind, {"video": "clip.mp4"}, author="Zoë", **more)


def claimed(catalog, **more):
    return catalog.leases.claim(submit(catalog, **more).id, lease_seconds=45)


def end(catalog, job, cause, **more):
    return catalog.leases.end_attempt(
        job.id, job.lease_token, state=JobState.FAILED, cause=cause, message=f"{cause}!", **more
    )


@pytest.mark.parametrize(
    ("cause", "attempts"),
    [
        (FailureCause.USER_ERROR, 1),
        (FailureCause.BUG, 1),
        (FailureCause.OUT_OF_MEMORY, 2),
        (FailureCause.CRASHED, 2),
        (FailureCause.KILLED, 2),
        (FailureCause.STALLED, 2),
        (FailureCause.LOST, 4),
        (FailureCause.STORAGE, 6),
    ],
)
def test_each_cause_has_its_number_of_attempts(catalog, clock, cause, attempts):
    job = submit(catalog)
    made = 0
    while (left := catalog.jobs.get(job.id)).state is JobState.QUEUED:
        assert (left.cause, left.finished_at) == (None, None)
        made += 1
        end(catalog, catalog.leases.claim(job.id, lease_seconds=45), cause)
    assert made == attempts
    assert (left.state, left.cause, left.failures) == ("failed", cause, {cause.value: attempts})
    assert [item.number for item in catalog.jobs.attempts(job.id)] == list(range(1, made + 1))


def test_a_job_that_is_given_back_never_runs_out_of_attempts(catalog):
    job = submit(catalog)
    for _ in range(20):
        claimed_again = catalog.leases.claim(job.id, lease_seconds=45)
        assert end(catalog, claimed_again, FailureCause.PREEMPTED).state is JobState.QUEUED
    lost = catalog.leases.claim(job.id, lease_seconds=45)
    assert end(catalog, lost, FailureCause.CRASHED).state is JobState.QUEUED  # its first


def test_a_storage_that_is_away_is_given_time(catalog, clock):
    job = submit(catalog)
    waits = []
    for _ in range(5):
        ended = end(catalog, catalog.leases.claim(job.id, lease_seconds=45), FailureCause.STORAGE)
        waits.append((ended.not_before - clock.now).total_seconds())
        assert catalog.leases.claim_next(Offer(["detect"]), 45) is None
        assert not catalog.leases.has_queued(Offer(["detect"]))
        clock.advance(waits[-1])
        assert catalog.leases.has_queued(Offer(["detect"]))
    assert waits == [5, 10, 20, 40, 80]


def test_who_sits_and_waits_is_told_instead_of_being_kept_waiting(catalog):
    ended = end(catalog, claimed(catalog), FailureCause.STORAGE, may_wait=False)
    assert (ended.state, ended.cause) == (JobState.FAILED, FailureCause.STORAGE)
    again = end(catalog, claimed(catalog), FailureCause.CRASHED, may_wait=False)
    assert again.state is JobState.QUEUED  # which comes at once


def test_after_a_wish_to_cancel_no_attempt_follows(catalog):
    crashing, given_back = claimed(catalog), claimed(catalog)
    for job in (crashing, given_back):
        catalog.jobs.request_cancel(job.id)
    assert end(catalog, crashing, FailureCause.CRASHED).state is JobState.FAILED
    assert end(catalog, given_back, FailureCause.PREEMPTED).state is JobState.CANCELLED


def test_a_failed_job_takes_its_runs_with_it_in_the_same_step(catalog, make):
    job = claimed(catalog)
    detection, training = make.runs(job)
    assert end(catalog, job, FailureCause.CRASHED, peak_rss_mb=9).state is JobState.QUEUED
    assert catalog.detections.get(detection.id).state is JobState.RUNNING
    end(catalog, catalog.leases.claim(job.id, lease_seconds=45), FailureCause.CRASHED)
    failed = catalog.detections.get(detection.id)
    assert (failed.state, failed.cause, failed.event_count) == ("failed", "crashed", 0)
    assert catalog.runs.get(training.id).error == "crashed!"
    assert catalog.events.list() == []


def test_lower_ranks_go_first(catalog, clock):
    last = submit(catalog, rank=10)
    clock.advance(1)
    first = submit(catalog, rank=-1)
    clock.advance(1)
    middle = submit(catalog)
    order = [catalog.leases.claim_next(Offer(["detect"]), 45).id for _ in range(3)]
    assert order == [first.id, middle.id, last.id]


def test_a_worker_gets_only_the_classes_it_offers(catalog):
    gpu = submit(catalog, resource_class=ResourceClass.GPU)
    cpu = submit(catalog)
    offer = Offer(["detect"], (ResourceClass.CPU, ResourceClass.IO))
    assert catalog.leases.claim_next(offer, 45).id == cpu.id
    assert catalog.leases.claim_next(offer, 45) is None
    assert catalog.leases.claim_next(Offer(["detect"]), 45).id == gpu.id


def test_what_does_not_fit_waits_visibly_and_is_not_passed_over_for_ever(catalog, clock):
    big = submit(catalog, needs_mb=900)
    clock.advance(1)
    small = [submit(catalog, needs_mb=100) for _ in range(3)]
    offer = Offer(["detect"], free_mb=500)

    assert catalog.leases.claim_next(offer, 45).id in {job.id for job in small}
    waiting = catalog.jobs.get(big.id)
    assert (waiting.state, waiting.blocked_note) == ("queued", "needs 900 MB, free 500 MB")
    assert waiting.blocked_since == clock.now

    clock.advance(601)
    assert catalog.leases.claim_next(offer, 45) is None  # from now on the others wait with it
    taken = catalog.leases.claim_next(Offer(["detect"], free_mb=1000), 45)
    assert (taken.id, taken.blocked_note, taken.blocked_since) == (big.id, "", None)
    assert catalog.leases.claim_next(offer, 45) is not None


def test_a_supervisor_that_is_gone_from_this_machine_is_missed_at_once(catalog):
    child = subprocess.Popen(["sleep", "600"])
    stat = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    gone = ProcessIdentity(this_process().home, child.pid, stat[19])
    here = Claimant("here", this_process())
    theirs = catalog.leases.claim(submit(catalog).id, lease_seconds=45, claimant=Claimant("", gone))
    ours = catalog.leases.claim(submit(catalog).id, lease_seconds=45, claimant=here)
    assert catalog.leases.reap() == []
    child.kill()
    child.wait()
    assert [job.id for job in catalog.leases.reap()] == [theirs.id]
    (attempt,) = catalog.jobs.attempts(ours.id)
    assert (attempt.worker, attempt.process) == ("here", this_process())


def test_a_supervisor_that_is_alive_here_is_not_missed_when_the_clock_jumps(catalog, clock):
    job = catalog.leases.claim(
        submit(catalog).id, lease_seconds=45, claimant=Claimant("", this_process())
    )
    clock.advance(3600)
    assert catalog.leases.reap() == []
    assert catalog.jobs.get(job.id) == job


def test_a_stale_attempt_stores_nothing(catalog, make):
    first = claimed(catalog)
    detection, training = make.runs(first)
    end(catalog, first, FailureCause.PREEMPTED)
    second = catalog.leases.claim(first.id, lease_seconds=45)
    stale = JobLease(first.id, first.lease_token)
    for late in (
        lambda: catalog.detections.finish(detection.id, [], lease=stale),
        lambda: catalog.runs.add_epoch(training.id, {"epoch": 1}, lease=stale),
        lambda: catalog.runs.finish(training.id, metrics={}, lease=stale),
        lambda: catalog.models.add(
            lease=stale,
            name="late",
            domain="cricket",
            domain_version=1,
            bundle_key="m/",
            kind="bundle",
            card={},
        ),
    ):
        with pytest.raises(ConflictError, match=r"lease .* was lost"):
            late()
    held = JobLease(second.id, second.lease_token)
    assert catalog.runs.finish(training.id, metrics={}, lease=held).state is JobState.SUCCEEDED
    assert catalog.detections.finish(detection.id, [], lease=held).state is JobState.SUCCEEDED


def test_epochs_learned_again_replace_those_of_the_attempt_before(catalog, make):
    _, training = make.runs(claimed(catalog))
    for epoch, loss in [(1, 0.9), (2, 0.8), (3, 0.7), (2, 0.81), (3, 0.71)]:
        catalog.runs.add_epoch(training.id, {"epoch": epoch, "loss": loss})
    history = catalog.runs.get(training.id).history
    assert [(row["epoch"], row["loss"]) for row in history] == [(1, 0.9), (2, 0.81), (3, 0.71)]


def test_a_job_begins_together_with_its_run_or_not_at_all(catalog, make):
    video, model = make.video(), make.model()
    run = {"video_id": video.id, "model_id": model.id, "settings": {"reader": "pyav"}}
    job = submit(catalog, detection=run)
    (started,) = catalog.detections.list(job_id=job.id)
    assert (started.state, started.settings) == (JobState.RUNNING, {"reader": "pyav"})
    with pytest.raises(NotFoundError):
        submit(catalog, detection={**run, "model_id": "gone"})
    assert catalog.jobs.list() == [job]


def test_a_job_is_found_by_how_its_id_begins(catalog):
    one, two = submit(catalog), submit(catalog)
    assert catalog.jobs.find(one.id[:12]) == one
    assert catalog.jobs.find(two.id) == two
    with pytest.raises(NotFoundError, match="prismata jobs list"):
        catalog.jobs.find("zz")
    with pytest.raises(NotFoundError):
        catalog.jobs.find("")


def test_workers_come_and_go(catalog, clock):
    slots = {ResourceClass.CPU: 1, ResourceClass.GPU: 0}
    worker = catalog.workers.add("box:1", this_process(), slots, version="1.2")
    assert (worker.slots, worker.draining, worker.last_seen) == (slots, False, clock.now)
    clock.advance(20)
    assert catalog.workers.list(seen_within_seconds=10) == []
    catalog.workers.beat(worker.id, draining=True)
    (seen,) = catalog.workers.list(seen_within_seconds=10)
    assert (seen.draining, seen.last_seen, seen.process) == (True, clock.now, this_process())
    catalog.workers.remove(worker.id)
    catalog.workers.remove(worker.id)
    assert catalog.workers.list() == []
    with pytest.raises(NotFoundError):
        catalog.workers.beat(worker.id)
    catalog.workers.add("box:2", this_process(), slots, version="1.2")
    clock.advance(86_401)
    other = catalog.workers.add("box:3", this_process(), slots, version="1.2")
    assert catalog.workers.list() == [other]
