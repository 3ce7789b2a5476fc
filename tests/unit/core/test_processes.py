"""A process is known again, and never taken for another one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from prismata.core.processes import is_alive, this_process
from prismata.testing.children import wait_until_gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


def test_we_are_alive():
    ours = this_process()
    assert ours.pid == os.getpid()
    assert ours == this_process()
    assert is_alive(ours) is True


def test_another_process_under_our_number_is_not_us():
    assert is_alive(replace(this_process(), started="1")) is False


def test_a_process_elsewhere_is_unknown():
    assert is_alive(replace(this_process(), home="another boot pid:[1]")) is None
    assert is_alive(replace(this_process(), home="")) is None


def test_a_process_that_only_waits_to_be_reaped_is_gone():
    told = "from prismata.core.processes import *; i = this_process(); print(i.pid, i.started)"
    child = subprocess.Popen([sys.executable, "-c", told], stdout=subprocess.PIPE, text=True)
    pid, started = child.stdout.readline().split()
    theirs = replace(this_process(), pid=int(pid), started=started)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_alive(theirs) is False
    child.wait()
    child.stdout.close()
    assert is_alive(theirs) is False


def test_a_process_dies_with_its_parent_or_at_once_if_it_is_gone_already():
    program = (
        "import os, subprocess, sys\n"
        "inner = 'import sys, time; from prismata.core.processes import die_with_parent; '"
        " + 'die_with_parent(int(sys.argv[1])); print(1, flush=True); time.sleep(600)'\n"
        "command = [sys.executable, '-c', inner]\n"
        "late = subprocess.run([*command, '1'], capture_output=True)\n"
        "child = subprocess.Popen([*command, str(os.getpid())], stdout=subprocess.PIPE,"
        " start_new_session=True)\n"
        "child.stdout.readline()\n"
        "print(child.pid, late.returncode, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    pid, late = map(int, done.stdout.split())
    assert late == -9
    wait_until_gone(pid)
