"""Each request has an id, in its answer and in what is logged meanwhile."""

import pytest

from prismata.api import jobs
from prismata.core.logs import known_ids

HEADER = "X-Request-ID"


def test_each_request_has_an_id_and_a_proxys_own_is_kept(client):
    first, second = (client.get("/api/health").headers[HEADER] for _ in range(2))
    assert first != second
    assert client.get("/api/health", headers={HEADER: "edge-7.a"}).headers[HEADER] == "edge-7.a"


@pytest.mark.parametrize("given", ["two words", "x" * 65, 'a"b'])
def test_an_id_that_could_break_a_log_is_replaced(client, given):
    answered = client.get("/api/health", headers={HEADER: given}).headers[HEADER]
    assert len(answered) == 16
    assert answered != given


def test_what_a_route_logs_carries_it(client, bench, monkeypatch):
    job = bench.catalog.jobs.submit("detect", {}, author="anna")
    monkeypatch.setattr(jobs, "describe_job", lambda _job: known_ids())
    answer = client.get(f"/api/jobs/{job.id}")
    assert answer.json() == {"request_id": answer.headers[HEADER]}
