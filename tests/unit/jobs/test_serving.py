"""A worker process that is told to stop before its broker's library listens."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

pytest.importorskip("celery", reason="celery is not installed")

from prismata.core.jobs import ResourceClass
from prismata.jobs import celery_dispatch
from prismata.jobs.serving import serve_jobs


class Busy:
    """A worker that works until it is stopped."""

    def __init__(self):
        self.stopped = threading.Event()

    def run(self):
        self.stopped.wait(60)

    def stop(self):
        self.stopped.set()

    def wake(self):
        """Nothing to look for."""


@pytest.fixture
def signals():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_work_is_given_back_while_celery_is_still_setting_up(monkeypatch, signals, number):
    def set_up(*_arguments, **_handlers):
        os.kill(os.getpid(), number)
        time.sleep(60)

    monkeypatch.setattr(celery_dispatch, "listen", set_up)
    worker = Busy()
    serve_jobs(worker, (ResourceClass.CPU,), "redis://127.0.0.1:1/0")
    assert worker.stopped.is_set()
