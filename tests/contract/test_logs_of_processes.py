"""What app, worker and child log together: JSON line by line, and no secret in any of it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, make_url, text

from prismata.core.jobs import JobState
from prismata.services.detect import DetectRequest, prepare_detection
from prismata.services.ingest import ingest_file
from prismata.testing.s3_server import TEST_CREDENTIALS, LocalS3Server
from prismata.wiring import open_workbench

pytestmark = [pytest.mark.postgres, pytest.mark.s3]

CANARIES = {
    name: f"canary-{name}-{uuid4().hex[:8]}"
    for name in ("database", "broker", "webhook", "signing", "metrics", "token", "aws")
}


@pytest.fixture
def database():
    """Address of an empty schema, with a password that the server may or may not ask for."""
    url = make_url(
        os.environ.get("PRISMATA_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/test")
    )
    url = url.set(drivername="postgresql+psycopg", password=url.password or CANARIES["database"])
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    engine = create_engine(url, connect_args={"connect_timeout": 3})
    schema = f"prismata_test_{uuid4().hex}"
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
    except Exception as error:  # noqa: BLE001 - whatever the driver says
        pytest.skip(f"no PostgreSQL at hand: {error}")
    CANARIES["database"] = url.password
    inside = url.set(drivername="postgresql").update_query_dict(
        {"options": f"-csearch_path={schema}"}
    )
    yield inside.render_as_string(hide_password=False)
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


TALKATIVE = """
import logging
import os

logging.getLogger("talkative").warning("my environment is %s", dict(os.environ))
try:
    raise RuntimeError(os.environ["PRISMATA_WEBHOOK_URL"])
except RuntimeError:
    logging.getLogger("talkative").exception("it cannot be reached")
"""
"""A plugin as somebody writes it who looks for a mistake."""


@pytest.fixture
def store(monkeypatch):
    for name, value in TEST_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARIES["aws"])
    with LocalS3Server().running() as server:
        yield server


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def variables(settings):
    """Return the environment that means these settings."""
    found = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if value != type(settings).model_fields[name].default:
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            found[f"PRISMATA_{name.upper()}"] = str(plain)
    return os.environ | found


def start(arguments, settings, log):
    with log.open("w") as target, log.with_suffix(".out").open("w") as printed:
        return subprocess.Popen(
            [sys.executable, "-m", "prismata", *arguments],
            env=variables(settings),
            stdout=printed,
            stderr=target,
        )


def wait_for(what, fact, processes, logs):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and all(process.poll() is None for process in processes):
        if fact():
            return
        time.sleep(0.1)
    told = "\n".join(log.read_text()[-4000:] for log in logs)
    raise AssertionError(f"{what} did not come about:\n{told}")


def ask(url, **headers):
    """Return status, answer and request id."""
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - our own server
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read().decode(), answer.headers["X-Request-ID"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers["X-Request-ID"]
    except urllib.error.URLError:
        return 0, "", ""


def test_no_secret_is_in_what_app_worker_and_child_log(
    settings, database, store, flashes, flash_bundle, tmp_path
):
    (tmp_path / "more" / "talkative").mkdir(parents=True)
    (tmp_path / "more" / "talkative" / "domain.py").write_text(TALKATIVE)
    settings = settings.model_copy(
        update={
            "domains_dirs": f"{settings.domains_dirs}{os.pathsep}{tmp_path / 'more'}",
            "database_url": SecretStr(database),
            "storage_backend": "s3",
            "s3_bucket": store.make_bucket(),
            "s3_endpoint_url": store.endpoint_url,
            "dispatcher": "celery",
            "broker_url": SecretStr(f"redis://:{CANARIES['broker']}@127.0.0.1:1/0"),
            "webhook_url": SecretStr(f"http://127.0.0.1:1/{CANARIES['webhook']}"),
            "webhook_secret": SecretStr(CANARIES["signing"]),
            "metrics_token": SecretStr(CANARIES["metrics"]),
            "log_level": "DEBUG",
            "log_format": "json",
        }
    )
    asker = {"dispatcher": "none", "domains_dirs": settings.domains_dirs.rpartition(os.pathsep)[0]}
    with open_workbench(settings.model_copy(update=asker)) as bench:
        video = ingest_file(bench, flashes.path, domain="flashes").video
        for path in flash_bundle.iterdir():
            broken = path.suffix == ".onnx"
            bench.storage.put(f"models/bad/{path.name}", b"?" if broken else path.read_bytes())
        card = json.loads((flash_bundle / "card.json").read_text()) | {"name": "bad"}
        bench.catalog.models.add(
            name="bad",
            domain="flashes",
            domain_version=1,
            bundle_key="models/bad/",
            kind="bundle",
            card=card,
        )
        job = prepare_detection(bench, DetectRequest(video.id, model="bad")).job
        port = free_port()
        logs = tmp_path / "app.log", tmp_path / "worker.log"
        processes = (
            start(["serve", "--port", str(port)], settings, logs[0]),
            start(["worker", "--cpu", "1"], settings, logs[1]),
        )
        try:
            url = f"http://127.0.0.1:{port}"
            health = f"{url}/api/health?token={CANARIES['token']}"
            wait_for("the app", lambda: ask(health)[0] == 200, processes, logs)
            wait_for(
                "the end of the job",
                lambda: bench.catalog.jobs.get(job.id).state is JobState.FAILED,
                processes,
                logs,
            )
            refused, _, request_id = ask(
                f"{url}/api/metrics?token={CANARIES['token']}",
                Authorization=f"Bearer {CANARIES['token']}",
            )
            assert refused == 401
            status, told, _ = ask(
                f"{url}/api/metrics", Authorization=f"Bearer {CANARIES['metrics']}"
            )
            assert (status, "prismata_jobs{" in told) == (200, True)
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            for process in processes:
                process.wait(60)
        ended = bench.catalog.jobs.get(job.id)

    app, worker = (log.read_text() for log in logs)
    records = [json.loads(line) for line in (app + worker).splitlines()]
    assert len(records) > 5
    (end,) = (r for r in records if r["message"].startswith("attempt_ended"))
    assert (end["job_id"], end["job_kind"]) == (job.id, "detect")
    assert len(end["run_id"]) == 32
    asked = [r for r in records if r.get("request_id") == request_id]
    assert any('"GET /api/metrics HTTP/1.1" 401' in r["message"] for r in asked)
    assert "open at http://127.0.0.1" in app
    for log in (app, worker):
        assert "my environment is {" in log
        assert "it cannot be reached" in log
    printed = [log.with_suffix(".out").read_text() for log in logs]
    shown = [app, worker, *printed, told, ended.message, *ended.log_tail]
    for name, canary in CANARIES.items():
        assert not [part for part in shown if canary in part], name
