"""What `ChildSupervisor` promises, on real children that really die."""

import os
import signal
import sys
import threading
import time

import pytest

from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import ChildLimits
from prismata.jobs.supervisor import ChildSupervisor
from prismata.testing.children import (
    PATIENCE_SECONDS,
    handling_child,
    speaking_child,
)

NO_LIMITS = ChildLimits(stall_seconds=PATIENCE_SECONDS)


def run(argv, request=None, *, limits=NO_LIMITS, supervisor=None, **options):
    messages = []
    options.setdefault("on_message", messages.append)
    supervisor = supervisor or ChildSupervisor(grace_seconds=10)
    outcome = supervisor.run(argv, request or {}, limits=limits, **options)
    return outcome, messages


def test_a_result_comes_back_with_the_messages_before_it():
    outcome, messages = run(
        handling_child("""
            reporter.progress(1, 2, "half way")
            reporter.event({"at_us": 5})
            reporter.progress(2, 2, "done")
            return {"echo": request["word"]}
        """),
        {"word": "héllo"},
    )
    assert outcome.state is JobState.SUCCEEDED
    assert outcome.result == {"echo": "héllo"}
    assert (outcome.cause, outcome.message, outcome.exit_code) == (None, "", 0)
    kinds = [message["type"] for message in messages]
    assert kinds == [
        *("started", "progress", "memory", "event", "progress", "memory"),
        *("memory", "result"),
    ]


def test_a_request_of_five_megabytes_arrives_whole():
    outcome, _ = run(
        handling_child("return {'length': len(request['text'])}"), {"text": "x" * 5_000_000}
    )
    assert outcome.result == {"length": 5_000_000}


def test_a_child_that_never_reads_a_big_request_is_not_a_deadlock():
    outcome, _ = run(speaking_child("say('result', ok=True)"), {"text": "x" * 5_000_000})
    assert outcome.state is JobState.SUCCEEDED


def test_kill_9_from_outside_is_told_as_such():
    outcome, messages = run(
        handling_child("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        supervisor=ChildSupervisor(subject="detection process"),
    )
    assert (outcome.state, outcome.cause) == (JobState.FAILED, FailureCause.KILLED)
    assert outcome.exit_code == -signal.SIGKILL
    assert "The detection process was killed from outside (signal 9)" in outcome.message
    assert outcome.result is None
    assert [message["type"] for message in messages] == ["started"]


def test_kill_9_is_memory_when_the_kernel_counted_a_memory_kill(tmp_path):
    counter = tmp_path / "memory.events"
    counter.write_text("oom 0\noom_kill 3\n")

    def kill_like_the_kernel(message):
        counter.write_text("oom 1\noom_kill 4\n")
        os.kill(message["pid"], signal.SIGKILL)

    outcome, _ = run(
        handling_child("import time; time.sleep(600)"),
        supervisor=ChildSupervisor(oom_counter=counter),
        on_message=kill_like_the_kernel,
    )
    assert outcome.cause is FailureCause.OUT_OF_MEMORY
    assert "this machine had no more to give" in outcome.message


def test_sigterm_from_outside_is_not_our_cancellation():
    outcome, _ = run(handling_child("import os, signal; os.kill(os.getpid(), signal.SIGTERM)"))
    assert (outcome.state, outcome.cause) == (JobState.FAILED, FailureCause.KILLED)
    assert "signal 15" in outcome.message


def test_a_segmentation_fault_kills_the_child_alone():
    outcome, _ = run(handling_child("import ctypes; ctypes.string_at(0)"))
    assert (outcome.state, outcome.cause) == (JobState.FAILED, FailureCause.CRASHED)
    assert "SIGSEGV" in outcome.message
    assert any("Segmentation fault" in line for line in outcome.log_tail)


def test_a_silent_child_is_stalled():
    outcome, _ = run(
        handling_child("import time; time.sleep(600)"), limits=ChildLimits(stall_seconds=1.5)
    )
    assert (outcome.state, outcome.cause) == (JobState.FAILED, FailureCause.STALLED)
    assert "1.5 seconds" in outcome.message


def test_a_stalled_child_that_ignores_sigterm_is_killed():
    outcome, _ = run(
        speaking_child("""
            import signal
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            say("started")
            time.sleep(600)
        """),
        limits=ChildLimits(stall_seconds=3),
        supervisor=ChildSupervisor(grace_seconds=0.5),
    )
    assert outcome.cause is FailureCause.STALLED
    assert outcome.exit_code == -signal.SIGKILL
    assert outcome.peak_rss_mb > 1


@pytest.mark.parametrize(("why", "saved"), [("given_back", True), ("cancelled", False)])
def test_a_child_whose_job_is_given_back_has_time_to_save(tmp_path, why, saved):
    """Who only cancels does not wait for that."""
    target = tmp_path / "saved"
    started = threading.Event()
    outcome, _ = run(
        speaking_child(f"""
            def save(number, frame):
                time.sleep(3)
                pathlib.Path({str(target)!r}).touch()
                sys.exit(1)

            signal.signal(signal.SIGTERM, save)
            say("started")
            time.sleep(600)
        """),
        on_message=lambda _message: started.set(),
        limits=ChildLimits(stall_seconds=PATIENCE_SECONDS, save_seconds=PATIENCE_SECONDS),
        supervisor=ChildSupervisor(grace_seconds=0.5),
        **{why: started.is_set},
    )
    assert outcome.state is JobState.CANCELLED
    assert target.exists() is saved


def test_a_slow_message_handler_is_not_the_childs_silence():
    def dawdle(message):
        if message["type"] == "started":
            time.sleep(3.5)

    outcome, _ = run(
        speaking_child("say('started'); time.sleep(4.5); say('result', ok=True)"),
        limits=ChildLimits(stall_seconds=3),
        on_message=dawdle,
    )
    assert outcome.state is JobState.SUCCEEDED


def test_a_busy_child_that_never_ends_meets_the_wall_limit():
    outcome, _ = run(
        speaking_child("""
            while True:
                say("progress", done=1, total=None, note="", eta_s=None)
                time.sleep(0.05)
        """),
        limits=ChildLimits(stall_seconds=PATIENCE_SECONDS, wall_seconds=1.5),
    )
    assert outcome.cause is FailureCause.STALLED
    assert "1.5 seconds it may take" in outcome.message


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces RLIMIT_AS")
@pytest.mark.parametrize("kind", [handling_child, speaking_child])
def test_more_memory_than_allowed_is_out_of_memory(kind):
    outcome, _ = run(
        kind("hog = [bytearray(1 << 24) for _ in range(64)]\n"),
        limits=ChildLimits(memory_mb=500, stall_seconds=PATIENCE_SECONDS),
    )
    assert (outcome.state, outcome.cause) == (JobState.FAILED, FailureCause.OUT_OF_MEMORY)
    assert "needs more than the 500 MB it may use" in outcome.message
    assert outcome.peak_rss_mb > 200


def test_native_memory_failure_is_out_of_memory():
    outcome, _ = run(
        speaking_child("""
            sys.stderr.write("terminate called after throwing an instance of 'std::bad_alloc'\\n")
            sys.stderr.flush()
            os.abort()
        """)
    )
    assert outcome.cause is FailureCause.OUT_OF_MEMORY
    assert outcome.exit_code == -signal.SIGABRT


def test_a_person_gets_the_childs_own_words_about_a_bad_file():
    outcome, messages = run(
        handling_child("""
            from prismata.core.errors import BadVideoError
            raise BadVideoError("clip.mp4 has no video track; choose another file.",
                                reason="no_video_stream")
        """)
    )
    assert (outcome.state, outcome.cause) == (JobState.FAILED, FailureCause.USER_ERROR)
    assert outcome.message == "clip.mp4 has no video track; choose another file."
    assert outcome.exit_code == 65
    assert messages[-1]["reason"] == "no_video_stream"


def test_an_unexpected_exception_is_our_bug_and_its_traceback_is_kept():
    outcome, _ = run(handling_child("return {'never': 1 / 0}"))
    assert (outcome.cause, outcome.exit_code) == (FailureCause.BUG, 70)
    assert "ZeroDivisionError" in outcome.message
    assert any("Traceback" in line for line in outcome.log_tail)


def test_garbage_on_standard_output_goes_to_the_log():
    outcome, messages = run(
        speaking_child("""
            os.write(1, b"loading weights...\\n" + bytes(range(256)) + b"\\n")
            os.write(1, b"[" * 200_000 + b"\\n" + b"9" * 10_000 + b"\\n")
            os.write(1, b'{"type": "started", "v": 99}\\n{"no": "type"}\\n')
            say("result", ok=True)
        """)
    )
    assert outcome.state is JobState.SUCCEEDED
    assert [message["type"] for message in messages] == ["result"]
    assert "stdout: loading weights..." in outcome.log_tail
    assert any("version 99" in line for line in outcome.log_tail)


def test_ten_megabytes_of_standard_error_neither_block_nor_fill_the_memory():
    outcome, _ = run(
        speaking_child("""
            sys.stderr.write("x" * 10_000_000 + "\\n")
            for number in range(2_000):
                sys.stderr.write(f"line {number}\\r" if number % 2 else f"line {number}\\n")
            sys.stderr.flush()
            say("result", ok=True)
        """)
    )
    assert outcome.state is JobState.SUCCEEDED
    assert len(outcome.log_tail) == 100
    assert outcome.log_tail[-1] == "line 1999"


def test_a_result_is_not_believed_when_the_child_fails_after_it():
    outcome, _ = run(speaking_child("say('result', ok=True); sys.exit(3)"))
    assert (outcome.state, outcome.cause) == (JobState.FAILED, FailureCause.CRASHED)
    assert outcome.result is None
    assert "after its result (exit code 3)" in outcome.message


def test_leaving_without_a_result_is_a_failure():
    outcome, _ = run(speaking_child("say('started')"))
    assert (outcome.state, outcome.cause) == (JobState.FAILED, FailureCause.CRASHED)
    assert "without a result" in outcome.message


def test_a_program_that_does_not_exist_is_an_outcome_not_an_exception(tmp_path):
    outcome, _ = run([str(tmp_path / "nowhere")])
    assert (outcome.state, outcome.cause) == (JobState.FAILED, FailureCause.CRASHED)
    assert "could not be started" in outcome.message
    assert "nowhere" in outcome.message


def test_a_child_may_clean_up_when_it_is_cancelled(tmp_path):
    messages = []
    outcome, _ = run(
        handling_child(f"""
            import pathlib, time
            try:
                reporter.progress(0, 1)
                time.sleep(600)
            finally:
                pathlib.Path({str(tmp_path / "checkpoint")!r}).write_text("saved")
        """),
        on_message=messages.append,
        cancelled=lambda: len(messages) > 1,
    )
    assert outcome.state is JobState.CANCELLED
    assert (tmp_path / "checkpoint").read_text() == "saved"


def test_work_that_was_finished_first_is_not_thrown_away_by_a_late_cancellation():
    messages = []
    outcome, _ = run(
        speaking_child("""
            import signal
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            say("result", ok=True)
            time.sleep(600)
        """),
        on_message=messages.append,
        cancelled=lambda: bool(messages),
    )
    assert outcome.state is JobState.SUCCEEDED


def test_a_stopped_child_can_still_be_cancelled():
    messages = []
    outcome, _ = run(
        speaking_child("import signal\nsay('started')\nos.kill(os.getpid(), signal.SIGSTOP)"),
        on_message=messages.append,
        cancelled=lambda: bool(messages),
        supervisor=ChildSupervisor(grace_seconds=0.5),
    )
    assert outcome.state is JobState.CANCELLED


def test_the_peak_is_the_childs_own_and_not_inherited_from_a_big_parent():
    ballast = bytearray(300 << 20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    outcome, _ = run(speaking_child("hog = bytearray(50 << 20)\nhog[::4096] = b'x' * (50 << 8)\n"))
    assert len(ballast) == 300 << 20
    assert 50 < outcome.peak_rss_mb < 200


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_child_is_nice_offers_itself_to_the_oom_killer_and_leaves_no_core(monkeypatch):
    monkeypatch.setenv("PRISMATA_TEST_WORD", "inherited")
    outcome, _ = run(
        speaking_child("""
            import pathlib, resource, signal
            say("result",
                nice=os.nice(0),
                oom_score_adj=int(pathlib.Path("/proc/self/oom_score_adj").read_text()),
                core=resource.getrlimit(resource.RLIMIT_CORE),
                ignores_sigterm=signal.getsignal(signal.SIGTERM) is signal.SIG_IGN,
                word=os.environ["PRISMATA_TEST_WORD"],
                open_files=len(os.listdir("/proc/self/fd")))
        """)
    )
    assert outcome.result == {
        "nice": min(19, os.nice(0) + 10),
        "oom_score_adj": 800,
        "core": [0, 0],
        "ignores_sigterm": False,
        "word": "inherited",
        "open_files": 4,  # the three standard streams and the one that lists them
    }


@pytest.mark.parametrize(("ours", "childs"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_the_childs_threads_sleep_while_they_wait_unless_a_person_wants_otherwise(
    monkeypatch, ours, childs
):
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if ours:
        monkeypatch.setenv("OMP_WAIT_POLICY", ours)
    outcome, _ = run(speaking_child('say("result", policy=os.environ["OMP_WAIT_POLICY"])'))
    assert outcome.result == {"policy": childs}


def test_one_supervisor_serves_several_threads_at_once():
    supervisor = ChildSupervisor()
    outcomes = {}

    def work(number):
        outcomes[number], _ = run(
            handling_child("return {'number': request['number']}"),
            {"number": number},
            supervisor=supervisor,
        )

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: outcome.result["number"] for number, outcome in outcomes.items()} == {
        number: number for number in range(4)
    }
