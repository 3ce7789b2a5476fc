"""What `JobRunner` promises, with a real catalog and real children."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from prismata.catalog import open_catalog
from prismata.core.errors import ConflictError, InvalidInputError, UnavailableError
from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import Assignment, ChildLimits
from prismata.jobs import ChildSupervisor, JobRunner, Wish
from prismata.jobs.lease import LEASE_SECONDS
from prismata.testing.children import PATIENCE_SECONDS, handling_child

LIMITS = ChildLimits(stall_seconds=PATIENCE_SECONDS)


SLEEP = handling_child("reporter.progress(1, 4, 'asleep'); time.sleep(600)")


class HandClock:
    """The catalog's time, which a test can move on."""

    def __init__(self):
        self._ahead = timedelta(0)

    def __call__(self):
        return datetime.now(UTC) + self._ahead

    def move_on(self, seconds):
        self._ahead += timedelta(seconds=seconds)


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def catalog(tmp_path, clock):
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}", clock=clock) as opened:
        yield opened


class OneJobRunner(JobRunner):
    """Runs jobs whose attempts all consist of what the test says."""

    def made_of(self, argv, request=None, **more):
        def assign(job):
            asked = request(job) if callable(request) else (request or {})
            return Assignment(argv, asked, LIMITS, **more)

        self.handlers = {"detect": assign}
        return self

    def run_in_background(self, job_id):
        claimed = self._leases.claim(job_id, lease_seconds=LEASE_SECONDS)
        return self.attempt_in_background(claimed)


@pytest.fixture
def runner(catalog):
    made = OneJobRunner(catalog, ChildSupervisor())
    yield made
    made.close()


@pytest.fixture
def job_id(catalog):
    return catalog.jobs.submit("detect", {}, author="tester").id


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def test_a_job_that_succeeds_keeps_what_the_success_handler_returns(runner, catalog, job_id):
    states = []

    def store(result):
        states.append(catalog.jobs.get(job_id).state)
        return {"events": len(result["events"])}

    runner.made_of(handling_child("return {'events': [1, 2, 3]}"), on_success=store)
    outcome = runner.run_job(job_id)
    job = catalog.jobs.get(job_id)
    assert outcome.state is job.state is JobState.SUCCEEDED
    assert job.result == {"events": 3}
    assert (job.cause, job.message, job.lease_token) == (None, "", None)
    assert job.peak_rss_mb > 1
    assert states == [JobState.RUNNING]
    assert runner.live_runs() == []


def test_a_job_that_fails_says_why_and_then_cleans_up(runner, catalog, job_id):
    seen = []

    def clean_up(outcome):
        seen.append((outcome.cause, catalog.jobs.get(job_id).state))

    runner.made_of(
        handling_child("""
            from prismata.core.errors import InvalidInputError
            print("about to fail")
            raise InvalidInputError("The clip is too short; choose a longer one.")
        """),
        on_end=clean_up,
    )
    outcome = runner.run_job(job_id)
    job = catalog.jobs.get(job_id)
    assert outcome.state is job.state is JobState.FAILED
    assert (job.cause, job.message) == (
        FailureCause.USER_ERROR,
        "The clip is too short; choose a longer one.",
    )
    assert job.log_tail == ("about to fail",)
    assert seen == [(FailureCause.USER_ERROR, JobState.FAILED)]


def test_a_killed_child_gets_one_more_attempt_and_the_app_does_not_notice(runner, catalog, job_id):
    killed = []

    def kill(message):
        if message["type"] == "started":
            os.kill(message["pid"], signal.SIGKILL)
            killed.append(message["pid"])

    runner.made_of(handling_child("time.sleep(600)")).run_job(job_id, on_message=kill)
    job = catalog.jobs.get(job_id)
    assert (job.state, job.cause, job.attempt) == (JobState.FAILED, FailureCause.KILLED, 2)
    attempts = catalog.jobs.attempts(job_id)
    assert [(item.cause, item.exit_code) for item in attempts] == [("killed", -9)] * 2
    assert len(set(killed)) == 2


def test_progress_can_be_read_while_the_job_runs(runner, catalog, job_id, tmp_path):
    go_on = tmp_path / "go-on"
    runner.made_of(
        handling_child(f"""
            reporter.progress(1, 4, "reading frames")
            while not pathlib.Path({str(go_on)!r}).exists():
                time.sleep(0.05)
            return {{}}
        """)
    )
    live = runner.run_in_background(job_id)
    assert live.outcome is None
    wait_for(lambda: catalog.jobs.get(job_id).progress == 0.25)
    job = catalog.jobs.get(job_id)
    assert (job.state, job.progress_note) == (JobState.RUNNING, "reading frames")
    assert job.peak_rss_mb > 1
    go_on.touch()
    assert live.wait(PATIENCE_SECONDS).state is JobState.SUCCEEDED
    assert catalog.jobs.get(job_id).progress == 1.0


def test_a_chatty_child_costs_few_writes(runner, catalog, job_id, monkeypatch):
    beats, messages = [], []
    real = catalog.leases.heartbeat

    def count(*args, **options):
        beats.append(args)
        return real(*args, **options)

    monkeypatch.setattr(catalog.leases, "heartbeat", count)
    runner.made_of(
        handling_child("""
            for number in range(3000):
                reporter.progress(number, 3000, str(number))
            return {}
        """)
    )
    outcome = runner.run_job(job_id, on_message=messages.append)
    assert outcome.state is JobState.SUCCEEDED
    assert len(messages) > 6000
    assert 1 <= len(beats) <= 2 + 2 * outcome.wall_seconds


@pytest.mark.parametrize("where", ["catalog", "live run", "runner"])
def test_a_job_can_be_cancelled_from_everywhere(runner, catalog, job_id, where):
    cleaned_up = threading.Event()
    live = runner.made_of(SLEEP, on_end=lambda _: cleaned_up.set()).run_in_background(job_id)
    if where == "catalog":
        catalog.jobs.request_cancel(job_id)
    elif where == "live run":
        live.ask(Wish.CANCEL)
    else:
        assert runner.cancel(job_id)
    assert live.wait(PATIENCE_SECONDS).state is JobState.CANCELLED
    job = catalog.jobs.get(job_id)
    assert (job.state, job.cause) == (JobState.CANCELLED, None)
    assert cleaned_up.is_set()
    assert not runner.cancel(job_id)


def test_closing_gives_back_what_runs_and_refuses_what_comes(runner, catalog, job_id):
    pids = []
    runner.made_of(SLEEP, on_message=lambda message: pids.append(message.get("pid")))
    live = runner.run_in_background(job_id)
    wait_for(lambda: pids)
    runner.close()
    assert live.outcome.cause is FailureCause.PREEMPTED
    job = catalog.jobs.get(job_id)
    assert (job.state, job.failures) == (JobState.QUEUED, {"preempted": 1})
    assert "waits for its next attempt" in job.message
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    other = catalog.jobs.submit("detect", {}, author="tester")
    with pytest.raises(UnavailableError, match="shutting down"):
        runner.run_job(other.id)
    assert catalog.jobs.get(other.id).state is JobState.QUEUED


def test_who_lost_the_lease_stops_and_writes_nothing(runner, catalog, job_id, clock):
    cleaned_up = []
    live = runner.made_of(SLEEP, on_end=cleaned_up.append).run_in_background(job_id)

    def was_reaped():
        clock.move_on(3600)
        catalog.leases.reap()
        return catalog.jobs.get(job_id).state is JobState.QUEUED

    wait_for(was_reaped)
    reaped = catalog.jobs.get(job_id)
    assert live.wait(PATIENCE_SECONDS).cause is FailureCause.LOST
    assert catalog.jobs.get(job_id) == reaped
    assert cleaned_up == []


def test_a_job_that_a_worker_took_first_is_waited_for_and_not_started(runner, catalog, job_id):
    """A workbench that looks for queued jobs may be quicker than whoever queued this one."""
    other = OneJobRunner(catalog, ChildSupervisor()).made_of(handling_child("return {'n': 1}"))
    other.run_in_background(job_id)
    outcome = runner.made_of(["/nowhere"]).run_job(job_id)
    assert (outcome.state, outcome.result) == (JobState.SUCCEEDED, {"n": 1})
    assert catalog.jobs.get(job_id).attempt == 1
    other.close()


def test_a_job_that_runs_here_or_has_ended_is_not_started(runner, catalog, job_id):
    runner.made_of(SLEEP).run_in_background(job_id)
    with pytest.raises(ConflictError):
        runner.run_job(job_id)
    runner.cancel(job_id)
    wait_for(lambda: catalog.jobs.get(job_id).state.is_final)
    with pytest.raises(ConflictError):
        runner.run_job(job_id)


def test_a_kind_of_job_that_nobody_knows_fails_in_words(runner, catalog):
    job = catalog.jobs.submit("dance", {}, author="tester")
    outcome = runner.made_of(SLEEP).run_job(job.id)
    assert outcome.cause is FailureCause.USER_ERROR
    assert "nobody here knows how to do a dance job" in catalog.jobs.get(job.id).message


def test_what_an_earlier_attempt_has_finished_needs_no_child(runner, catalog, job_id):
    runner.made_of(["/nowhere"], finished={"events": 3})
    assert runner.run_job(job_id).state is JobState.SUCCEEDED
    assert catalog.jobs.get(job_id).result == {"events": 3}


def test_what_an_attempt_holds_is_let_go_of_after_it(runner, job_id):
    held = []

    def assign(job):
        resources = ExitStack()
        resources.callback(held.append, job.attempt)
        return Assignment(handling_child("os.abort()"), {}, LIMITS, resources=resources)

    runner.handlers = {"detect": assign}
    runner.run_job(job_id)
    assert held == [1, 2]


def test_who_waits_for_a_job_gets_its_end_also_from_another_worker(runner, catalog, job_id):
    """Between two attempts anybody may take it."""
    other = OneJobRunner(catalog, ChildSupervisor()).made_of(handling_child("return {'n': 2}"))
    runner.made_of(handling_child("os.abort()"))
    real = catalog.leases.claim

    def too_late(claimed_id, **options):
        if catalog.jobs.get(claimed_id).attempt == 1:
            other.run_in_background(claimed_id)
        return real(claimed_id, **options)

    runner._leases = Overlay(catalog.leases, claim=too_late)
    outcome = runner.run_job(job_id)
    assert (outcome.state, outcome.result) == (JobState.SUCCEEDED, {"n": 2})
    assert catalog.jobs.get(job_id).attempt == 2
    other.close()


class Overlay:
    """Something real, but for what a test puts in front of it."""

    def __init__(self, real, **instead):
        self._real, self._instead = real, instead

    def __getattr__(self, name):
        return self._instead.get(name) or getattr(self._real, name)


@pytest.mark.parametrize("handler", ["on_message", "on_success"])
@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (InvalidInputError("The event lies outside the video."), FailureCause.USER_ERROR),
        (UnavailableError("The bucket cannot be reached."), FailureCause.STORAGE),
        (OSError(28, "No space left on device"), FailureCause.STORAGE),
    ],
)
def test_a_handler_that_cannot_store_fails_the_job_in_words(
    runner, catalog, job_id, handler, error, cause
):
    def fail(_):
        raise error

    runner.made_of(handling_child("return {}"), **{handler: fail})
    outcome = runner.run_job(job_id)
    job = catalog.jobs.get(job_id)
    assert outcome.state is job.state is JobState.FAILED
    assert outcome.cause is job.cause is cause
    assert (error.strerror if isinstance(error, OSError) else str(error)) in job.message


@pytest.mark.parametrize("handler", ["on_message", "on_success"])
def test_a_broken_handler_is_recorded_and_raised(runner, catalog, job_id, handler):
    def break_down(_):
        raise ZeroDivisionError("our bug")

    runner.made_of(handling_child("return {}"), **{handler: break_down})
    with pytest.raises(ZeroDivisionError):
        runner.run_job(job_id)
    job = catalog.jobs.get(job_id)
    assert (job.state, job.cause) == (JobState.FAILED, FailureCause.BUG)
    assert "our bug" in job.message


@pytest.mark.logs_errors
def test_a_broken_handler_in_the_background_is_logged(runner, catalog, job_id, caplog):
    def break_down(_):
        raise ZeroDivisionError("our bug")

    runner.made_of(handling_child("return {}"), on_success=break_down)
    live = runner.run_in_background(job_id)
    assert live.wait(PATIENCE_SECONDS).cause is FailureCause.BUG
    wait_for(lambda: any("job_broke" in record.message for record in caplog.records))
    assert catalog.jobs.get(job_id).cause is FailureCause.BUG


AT_MOST = handling_child("""
    print("allowed", request["mb"])
    reporter.progress(1, 2, "working")
    if request["mb"] > 100:
        return {"hog": bytearray(1 << 60)}
    return {"mb": request["mb"]}
""")
"""Runs out of memory when it is allowed more than 100 MB."""


def with_less(job):
    return {"mb": 50 if job.failures.get("out_of_memory") else 500}


def test_an_attempt_knows_what_became_of_those_before_it(runner, catalog, job_id):
    ended = []
    runner.made_of(AT_MOST, with_less, on_end=ended.append)
    assert runner.run_job(job_id).state is JobState.SUCCEEDED
    assert ended == []
    job = catalog.jobs.get(job_id)
    assert (job.result, job.attempt, job.message) == ({"mb": 50}, 2, "")
    assert job.log_tail == ("allowed 50",)
    first, second = catalog.jobs.attempts(job_id)
    assert (first.state, first.cause) == (JobState.FAILED, FailureCause.OUT_OF_MEMORY)
    assert first.log_tail[0] == "allowed 500"
    assert (second.state, second.log_tail) == (JobState.SUCCEEDED, ("allowed 50",))


def test_as_much_memory_again_is_not_tried_a_third_time(runner, catalog, job_id):
    outcome = runner.made_of(AT_MOST, {"mb": 500}).run_job(job_id)
    job = catalog.jobs.get(job_id)
    assert outcome.cause is job.cause is FailureCause.OUT_OF_MEMORY
    assert job.attempt == 2


def test_what_was_cancelled_is_not_tried_again(runner, catalog, job_id):
    live = runner.made_of(SLEEP).run_in_background(job_id)
    live.ask(Wish.CANCEL)
    assert live.wait(PATIENCE_SECONDS).state is JobState.CANCELLED
    assert catalog.jobs.get(job_id).attempt == 1


def test_who_cancels_while_a_child_fails_gets_no_second_attempt(runner, catalog, job_id):
    def cancel(message):
        if message["type"] == "error":
            catalog.jobs.request_cancel(job_id)

    runner.made_of(AT_MOST, {"mb": 500}).run_job(job_id, on_message=cancel)
    assert catalog.jobs.get(job_id).attempt == 1


def test_a_failed_clean_up_does_not_leave_the_job_running(runner, catalog, job_id):
    def break_down(_):
        raise ZeroDivisionError("cannot clean up")

    runner.made_of(handling_child("os.abort()"), on_end=break_down)
    with pytest.raises(ZeroDivisionError):
        runner.run_job(job_id)
    assert catalog.jobs.get(job_id).cause is FailureCause.CRASHED


def test_a_result_that_cannot_be_stored_fails_the_job(runner, catalog, job_id):
    runner.made_of(handling_child("return {}"), on_success=lambda _: {"x": float("nan")})
    outcome = runner.run_job(job_id)
    assert outcome.state is catalog.jobs.get(job_id).state is JobState.FAILED


def test_ctrl_c_cancels_the_job_and_comes_out(runner, catalog, job_id):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.made_of(SLEEP).run_job(job_id, on_message=interrupt)
    assert catalog.jobs.get(job_id).state is JobState.CANCELLED


def test_a_catalog_that_is_away_for_a_moment_costs_no_work(runner, catalog, job_id):
    refusals = []

    def breaking_once(name):
        real = getattr(catalog.leases, name)

        def call(*args, **options):
            if name not in refusals:
                refusals.append(name)
                raise UnavailableError("the catalog cannot be reached")
            return real(*args, **options)

        return call

    names = ("heartbeat", "end_attempt")
    runner._leases = Overlay(catalog.leases, **{name: breaking_once(name) for name in names})
    outcome = runner.made_of(handling_child("return {'n': 1}")).run_job(job_id)
    assert refusals == ["heartbeat", "end_attempt"]
    assert outcome.state is catalog.jobs.get(job_id).state is JobState.SUCCEEDED


APP_THAT_ENDS = """
import sys, threading
from prismata.catalog import open_catalog
from prismata.core.ports import Assignment, ChildLimits
from prismata.jobs import ChildSupervisor, JobRunner

url, job_id, *argv = sys.argv[1:]
started = threading.Event()
catalog = open_catalog(url)
runner = JobRunner(catalog, ChildSupervisor())
runner.handlers = {
    "detect": lambda job: Assignment(
        argv, {}, ChildLimits(), on_message=lambda message: started.set()
    )
}
runner.attempt_in_background(catalog.leases.claim(job_id, lease_seconds=45))
started.wait()
"""


def test_an_app_that_ends_gives_its_jobs_back_and_says_so(catalog, job_id, tmp_path):
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    app = subprocess.run(
        [sys.executable, "-c", APP_THAT_ENDS, url, job_id, *SLEEP],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (app.returncode, app.stderr) == (0, "")
    job = catalog.jobs.get(job_id)
    assert (job.state, job.failures) == (JobState.QUEUED, {"preempted": 1})
