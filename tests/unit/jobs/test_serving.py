"""A worker process that is told to stop before its broker's library listens."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

pytest.importorskip("celery", reason="celery is not installed")

# A process of its own, for it is stopped with a real signal, which would end pytest if unheard.
WORKER = """
import os, sys, threading, time

from prismata.core.jobs import ResourceClass
from prismata.jobs import celery_dispatch
from prismata.jobs.serving import serve_jobs

class Busy:
    def __init__(self):
        self.stopped = threading.Event()

    def run(self):
        self.stopped.wait(60)

    def stop(self):
        self.stopped.set()

    def wake(self):
        pass

def set_up(*arguments, **handlers):
    os.kill(os.getpid(), int(sys.argv[1]))
    time.sleep(60)

celery_dispatch.listen = set_up
worker = Busy()
began = time.monotonic()
serve_jobs(worker, (ResourceClass.CPU,), "redis://127.0.0.1:1/0")
in_time = time.monotonic() - began < 30
print("gave its work back" if worker.stopped.is_set() and in_time else "worked on")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_work_is_given_back_while_celery_is_still_setting_up(number):
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(int(number))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "gave its work back\n", "")
