"""Files that go straight to the store, past the workbench: the routes over a real S3 server."""

import hashlib
from functools import cache

import botocore.loaders
import botocore.session
import httpx
import pytest

from prismata.services.access import mint_token
from prismata.services.uploads import PIECE_BYTES
from prismata.testing.s3_server import TEST_CREDENTIALS, LocalS3Server
from prismata.wiring import open_workbench

pytestmark = pytest.mark.s3

SECRET = b"s" * 32
ID = "0123456789abcdef"
URL = f"/api/upload/{ID}"
TOKEN = {"x-prismata-token": mint_token(SECRET, "upload", "")}


@pytest.fixture(scope="module")
def running_s3():
    with LocalS3Server().running() as server:
        yield server


@pytest.fixture
def bench(settings, running_s3, monkeypatch):
    """A workbench whose storage is a bucket of its own."""
    for name, value in TEST_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(botocore.session, "create_loader", cache(botocore.loaders.create_loader))
    chosen = settings.model_copy(
        update={
            "storage_backend": "s3",
            "s3_bucket": running_s3.make_bucket(),
            "s3_prefix": "team-a/",
            "s3_endpoint_url": running_s3.endpoint_url,
        }
    )
    with open_workbench(chosen) as opened:
        yield opened


@pytest.fixture
def film(flashes):
    """A video of three parts: a box that players pass over makes it large."""
    filler = 2 * PIECE_BYTES
    return flashes.path.read_bytes() + (8 + filler).to_bytes(4, "big") + b"free" + bytes(filler)


def announce(client, content, **more):
    asked = {"name": "film.mp4", "size": len(content), "domain": "flashes", "direct": True}
    return client.put(URL, headers=TOKEN, json=asked | more)


def send(content, told, numbers=None):
    for number, url in told["urls"].items():
        if numbers is None or int(number) in numbers:
            start = (int(number) - 1) * told["part_bytes"]
            body = content[start : start + told["part_bytes"]]
            assert httpx.put(url, content=body, timeout=60).status_code == 200


def ask(client):
    return client.get(f"{URL}/parts", headers=TOKEN)


def finish(client, digest=""):
    return client.post(f"{URL}/parts", headers={**TOKEN, "x-prismata-digest": digest})


def digest_of(content):
    pieces = [content[at : at + PIECE_BYTES] for at in range(0, len(content), PIECE_BYTES)]
    return hashlib.sha256(b"".join(hashlib.sha256(piece).digest() for piece in pieces)).hexdigest()


def keys(bench):
    return [item.key for item in bench.storage.list()]


def test_a_file_sent_to_the_store_ends_in_the_library_with_its_digest(client, bench, film):
    told = announce(client, film).json()["direct"]
    assert (told["part_bytes"], told["count"], told["done"]) == (PIECE_BYTES, 3, [])
    send(film, told, {1, 3})
    (unfinished,) = client.get("/api/uploads", headers=TOKEN).json()["uploads"]
    assert unfinished["offset"] == len(film) - PIECE_BYTES
    refused = finish(client, digest_of(film))
    assert refused.status_code == 409
    assert "1 of 3 parts" in refused.json()["error"]
    told = ask(client).json()
    assert (told["done"], list(told["urls"])) == ([1, 3], ["2"])
    send(film, told)
    assert ask(client).json()["urls"] == {}
    result = finish(client, digest_of(film)).json()
    assert result["status"] == "added"
    video = bench.catalog.videos.get(result["video_id"])
    assert (video.name, video.domain, video.size_bytes) == ("film.mp4", "flashes", len(film))
    assert video.sha256 == hashlib.sha256(film).hexdigest()
    stored = bench.storage.stat(video.storage_key)
    assert (stored.size, stored.sha256) == (len(film), video.sha256)
    assert [key for key in keys(bench) if key.startswith("uploads/")] == []
    assert not list((bench.settings.data_dir / "uploads").rglob("*.mp4"))
    assert finish(client).json()["video_id"] == video.id, "the answer can be asked for again"
    assert ask(client).json()["video_id"] == video.id


def test_after_a_closed_browser_the_same_file_goes_on_where_it_stopped(client, film):
    send(film, announce(client, film).json()["direct"], {1, 2})
    told = announce(client, film).json()["direct"]
    assert (told["done"], list(told["urls"])) == ([1, 2], ["3"])


def test_what_the_store_has_forgotten_begins_anew(client, bench, film):
    send(film, announce(client, film).json()["direct"], {1})
    assert bench.storage.remove_leftovers(older_than_seconds=-60) == 1
    told = announce(client, film).json()["direct"]
    assert (told["done"], len(told["urls"])) == ([], 3)
    send(film, told)
    assert finish(client, digest_of(film)).json()["status"] == "added"


def test_what_is_no_video_is_refused_before_it_is_read_and_leaves_nothing(
    client, bench, running_s3
):
    content = b"%PDF-1.7" + bytes(5000)
    send(content, announce(client, content).json()["direct"])
    running_s3.requests.clear()
    answer = finish(client)
    assert (answer.status_code, answer.headers["x-reason"]) == (422, "not_a_video")
    assert "is no video but a PDF document" in answer.json()["error"]
    assert len([path for method, path in running_s3.requests if method == "GET"]) <= 2
    assert keys(bench) == []
    assert ask(client).status_code == 404


def test_another_file_than_the_one_that_was_sent_is_refused_and_leaves_nothing(client, bench, film):
    send(film, announce(client, film).json()["direct"])
    answer = finish(client, "0" * 64)
    assert answer.status_code == 400
    assert "is not what was sent" in answer.json()["error"]
    assert keys(bench) == []


def test_whoever_cannot_reach_the_store_sends_to_the_workbench_and_nothing_is_left_there(
    client, bench, film
):
    send(film, announce(client, film).json()["direct"], {1})
    answer = announce(client, film, direct=False)
    assert (answer.headers["upload-offset"], "direct" in answer.json()) == ("0", False)
    assert bench.storage.remove_leftovers(older_than_seconds=-60) == 0, "its parts are gone"
    answer = client.patch(URL, headers={**TOKEN, "upload-offset": "0"}, content=film[:100])
    assert answer.headers["upload-offset"] == "100"
    assert "direct" not in announce(client, film).json(), "what began here goes on here"


def test_an_upload_that_is_called_off_leaves_nothing_in_the_store(client, bench, film):
    send(film, announce(client, film).json()["direct"], {1})
    assert client.delete(URL, headers=TOKEN).status_code == 204
    assert bench.storage.remove_leftovers(older_than_seconds=-60) == 0
    assert ask(client).status_code == 404


def test_nobody_without_a_permission_gets_an_address(client, film):
    announce(client, film)
    assert client.get(f"{URL}/parts").status_code == 403
    assert client.post(f"{URL}/parts").status_code == 403
