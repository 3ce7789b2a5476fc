"""What `JobRunner` promises, with a real catalog and real children."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from prismata.catalog import open_catalog
from prismata.core.errors import ConflictError, InvalidInputError, UnavailableError
from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import ChildLimits
from prismata.jobs import ChildSupervisor, JobRunner
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


@pytest.fixture
def runner(catalog):
    made = JobRunner(catalog.jobs, ChildSupervisor())
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

    outcome = runner.run_job(
        job_id, handling_child("return {'events': [1, 2, 3]}"), {}, limits=LIMITS, on_success=store
    )
    job = catalog.jobs.get(job_id)
    assert outcome.state is job.state is JobState.SUCCEEDED
    assert job.result == {"events": 3}
    assert (job.cause, job.message, job.lease_token) == (None, "", None)
    assert job.peak_rss_mb > 1
    assert states == [JobState.RUNNING]
    assert runner.live_runs() == []


def test_a_job_that_fails_says_why_after_the_cleaning_up(runner, catalog, job_id):
    seen = []

    def clean_up(outcome):
        seen.append((outcome.cause, catalog.jobs.get(job_id).state))

    outcome = runner.run_job(
        job_id,
        handling_child("""
            from prismata.core.errors import InvalidInputError
            print("about to fail")
            raise InvalidInputError("The clip is too short; choose a longer one.")
        """),
        {},
        limits=LIMITS,
        on_failure=clean_up,
    )
    job = catalog.jobs.get(job_id)
    assert outcome.state is job.state is JobState.FAILED
    assert (job.cause, job.message) == (
        FailureCause.USER_ERROR,
        "The clip is too short; choose a longer one.",
    )
    assert job.log_tail == ("about to fail",)
    assert seen == [(FailureCause.USER_ERROR, JobState.RUNNING)]


def test_a_killed_child_fails_the_job_and_not_the_app(runner, catalog, job_id):
    def kill(message):
        os.kill(message["pid"], signal.SIGKILL)

    runner.run_job(job_id, handling_child("time.sleep(600)"), {}, limits=LIMITS, on_message=kill)
    job = catalog.jobs.get(job_id)
    assert (job.state, job.cause) == (JobState.FAILED, FailureCause.KILLED)


def test_progress_can_be_read_while_the_job_runs(runner, catalog, job_id, tmp_path):
    go_on = tmp_path / "go-on"
    live = runner.start_in_background(
        job_id,
        handling_child(f"""
            reporter.progress(1, 4, "reading frames")
            while not pathlib.Path({str(go_on)!r}).exists():
                time.sleep(0.05)
            return {{}}
        """),
        {},
        limits=LIMITS,
    )
    assert live.outcome is None
    wait_for(lambda: catalog.jobs.get(job_id).progress == 0.25)
    job = catalog.jobs.get(job_id)
    assert (job.state, job.progress_note) == (JobState.RUNNING, "reading frames")
    assert job.peak_rss_mb > 1
    go_on.touch()
    assert live.wait(PATIENCE_SECONDS).state is JobState.SUCCEEDED
    assert catalog.jobs.get(job_id).progress == 1.0


def test_a_chatty_child_costs_few_writes(catalog, job_id):
    class CountingJobs:
        """The real jobs, counted."""

        def __init__(self, jobs):
            self.claim, self.finish, self._jobs = jobs.claim, jobs.finish, jobs
            self.beats = 0

        def heartbeat(self, *args, **options):
            self.beats += 1
            return self._jobs.heartbeat(*args, **options)

    jobs = CountingJobs(catalog.jobs)
    runner = JobRunner(jobs, ChildSupervisor())
    messages = []
    outcome = runner.run_job(
        job_id,
        handling_child("""
            for number in range(3000):
                reporter.progress(number, 3000, str(number))
            return {}
        """),
        {},
        limits=LIMITS,
        on_message=messages.append,
    )
    runner.close()
    assert outcome.state is JobState.SUCCEEDED
    assert len(messages) > 6000
    assert 1 <= jobs.beats <= 2 + 2 * outcome.wall_seconds


@pytest.mark.parametrize("where", ["catalog", "live run", "runner"])
def test_a_job_can_be_cancelled_from_everywhere(runner, catalog, job_id, where):
    cleaned_up = threading.Event()
    live = runner.start_in_background(
        job_id, SLEEP, {}, limits=LIMITS, on_failure=lambda _: cleaned_up.set()
    )
    if where == "catalog":
        catalog.jobs.request_cancel(job_id)
    elif where == "live run":
        live.cancel()
    else:
        assert runner.cancel(job_id)
    assert live.wait(PATIENCE_SECONDS).state is JobState.CANCELLED
    job = catalog.jobs.get(job_id)
    assert (job.state, job.cause) == (JobState.CANCELLED, None)
    assert cleaned_up.is_set()
    assert not runner.cancel(job_id)


def test_closing_stops_what_runs_and_refuses_what_comes(runner, catalog, job_id):
    pids = []
    live = runner.start_in_background(
        job_id,
        SLEEP,
        {},
        limits=LIMITS,
        on_message=lambda message: pids.append(message.get("pid")),
    )
    wait_for(lambda: pids)
    runner.close()
    assert live.outcome.cause is FailureCause.LOST
    job = catalog.jobs.get(job_id)
    assert (job.state, job.cause) == (JobState.FAILED, FailureCause.LOST)
    assert "start it again" in job.message
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
    other = catalog.jobs.submit("detect", {}, author="tester")
    with pytest.raises(UnavailableError, match="shutting down"):
        runner.run_job(other.id, SLEEP, {}, limits=LIMITS)
    assert catalog.jobs.get(other.id).state is JobState.QUEUED


def test_who_lost_the_lease_stops_and_writes_nothing(runner, catalog, job_id, clock):
    cleaned_up = []
    live = runner.start_in_background(
        job_id, SLEEP, {}, limits=LIMITS, on_failure=cleaned_up.append
    )

    def was_reaped():
        clock.move_on(3600)
        catalog.jobs.reap()
        return catalog.jobs.get(job_id).state is JobState.FAILED

    wait_for(was_reaped)
    reaped = catalog.jobs.get(job_id)
    assert live.wait(PATIENCE_SECONDS).cause is FailureCause.LOST
    assert catalog.jobs.get(job_id) == reaped
    assert cleaned_up == []


def test_a_job_that_somebody_else_runs_is_not_started(runner, catalog, job_id):
    catalog.jobs.claim(job_id, lease_seconds=60)
    with pytest.raises(ConflictError):
        runner.start_in_background(job_id, SLEEP, {}, limits=LIMITS)
    with pytest.raises(ConflictError):
        runner.run_job(job_id, SLEEP, {}, limits=LIMITS)
    assert runner.live_runs() == []


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

    outcome = runner.run_job(
        job_id, handling_child("return {}"), {}, limits=LIMITS, **{handler: fail}
    )
    job = catalog.jobs.get(job_id)
    assert outcome.state is job.state is JobState.FAILED
    assert outcome.cause is job.cause is cause
    assert (error.strerror if isinstance(error, OSError) else str(error)) in job.message


@pytest.mark.parametrize("handler", ["on_message", "on_success"])
def test_a_broken_handler_is_recorded_and_raised(runner, catalog, job_id, handler):
    def break_down(_):
        raise ZeroDivisionError("our bug")

    with pytest.raises(ZeroDivisionError):
        runner.run_job(
            job_id, handling_child("return {}"), {}, limits=LIMITS, **{handler: break_down}
        )
    job = catalog.jobs.get(job_id)
    assert (job.state, job.cause) == (JobState.FAILED, FailureCause.BUG)
    assert "our bug" in job.message


@pytest.mark.logs_errors
def test_a_broken_handler_in_the_background_is_logged(runner, catalog, job_id, caplog):
    def break_down(_):
        raise ZeroDivisionError("our bug")

    live = runner.start_in_background(
        job_id, handling_child("return {}"), {}, limits=LIMITS, on_success=break_down
    )
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


@pytest.mark.parametrize("in_background", [False, True])
def test_a_second_attempt_belongs_to_the_same_job_and_the_log_tells_of_both(
    runner, catalog, job_id, in_background
):
    asked, failed = [], []

    def with_less(outcome):
        asked.append(outcome.cause)
        return {"mb": 50}

    options = {"limits": LIMITS, "retry": with_less, "on_failure": failed.append}
    if in_background:
        live = runner.start_in_background(job_id, AT_MOST, {"mb": 500}, **options)
        outcome = live.wait(PATIENCE_SECONDS)
    else:
        outcome = runner.run_job(job_id, AT_MOST, {"mb": 500}, **options)
    assert outcome.state is JobState.SUCCEEDED
    assert (asked, failed) == ([FailureCause.OUT_OF_MEMORY], [])
    job = catalog.jobs.get(job_id)
    assert (job.state, job.result, job.attempt) == (JobState.SUCCEEDED, {"mb": 50}, 1)
    assert job.log_tail[0] == "allowed 500"
    assert any("first attempt: The process ran out of memory" in line for line in job.log_tail)
    assert job.log_tail[-1] == "allowed 50"


def test_there_is_no_third_attempt(runner, catalog, job_id):
    asked = []

    def as_much_again(outcome):
        asked.append(outcome)
        return {"mb": 400}

    outcome = runner.run_job(job_id, AT_MOST, {"mb": 500}, limits=LIMITS, retry=as_much_again)
    assert len(asked) == 1
    assert outcome.cause is catalog.jobs.get(job_id).cause is FailureCause.OUT_OF_MEMORY


def test_what_was_cancelled_is_not_tried_again(runner, catalog, job_id):
    asked = []
    live = runner.start_in_background(job_id, SLEEP, {}, limits=LIMITS, retry=asked.append)
    live.cancel()
    assert live.wait(PATIENCE_SECONDS).state is JobState.CANCELLED
    assert asked == []


def test_who_cancels_while_a_child_fails_gets_no_second_attempt(runner, catalog, job_id):
    asked = []

    def cancel(message):
        if message["type"] == "error":
            runner.cancel(job_id)

    runner.run_job(
        job_id, AT_MOST, {"mb": 500}, limits=LIMITS, on_message=cancel, retry=asked.append
    )
    assert asked == []


def test_a_long_log_keeps_something_of_both_attempts(runner, catalog, job_id):
    chatty = handling_child("""
        for number in range(300):
            print(request["name"], number)
        raise ValueError if request["name"] == "first" else SystemExit
    """)
    runner.run_job(
        job_id, chatty, {"name": "first"}, limits=LIMITS, retry=lambda _: {"name": "second"}
    )
    log = catalog.jobs.get(job_id).log_tail
    assert len(log) == 100
    assert any("ValueError" in line for line in log[:50])
    assert log[-1] == "second 299"


def test_a_failed_clean_up_does_not_leave_the_job_running(runner, catalog, job_id):
    def break_down(_):
        raise ZeroDivisionError("cannot clean up")

    with pytest.raises(ZeroDivisionError):
        runner.run_job(
            job_id, handling_child("os.abort()"), {}, limits=LIMITS, on_failure=break_down
        )
    assert catalog.jobs.get(job_id).cause is FailureCause.CRASHED


def test_a_result_that_cannot_be_stored_fails_the_job(runner, catalog, job_id):
    outcome = runner.run_job(
        job_id,
        handling_child("return {}"),
        {},
        limits=LIMITS,
        on_success=lambda _: {"x": float("nan")},
    )
    assert outcome.state is catalog.jobs.get(job_id).state is JobState.FAILED


def test_ctrl_c_cancels_the_job_and_comes_out(runner, catalog, job_id):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run_job(job_id, SLEEP, {}, limits=LIMITS, on_message=interrupt)
    assert catalog.jobs.get(job_id).state is JobState.CANCELLED


def test_a_catalog_that_is_away_for_a_moment_costs_no_work(catalog, job_id):
    class ForgetfulJobs:
        """The real jobs behind a connection that breaks now and then."""

        def __init__(self, jobs):
            self.claim, self._jobs = jobs.claim, jobs
            self.refusals = []

        def _break_once(self, name):
            if name not in self.refusals:
                self.refusals.append(name)
                raise UnavailableError("the catalog cannot be reached")

        def heartbeat(self, *args, **options):
            self._break_once("heartbeat")
            return self._jobs.heartbeat(*args, **options)

        def finish(self, *args, **options):
            self._break_once("finish")
            return self._jobs.finish(*args, **options)

    jobs = ForgetfulJobs(catalog.jobs)
    runner = JobRunner(jobs, ChildSupervisor())
    outcome = runner.run_job(job_id, handling_child("return {'n': 1}"), {}, limits=LIMITS)
    runner.close()
    assert jobs.refusals == ["heartbeat", "finish"]
    assert outcome.state is catalog.jobs.get(job_id).state is JobState.SUCCEEDED


APP_THAT_ENDS = """
import sys, threading
from prismata.catalog import open_catalog
from prismata.core.ports import ChildLimits
from prismata.jobs import ChildSupervisor, JobRunner

url, job_id, *argv = sys.argv[1:]
started = threading.Event()
runner = JobRunner(open_catalog(url).jobs, ChildSupervisor())
runner.start_in_background(
    job_id, argv, {}, limits=ChildLimits(), on_message=lambda message: started.set()
)
started.wait()
"""


def test_an_app_that_ends_takes_its_jobs_along_and_says_so(catalog, job_id, tmp_path):
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
    assert (job.state, job.cause) == (JobState.FAILED, FailureCause.LOST)
