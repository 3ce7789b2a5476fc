"""Bundles, jobs, health and the access log."""

import io
import json
import logging
import zipfile

import pytest

from prismata.api.access_log import QueryStringFilter, hide_query_strings
from prismata.services.access import mint_token

SECRET = b"s" * 32


def bundle_address(model):
    return f"/api/model/{model.id}?token={mint_token(SECRET, 'model', model.id)}"


def test_a_model_comes_as_one_zip(client, add_bundle, flash_bundle):
    answer = client.get(bundle_address(add_bundle()))
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="flash-detector.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert sorted(archive.namelist()) == [
            "flash-detector/card.json",
            "flash-detector/encoder.onnx",
            "flash-detector/temporal.onnx",
        ]
        for name in ("encoder.onnx", "temporal.onnx"):
            stored = archive.read(f"flash-detector/{name}")
            assert stored == (flash_bundle / name).read_bytes()


def test_a_model_needs_a_permission_of_its_own(client, add_bundle):
    model = add_bundle()
    other = mint_token(SECRET, "video", model.id)
    for token in ("", "x", other):
        assert client.get(f"/api/model/{model.id}?token={token}").status_code == 403
    unknown = mint_token(SECRET, "model", "nothing")
    assert client.get(f"/api/model/nothing?token={unknown}").status_code == 404


def test_the_zip_leaves_nothing_behind(client, add_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert client.get(bundle_address(add_bundle())).status_code == 200
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_model_whose_file_is_gone_says_so(client, add_bundle, bench):
    model = add_bundle()
    bench.storage.delete(f"{model.bundle_key}encoder.onnx")
    answer = client.get(bundle_address(model))
    assert (answer.status_code, "encoder.onnx" in answer.json()["error"]) == (404, True)


def test_a_job_tells_how_far_it_is_but_not_about_what(client, bench):
    job = bench.catalog.jobs.submit("detect", {"video": "private.mp4"}, author="ada")
    told = client.get(f"/api/jobs/{job.id}")
    assert told.json()["state"] == "queued"
    claimed = bench.catalog.leases.claim(job.id, lease_seconds=60)
    bench.catalog.leases.heartbeat(
        job.id, claimed.lease_token, lease_seconds=60, progress=0.25, note="reading"
    )
    told = client.get(f"/api/jobs/{job.id}").json()
    assert (told["state"], told["progress"], told["note"]) == ("running", 0.25, "reading")
    assert "private" not in json.dumps(told)
    assert client.get("/api/jobs/nothing").status_code == 404


def test_health_is_ok_when_everything_answers(client):
    answer = client.get("/api/health")
    assert answer.status_code == 200
    assert answer.json()["state"] == answer.json()["catalog"] == answer.json()["storage"] == "ok"


def test_health_names_what_does_not_answer(client, bench):
    bench.catalog.close()
    (bench.settings.data_dir / "prismata.db").unlink()
    answer = client.get("/api/health")
    assert answer.status_code == 503
    assert answer.json()["catalog"] != "ok"
    assert answer.json()["storage"] == "ok"


def test_only_the_methods_that_are_meant_are_answered(client, video):
    token = mint_token(SECRET, "video", video.id)
    assert client.post(f"/api/video/{video.id}?token={token}").status_code == 405
    assert client.delete(f"/api/video/{video.id}?token={token}").status_code == 405


@pytest.fixture
def access_logger():
    logger = logging.getLogger("uvicorn.access")
    before = list(logger.filters)
    yield logger
    logger.filters = before


def test_tokens_do_not_reach_the_access_log(access_logger, caplog):
    hide_query_strings()
    hide_query_strings()
    assert sum(isinstance(item, QueryStringFilter) for item in access_logger.filters) == 1
    caplog.set_level(logging.INFO, "uvicorn.access")
    access_logger.info(
        '%s - "%s %s HTTP/%s" %d', "127.0.0.1:5", "GET", "/api/video/1?token=secret", "1.1", 206
    )
    assert "/api/video/1 " in caplog.text
    assert "secret" not in caplog.text
