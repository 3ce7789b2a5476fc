"""A worker that may leave when it has been idle, however it hears of work."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from prismata.catalog import open_catalog
from prismata.core.jobs import JobState
from prismata.testing.children import PATIENCE_SECONDS

REDIS = os.environ.get("PRISMATA_TEST_REDIS_URL", "redis://127.0.0.1:6379/9")


@pytest.fixture(params=["looking", "redis"])
def broker(request):
    if request.param == "looking":
        return []
    kombu = pytest.importorskip("kombu", reason="celery is not installed")
    with kombu.Connection(REDIS, connect_timeout=3) as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=3)
        except kombu.exceptions.OperationalError as error:
            pytest.skip(f"no redis at hand: {error}")
    return ["--broker", REDIS]


def test_it_does_its_job_first(tmp_path, broker):
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    with open_catalog(url) as catalog:
        job = catalog.jobs.submit("probe", {"seconds": 3.0}, author="tester")
        command = [sys.executable, "-m", "prismata.testing.worker_app", url, "--idle", "1"]
        worker = subprocess.Popen([*command, *broker], stdout=subprocess.DEVNULL)
        try:
            assert worker.wait(PATIENCE_SECONDS) == 0
        finally:
            worker.kill()
            worker.wait()
        (attempt,) = catalog.jobs.attempts(job.id)
        assert attempt.state is JobState.SUCCEEDED
        assert catalog.workers.list() == []
