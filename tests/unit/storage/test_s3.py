from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from prismata.storage.base import StorageBackend
from prismata.storage.s3 import S3Storage
from prismata.testing.s3_server import Fault, LocalS3Server
from prismata.testing.storage_writing import noise

pytestmark = pytest.mark.s3
OpenS3 = Callable[..., S3Storage]
Ask = Callable[[StorageBackend], object]
BIG = 20_000_000
ANYTHING = {
    "get": lambda store: store.get("k"),
    "stat": lambda store: store.stat("k"),
    "range": lambda store: store.read_range("k", 0, 1),
    "list": lambda store: list(store.list()),
    "put": lambda store: store.put("k", b"x"),
    "create": lambda store: store.put("k", b"x", if_absent=True),
    "big put": lambda store: store.put("k", bytes(BIG)),
    "delete": lambda store: store.delete("k"),
    "url": lambda store: store.url_for("k"),
    "copy": lambda store: store.local_copy("k").__enter__(),
    "leftovers": lambda store: store.remove_leftovers(),
}


class Once:
    """A fault for the first request of one method."""

    def __init__(self, method: str, fault: Fault, times: int = 1) -> None:
        self.method, self.kind, self.left = method, fault, times

    def __call__(self, method: str, path: str) -> Fault:
        if method != self.method or not self.left:
            return ""
        self.left -= 1
        return self.kind


def upload_by_other_tool(store: S3Storage, name: str, body: bytes, **headers: str) -> None:
    url = f"{store._client.meta.endpoint_url}/{store.bucket}/{name}"
    httpx.put(url, content=body, headers=headers).raise_for_status()


def methods(server: LocalS3Server) -> list[str]:
    return [method for method, _ in server.requests]


def test_a_second_local_copy_asks_for_no_bytes(s3: S3Storage, s3_server: LocalS3Server) -> None:
    s3.put("videos/a.mp4", b"content")
    with s3.local_copy("videos/a.mp4"):
        pass
    s3_server.requests.clear()
    with s3.local_copy("videos/a.mp4") as path:
        assert path.read_bytes() == b"content"
    assert methods(s3_server) == ["HEAD"]


def test_a_tampered_local_copy_is_fetched_again(s3: S3Storage, s3_server: LocalS3Server) -> None:
    s3.put("videos/a.mp4", b"content")
    with s3.local_copy("videos/a.mp4") as path:
        path.write_bytes(b"CONTENT")
    s3_server.requests.clear()
    with s3.local_copy("videos/a.mp4") as path:
        assert path.read_bytes() == b"content"
    assert methods(s3_server) == ["HEAD", "GET"]


def test_the_cache_stays_within_its_bound(open_s3: OpenS3) -> None:
    store = open_s3(max_bytes=2500)
    for name in "abcd":
        store.put(name, name.encode() * 1000)
        with store.local_copy(name) as path:
            assert path.read_bytes() == name.encode() * 1000
        assert store.cache.size_bytes() <= 2500


def test_an_object_that_was_damaged_in_the_store_is_never_handed_out(s3: S3Storage) -> None:
    wrong = "0" * 64
    upload_by_other_tool(s3, "a.mp4", b"content", **{"x-amz-meta-sha256": wrong})
    with pytest.raises(UnavailableError, match="arrived damaged twice"), s3.local_copy("a.mp4"):
        pass


def test_an_object_of_another_tool_is_welcome(s3: S3Storage) -> None:
    upload_by_other_tool(s3, "a.mp4", b"hello")
    assert s3.stat("a.mp4").sha256 is None
    assert s3.digest("a.mp4") == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    with s3.local_copy("a.mp4") as path:
        assert path.read_bytes() == b"hello"
    upload_by_other_tool(s3, "b.mp4", b"hello", **{"x-amz-meta-sha256": "not a digest"})
    assert s3.stat("b.mp4").sha256 is None


def test_names_that_are_no_keys_are_not_listed(
    s3: S3Storage, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("videos/", "videos/a.mp4", "odd//name"):
        upload_by_other_tool(s3, name, b"")
    assert [info.key for info in s3.list()] == ["videos/a.mp4"]
    assert "object_skipped key='odd//name'" in caplog.text
    assert "'videos/'" not in caplog.text


def test_a_prefix_is_a_world_of_its_own(open_s3: OpenS3) -> None:
    one = open_s3(prefix="team-a")
    two = open_s3(one.bucket, prefix="/team-b/")
    one.put("k", b"1")
    two.put("k", b"2")
    assert (one.get("k"), two.get("k")) == (b"1", b"2")
    assert [info.key for info in open_s3(one.bucket).list()] == ["team-a/k", "team-b/k"]
    with one.local_copy("k") as first, two.local_copy("k") as second:
        assert (first.read_bytes(), second.read_bytes()) == (b"1", b"2")


def test_a_prefix_that_is_no_key_is_refused(open_s3: OpenS3) -> None:
    with pytest.raises(InvalidInputError, match="cannot be used"):
        open_s3("bucket", prefix="a/../b")


def test_the_prefix_counts_for_the_length_of_a_key(open_s3: OpenS3) -> None:
    store = open_s3(prefix="p" * 100)
    with pytest.raises(InvalidInputError, match="1060 bytes and the limit is 1024"):
        store.put("/".join(["k" * 239] * 4), b"x")


def test_a_body_that_breaks_off_is_continued_where_it_broke(
    s3: S3Storage, s3_server: LocalS3Server
) -> None:
    content = noise(3_000_000)
    s3.put("k", content)
    for read in (
        lambda: s3.get("k"),
        lambda: s3.read_video("k").read_bytes(),
    ):
        s3.put("videos/k", content)
        s3_server.fault = Once("GET", "cut")
        s3_server.requests.clear()
        assert read() == content
        assert methods(s3_server).count("GET") == 2


def test_a_body_that_keeps_breaking_off_is_unavailable(
    s3: S3Storage, s3_server: LocalS3Server
) -> None:
    s3.put("k", b"x" * 100)
    s3_server.fault = Once("GET", "cut", times=1000)
    with pytest.raises(UnavailableError, match="the connection broke 5 times at byte 99 of 100"):
        s3.get("k")
    with pytest.raises(UnavailableError, match="broke 5 times"), s3.local_copy("k"):
        pass
    assert s3.cache.size_bytes() == 0


def test_a_store_that_fails_while_a_body_is_continued_is_unavailable(
    s3: S3Storage, s3_server: LocalS3Server
) -> None:
    s3.put("k", noise(3_000_000))
    with s3.open("k") as stream:
        stream.read(1)
        s3_server.fault = Once("GET", "denied", times=1000)
        stream.seek(2_000_000)
        with pytest.raises(UnavailableError, match="could not read 'k': access is denied"):
            stream.read()


def test_an_object_replaced_while_it_is_read_is_a_conflict_not_a_mixture(s3: S3Storage) -> None:
    s3.put("k", noise(3_000_000, 1))
    with s3.open("k") as stream:
        stream.read(10)
        s3.put("k", noise(3_000_000, 2))
        stream.seek(2_500_000)
        with pytest.raises(ConflictError, match="while it was being read"):
            stream.read()


def test_a_stream_knows_its_place(s3: S3Storage, s3_server: LocalS3Server) -> None:
    s3.put("k", b"0123456789")
    s3_server.requests.clear()
    with s3.open("k") as stream:
        assert stream.readable()
        assert stream.seek(4) == 4
        assert stream.read(2) == b"45"
        assert stream.tell() == 6
        with pytest.raises(InvalidInputError, match="from byte -1"):
            stream.seek(-11, 2)
        assert stream.seek(99) == 99
        assert stream.read() == b""


def test_an_object_that_changes_before_its_copy_arrives_is_fetched_in_its_new_version(
    s3: S3Storage, s3_server: LocalS3Server
) -> None:
    s3.put("k", b"old")

    def replace_before_the_first_get(method: str, path: str) -> Fault:
        if method == "GET":
            s3_server.fault = Once("", "")
            s3.put("k", b"new one")
        return ""

    s3_server.fault = replace_before_the_first_get
    with s3.local_copy("k") as path:
        assert path.read_bytes() == b"new one"


def test_an_object_that_never_stands_still_is_a_conflict(
    s3: S3Storage, s3_server: LocalS3Server
) -> None:
    s3.put("k", b"0")
    versions = iter(range(1, 1000))

    def replace_before_every_get(method: str, path: str) -> Fault:
        if method == "GET":
            s3.put("k", str(next(versions)).encode())
        return ""

    s3_server.fault = replace_before_every_get
    with pytest.raises(ConflictError, match="keeps changing"), s3.local_copy("k"):
        pass


@pytest.mark.parametrize("size", [10, BIG], ids=["one request", "in parts"])
def test_a_busy_store_is_asked_again(s3: S3Storage, s3_server: LocalS3Server, size: int) -> None:
    s3_server.fault = Once("PUT", "busy")
    s3.put("k", noise(size))
    s3_server.fault = Once("GET", "busy")
    assert s3.get("k") == noise(size)


@pytest.mark.parametrize("condition", ["if_absent", "if_match"])
def test_a_conditional_put_whose_answer_was_lost_is_not_its_own_conflict(
    s3: S3Storage, s3_server: LocalS3Server, condition: str
) -> None:
    etag = None if condition == "if_absent" else s3.put("k", b"old").etag
    s3_server.requests.clear()
    s3_server.fault = Once("PUT", "lost")
    info = s3.put("k", b"new", if_absent=etag is None, if_match=etag)
    assert methods(s3_server).count("PUT") == 2
    assert s3.get("k") == b"new"
    assert s3.stat("k") == info


def test_a_repeated_create_that_really_came_second_is_a_conflict(
    s3: S3Storage, s3_server: LocalS3Server
) -> None:
    s3.put("k", b"same content")
    s3_server.fault = Once("PUT", "busy")
    with pytest.raises(ConflictError, match="exists already"):
        s3.put("k", b"same content", if_absent=True)


def test_conditional_writes_that_meet_are_tried_again(
    s3: S3Storage, s3_server: LocalS3Server
) -> None:
    s3_server.fault = Once("PUT", "race", times=2)
    s3.put("k", b"x", if_absent=True)
    assert s3.get("k") == b"x"
    s3_server.fault = Once("PUT", "race", times=1000)
    with pytest.raises(ConflictError):
        s3.put("k", b"y", if_match=s3.stat("k").etag)
    s3_server.fault = Once("PUT", "race", times=1000)
    with pytest.raises(UnavailableError, match="could not store 'k'"):
        s3.put("k", b"y")


def test_parts_that_cannot_be_sent_leave_nothing_behind(
    s3: S3Storage, s3_server: LocalS3Server, caplog: pytest.LogCaptureFixture
) -> None:
    s3.put("k", b"old")
    s3_server.fault = Once("PUT", "denied", times=1000)
    with pytest.raises(UnavailableError, match="could not store 'k': access is denied"):
        s3.put("k", noise(BIG))
    s3_server.fault = Once("", "")
    assert s3.get("k") == b"old"
    assert s3.remove_leftovers(older_than_seconds=-60) == 0
    assert "abort_failed" not in caplog.text


def test_an_upload_that_could_not_be_aborted_is_removed_later(
    open_s3: OpenS3, s3_server: LocalS3Server, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_s3(prefix="team-a")
    neighbour = open_s3(store.bucket, prefix="team-b")

    def deny_parts_and_abort(method: str, path: str) -> Fault:
        return "denied" if method in ("PUT", "DELETE") else ""

    s3_server.fault = deny_parts_and_abort
    with pytest.raises(UnavailableError, match="could not store 'k'"):
        store.put("k", noise(BIG))
    assert "abort_failed" in caplog.text
    s3_server.fault = Once("", "")
    assert list(store.list()) == []
    assert neighbour.remove_leftovers(older_than_seconds=-60) == 0
    # moto says of every upload that it began in 2010.
    assert store.remove_leftovers(older_than_seconds=1e9) == 0
    assert store.remove_leftovers() == 1
    assert store.remove_leftovers() == 0


@pytest.mark.parametrize("change", ["longer", "shorter", "other bytes"])
def test_a_file_that_changes_while_it_is_stored_is_not_stored(
    s3: S3Storage, tmp_path: Path, change: str
) -> None:
    path = tmp_path / "recording.mp4"
    path.write_bytes(bytes(40_000_000))

    def write_on(done: int, total: int) -> None:
        with path.open("r+b") as recording:
            if change == "shorter":
                recording.truncate(39_000_000)
            else:
                recording.seek(0 if change == "longer" else -9, 2)
                recording.write(b"x" * 9)
                if change == "longer":
                    recording.seek(0, 2)
                    recording.write(b"more")

    with pytest.raises(ConflictError, match="changed while it was being stored"):
        s3.put_file("videos/recording.mp4", path, progress=write_on)
    assert not s3.exists("videos/recording.mp4")
    assert s3.remove_leftovers(older_than_seconds=-60) == 0


def test_a_create_that_cannot_win_sends_no_content(
    s3: S3Storage, s3_server: LocalS3Server, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(bytes(BIG))
    s3.put("k", b"old")
    s3_server.requests.clear()
    with pytest.raises(ConflictError):
        s3.put_file("k", tmp_path / "f", if_absent=True)
    assert methods(s3_server) == ["HEAD"]


def test_a_url_dies_and_is_signed(s3: S3Storage) -> None:
    s3.put("videos/a.mp4", b"x")
    url = s3.presigned_url("a.mp4", 60)
    assert url is not None
    assert "X-Amz-Signature=" in url
    assert "X-Amz-Expires=60" in url


@pytest.mark.parametrize("ask", ANYTHING.values(), ids=ANYTHING.keys())
class TestAStoreThatCannotBeUsed:
    def test_a_missing_bucket_is_named(self, open_s3: OpenS3, ask: Ask) -> None:
        store = open_s3("no-such-bucket")
        with pytest.raises(UnavailableError, match="PRISMATA_S3_BUCKET"):
            ask(store)

    def test_denied_access_is_no_missing_object(
        self, s3: S3Storage, s3_server: LocalS3Server, ask: Ask
    ) -> None:
        s3_server.fault = lambda method, path: "denied"
        with pytest.raises(UnavailableError, match="access is denied"):
            ask(s3)

    def test_an_unreachable_store_is_told(
        self, open_s3: OpenS3, monkeypatch: pytest.MonkeyPatch, ask: Ask
    ) -> None:
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        store = open_s3("bucket", endpoint_url=f"http://127.0.0.1:{port}")
        with pytest.raises(UnavailableError, match="cannot be reached"):
            ask(store)

    def test_missing_credentials_are_told(
        self, open_s3: OpenS3, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ask: Ask
    ) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        with pytest.raises(UnavailableError, match="no usable AWS credentials"):
            ask(open_s3("bucket"))

    def test_a_bucket_name_that_cannot_be_is_refused(self, open_s3: OpenS3, ask: Ask) -> None:
        with pytest.raises(InvalidInputError, match="Invalid bucket name"):
            ask(open_s3("no bucket!"))


def test_a_profile_that_does_not_exist_is_told(
    open_s3: OpenS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UnavailableError, match=r"set up the S3 storage.*nobody"):
        open_s3("bucket")


def test_a_store_that_answers_nonsense_is_unavailable(
    s3: S3Storage, s3_server: LocalS3Server
) -> None:
    s3_server.fault = Once("DELETE", "race")
    with pytest.raises(UnavailableError, match="could not delete 'k': the store answered 409"):
        s3.delete("k")


def test_objects_are_found_where_the_bucket_itself_may_not_be_asked(
    s3: S3Storage, s3_server: LocalS3Server
) -> None:
    s3_server.fault = lambda method, path: "denied" if path == f"/{s3.bucket}" else ""
    with pytest.raises(NotFoundError):
        s3.get("k")


def test_compatible_stores_get_no_checksums_they_do_not_know(s3: S3Storage, tmp_path: Path) -> None:
    assert s3._client.meta.config.request_checksum_calculation == "when_required"
    aws: StorageBackend = S3Storage("bucket", region="eu-central-1", cache_dir=tmp_path)
    assert isinstance(aws, S3Storage)
    assert aws._client.meta.config.request_checksum_calculation == "when_supported"
    assert aws._client.meta.endpoint_url == "https://s3.eu-central-1.amazonaws.com"


def test_a_stream_that_finds_no_room_to_wait_is_unavailable(
    s3: S3Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(UnavailableError, match="no room for a temporary copy"):
        s3.put("k", noise(BIG))
    assert not s3.exists("k")


def test_a_broken_look_at_the_bucket_is_no_missing_object(
    s3: S3Storage, s3_server: LocalS3Server
) -> None:
    s3_server.fault = lambda method, path: "race" if path == f"/{s3.bucket}" else ""
    with pytest.raises(UnavailableError, match="409"):
        s3.get("k")


def test_a_body_is_continued_after_a_connection_that_could_not_be_made(
    s3: S3Storage, s3_server: LocalS3Server, open_s3: OpenS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    store = open_s3(s3.bucket)
    store.put("k", noise(3_000_000))
    faults: list[Fault] = ["cut", "lost", "cut", ""]
    s3_server.fault = lambda method, path: faults.pop(0) if method == "GET" else ""
    assert store.get("k") == noise(3_000_000)
    assert faults == []


def test_a_plain_conflict_costs_one_request(s3: S3Storage, s3_server: LocalS3Server) -> None:
    s3.put("k", b"x")
    s3_server.requests.clear()
    with pytest.raises(ConflictError):
        s3.put("k", b"y", if_absent=True)
    assert methods(s3_server) == ["PUT"]


def test_video_paths_hold_their_copies_until_the_store_is_closed(open_s3: OpenS3) -> None:
    store = open_s3(max_bytes=1500)
    for name in "abc":
        store.put(f"videos/{name}", name.encode() * 1000)
    paths = [store.read_video(name) for name in "ab"]
    assert [path.read_bytes() for path in paths] == [b"a" * 1000, b"b" * 1000]
    store.close()
    store.read_video("c")
    assert store.cache.size_bytes() <= 1500
