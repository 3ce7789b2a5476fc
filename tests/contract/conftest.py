"""Brokers, for the tests that hold whoever tells them of work."""

from __future__ import annotations

import os
from contextlib import suppress

import pytest

BROKERS = {
    "looking": "",
    "redis": os.environ.get("PRISMATA_TEST_REDIS_URL", "redis://127.0.0.1:6379/9"),
    "rabbitmq": os.environ.get("PRISMATA_TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
    "sqs": "sqs",
}


@pytest.fixture(params=list(BROKERS))
def broker(request):
    """Address of a broker with nothing in its queues; empty: workers look by themselves."""
    address = BROKERS[request.param]
    if not address:
        return address
    if address == "sqs":
        return request.getfixturevalue("sqs_queues")
    kombu = pytest.importorskip("kombu", reason="celery is not installed")
    with kombu.Connection(address, connect_timeout=3) as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=3)
        except kombu.exceptions.OperationalError as error:
            pytest.skip(f"no {request.param} at hand: {error}")
        with suppress(*connection.channel_errors):  # no queue yet, so nothing in it
            connection.default_channel.queue_purge("cpu")
    return address


@pytest.fixture
def sqs_queues(monkeypatch):
    """Address of a server that speaks as SQS does, one for each test."""
    for module in ("celery", "boto3", "moto.moto_server", "pycurl"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    from prismata.testing.s3_server import TEST_CREDENTIALS, LocalS3Server

    for name, value in TEST_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with LocalS3Server().running() as server:
        yield server.endpoint_url.replace("http://", "sqs://")
