"""What a broker is for: a word that is said is heard."""

from __future__ import annotations

import subprocess
import sys
import threading
from uuid import uuid4

import pytest

from prismata.core.errors import UnavailableError
from prismata.core.jobs import ResourceClass
from prismata.testing.children import PATIENCE_SECONDS

LISTENER = """
import sys
from prismata.core.errors import UnavailableError
from prismata.core.jobs import ResourceClass
from prismata.jobs.celery_dispatch import listen

listen(
    sys.argv[1],
    [ResourceClass.CPU],
    on_word=lambda: print("heard", flush=True),
    on_stop=lambda: print("stopping", flush=True),
)
"""


def test_the_word_is_carried(broker):
    """Workers that look by themselves would hide a carrier that carries nothing."""
    if not broker:
        pytest.skip("nobody carries anything here")
    from prismata.jobs.celery_dispatch import CeleryDispatcher

    dispatcher = CeleryDispatcher(broker)
    command = [sys.executable, "-c", LISTENER, broker]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
        patience = threading.Timer(PATIENCE_SECONDS, listener.kill)
        patience.start()
        try:
            for _ in range(2):
                dispatcher.announce(uuid4().hex, ResourceClass.CPU)
                assert "heard\n" in iter(listener.stdout.readline, "")
            listener.terminate()
            assert "stopping\n" in iter(listener.stdout.readline, "")
        finally:
            patience.cancel()
            listener.kill()
    dispatcher.close()


def test_sqs_without_what_it_takes_is_refused_with_what_to_install(monkeypatch):
    pytest.importorskip("celery", reason="celery is not installed")
    from prismata.jobs import celery_dispatch

    monkeypatch.setattr(celery_dispatch, "find_spec", lambda _module: None)
    with pytest.raises(UnavailableError, match=r'pip install "celery\[sqs\]"'):
        celery_dispatch.CeleryDispatcher("sqs://")
