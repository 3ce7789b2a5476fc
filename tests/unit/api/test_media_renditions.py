"""Both renditions, from disk in ranges and from S3 by a presigned address; preparing on request."""

import http.client
import time
from urllib.parse import urlsplit

import numpy as np
import pytest

from prismata.services.access import mint_token
from prismata.services.ingest import ingest_file
from prismata.services.prepare import prepare_video
from prismata.settings import Settings
from prismata.testing.barcode import write_barcode_video
from prismata.testing.s3_server import TEST_CREDENTIALS, LocalS3Server
from prismata.wiring import open_workbench

SECRET = b"s" * 32


def headers(video):
    return {"x-prismata-token": mint_token(SECRET, "video", video.id)}


def address(video, part="", **query):
    query = {"token": mint_token(SECRET, "video", video.id), **query}
    words = "&".join(f"{name}={value}" for name, value in query.items())
    return f"/api/video/{video.id}{part}?{words}"


@pytest.fixture
def old_film(bench, tmp_path):
    path = write_barcode_video(tmp_path / "old.avi", frames=75, codec="mpeg4")
    return ingest_file(bench, path).video


@pytest.fixture
def prepared(bench, old_film):
    assert prepare_video(bench, old_film).message == ""
    return old_film


def proxy_bytes(bench, video):
    return bench.storage.get(f"renditions/{video.sha256}/proxy.mp4")


def test_the_proxy_comes_in_ranges_like_the_source(client, bench, prepared):
    content = proxy_bytes(bench, prepared)
    url = address(prepared, rendition="proxy")
    answer = client.get(url, headers={"range": "bytes=10-29"})
    assert (answer.status_code, answer.content) == (206, content[10:30])
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-range"] == f"bytes 10-29/{len(content)}"
    assert client.get(url).content == content
    head = client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(content))
    assert "private" in head.headers["cache-control"]
    assert client.get(url, headers={"range": f"bytes={len(content)}-"}).status_code == 416
    source = client.head(address(prepared, rendition="source"))
    assert source.headers["etag"] != head.headers["etag"], "or a range of one would mend the other"
    assert source.headers["content-length"] == str(prepared.size_bytes)


def test_a_rendition_that_is_not_there_is_not_found(client, video, old_film):
    for one in (video, old_film):
        answer = client.get(address(one, rendition="proxy"))
        assert answer.status_code == 404
        assert "no proxy of" in answer.json()["error"]
    answer = client.get(address(video, rendition="4k"))
    assert (answer.status_code, "source and proxy" in answer.json()["error"]) == (400, True)


def test_thumbnails_and_a_missing_sound_are_told(client, prepared):
    answer = client.get(address(prepared, "/thumbs/0"))
    assert answer.headers["content-type"] == "image/jpeg"
    again = client.get(
        address(prepared, "/thumbs/0"), headers={"if-none-match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    beyond = client.get(address(prepared, "/thumbs/1"))
    assert (beyond.status_code, "sprites 0 to 0" in beyond.json()["error"]) == (404, True)
    silent = client.get(address(prepared, "/waveform"))
    assert (silent.status_code, "has no sound" in silent.json()["error"]) == (404, True)


def test_a_filmstrip_of_the_proxy_has_the_frames_of_the_source(client, bench, prepared):
    bench.storage.delete(prepared.storage_key)
    answer = client.get(address(prepared, "/filmstrip", first=70, count=5))
    assert answer.status_code == 200, "the source is gone, so these came from the proxy"
    assert answer.headers["x-frame-width"] == "96"


def test_asking_for_preparation_starts_it_once_and_tells_how_far_it_is(client, bench, old_film):
    first = client.post(address(old_film, "/prepare"))
    assert first.status_code == 202
    again = client.post(address(old_film, "/prepare"))
    assert again.status_code == 202
    jobs = bench.catalog.jobs.list(kind="prepare")
    assert len(jobs) == 1
    told = first.json()["preparing"]
    assert told is None or told["job_id"] == jobs[0].id
    deadline = time.monotonic() + 120
    while not (now := client.get(address(old_film, "/material")).json())["proxy"]:
        assert time.monotonic() < deadline
        assert now["preparing"]["state"] in ("queued", "running"), now["preparing"]
        time.sleep(0.1)
    assert now["preparing"] is None
    assert now["thumbs"]["count"] == 3
    done = client.post(address(old_film, "/prepare"))
    assert (done.status_code, done.json()["proxy"]) == (202, True)
    assert len(bench.catalog.jobs.list(kind="prepare")) == 1


def test_preparing_needs_the_permission_and_the_video(client, old_film):
    assert client.post(f"/api/video/{old_film.id}/prepare").status_code == 403
    gone = {"x-prismata-token": mint_token(SECRET, "video", "gone")}
    assert client.post("/api/video/gone/prepare", headers=gone).status_code == 404


@pytest.fixture
def s3_bench(tmp_path, monkeypatch):
    for name, value in TEST_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with LocalS3Server().running() as server:
        settings = Settings(
            data_dir=tmp_path / "s3-data",
            domains_dirs="",
            storage_backend="s3",
            s3_bucket=server.make_bucket(),
            s3_endpoint_url=server.endpoint_url,
        )
        with open_workbench(settings) as opened:
            yield opened


def fetched(url):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=20)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}", headers={"range": "bytes=0-99"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.s3
def test_with_s3_both_renditions_are_redirects_and_the_rest_comes_from_here(
    s3_bench, open_client, tmp_path
):
    path = write_barcode_video(tmp_path / "old.avi", frames=50, codec="mpeg4")
    video = ingest_file(s3_bench, path).video
    assert prepare_video(s3_bench, video).message == ""
    with open_client(s3_bench) as client:
        for rendition, content in (
            ("source", path.read_bytes()),
            ("proxy", proxy_bytes(s3_bench, video)),
        ):
            answer = client.get(address(video, rendition=rendition))
            assert answer.status_code == 307
            assert answer.headers["cache-control"] == "no-store"
            assert fetched(answer.headers["location"]) == (206, content[:100])
            assert client.head(address(video, rendition=rendition)).status_code == 200
        durations = np.frombuffer(client.get(address(video, "/frames")).content, "<u4")
        assert durations.tolist() == [40_000] * 50
        assert client.get(address(video, "/filmstrip", first=0)).status_code == 200
        assert client.get(address(video, "/thumbs/0")).status_code == 200
        assert client.get(address(video, "/material")).json()["proxy"]
