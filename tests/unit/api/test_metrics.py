"""Metrics: what a real parser reads of them, and who may."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_text
from pydantic import SecretStr

from prismata.core.jobs import FailureCause, JobState, ResourceClass
from prismata.core.processes import this_process

HERE = {"host": "127.0.0.1:8501"}
OPEN = "application/openmetrics-text"


@pytest.fixture
def ask(open_client):
    """Ask for the metrics of a workbench, as from an address."""

    def get(bench, *, client="127.0.0.1", headers=HERE, before=(), just_before=None):
        with open_client(bench) as opened:
            opened._transport.client = (client, 50_000)
            for path in before:
                opened.get(path)
            if just_before:
                just_before()
            return opened.get("/api/metrics", headers=headers)

    return get


def samples(answer):
    """Return (name, labels) → value, as Prometheus would store them."""
    parse = parse_open if OPEN in answer.headers["content-type"] else parse_text
    found = {}
    for family in parse(answer.text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


def value(found, name, **labels):
    return found[name, tuple(sorted(labels.items()))]


@pytest.mark.parametrize("accept", ["", f"{OPEN}; version=1.0.0"])
def test_a_busy_workbench_in_figures(bench, ask, video, add_bundle, finished_run, flashes, accept):
    catalog = bench.catalog
    finished_run(video, add_bundle(), flashes)
    done, lost, held, _ = (
        catalog.jobs.submit("detect", {}, author="anna", resource_class=ResourceClass.CPU)
        for _ in range(4)
    )
    for job in (done, lost):
        catalog.leases.claim(job.id, lease_seconds=60)
    for job, state, cause in (
        (done, JobState.SUCCEEDED, None),
        (lost, JobState.FAILED, FailureCause.USER_ERROR),
    ):
        token = catalog.jobs.get(job.id).lease_token
        catalog.leases.end_attempt(job.id, token, state=state, cause=cause)
    catalog.queue_order.hold(held.id)
    catalog.workers.add(
        "box:1", this_process(), {ResourceClass.CPU: 2, ResourceClass.IO: 1}, version="0"
    )

    answer = ask(bench, headers=HERE | {"accept": accept}, before=["/api/health", "/api/health"])
    assert answer.status_code == 200
    kind = OPEN if accept else "text/plain; version="
    assert answer.headers["content-type"].startswith(kind)
    found = samples(answer)
    assert value(found, "prismata_jobs", kind="detect", state="queued") == 2
    assert value(found, "prismata_jobs", kind="detect", state="failed") == 1
    attempts = {"kind": "detect", "state": "failed", "cause": "user_error"}
    assert value(found, "prismata_job_attempts_total", **attempts) == 1
    waiting = value(found, "prismata_oldest_queued_job_age_seconds", resource_class="cpu")
    assert 0 < waiting < 3600
    assert value(found, "prismata_oldest_queued_job_age_seconds", resource_class="gpu") == 0
    assert value(found, "prismata_job_duration_seconds_count", kind="detect") == 1
    assert value(found, "prismata_job_duration_seconds_bucket", kind="detect", le="3600.0") == 1
    assert value(found, "prismata_detected_video_seconds_total") == pytest.approx(4.0, abs=0.05)
    assert value(found, "prismata_workers", state="working") == 1
    assert value(found, "prismata_worker_slots", resource_class="cpu") == 2
    assert value(found, "prismata_videos") == 1
    assert value(found, "prismata_data_disk_bytes", what="free") > 0
    assert value(found, "process_resident_memory_bytes") > 10e6
    assert value(found, "prismata_catalog_answers") == 1
    health = {"route": "/api/health", "method": "GET"}
    assert value(found, "prismata_http_requests_total", status="200", **health) == 2
    assert value(found, "prismata_http_request_seconds_count", **health) == 2


def test_routes_are_named_by_their_pattern_and_failures_by_their_status(bench, ask):
    found = samples(ask(bench, before=[f"/api/jobs/{'ab' * n}" for n in range(1, 40)]))
    jobs = {key: n for key, n in found.items() if ("route", "/api/jobs/{job_id}") in key[1]}
    label = (("method", "GET"), ("route", "/api/jobs/{job_id}"), ("status", "404"))
    assert jobs["prismata_http_requests_total", label] == 39
    assert {dict(key[1])["route"] for key in jobs} == {"/api/jobs/{job_id}"}


def test_odd_words_are_escaped_and_their_number_is_bounded(bench, ask):
    odd = 'a "quoted" \\ word\nand a line'
    bench.catalog.jobs.submit("odd", {}, author="anna")
    with closing(sqlite3.connect(bench.settings.data_dir / "prismata.db")) as rows, rows:
        rows.execute("UPDATE job SET kind = ?", (odd,))  # the catalog itself takes no such word
    for number in range(100):
        bench.catalog.jobs.submit(f"kind_{number:03}", {}, author="anna")
    found = samples(ask(bench))
    assert value(found, "prismata_jobs", kind=odd, state="queued") == 1
    jobs = {dict(key[1])["kind"]: n for key, n in found.items() if key[0] == "prismata_jobs"}
    assert len(jobs) == 31
    assert sum(jobs.values()) == 101
    assert jobs["other"] == 101 - 30


def test_where_the_catalog_does_not_answer_the_rest_is_told(bench, ask):
    def vanish():
        bench.catalog.close()
        for file in bench.settings.data_dir.glob("prismata.db*"):
            file.unlink()
        (bench.settings.data_dir / "prismata.db").mkdir()

    found = samples(ask(bench, just_before=vanish))
    assert value(found, "prismata_catalog_answers") == 0
    assert value(found, "prismata_data_disk_bytes", what="free") > 0
    assert not any(name == "prismata_jobs" for name, _ in found)


@pytest.mark.parametrize(
    ("client", "headers"),
    [
        ("203.0.113.7", HERE),
        ("127.0.0.1", HERE | {"x-forwarded-for": "203.0.113.7"}),
        ("127.0.0.1", HERE | {"forwarded": "for=203.0.113.7"}),
        ("127.0.0.1", {"host": "attacker.example"}),
        ("testclient", HERE),
    ],
)
def test_others_may_not_read_them(bench, ask, client, headers):
    answer = ask(bench, client=client, headers=headers)
    assert answer.status_code == 403
    assert "set PRISMATA_METRICS_TOKEN" in answer.json()["error"]


def test_programs_of_this_machine_may(bench, ask):
    assert ask(bench, client="::1", headers={"host": "[::1]:8501"}).status_code == 200
    assert ask(bench, headers={"host": "localhost"}).status_code == 200


def test_with_a_token_only_the_token_counts(bench, ask):
    token = "a long one"
    settings = bench.settings.model_copy(update={"metrics_token": SecretStr(token)})
    guarded = replace(bench, settings=settings)
    for given in ("", token, f"Basic {token}", "Bearer another", "Bearer a löng one".encode()):
        answer = ask(guarded, headers=HERE | {"authorization": given})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert token not in answer.text
    far = {"host": "team.example", "authorization": f"Bearer {token}"}
    assert ask(guarded, client="203.0.113.7", headers=far).status_code == 200
