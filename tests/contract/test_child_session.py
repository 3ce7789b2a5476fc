"""What a session of `ChildSupervisor` promises: one warm child, and failures that stay apart."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from prismata.catalog import open_catalog
from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import Assignment, ChildLimits
from prismata.jobs import ChildSupervisor, JobRunner
from prismata.testing.children import (
    PATIENCE_SECONDS,
    handling_child,
    is_running,
    speaking_child,
    wait_until_gone,
)

NO_LIMITS = ChildLimits(stall_seconds=PATIENCE_SECONDS)

VERSATILE = handling_child("""
    import ctypes
    from prismata.core.errors import BadVideoError
    print("asked to", request["do"])
    match request["do"]:
        case "refuse":
            raise BadVideoError("Not a video; choose another.", reason="not_a_video")
        case "break":
            return {"never": 1 / 0}
        case "crash":
            ctypes.string_at(0)
        case "starve":
            return {"hog": bytearray(1 << 60)}
        case "sleep":
            reporter.progress(0, 1, "asleep")
            time.sleep(600)
        case "eat":
            hog = bytearray(120 << 20)
            hog[::4096] = b"x" * (120 << 8)
    counted = globals().setdefault("counted", [])
    counted.append(request["do"])
    return {"pid": os.getpid(), "answered": counted}
""")
"""Does what it is asked to; answers with its process and all it has answered so far."""


@pytest.fixture
def session():
    with ChildSupervisor(grace_seconds=10).session() as opened:
        yield opened


def ask(session, do, *, argv=VERSATILE, limits=NO_LIMITS, **options):
    messages = []
    options.setdefault("on_message", messages.append)
    outcome = session.run(argv, {"do": do}, limits=limits, **options)
    return outcome, messages


def test_one_child_answers_one_request_after_the_other(session):
    first, messages = ask(session, "work")
    second, _ = ask(session, "work")
    assert first.state is second.state is JobState.SUCCEEDED
    assert second.result == {"pid": first.result["pid"], "answered": ["work", "work"]}
    assert first.exit_code == second.exit_code == 0
    assert [message["type"] for message in messages] == ["started", "memory", "result"]
    assert is_running(first.result["pid"])


def test_a_refused_video_ends_only_its_own_request(session):
    before, _ = ask(session, "work")
    refused, _ = ask(session, "refuse")
    after, _ = ask(session, "work")
    assert (refused.state, refused.cause) == (JobState.FAILED, FailureCause.USER_ERROR)
    assert refused.message == "Not a video; choose another."
    assert refused.result is None
    assert after.result == {"pid": before.result["pid"], "answered": ["work", "work"]}


@pytest.mark.parametrize(
    ("trouble", "cause", "code"),
    [
        ("crash", FailureCause.CRASHED, -signal.SIGSEGV),
        ("break", FailureCause.BUG, 70),
        ("starve", FailureCause.OUT_OF_MEMORY, 77),
    ],
)
def test_a_child_that_fails_is_told_for_its_job_and_the_next_one_gets_a_new_child(
    session, trouble, cause, code
):
    before, _ = ask(session, "work")
    failed, _ = ask(session, trouble)
    after, _ = ask(session, "work")
    assert (failed.state, failed.cause, failed.exit_code) == (JobState.FAILED, cause, code)
    assert after.state is JobState.SUCCEEDED
    assert after.result["answered"] == ["work"]
    assert after.result["pid"] != before.result["pid"]
    wait_until_gone(before.result["pid"])


def test_the_log_is_that_of_its_own_job(session):
    good, _ = ask(session, "work")
    refused, _ = ask(session, "refuse")
    crashed, _ = ask(session, "crash")
    assert good.log_tail == ("asked to work",)
    assert refused.log_tail == ("asked to refuse",)
    assert any("Segmentation fault" in line for line in crashed.log_tail)
    assert not {"asked to work", "asked to refuse"} & set(crashed.log_tail)


def test_a_line_without_an_end_stays_with_its_job(session):
    child = handling_child("sys.stderr.write('half a line of ' + request['do'])\nreturn {}")
    for word in ("one", "two"):
        outcome, _ = ask(session, word, argv=child)
        assert outcome.log_tail == (f"half a line of {word}",)


def test_cancelling_ends_the_child_and_the_next_job_starts_anew(session):
    before, _ = ask(session, "work")
    messages = []
    cancelled, _ = ask(
        session, "sleep", on_message=messages.append, cancelled=lambda: len(messages) > 1
    )
    assert (cancelled.state, cancelled.cause) == (JobState.CANCELLED, None)
    wait_until_gone(before.result["pid"])
    after, _ = ask(session, "work")
    assert after.result["answered"] == ["work"]


def test_a_late_answer_counts_but_who_was_told_to_stop_gets_no_other_request(session):
    child = handling_child("""
        try:
            reporter.progress(0, 1)
            time.sleep(600 if request["do"] == "sleep" else 0)
        except SystemExit:
            pass
        return {"pid": os.getpid()}
    """)
    messages = []
    late, _ = ask(
        session,
        "sleep",
        argv=child,
        on_message=messages.append,
        cancelled=lambda: len(messages) > 1,
    )
    assert late.state is JobState.SUCCEEDED
    after, _ = ask(session, "work", argv=child)
    assert after.result["pid"] != late.result["pid"]


def test_a_cancellation_before_the_next_request_is_read_costs_no_other_job(session):
    ask(session, "work")
    cancelled, _ = ask(session, "sleep", cancelled=lambda: True)
    assert cancelled.state is JobState.CANCELLED
    assert ask(session, "work")[0].state is JobState.SUCCEEDED


def test_silence_counts_anew_for_each_request(session):
    ask(session, "work")
    time.sleep(2)  # longer than the limit below: waiting for work is no silence
    limits = ChildLimits(stall_seconds=1.5)
    assert ask(session, "work", limits=limits)[0].state is JobState.SUCCEEDED
    stalled, _ = ask(session, "sleep", limits=limits)
    assert (stalled.state, stalled.cause) == (JobState.FAILED, FailureCause.STALLED)
    assert ask(session, "work")[0].result["answered"] == ["work"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux resets the mark")
def test_the_peak_is_that_of_the_request(session):
    small, _ = ask(session, "work")
    big, _ = ask(session, "eat")
    small_again, _ = ask(session, "work")
    crashed, _ = ask(session, "crash")
    assert small.peak_rss_mb < 100
    assert big.peak_rss_mb > 120
    assert small_again.peak_rss_mb < 100
    assert 0 < crashed.peak_rss_mb < 100


def test_a_child_that_died_while_it_waited_is_replaced(session):
    before, _ = ask(session, "work")
    os.kill(before.result["pid"], signal.SIGKILL)
    wait_until_gone(before.result["pid"])
    time.sleep(0.2)  # until its warden has said so
    after, _ = ask(session, "work")
    assert after.state is JobState.SUCCEEDED
    assert after.result["pid"] != before.result["pid"]


def test_another_program_or_memory_limit_gets_a_child_of_its_own(session):
    first, _ = ask(session, "work")
    other, _ = ask(session, "work", argv=handling_child("return {'pid': os.getpid()}"))
    assert other.result["pid"] != first.result["pid"]
    wait_until_gone(first.result["pid"])
    bounded, _ = ask(
        session, "work", limits=ChildLimits(memory_mb=2000, stall_seconds=PATIENCE_SECONDS)
    )
    assert bounded.result["answered"] == ["work"]


def test_a_child_that_takes_one_request_only_serves_all_the_same(session):
    child = speaking_child("sys.stdin.readline(); say('result', pid=os.getpid())")
    first, _ = ask(session, "work", argv=child)
    wait_until_gone(first.result["pid"])
    time.sleep(0.2)
    second, _ = ask(session, "work", argv=child)
    assert second.state is JobState.SUCCEEDED
    assert second.result["pid"] != first.result["pid"]


def test_a_child_that_answered_before_it_had_read_all_gets_no_other_request(session):
    child = speaking_child("say('result', pid=os.getpid()); time.sleep(600)")
    big = {"text": "x" * 5_000_000}
    first = session.run(child, big, on_message=lambda _: None, limits=NO_LIMITS)
    second = session.run(child, big, on_message=lambda _: None, limits=NO_LIMITS)
    assert first.state is second.state is JobState.SUCCEEDED
    assert first.result["pid"] != second.result["pid"]
    wait_until_gone(first.result["pid"])


def test_an_exception_of_the_message_handler_kills_the_child_and_comes_out(session):
    before, _ = ask(session, "work")

    def break_down(message):
        raise KeyError("the handler is broken")

    with pytest.raises(KeyError, match="the handler is broken"):
        ask(session, "sleep", on_message=break_down)
    wait_until_gone(before.result["pid"])
    assert ask(session, "work")[0].state is JobState.SUCCEEDED


def test_nothing_runs_on_after_the_session():
    child = handling_child("""
        import subprocess
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return {"pids": [os.getpid(), os.getppid(), grandchild.pid]}
    """)
    with ChildSupervisor().session() as session:
        outcome, _ = ask(session, "work", argv=child)
        assert all(is_running(pid) for pid in outcome.result["pids"])
    for pid in outcome.result["pids"]:
        wait_until_gone(pid)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
def test_nothing_is_left_open_after_the_session():
    def count_open_files():
        return len(list(Path("/proc/self/fd").iterdir()))

    def use_one():
        with ChildSupervisor().session() as session:
            for do in ("work", "crash", "work", "refuse"):
                ask(session, do)

    use_one()
    before = count_open_files()
    use_one()
    assert count_open_files() == before


def test_two_threads_take_turns(session):
    outcomes = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(ask(session, "work")[0])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(outcome.result["answered"]) for outcome in outcomes) == [1, 2, 3, 4]


def test_jobs_of_one_session_are_jobs_of_their_own(tmp_path):
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.db'}") as catalog:
        runner = JobRunner(catalog, ChildSupervisor())
        runner.handlers = {"detect": lambda job: Assignment(VERSATILE, dict(job.params), NO_LIMITS)}
        doings = ["work", "refuse", "crash", "work"]
        ids = [catalog.jobs.submit("detect", {"do": do}, author="tester").id for do in doings]
        with runner.session() as child:
            for job_id in ids:
                runner.run_job(job_id, runner=child)
        jobs = [catalog.jobs.get(job_id) for job_id in ids]
        runner.close()
    assert [job.state for job in jobs] == [
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.FAILED,
        JobState.SUCCEEDED,
    ]
    assert [job.cause for job in jobs] == [
        None,
        FailureCause.USER_ERROR,
        FailureCause.CRASHED,
        None,
    ]
    assert jobs[3].result["answered"] == ["work"]
    assert jobs[0].log_tail == ("asked to work",)
