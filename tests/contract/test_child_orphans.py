"""Nothing a supervisor started outlives it, however either of them ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import ChildLimits
from prismata.jobs import ChildSupervisor
from prismata.testing.children import (
    PATIENCE_SECONDS,
    handling_child,
    is_running,
    speaking_child,
    wait_until_gone,
)


def run(argv, **options):
    messages = []
    options.setdefault("on_message", messages.append)
    limits = ChildLimits(stall_seconds=PATIENCE_SECONDS)
    return ChildSupervisor().run(argv, {}, limits=limits, **options), messages


GRANDPARENT = """
    import subprocess
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    say("event", event={"grandchild": grandchild.pid})
"""


def test_grandchildren_die_with_a_child_that_succeeds():
    outcome, messages = run(
        speaking_child(GRANDPARENT + "\n    say('result', ok=True)\n    os._exit(0)")
    )
    assert outcome.state is JobState.SUCCEEDED
    wait_until_gone(messages[0]["event"]["grandchild"])


def test_cancelling_stops_the_whole_group():
    messages = []
    outcome, _ = run(
        speaking_child(GRANDPARENT + "\n    time.sleep(600)"),
        on_message=messages.append,
        cancelled=lambda: bool(messages),
    )
    assert (outcome.state, outcome.cause) == (JobState.CANCELLED, None)
    assert outcome.exit_code == -signal.SIGTERM
    wait_until_gone(messages[0]["event"]["grandchild"])


def test_an_exception_of_the_message_handler_kills_the_child_and_comes_out():
    pids = []

    def break_down(message):
        pids.append(message["pid"])
        raise KeyError("the handler is broken")

    with pytest.raises(KeyError, match="the handler is broken"):
        run(
            speaking_child("say('started', pid=os.getpid())\ntime.sleep(600)"),
            on_message=break_down,
        )
    wait_until_gone(pids[0])


def test_a_stopped_warden_does_not_save_the_child():
    pids = []

    def stop_the_warden(message):
        pids.append(message["pid"])
        os.kill(message["warden"], signal.SIGSTOP)
        raise KeyError("the handler is broken")

    with pytest.raises(KeyError, match="the handler is broken"):
        run(
            speaking_child("say('started', pid=os.getpid(), warden=os.getppid())\ntime.sleep(600)"),
            on_message=stop_the_warden,
        )
    wait_until_gone(pids[0])


def test_ctrl_c_kills_the_child_and_comes_out():
    pids = []

    def interrupt():
        if pids:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        run(
            speaking_child("say('started', pid=os.getpid())\ntime.sleep(600)"),
            on_message=lambda message: pids.append(message["pid"]),
            cancelled=interrupt,
        )
    wait_until_gone(pids[0])


SUPERVISING_PARENT = """
import os, sys, threading, time
from prismata.core.ports import ChildLimits
from prismata.jobs import ChildSupervisor

def on_message(message):
    pids = message["pids"]
    if sys.argv[1] == "forks":
        sibling = os.fork()  # without exec: it inherits every file the supervisor has open
        if sibling == 0:
            time.sleep(600)
        pids = [sibling, *pids]
    print(*pids, flush=True)

def supervise():
    ChildSupervisor().run(sys.argv[2:], {}, on_message=on_message, limits=ChildLimits())

thread = threading.Thread(target=supervise)
thread.start()
thread.join()
"""


def start_parent(child, *, manner="plain"):
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISING_PARENT, manner, *child],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_supervisor_killed_with_9_takes_the_child_and_the_grandchild_along():
    child = speaking_child("""
        import subprocess
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        say("started", pids=[os.getpid(), os.getppid(), grandchild.pid])
        time.sleep(600)
    """)
    with start_parent(child) as parent:
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 3
        assert all(is_running(pid) for pid in pids)
        parent.kill()
        parent.wait()
        for pid in pids:
            wait_until_gone(pid)


def test_a_fork_of_the_killed_supervisor_does_not_keep_the_child_alive():
    child = speaking_child("say('started', pids=[os.getpid()])\ntime.sleep(600)")
    with start_parent(child, manner="forks") as parent:
        sibling_pid, child_pid = (int(pid) for pid in parent.stdout.readline().split())
        try:
            parent.kill()
            parent.wait()
            wait_until_gone(child_pid)
            assert is_running(sibling_pid)
        finally:
            os.kill(sibling_pid, signal.SIGKILL)


def test_a_killed_warden_is_told_as_a_kill_and_leaves_nothing_running():
    pids = []

    def kill_the_warden(message):
        pids.append(message["pid"])
        os.kill(message["warden"], signal.SIGKILL)

    outcome, _ = run(
        speaking_child("say('started', pid=os.getpid(), warden=os.getppid())\ntime.sleep(600)"),
        on_message=kill_the_warden,
    )
    assert (outcome.state, outcome.cause) == (JobState.FAILED, FailureCause.KILLED)
    wait_until_gone(pids[0])


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux")
def test_the_kernel_kills_the_child_of_a_killed_warden_when_the_supervisor_cannot():
    child = speaking_child("say('started', pids=[os.getpid(), os.getppid()])\ntime.sleep(600)")
    with start_parent(child) as parent:
        child_pid, warden_pid = (int(pid) for pid in parent.stdout.readline().split())
        parent.send_signal(signal.SIGSTOP)
        os.kill(warden_pid, signal.SIGKILL)
        try:
            wait_until_gone(child_pid)
        finally:
            parent.kill()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
def test_nothing_is_left_open_afterwards():
    def count_open_files():
        return len(list(Path("/proc/self/fd").iterdir()))

    run(handling_child("return {}"))
    before = count_open_files()
    run(handling_child("return {}"))
    run(handling_child("import os; os.abort()"))
    assert count_open_files() == before
