"""`prismata jobs pause`, `resume`, `first` and `retry`: the queue from the command line."""

from __future__ import annotations

import json

import pytest

from prismata.core.jobs import JobState
from prismata.services.ingest import ingest_file


@pytest.fixture
def jobs(bench):
    return [
        bench.catalog.jobs.submit("detect", {"video": f"{name}.mp4"}, author="anna").id
        for name in "abc"
    ]


def order(prismata):
    told = json.loads(prismata("jobs", "list", "--active", "--json").out)
    return [job["id"] for job in told]


def test_several_go_first_in_the_order_named(prismata, jobs):
    a, b, c = jobs
    assert prismata("jobs", "first", c[:12], b).code == 0
    assert order(prismata) == [c, b, a]


def test_what_is_paused_says_so_until_it_is_resumed(prismata, bench, jobs):
    answer = prismata("jobs", "pause", jobs[0])
    assert answer.out.strip() == f"Detect a.mp4 {jobs[0]}: paused"
    assert bench.catalog.jobs.get(jobs[0]).held
    assert "paused" in prismata("jobs", "show", jobs[0]).out
    told = json.loads(prismata("jobs", "list", "--active", "--json").out)
    assert [job["paused"] for job in told].count(True) == 1
    prismata("jobs", "resume", jobs[0])
    assert not bench.catalog.jobs.get(jobs[0]).held


def test_what_does_not_wait_cannot_be_paused(prismata, bench, jobs):
    bench.catalog.jobs.request_cancel(jobs[0])
    answer = prismata("jobs", "pause", jobs[0])
    assert answer.code != 0
    assert "only jobs that wait can" in answer.err


def test_a_detection_is_queued_again_and_left_to_a_worker(prismata, bench, flashes, add_bundle):
    from prismata.services.detect import DetectRequest, prepare_detection

    video = ingest_file(bench, flashes.path, domain="flashes").video
    job = prepare_detection(bench, DetectRequest(video.id, add_bundle().id)).job
    assert prismata("jobs", "retry", job.id).code != 0, "it has not ended"
    bench.catalog.jobs.request_cancel(job.id)
    answer = prismata("jobs", "retry", job.id)
    assert answer.code == 0
    (again,) = bench.catalog.jobs.list("detect", JobState.QUEUED)
    assert f"queued again as {again.id}" in answer.out
    assert (again.params, again.attempt) == (job.params, 0)
