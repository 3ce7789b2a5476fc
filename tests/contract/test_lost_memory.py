"""A child under a real memory limit: what it is said to have died of, and nobody else notices."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from prismata.catalog import open_catalog
from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import Assignment, ChildLimits
from prismata.jobs import ChildSupervisor, JobRunner, Wish
from prismata.jobs.lease import LEASE_SECONDS
from prismata.testing.children import PATIENCE_SECONDS, handling_child

LIMITS = ChildLimits(stall_seconds=PATIENCE_SECONDS)
SLEEP = handling_child("reporter.progress(1, 4, 'asleep'); time.sleep(600)")
HOG = handling_child("""
    held = []
    while len(held) < request["chunks"]:
        held.append(bytearray(1 << 24))
        reporter.progress(len(held), request["chunks"], "taking more")
    return {"chunks": len(held)}
""")
"""Takes 16 MB again and again."""


@pytest.fixture
def catalog(tmp_path):
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as opened:
        yield opened


@pytest.fixture
def runner(catalog):
    made = JobRunner(catalog, ChildSupervisor())
    yield made
    made.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces RLIMIT_AS")
def test_a_child_that_takes_memory_without_end_is_stopped_and_others_go_on(catalog, runner):
    """J2: under a real limit; the cause and its sentence stay with the job."""
    limits = replace(LIMITS, memory_mb=500)
    bystander = JobRunner(catalog, ChildSupervisor())
    bystander.handlers = {"detect": lambda _job: Assignment(SLEEP, {}, LIMITS)}
    other = catalog.jobs.submit("detect", {}, author="tester")
    claimed = catalog.leases.claim(other.id, lease_seconds=LEASE_SECONDS)
    live = bystander.attempt_in_background(claimed)
    runner.handlers = {"detect": lambda _job: Assignment(HOG, {"chunks": 1 << 20}, limits)}
    job = catalog.jobs.submit("detect", {}, author="tester")
    outcome = runner.run_job(job.id)
    now = catalog.jobs.get(job.id)
    assert (now.state, now.cause) == (JobState.FAILED, FailureCause.OUT_OF_MEMORY)
    assert now.message == outcome.message
    assert "ran out of memory: it needs more than the 500 MB it may use" in now.message
    assert "allow more (PRISMATA_CHILD_MEMORY_MB)" in now.message
    assert [attempt.cause for attempt in catalog.jobs.attempts(job.id)] == [outcome.cause] * 2
    assert live.outcome is None, "nobody else noticed"
    live.ask(Wish.CANCEL)
    assert live.wait(PATIENCE_SECONDS).state is JobState.CANCELLED
    bystander.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces RLIMIT_AS")
def test_a_child_that_takes_less_after_lost_memory_succeeds(catalog, runner):
    def assign(job):
        chunks = 4 if job.failures.get("out_of_memory") else 1 << 20
        return Assignment(HOG, {"chunks": chunks}, replace(LIMITS, memory_mb=500))

    runner.handlers = {"detect": assign}
    job = catalog.jobs.submit("detect", {}, author="tester")
    assert runner.run_job(job.id).result == {"chunks": 4}
