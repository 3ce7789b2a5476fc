"""An app and workers in processes of their own, while all that can be killed is killed.

`benchmarks/worker_fleet.py` does it with fifty videos and says how long it takes.
"""

import os
import sys

import pytest
import worker_fleet
from batch_kills import write_plugin
from fleet import Fleet

from prismata.core.errors import UnavailableError
from prismata.testing.s3_server import TEST_CREDENTIALS

VIDEOS = 8

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for the processes in /proc")


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    """PostgreSQL, Redis and S3 of the test's own."""
    pytest.importorskip("celery", reason="celery is not installed")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    pytest.importorskip("streamlit", reason="streamlit is not installed: no app")
    for name, value in TEST_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    try:
        made = Fleet(tmp_path, write_plugin(tmp_path), os.environ)
    except UnavailableError as error:
        pytest.skip(str(error))
    with made:
        yield made


def test_every_video_is_finished_once_whatever_is_killed(fleet):
    filmed = worker_fleet.film(fleet, VIDEOS, seconds=20, size=(96, 64), fps=20)
    told = worker_fleet.break_everything(fleet, filmed)
    assert told["finished_once"] == VIDEOS, told
    assert (told["not_once"], told["wrong_events"]) == ([], [])
    assert {"preempted", "lost"} <= set(told["attempts_that_failed"]), "what was done to them hit"
    assert told["app_answers"]["200"] > 0
    assert set(told["app_answers"]) <= {"200", "503"}, "it answered throughout, the truth"
