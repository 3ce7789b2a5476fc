"""What workers promise, whoever tells them of work: the same tests for every dispatcher.

Real catalogs, real brokers where they can be reached, workers in processes of their own that are
killed for real.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from prismata.catalog import open_catalog
from prismata.core.errors import UnavailableError
from prismata.core.jobs import FailureCause, JobState, ResourceClass
from prismata.jobs import ChildSupervisor, JobEngine, JobRunner
from prismata.jobs.dispatch import NoDispatcher
from prismata.testing.children import PATIENCE_SECONDS, is_running, wait_until_gone
from prismata.testing.private_servers import PrivateRedis
from prismata.testing.spot_metadata import SpotMetadata

POSTGRES = "postgresql://postgres@127.0.0.1:5432/test"


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'catalog.db'}"


@pytest.fixture
def catalog(url):
    with open_catalog(url) as opened:
        yield opened


@pytest.fixture
def engine(catalog, broker):
    """The side that asks: an app whose jobs are run by workers elsewhere."""
    dispatcher = NoDispatcher()
    if broker:
        from prismata.jobs.celery_dispatch import CeleryDispatcher

        dispatcher = CeleryDispatcher(broker)
    made = JobEngine(catalog, JobRunner(catalog, ChildSupervisor()), dispatcher)
    yield made
    made.close()


@pytest.fixture
def start_process():
    """Start a worker process on a catalog; every one is gone at the end of the test."""
    started = []

    def start(url, *options):
        command = [sys.executable, "-m", "prismata.testing.worker_app", url, *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def start_worker(start_process, url, catalog, broker):
    """Start a worker on the test's own catalog."""
    options = ["--broker", broker] if broker else []
    return lambda *more: start_process(url, *options, *more)


def probe(catalog, seconds=0.0, **more):
    params = {"seconds": seconds, **{key: more.pop(key) for key in ("poison",) if key in more}}
    return catalog.jobs.submit("probe", params, author="tester", **more)


def wait_for(condition, seconds=PATIENCE_SECONDS):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)
    return found


def ended(catalog, job):
    return wait_for(lambda: (now := catalog.jobs.get(job.id)).state.is_final and now)


def running(catalog, job):
    return wait_for(lambda: catalog.jobs.get(job.id).progress > 0 and catalog.jobs.get(job.id))


def children_of(pid):
    answer = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(word) for word in answer.stdout.split()]


def test_a_worker_runs_what_it_is_told_of(engine, catalog, start_worker):
    start_worker()
    jobs = [probe(catalog) for _ in range(5)]
    lives = [engine.start(job) for job in jobs]
    assert {live.wait(PATIENCE_SECONDS).state for live in lives} == {JobState.SUCCEEDED}
    for job in jobs:
        (attempt,) = catalog.jobs.attempts(job.id)
        assert attempt.worker.startswith("probe:")


def test_what_was_queued_before_any_worker_began_is_done(engine, catalog, start_worker):
    live = engine.start(probe(catalog))
    time.sleep(0.3)
    assert live.outcome is None
    start_worker()
    assert live.wait(PATIENCE_SECONDS).state is JobState.SUCCEEDED


def test_a_worker_that_is_killed_costs_a_moment(engine, catalog, start_worker):
    """J3: the whole tree dies, its job is done by the next one, once."""
    first = start_worker()
    job = probe(catalog, seconds=6)
    engine.start(job)
    running(catalog, job)
    (warden,) = children_of(first.pid)
    first.kill()
    start_worker()
    done = ended(catalog, job)
    assert (done.state, done.failures) == (JobState.SUCCEEDED, {"lost": 1})
    wait_until_gone(warden)
    states = [(item.state, item.cause) for item in catalog.jobs.attempts(job.id)]
    assert states == [("failed", FailureCause.LOST), ("succeeded", None)]


def test_a_worker_that_is_told_to_stop_gives_back_what_it_has(engine, catalog, start_worker):
    first = start_worker()
    job = probe(catalog, seconds=5)
    engine.start(job)
    running(catalog, job)
    first.terminate()
    assert first.wait(PATIENCE_SECONDS) == 0
    given_back = catalog.jobs.get(job.id)
    assert (given_back.state, given_back.failures) == (JobState.QUEUED, {"preempted": 1})
    assert catalog.workers.list() == []


def test_a_job_that_kills_its_workers_is_given_up_and_the_queue_goes_on(
    engine, catalog, start_worker
):
    """J15: workers come back, as a service manager has them, and the poison does not."""
    poison = probe(catalog, poison=True)
    engine.start(poison)
    other = probe(catalog)
    workers = [start_worker("--slots", "1")]

    def given_up():
        if workers[-1].poll() is not None:
            workers.append(start_worker("--slots", "1"))
        return (
            catalog.jobs.get(poison.id).state.is_final and catalog.jobs.get(other.id).state.is_final
        )

    wait_for(given_up)
    poisoned = catalog.jobs.get(poison.id)
    assert (poisoned.state, poisoned.cause) == (JobState.FAILED, FailureCause.LOST)
    assert (poisoned.attempt, len(workers)) == (4, 5)
    assert catalog.jobs.get(other.id).state is JobState.SUCCEEDED


@pytest.mark.parametrize("when", ["queued", "running"])
def test_a_job_is_cancelled_wherever_it_is(engine, catalog, start_worker, when):
    """J9: at once where it waits, within two seconds where it runs."""
    job = probe(catalog, seconds=60)
    live = engine.start(job)
    if when == "running":
        start_worker()
        running(catalog, job)
    live.cancel()
    asked = time.monotonic()
    assert live.wait(PATIENCE_SECONDS).state is JobState.CANCELLED
    assert (time.monotonic() - asked) < 12


def test_random_kills_lose_nothing_and_finish_nothing_twice(engine, catalog, start_worker):
    """Fifty kills of children, wardens and workers; `benchmarks/job_kills.py` does 2,000."""
    dice = random.Random(7)
    workers = [start_worker(), start_worker()]
    jobs = []
    kills = Counter()
    while sum(kills.values()) < 50:
        while sum(not catalog.jobs.get(job.id).state.is_final for job in jobs[-8:]) < 6:
            jobs.append(probe(catalog, seconds=dice.uniform(0, 0.4)))
            engine.start(jobs[-1])
        time.sleep(dice.uniform(0, 0.1))
        victim = dice.randrange(2)
        what = dice.choices(["child", "warden", "worker"], [6, 3, 1])[0]
        pid = workers[victim].pid
        if what != "worker":
            below = children_of(pid)
            pid = dice.choice(below) if below else 0
            below = children_of(pid) if what == "child" and pid else []
            pid = dice.choice(below) if below else (pid if what == "warden" else 0)
        if not pid:
            continue
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        kills[what] += 1
        if what == "worker":
            workers[victim].wait()
            workers[victim] = start_worker()
    for job in jobs:
        done = ended(catalog, job)
        attempts = catalog.jobs.attempts(job.id)
        succeeded = [item for item in attempts if item.state is JobState.SUCCEEDED]
        assert len(succeeded) == (done.state is JobState.SUCCEEDED)
        assert done.state is JobState.SUCCEEDED or done.cause in ("killed", "lost", "crashed")
        assert [item.number for item in attempts] == list(range(1, done.attempt + 1))
        assert all(item.ended_at for item in attempts)
    assert len(kills) == 3, kills


@pytest.fixture
def metadata():
    with SpotMetadata() as service:
        yield service


@pytest.mark.parametrize("broker", ["looking"], indirect=True)
def test_a_spot_machine_that_is_taken_away_gives_its_job_back(
    engine, catalog, start_worker, metadata
):
    """J12: the job waits for another machine, and the attempt is not counted."""
    worker = start_worker("--spot", metadata.url)
    job = probe(catalog, seconds=60)
    engine.start(job)
    running(catalog, job)
    metadata.interrupt()
    assert worker.wait(PATIENCE_SECONDS) == 0
    given_back = catalog.jobs.get(job.id)
    assert (given_back.state, given_back.failures) == (JobState.QUEUED, {"preempted": 1})


@pytest.mark.parametrize("broker", ["looking"], indirect=True)
def test_a_spot_machine_that_may_be_taken_away_takes_nothing_new(
    engine, catalog, start_worker, metadata
):
    """J13: what runs goes on."""
    worker = start_worker("--spot", metadata.url)
    job = probe(catalog, seconds=9)
    engine.start(job)
    running(catalog, job)
    metadata.recommend_rebalance()
    wait_for(lambda: any(item.draining for item in catalog.workers.list()))
    other = probe(catalog)
    engine.start(other)
    assert ended(catalog, job).state is JobState.SUCCEEDED
    assert worker.wait(PATIENCE_SECONDS) == 0
    assert catalog.jobs.get(other.id).state is JobState.QUEUED


@pytest.mark.parametrize("broker", ["looking"], indirect=True)
def test_after_a_hundred_jobs_no_process_is_left_over(engine, catalog, start_worker):
    """J16."""
    worker = start_worker("--slots", "4")
    jobs = [probe(catalog) for _ in range(100)]
    assert {ended(catalog, job).state for job in jobs} == {JobState.SUCCEEDED}
    wait_for(lambda: not children_of(worker.pid))
    assert is_running(worker.pid)


@pytest.mark.parametrize("broker", ["looking"], indirect=True)
def test_a_worker_takes_only_what_it_has_slots_for(engine, catalog, start_worker):
    start_worker()
    gpu = probe(catalog, resource_class=ResourceClass.GPU)
    cpu = probe(catalog)
    assert ended(catalog, cpu).state is JobState.SUCCEEDED
    assert catalog.jobs.get(gpu.id).state is JobState.QUEUED


@pytest.mark.parametrize("broker", ["looking"], indirect=True)
def test_what_an_app_that_was_killed_had_running_is_taken_up_when_it_is_back(
    engine, catalog, start_worker
):
    """J14."""
    app = start_worker("--slots", "3")
    jobs = [probe(catalog, seconds=3) for _ in range(3)]
    for job in jobs:
        running(catalog, job)
    app.kill()
    app.wait()
    start_worker("--slots", "3")
    back = time.monotonic()
    for job in jobs:
        wait_for(lambda job=job: catalog.jobs.get(job.id).attempt == 2)
    assert time.monotonic() - back < 5
    assert [ended(catalog, job).failures for job in jobs] == [{"lost": 1}] * 3


@pytest.fixture
def own_redis():
    """A Redis of the test's own, which may be killed."""
    try:
        redis = PrivateRedis()
    except UnavailableError as error:
        pytest.skip(str(error))
    with redis:
        yield redis


@pytest.mark.parametrize("broker", ["looking"], indirect=True)
def test_a_broker_that_dies_delays_jobs_and_loses_none(catalog, url, own_redis, start_worker):
    """J5: killed, away, and back with nothing in it; neither side is started again."""
    pytest.importorskip("celery", reason="celery is not installed")
    from prismata.jobs.celery_dispatch import CeleryDispatcher

    start_worker("--broker", own_redis.url)
    dispatcher = CeleryDispatcher(own_redis.url)
    engine = JobEngine(catalog, JobRunner(catalog, ChildSupervisor()), dispatcher)
    assert engine.start(probe(catalog)).wait(PATIENCE_SECONDS).state is JobState.SUCCEEDED
    own_redis.kill()
    asked = time.monotonic()
    assert engine.start(probe(catalog)).wait(PATIENCE_SECONDS).state is JobState.SUCCEEDED
    assert time.monotonic() - asked < 10
    own_redis.start()
    jobs = [probe(catalog) for _ in range(3)]
    for job in jobs:
        engine.start(job)
    assert {ended(catalog, job).attempt for job in jobs} == {1}
    engine.close()


class Door:
    """A way to a server that can be shut: what goes through is cut, and nobody gets in."""

    def __init__(self, port):
        self._port, self._open, self._pairs = port, threading.Event(), []
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._let_in, daemon=True).start()

    def shut(self):
        self._open.clear()
        for end in self._pairs:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def open(self):
        self._open.set()

    def close(self):
        self.shut()
        self._listener.close()

    def _let_in(self):
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self._open.is_set():
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._port))
                self._pairs += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    @staticmethod
    def _carry(source, target):
        with suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.mark.postgres
def test_a_database_that_is_away_for_a_while_costs_no_work(start_process):
    """J6: the child goes on, heartbeats resume, nobody takes the job away."""
    address = make_url(os.environ.get("PRISMATA_TEST_POSTGRES_URL", POSTGRES))
    admin = create_engine(address.set(drivername="postgresql+psycopg"))
    schema = f"prismata_workers_{uuid4().hex}"
    try:
        with admin.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
    except OperationalError as error:
        pytest.skip(f"no PostgreSQL at hand: {str(error.orig).splitlines()[0]}")
    inside = {"options": f"-csearch_path={schema}"}
    direct = address.update_query_dict(inside).render_as_string(hide_password=False)
    door = Door(address.port or 5432)
    through = address.set(port=door.port).update_query_dict(inside)
    with open_catalog(direct) as catalog:
        worker = start_process(through.render_as_string(hide_password=False))
        job = probe(catalog, seconds=8)
        running(catalog, job)
        door.shut()
        stopped_at = catalog.jobs.get(job.id).progress
        time.sleep(5)
        assert catalog.jobs.get(job.id).state is JobState.RUNNING
        assert worker.poll() is None
        door.open()
        wait_for(lambda: catalog.jobs.get(job.id).progress > stopped_at + 0.3)
        done = ended(catalog, job)
        assert (done.state, done.attempt) == (JobState.SUCCEEDED, 1)
        assert ended(catalog, probe(catalog)).state is JobState.SUCCEEDED
    door.close()
    worker.kill()
    worker.wait()
    with admin.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    admin.dispose()
