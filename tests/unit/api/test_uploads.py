"""Uploads arrive in pieces, go on where they stopped, and end in the library or a sentence."""

import asyncio
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from prismata.core.errors import BusyError
from prismata.services.access import mint_token
from prismata.services.prepare import describe_material
from prismata.services.uploads import MAX_CHUNK_BYTES, UploadDesk
from prismata.testing.barcode import write_barcode_video

SECRET = b"s" * 32
ID = "0123456789abcdef"
URL = f"/api/upload/{ID}"
TOKEN = {"x-prismata-token": mint_token(SECRET, "upload", "")}


def run_apart(coroutine):
    """Run it in a thread of its own: an open browser of another test has a loop in this one."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, coroutine).result()


def announce(client, name, size, **more):
    return client.put(URL, headers=TOKEN, json={"name": name, "size": size, **more})


def piece(client, offset, content, url=URL):
    return client.patch(url, headers={**TOKEN, "upload-offset": str(offset)}, content=content)


def uploads(bench):
    return bench.settings.data_dir / "uploads"


def test_a_file_in_three_pieces_ends_in_the_library_byte_by_byte(client, bench, flashes):
    content = flashes.path.read_bytes()
    answer = announce(client, "C:\\films\\flashes.mp4", len(content), domain="flashes")
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "0")
    third = len(content) // 3
    assert piece(client, 0, content[:third]).status_code == 204
    assert piece(client, third, content[third : 2 * third]).headers["upload-offset"] == str(
        2 * third
    )
    answer = piece(client, 2 * third, content[2 * third :])
    assert answer.status_code == 200
    assert answer.json()["status"] == "added"
    video = bench.catalog.videos.get(answer.json()["video_id"])
    assert (video.name, video.domain) == ("flashes.mp4", "flashes")
    assert bench.storage.get(video.storage_key) == content
    assert not list(uploads(bench).rglob("*.mp4")), "the copy that grew is gone"


def test_what_a_browser_cannot_play_becomes_playable_after_its_upload(client, bench, tmp_path):
    film = write_barcode_video(tmp_path / "film.mp4", frames=30, codec="libx265")
    content = film.read_bytes()
    announce(client, "film.mp4", len(content))
    video = bench.catalog.videos.get(piece(client, 0, content).json()["video_id"])
    (job,) = bench.catalog.jobs.list(kind="prepare")
    deadline = time.monotonic() + 120
    while not (now := describe_material(bench, video)).has_proxy:
        assert time.monotonic() < deadline
        assert now.preparing is None or now.preparing.state != "failed", now.preparing
        time.sleep(0.1)
    params = {"video": "film.mp4", "video_id": video.id, "proxy": True}
    assert bench.catalog.jobs.get(job.id).params == params


def test_a_wrong_offset_gets_the_right_one(client, flashes):
    content = flashes.path.read_bytes()
    announce(client, "a.mp4", len(content))
    piece(client, 0, content[:100])
    for wrong in (0, 99, 101, len(content)):
        answer = piece(client, wrong, b"xx")
        assert (answer.status_code, answer.headers["upload-offset"]) == (409, "100")
        assert "100 bytes are here" in answer.json()["error"]
    asked = client.get(URL, headers=TOKEN)
    assert asked.json()["offset"] == 100


def test_announcing_again_says_where_to_go_on(client, flashes):
    content = flashes.path.read_bytes()
    announce(client, "a.mp4", len(content))
    piece(client, 0, content[:100])
    again = announce(client, "a.mp4", len(content))
    assert (again.status_code, again.headers["upload-offset"]) == (201, "100")


def test_who_missed_the_last_answer_gets_it_again(client, flashes):
    content = flashes.path.read_bytes()
    announce(client, "a.mp4", len(content))
    first = piece(client, 0, content).json()
    again = announce(client, "a.mp4", len(content))
    assert again.headers["upload-offset"] == str(len(content))
    assert piece(client, len(content), b"").json() == first
    assert client.get(URL, headers=TOKEN).json()["video_id"] == first["video_id"]


def test_a_file_that_is_there_already_is_not_there_twice(client, bench, video, flashes):
    content = flashes.path.read_bytes()
    announce(client, "other-name.mp4", len(content))
    answer = piece(client, 0, content).json()
    assert (answer["status"], answer["video_id"]) == ("already_there", video.id)
    assert len(bench.catalog.videos.list()) == 1


def test_a_file_that_is_no_video_is_refused_with_its_sentence(client, bench):
    announce(client, "story.mp4", 1000)
    answer = piece(client, 0, b"once upon " * 100)
    assert answer.status_code == 422
    assert answer.headers["x-reason"] == "not_a_video"
    assert "story.mp4" in answer.json()["error"]
    assert bench.catalog.videos.list() == []
    assert not list(uploads(bench).rglob("*.mp4")), "nothing of it stays"


def test_a_name_that_another_video_has_is_refused(client, bench, video):
    announce(client, "flashes.mp4", 10)
    other = piece(client, 0, b"0123456789")
    assert other.status_code == 422, "not a video comes first"
    assert bench.catalog.videos.get(video.id).name == "flashes.mp4"


@pytest.mark.parametrize("extra", [1, 1000])
def test_more_bytes_than_announced_are_refused_and_not_kept(client, extra):
    announce(client, "a.mp4", 100)
    assert piece(client, 0, b"x" * (100 + extra)).status_code == 413
    assert client.get(URL, headers=TOKEN).json()["offset"] == 0


def test_a_piece_without_a_length_is_counted_as_it_comes(client):
    announce(client, "a.mp4", 100)
    piece(client, 0, b"x" * 40)
    # By hand, because the test client would join the parts to one.
    parts = [b"y" * 50, b"y" * 50]
    headers = [(b"upload-offset", b"40")]
    headers += [(name.encode(), value.encode()) for name, value in TOKEN.items()]
    scope = {"type": "http", "method": "PATCH", "path": URL, "headers": headers}
    scope |= {"query_string": b"", "root_path": "", "http_version": "1.1"}
    told = []

    async def receive():
        body = parts.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(parts)}

    async def send(message):
        told.append(message)

    run_apart(client.app(scope, receive, send))
    assert told[0]["status"] == 413
    assert client.get(URL, headers=TOKEN).json()["offset"] == 40


def test_what_arrived_before_the_line_broke_is_kept(client):
    announce(client, "a.mp4", 100)
    headers = [(b"upload-offset", b"0")]
    headers += [(name.encode(), value.encode()) for name, value in TOKEN.items()]
    scope = {"type": "http", "method": "PATCH", "path": URL, "headers": headers}
    scope |= {"query_string": b"", "root_path": "", "http_version": "1.1"}
    messages = [
        {"type": "http.request", "body": b"z" * 30, "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive():
        return messages.pop(0)

    async def send(message):
        del message

    run_apart(client.app(scope, receive, send))
    assert client.get(URL, headers=TOKEN).json()["offset"] == 30
    assert piece(client, 30, b"z" * 30).status_code == 204


def test_a_piece_is_bounded(client):
    announce(client, "a.mp4", MAX_CHUNK_BYTES + 2)
    assert piece(client, 0, bytes(MAX_CHUNK_BYTES + 1)).status_code == 413
    assert piece(client, 0, bytes(MAX_CHUNK_BYTES)).status_code == 204


def test_an_empty_file_is_refused_at_once(client):
    answer = announce(client, "a.mp4", 0)
    assert (answer.status_code, "is empty" in answer.json()["error"]) == (400, True)


def test_a_file_that_does_not_fit_is_refused_at_once(client, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=10**9))
    answer = announce(client, "a.mp4", 6 * 10**8)
    assert answer.status_code == 400
    assert "0.6 GB" in answer.json()["error"]
    assert announce(client, "a.mp4", 4 * 10**8).status_code == 201


@pytest.mark.parametrize(
    "bad", ["short", "0123456789ABCDEF", "..%2f..%2f0123456789abcdef", "g" * 20, "a" * 65]
)
def test_an_id_that_could_be_a_path_is_refused(client, bench, bad):
    answer = client.put(f"/api/upload/{bad}", headers=TOKEN, json={"name": "a.mp4", "size": 5})
    assert answer.status_code in (400, 404)
    assert not uploads(bench).exists()


@pytest.mark.parametrize("name", ["..", ".", "/", "", "a\x00b.mp4", "x" * 300, "a\nb.mp4"])
def test_a_name_that_is_no_file_name_is_refused(client, name):
    assert announce(client, name, 5).status_code == 400


def test_folders_in_front_of_a_name_are_dropped(client, bench):
    announce(client, "../../../etc/passwd.mp4", 5)
    piece(client, 0, b"abc")
    assert [path.name for path in uploads(bench).rglob("*.mp4")] == ["passwd.mp4"]
    assert (uploads(bench) / ID / "content" / "passwd.mp4").read_bytes() == b"abc"


@pytest.mark.parametrize("method", ["PUT", "GET", "PATCH"])
def test_nothing_happens_without_a_token(client, bench, method):
    for headers in ({}, {"x-prismata-token": mint_token(SECRET, "video", "")}):
        answer = client.request(method, URL, headers=headers, json={"name": "a", "size": 1})
        assert answer.status_code == 403
    assert not uploads(bench).exists()


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"name": 1}', b"\xff", b'{"size": "x"}'])
def test_an_announcement_that_is_none_is_refused(client, body):
    answer = client.put(URL, headers=TOKEN, content=body)
    assert (answer.status_code, "announced with JSON" in answer.json()["error"]) == (400, True)


def test_an_upload_that_never_began_is_not_found(client):
    assert client.get(URL, headers=TOKEN).status_code == 404
    assert piece(client, 0, b"x").status_code == 404


def test_the_same_id_for_another_file_is_a_conflict(client):
    announce(client, "a.mp4", 100)
    assert announce(client, "b.mp4", 100).status_code == 409
    assert announce(client, "a.mp4", 101).status_code == 409


def test_two_senders_do_not_write_into_each_other(tmp_path):
    desk = UploadDesk(tmp_path)
    with desk.hold(ID), pytest.raises(BusyError, match="being written to"), desk.hold(ID):
        pass
    with desk.hold(ID):
        pass


def test_uploads_that_nobody_went_on_with_are_forgotten(tmp_path, monkeypatch):
    desk = UploadDesk(tmp_path)
    desk.begin(ID, name="a.mp4", size=10)
    assert desk.remove_stale() == 0
    monkeypatch.setattr("prismata.services.uploads.KEPT_SECONDS", -1)
    assert desk.remove_stale() == 1
    assert not (tmp_path / ID).exists()
