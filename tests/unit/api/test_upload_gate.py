"""Uploads that are interrupted, too large, or no videos at all: the file is right or refused."""

import asyncio
import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from prismata.api import uploads as routes
from prismata.services.access import mint_token
from prismata.services.uploads import PIECE_BYTES, UploadDesk, digest_of
from prismata.wiring import open_workbench

SECRET = b"s" * 32
ID = "0123456789abcdef"
URL = f"/api/upload/{ID}"
TOKEN = {"x-prismata-token": mint_token(SECRET, "upload", "")}


def announce(client, name, size, url=URL):
    return client.put(url, headers=TOKEN, json={"name": name, "size": size})


def piece(client, offset, content, url=URL, **more):
    headers = {**TOKEN, "upload-offset": str(offset), **more}
    return client.patch(url, headers=headers, content=content)


def broken_piece(client, offset, parts, *, hangs=False):
    """Send parts of a piece, then lose the connection, or just say nothing more."""
    headers = [(b"upload-offset", str(offset).encode())]
    headers += [(name.encode(), value.encode()) for name, value in TOKEN.items()]
    scope = {"type": "http", "method": "PATCH", "path": URL, "headers": headers}
    scope |= {"query_string": b"", "root_path": "", "http_version": "1.1"}
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    told = []

    async def receive():
        if messages:
            return messages.pop(0)
        if hangs:
            await asyncio.sleep(3600)
        return {"type": "http.disconnect"}

    async def send(message):
        told.append(message)

    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, client.app(scope, receive, send)).result()
    return told[0]["status"]


@pytest.fixture
def limited(settings, open_client):
    """Open routes over a workbench with limits of its own."""
    opened = []

    def build(**changes):
        bench = open_workbench(settings.model_copy(update=changes))
        opened.append(bench)
        return open_client(bench), bench

    yield build
    for bench in opened:
        bench.close()


def test_an_upload_that_breaks_twice_ends_with_the_right_digest(client, bench, flashes):
    content = flashes.path.read_bytes()
    announce(client, "a.mp4", len(content))
    a, b, c = (len(content) * share // 4 for share in (1, 2, 3))
    broken_piece(client, 0, [content[:1000], content[1000:a]])
    asked = announce(client, "a.mp4", len(content))
    assert asked.headers["upload-offset"] == str(a)
    assert piece(client, a, content[a:b]).status_code == 204
    broken_piece(client, b, [content[b:c]])
    assert client.get(URL, headers=TOKEN).json()["offset"] == c
    digest = {"x-prismata-digest": digest_of(flashes.path)}
    answer = piece(client, c, content[c:], **digest)
    assert answer.status_code == 200
    assert answer.json()["sha256"] == hashlib.sha256(content).hexdigest()
    video = bench.catalog.videos.get(answer.json()["video_id"])
    assert bench.storage.get(video.storage_key) == content


def test_another_file_of_the_same_name_and_size_is_not_taken_for_it(client, bench, flashes):
    content = flashes.path.read_bytes()
    announce(client, "a.mp4", len(content))
    piece(client, 0, content[:100] + bytes(100))
    digest = {"x-prismata-digest": digest_of(flashes.path)}
    answer = piece(client, 200, content[200:], **digest)
    assert answer.status_code == 400
    assert "is not what was sent" in answer.json()["error"]
    assert bench.catalog.videos.list() == []
    assert client.get(URL, headers=TOKEN).status_code == 404, "it begins anew"


def test_a_digest_is_that_of_the_digests_of_its_pieces(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(PIECE_BYTES) + b"x")
    pieces = (hashlib.sha256(part).digest() for part in (bytes(PIECE_BYTES), b"x"))
    assert digest_of(path) == hashlib.sha256(b"".join(pieces)).hexdigest()


def test_a_sender_that_falls_silent_lets_go_of_its_upload(client, monkeypatch):
    monkeypatch.setattr(routes, "SILENT_SECONDS", 0.1)
    announce(client, "a.mp4", 100)
    assert broken_piece(client, 0, [b"z" * 30], hangs=True) == 408
    assert piece(client, 30, b"z" * 30).status_code == 204


def test_who_comes_too_early_is_told_when_to_come_again(client, monkeypatch):
    announce(client, "a.mp4", 100)
    holds = []
    original = UploadDesk.hold

    def hold(desk, upload_id):
        if not holds:
            holds.append(original(desk, upload_id))
            holds[0].__enter__()
        return original(desk, upload_id)

    monkeypatch.setattr(UploadDesk, "hold", hold)
    answer = piece(client, 0, b"z")
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
    holds[0].__exit__(None, None, None)


def test_what_is_not_finished_is_listed_and_can_be_forgotten(client, bench, flashes):
    assert client.get("/api/uploads").status_code == 403
    announce(client, "a.mp4", 1000)
    piece(client, 0, bytes(250))
    content = flashes.path.read_bytes()
    other = "/api/upload/" + "f" * 16
    announce(client, "b.mp4", len(content), other)
    piece(client, 0, content, other)
    listed = client.get("/api/uploads", headers=TOKEN).json()["uploads"]
    assert listed == [{"id": ID, "name": "a.mp4", "size": 1000, "offset": 250}]
    assert client.delete(URL).status_code == 403
    assert client.delete(URL, headers=TOKEN).status_code == 204
    assert client.delete(URL, headers=TOKEN).status_code == 204
    assert client.get("/api/uploads", headers=TOKEN).json()["uploads"] == []
    assert not (bench.settings.data_dir / "uploads" / ID).exists()


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(limited):
    client, _ = limited(upload_max_gb=0.001)
    answer = announce(client, "a.mp4", 1_100_000)
    assert answer.status_code == 400
    assert "up to 0.001 GB are taken here (PRISMATA_UPLOAD_MAX_GB)" in answer.json()["error"]
    assert announce(client, "a.mp4", 900_000).status_code == 201


def test_a_video_that_is_too_long_is_refused(limited, flashes):
    client, bench = limited(upload_max_hours=0.001)
    content = flashes.path.read_bytes()
    announce(client, "a.mp4", len(content))
    answer = piece(client, 0, content)
    assert answer.status_code == 400
    assert "PRISMATA_UPLOAD_MAX_HOURS" in answer.json()["error"]
    assert bench.catalog.videos.list() == []


def test_room_that_others_were_promised_is_not_given_twice(client, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=10**9))
    assert announce(client, "a.mp4", 4 * 10**8).status_code == 201
    other = "/api/upload/" + "f" * 16
    answer = announce(client, "b.mp4", 2 * 10**8, other)
    assert answer.status_code == 400
    assert "only 0.2 GB are free" in answer.json()["error"]
    assert announce(client, "b.mp4", 10**8, other).status_code == 201


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"PK\x03\x04" + bytes(100), "a ZIP archive"),
        (b"%PDF-1.7" + bytes(100), "a PDF"),
        (b"\x89PNG\r\n" + bytes(100), "a picture"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt " + bytes(100), "sound without pictures"),
        (b"Dear diary,\n" * 1000, "a text"),
        (b"#EXTM3U\nhttp://example.org/a.ts\n", "a playlist"),
    ],
)
def test_what_is_no_video_is_refused_with_its_first_bytes(client, bench, head, what):
    announce(client, "a.mp4", 10**6)
    answer = piece(client, 0, head.ljust(5000, b"\x00" if b"\x00" in head else b"x"))
    assert answer.status_code == 422
    assert what in answer.json()["error"]
    assert "a.mp4" in answer.json()["error"]
    assert not (bench.settings.data_dir / "uploads" / ID).exists()
