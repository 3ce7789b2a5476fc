"""What a worker does when there is too little memory, or something of ours breaks."""

from __future__ import annotations

import threading
import time

import pytest

from prismata.catalog import open_catalog
from prismata.core.errors import UnavailableError
from prismata.core.jobs import JobState, ResourceClass
from prismata.jobs import ChildSupervisor, JobRunner, Worker, WorkerTerms
from prismata.testing.children import PATIENCE_SECONDS
from prismata.testing.worker_app import assign_probe


@pytest.fixture
def catalog(tmp_path):
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as opened:
        yield opened


class Machine:
    """Memory that a test can give and take."""

    def __init__(self):
        self.free_mb = 1000.0

    def __call__(self):
        return self.free_mb


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def worker(catalog, machine):
    runner = JobRunner(catalog, ChildSupervisor())
    runner.handlers = {"probe": assign_probe}
    terms = WorkerTerms({ResourceClass.CPU: 2}, poll_seconds=0.05)
    made = Worker(catalog, runner, terms, machine)
    thread = threading.Thread(target=made.run)
    thread.start()
    yield made
    made.stop()
    thread.join()
    runner.close()


def probe(catalog, seconds=0.0, **more):
    return catalog.jobs.submit("probe", {"seconds": seconds}, author="tester", **more)


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
    return found


def is_done(catalog, job):
    return catalog.jobs.get(job.id).state is JobState.SUCCEEDED


def test_what_does_not_fit_waits_until_it_does_and_others_go_on(catalog, machine, worker):
    machine.free_mb = 600
    big = probe(catalog, needs_mb=900)
    worker.wake()
    blocked = wait_for(lambda: catalog.jobs.get(big.id).blocked_note)
    assert blocked == "needs 900 MB, free 500 MB"  # a hundred are left to the rest of the machine
    small = probe(catalog, needs_mb=100)
    worker.wake()
    wait_for(lambda: is_done(catalog, small))
    assert catalog.jobs.get(big.id).state is JobState.QUEUED
    machine.free_mb = 1100
    wait_for(lambda: is_done(catalog, big))


def test_memory_that_was_promised_is_not_promised_again(catalog, machine, worker):
    machine.free_mb = 1100
    first = probe(catalog, seconds=3, needs_mb=700)
    worker.wake()
    wait_for(lambda: catalog.jobs.get(first.id).state is JobState.RUNNING)
    second = probe(catalog, needs_mb=700)
    worker.wake()
    wait_for(lambda: catalog.jobs.get(second.id).blocked_note.startswith("needs 700 MB, free 3"))
    assert catalog.jobs.get(first.id).state is JobState.RUNNING
    wait_for(lambda: is_done(catalog, first) and is_done(catalog, second))


@pytest.mark.logs_errors
def test_a_bug_of_ours_does_not_end_the_worker(catalog, machine, worker, monkeypatch):
    broken = threading.Event()
    real = catalog.leases.has_queued

    def break_once(offer):
        if not broken.is_set():
            broken.set()
            raise ZeroDivisionError("our bug")
        return real(offer)

    monkeypatch.setattr("prismata.jobs.worker.ROUND_SECONDS", 0.1)
    monkeypatch.setattr(catalog.leases, "has_queued", break_once)
    wait_for(broken.is_set)
    job = probe(catalog)
    worker.wake()
    wait_for(lambda: is_done(catalog, job))


def test_a_catalog_that_cannot_be_reached_is_no_reason_to_leave(catalog, machine, monkeypatch):
    """Nobody knows then whether there is work."""
    away = threading.Event()
    away.set()
    real = catalog.leases.has_queued

    def ask(offer):
        if away.is_set():
            raise UnavailableError("the database is away")
        return real(offer)

    monkeypatch.setattr(catalog.leases, "has_queued", ask)
    runner = JobRunner(catalog, ChildSupervisor())
    runner.handlers = {"probe": assign_probe}
    terms = WorkerTerms({ResourceClass.CPU: 1}, poll_seconds=0.05, idle_seconds=0.3)
    made = Worker(catalog, runner, terms, machine)
    thread = threading.Thread(target=made.run)
    thread.start()
    thread.join(1.5)
    assert thread.is_alive()
    assert not made.is_draining
    away.clear()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    runner.close()


def test_a_worker_stays_unless_it_was_told_that_it_may_leave(worker):
    time.sleep(0.6)
    assert not worker.is_draining
