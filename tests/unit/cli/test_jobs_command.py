"""`prismata jobs`: what waits and runs, told to people and to programs."""

from __future__ import annotations

import json

import pytest

from prismata.catalog import Claimant
from prismata.core.jobs import FailureCause, JobState, ResourceClass
from prismata.core.processes import this_process


@pytest.fixture
def job(bench):
    return bench.catalog.jobs.submit("detect", {"video": "a.mp4"}, author="anna", needs_mb=900)


def fail(bench, job, cause, message):
    claimant = Claimant("box:7", this_process())
    claimed = bench.catalog.leases.claim(job.id, lease_seconds=45, claimant=claimant)
    return bench.catalog.leases.end_attempt(
        job.id,
        claimed.lease_token,
        state=JobState.FAILED,
        cause=cause,
        message=message,
        log_tail=["last words"],
    )


def test_nothing_yet_is_said_in_words(prismata):
    assert "there has been no job yet" in prismata("jobs", "list").err
    assert "no job waits or runs" in prismata("jobs", "list", "--active").err
    assert "prismata worker" in prismata("jobs", "workers").err


def test_a_job_is_listed_and_shown_with_its_attempts(prismata, bench, job):
    fail(bench, job, FailureCause.STORAGE, "the bucket is away")
    listed = prismata("jobs", "list").out
    assert job.id[:8] in listed
    assert "next attempt in" in listed
    shown = prismata("jobs", "show", job.id[:8])
    assert shown.code == 0
    assert "attempt 1: failed, storage, by box:7, the bucket is away" in shown.out
    assert "last words" in shown.out
    (told,) = json.loads(prismata("jobs", "list", "--active", "--json").out)
    assert (told["state"], told["failures"]) == ("queued", {"storage": 1})
    told = json.loads(prismata("jobs", "show", job.id, "--json").out)
    assert [attempt["cause"] for attempt in told["attempts"]] == ["storage"]


def test_a_job_that_does_not_fit_says_what_it_needs(prismata, bench, job):
    from prismata.catalog import Offer

    assert bench.catalog.leases.claim_next(Offer(["detect"], free_mb=500), 45) is None
    assert "blocked" in prismata("jobs", "list").out
    shown = prismata("jobs", "show", job.id).out.splitlines()
    assert shown == [f"Detect a.mp4 ({job.id}): blocked", "needs 900 MB, free 500 MB"]
    (told,) = json.loads(prismata("jobs", "list", "--json").out)
    assert told["blocked"] == "needs 900 MB, free 500 MB"


def test_what_a_job_was_doing_last_is_told_while_it_runs(prismata, bench, job):
    token = bench.catalog.leases.claim(job.id, lease_seconds=60).lease_token
    bench.catalog.leases.heartbeat(job.id, token, lease_seconds=60, progress=0.5, note="looking")
    assert "looking" in prismata("jobs", "list").out
    bench.catalog.leases.end_attempt(job.id, token, state=JobState.SUCCEEDED, result={})
    assert "looking" not in prismata("jobs", "list").out


def test_a_job_is_called_off(prismata, bench, job):
    assert "cancelled" in prismata("jobs", "cancel", job.id[:8]).out
    assert bench.catalog.jobs.get(job.id).state is JobState.CANCELLED
    again = prismata("jobs", "cancel", job.id)
    assert again.code == 73
    missing = prismata("jobs", "show", "zzz")
    assert (missing.code, "prismata jobs list" in missing.err) == (66, True)


def test_workers_are_listed(prismata, bench):
    slots = {ResourceClass.CPU: 2, ResourceClass.GPU: 0}
    worker = bench.catalog.workers.add("box:7", this_process(), slots, version="1.2")
    bench.catalog.workers.beat(worker.id, draining=True)
    listed = prismata("jobs", "workers").out
    assert "box:7" in listed
    assert "2 cpu" in listed
    assert "takes no more" in listed
    (told,) = json.loads(prismata("jobs", "workers", "--json").out)
    assert (told["name"], told["slots"]) == ("box:7", {"cpu": 2, "gpu": 0})


def test_a_worker_without_slots_is_refused(prismata):
    answer = prismata("worker", "--cpu", 0, "--gpu", 0, "--io", 0)
    assert answer.code == 64
    assert "give it one with --class, --cpu" in answer.err


def test_slots_of_a_class_that_is_left_out_are_refused(prismata):
    answer = prismata("worker", "--class", "gpu", "--cpu", 1)
    assert answer.code == 64
    assert "--cpu 1 asks for jobs that --class leaves out; add --class cpu" in answer.err
