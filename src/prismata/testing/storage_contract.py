"""The promises every storage backend makes, as tests that its author inherits.

    class TestMine(StorageContract):
        @pytest.fixture
        def store(self) -> StorageBackend:
            return MyStorage(...)       # empty, a new one for each test

Needs pytest. The tests use nothing but the published interface.
"""

from __future__ import annotations

import hashlib
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.storage.base import StorageBackend
from prismata.testing.storage_writing import BIG, MEGABYTE, WritingPromises, keys_of, noise

BAD_KEYS = {
    "empty": "",
    "absolute": "/etc/passwd",
    "parent": "../outside",
    "parent inside": "videos/../../outside",
    "only dots": "..",
    "here": "./clip.mp4",
    "here inside": "videos/./clip.mp4",
    "double slash": "videos//clip.mp4",
    "final slash": "videos/",
    "backslash": "videos\\clip.mp4",
    "newline": "videos/clip\n.mp4",
    "nul": "videos/clip\0.mp4",
    "delete": "videos/clip\x7f.mp4",
    "1025 bytes": "a/" * 512 + "b",
    "1027 bytes of accents": "é/" * 341 + "éé",
    "part of 256 bytes": "v" * 256,
    "reserved": "videos/.prismata-lock",
    "half a surrogate": "videos/\ud800",
}
GOOD_KEYS = (
    "a",
    "videos/clip.mp4",
    "videos/clip 1 (final).mp4",
    "videos/.hidden",
    "videos/a..b",
    "videos/Zürich, 東京 🎾.mp4",
    "videos/100%+?#&=.mp4",
    "v" * 255,
    "/".join(["p" * 179] * 5),
)


class StorageContract(WritingPromises):
    """Promises every `StorageBackend` makes to the rest of the house."""

    @pytest.fixture
    def store(self) -> StorageBackend:
        """Return an empty store."""
        raise NotImplementedError("a contract test class provides its own store")

    @pytest.mark.parametrize("size", [0, 1, 1_048_575, 1_048_577], ids=str)
    def test_bytes_survive(self, store: StorageBackend, size: int) -> None:
        """What goes in comes out, also at the borders of a chunk."""
        content = noise(size)
        store.put("k.bin", content)
        assert store.get("k.bin") == content

    def test_a_stream_is_stored_from_where_it_stands(self, store: StorageBackend) -> None:
        """The caller decides where the source begins."""
        stream = BytesIO(b"header,body")
        stream.seek(7)
        store.put("k", stream)
        assert store.get("k") == b"body"

    def test_a_text_source_is_refused(self, store: StorageBackend, tmp_path: Path) -> None:
        """A file opened without 'b' is an error, not a different content."""
        (tmp_path / "t.txt").write_text("text", encoding="utf-8")
        with (
            (tmp_path / "t.txt").open(encoding="utf-8") as text,
            pytest.raises(InvalidInputError, match="binary"),
        ):
            store.put("k", cast("BinaryIO", text))
        assert not store.exists("k")

    def test_a_big_file_survives_and_reports_progress(
        self, store: StorageBackend, tmp_path: Path
    ) -> None:
        """20 MB go through every way in and out, and progress ends at the total."""
        content = noise(BIG)
        (tmp_path / "big.mp4").write_bytes(content)
        seen: list[tuple[int, int]] = []
        info = store.put_file(
            "videos/big.mp4",
            tmp_path / "big.mp4",
            progress=lambda done, total: seen.append((done, total)),
        )
        assert info.size == BIG
        assert seen == sorted(seen)
        assert seen[-1] == (BIG, BIG)
        assert store.get("videos/big.mp4") == content
        assert store.read_range("videos/big.mp4", BIG - 5, 100) == content[-5:]
        assert store.digest("videos/big.mp4") == hashlib.sha256(content).hexdigest()

    def test_a_file_that_is_not_there_cannot_be_stored(
        self, store: StorageBackend, tmp_path: Path
    ) -> None:
        """The message names the file."""
        with pytest.raises(NotFoundError, match=r"gone\.mp4"):
            store.put_file("k", tmp_path / "gone.mp4")
        assert not store.exists("k")

    def test_get_does_not_load_more_than_allowed(self, store: StorageBackend) -> None:
        """Nothing big goes through memory by accident."""
        store.put("k", b"12345")
        assert store.get("k", max_bytes=5) == b"12345"
        with pytest.raises(InvalidInputError, match="larger than 4 bytes"):
            store.get("k", max_bytes=4)

    def test_a_stream_reads_and_seeks(self, store: StorageBackend) -> None:
        """A demuxer jumps to the end for the index, then back."""
        content = noise(3 * MEGABYTE)
        store.put("k", content)
        with store.open("k") as stream:
            assert stream.seekable()
            assert stream.read(10) == content[:10]
            stream.seek(-10, 2)
            assert stream.read() == content[-10:]
            assert stream.read() == b""
            stream.seek(1 * MEGABYTE)
            assert stream.read() == content[MEGABYTE:]

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, 4, b"0123"),
            (3, 4, b"3456"),
            (8, 100, b"89"),
            (0, 0, b""),
            (10, 5, b""),
            (10, 0, b""),
        ],
    )
    def test_a_range_is_half_open_and_ends_with_the_object(
        self, store: StorageBackend, start: int, length: int, expected: bytes
    ) -> None:
        """`[start, start + length)`, fewer at the end, none at the very end."""
        store.put("k", b"0123456789")
        assert store.read_range("k", start, length) == expected

    @pytest.mark.parametrize(
        ("start", "length"), [(-1, 4), (0, -1), (11, 1), (11, 0), (0, 2**40)], ids=str
    )
    def test_a_range_outside_the_object_is_refused(
        self, store: StorageBackend, start: int, length: int
    ) -> None:
        """Never an empty answer for a question that makes no sense."""
        store.put("k", b"0123456789")
        with pytest.raises(InvalidInputError):
            store.read_range("k", start, length)

    def test_an_empty_object_has_an_empty_range(self, store: StorageBackend) -> None:
        """Its start is its end."""
        store.put("k", b"")
        assert store.read_range("k", 0, 10) == b""

    @pytest.mark.parametrize(
        "ask",
        [
            lambda store: store.get("videos/none.mp4"),
            lambda store: store.open("videos/none.mp4"),
            lambda store: store.read_range("videos/none.mp4", 0, 1),
            lambda store: store.read_range("videos/none.mp4", 0, 0),
            lambda store: store.stat("videos/none.mp4"),
            lambda store: store.digest("videos/none.mp4"),
            lambda store: store.local_copy("videos/none.mp4").__enter__(),
            lambda store: store.url_for("videos/none.mp4"),
            lambda store: store.read_video("none.mp4"),
            lambda store: store.presigned_url("none.mp4"),
        ],
        ids=[
            "get", "open", "read_range", "empty range", "stat", "digest", "local_copy", "url_for",
            "read_video", "presigned_url",
        ],
    )  # fmt: skip
    def test_a_missing_object_is_named(
        self, store: StorageBackend, ask: Callable[[StorageBackend], object]
    ) -> None:
        """Every question about an object that is not there says so."""
        store.put("videos/other.mp4", b"x")
        with pytest.raises(NotFoundError, match=r"videos/none\.mp4"):
            ask(store)
        assert not store.exists("videos/none.mp4")

    def test_a_part_of_a_key_is_no_object(self, store: StorageBackend) -> None:
        """Folders do not exist."""
        store.put("videos/day/clip.mp4", b"x")
        assert not store.exists("videos")
        assert not store.exists("videos/day")
        with pytest.raises(NotFoundError):
            store.get("videos/day")
        store.delete("videos/day")
        assert store.exists("videos/day/clip.mp4")

    def test_deleting_twice_is_fine(self, store: StorageBackend) -> None:
        """The second time there is nothing to do."""
        store.put("videos/clip.mp4", b"x")
        store.put("videos/other.mp4", b"y")
        store.delete("videos/clip.mp4")
        store.delete("videos/clip.mp4")
        assert keys_of(store) == ["videos/other.mp4"]
        store.delete("never/was/there")

    def test_a_deleted_name_can_be_used_again(self, store: StorageBackend) -> None:
        """Also as the first part of other keys."""
        store.put("a/b/c", b"1")
        store.delete("a/b/c")
        store.put("a", b"2")
        assert store.get("a") == b"2"
        store.delete("a")
        store.put("a/b", b"3")
        assert keys_of(store) == ["a/b"]

    @pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS.keys())
    def test_a_bad_key_is_refused_everywhere(
        self, store: StorageBackend, key: str, tmp_path: Path
    ) -> None:
        """No operation lets a key escape."""
        source = tmp_path / "f"
        source.write_bytes(b"x")
        for ask in (
            lambda: store.put(key, b"x"),
            lambda: store.put_file(key, source),
            lambda: store.get(key),
            lambda: store.open(key),
            lambda: store.read_range(key, 0, 1),
            lambda: store.local_copy(key).__enter__(),
            lambda: store.exists(key),
            lambda: store.stat(key),
            lambda: store.delete(key),
            lambda: store.url_for(key),
            lambda: store.read_video(key),
            lambda: store.write_labels(key, {}),
        ):
            with pytest.raises(InvalidInputError, match="cannot be used"):
                ask()
        assert keys_of(store) == []

    def test_unusual_but_plain_keys_work(self, store: StorageBackend) -> None:
        """Spaces, accents, emoji and the characters that URLs fear."""
        for number, key in enumerate(GOOD_KEYS):
            store.put(key, str(number).encode())
        assert [store.get(key) for key in GOOD_KEYS] == [
            str(number).encode() for number in range(len(GOOD_KEYS))
        ]
        assert keys_of(store) == sorted(GOOD_KEYS)

    def test_the_list_is_sorted_by_key(self, store: StorageBackend) -> None:
        """'.' sorts before '/', and '/' before '0', whatever the folders are."""
        keys = ["b", "a/c", "a.txt", "a0", "a/b/d", "A", "ä", "a/b.txt"]
        for key in keys:
            store.put(key, b"x")
        assert keys_of(store) == ["A", "a.txt", "a/b.txt", "a/b/d", "a/c", "a0", "b", "ä"]

    def test_the_list_is_limited_by_a_prefix_of_text(self, store: StorageBackend) -> None:
        """A prefix need not end at a slash."""
        for key in ("videos/ab.mp4", "videos/ac/x.mp4", "videos/b.mp4", "videosa", "labels/ab"):
            store.put(key, b"x")
        assert keys_of(store, "videos/") == ["videos/ab.mp4", "videos/ac/x.mp4", "videos/b.mp4"]
        assert keys_of(store, "videos/a") == ["videos/ab.mp4", "videos/ac/x.mp4"]
        assert keys_of(store, "videos/ac/") == ["videos/ac/x.mp4"]
        assert keys_of(store, "videos/b.mp4") == ["videos/b.mp4"]
        assert keys_of(store, "v") == keys_of(store, "videos")
        assert keys_of(store, "nothing/") == []

    @pytest.mark.parametrize("prefix", ["/", "../", "a//", "a\\"])
    def test_a_prefix_that_no_key_has_is_refused_at_once(
        self, store: StorageBackend, prefix: str
    ) -> None:
        """Before the first object is asked for, not in the middle of a loop."""
        with pytest.raises(InvalidInputError):
            store.list(prefix)

    def test_more_objects_than_fit_on_a_page_are_listed(self, store: StorageBackend) -> None:
        """S3 lists a thousand at a time; nobody may stop there."""
        wanted = [f"many/{number:04}" for number in range(1003)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda key: store.put(key, b""), wanted))
        assert keys_of(store, "many/") == wanted

    def test_put_stat_and_list_agree(self, store: StorageBackend) -> None:
        """Size, version and time; a digest that is told is the right one."""
        content = noise(1000)
        put = store.put("k.bin", content)
        (listed,) = store.list()
        stated = store.stat("k.bin")
        for info in (put, stated, listed):
            assert (info.key, info.size, info.etag) == ("k.bin", 1000, put.etag)
            assert info.sha256 in (None, hashlib.sha256(content).hexdigest())
            assert info.modified.tzinfo is not None
            assert abs(datetime.now(UTC) - info.modified) < timedelta(minutes=5)
        assert abs(put.modified - stated.modified) < timedelta(seconds=5)
        assert put.etag
        assert store.digest("k.bin") == hashlib.sha256(content).hexdigest()

    def test_a_local_copy_keeps_name_and_content(self, store: StorageBackend) -> None:
        """Decoders choose by suffix, and people by name."""
        content = noise(2 * MEGABYTE)
        store.put("videos/day 1/Clip.MP4", content)
        with store.local_copy("videos/day 1/Clip.MP4") as path:
            assert path.name == "Clip.MP4"
            assert path.read_bytes() == content

    def test_a_local_copy_follows_the_object(self, store: StorageBackend) -> None:
        """A changed object is fetched again."""
        for content in (b"first", b"other"):
            store.put("k.txt", content)
            with store.local_copy("k.txt") as path:
                assert path.read_bytes() == content

    def test_local_copies_may_be_open_together(self, store: StorageBackend) -> None:
        """Of one object and of several."""
        store.put("a/x", b"1")
        store.put("b/x", b"2")
        with (
            store.local_copy("a/x") as first,
            store.local_copy("a/x") as again,
            store.local_copy("b/x") as other,
        ):
            assert (first.read_bytes(), again.read_bytes(), other.read_bytes()) == (
                b"1",
                b"1",
                b"2",
            )
        with store.local_copy("a/x") as later:
            assert later.read_bytes() == b"1"

    @pytest.mark.parametrize("key", ["videos/clip.mp4", "videos/Zürich 100%+?#&=.mp4"])
    def test_a_url_downloads_the_bytes_or_there_is_none(
        self, store: StorageBackend, key: str
    ) -> None:
        """Never a guess: a URL works, with ranges, in any HTTP client."""
        store.put(key, b"0123456789")
        url = store.url_for(key, expires_seconds=60)
        if url is None:
            return
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  # the store's own URL
            assert answer.read() == b"0123456789"
            assert answer.headers["Content-Type"] == "video/mp4"
        ranged = urllib.request.Request(url, headers={"Range": "bytes=2-4"})  # noqa: S310
        with urllib.request.urlopen(ranged, timeout=10) as answer:  # noqa: S310
            assert (answer.status, answer.read()) == (206, b"234")

    @pytest.mark.parametrize("seconds", [0, -1, 7 * 24 * 3600 + 1])
    def test_a_url_cannot_live_forever(self, store: StorageBackend, seconds: int) -> None:
        """A second to seven days, on every backend."""
        store.put("k", b"x")
        with pytest.raises(InvalidInputError, match="1 to 604800"):
            store.url_for("k", expires_seconds=seconds)

    def test_parts_sent_by_somebody_else_become_one_object_or_there_is_no_such_way(
        self, store: StorageBackend
    ) -> None:
        """Whoever has an address needs nothing else; the store copies by itself."""
        parts = store.part_uploads
        if parts is None:
            return
        content = noise(8 * 2**20 + 3)
        upload = parts.begin("uploads/clip.mp4", len(content))
        assert not store.exists("uploads/clip.mp4")
        for number, url in parts.urls(upload, [2, 1]).items():
            body = content[(number - 1) * upload.part_bytes :][: upload.part_bytes]
            plain = {"Content-Type": "application/octet-stream"}  # by default it would be a form
            asked = urllib.request.Request(url, body, plain, method="PUT")  # noqa: S310
            with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
                assert answer.status == 200
        assert parts.sizes(upload) == {1: upload.part_bytes, 2: 3}
        assert parts.finish(upload).size == len(content)
        sha256 = hashlib.sha256(content).hexdigest()
        copied = parts.take_over("uploads/clip.mp4", "videos/clip.mp4", sha256=sha256)
        assert (copied.sha256, store.digest("videos/clip.mp4")) == (sha256, sha256)
        assert store.get("videos/clip.mp4") == content
        parts.abort(upload)

    def test_the_classic_surface_works(self, store: StorageBackend) -> None:
        """Videos and labels by name."""
        store.put("videos/b.mp4", b"second")
        store.put("videos/a.mp4", b"first")
        labels = {"events": [{"time_us": 5, "type": "née"}], "author": "zoë"}
        store.write_labels("a.mp4", labels)
        assert store.list_videos() == ["a.mp4", "b.mp4"]
        assert store.read_video("a.mp4").read_bytes() == b"first"
        assert store.read_video("a.mp4").suffix == ".mp4"
        assert store.read_labels("a.mp4") == labels
        assert keys_of(store, "labels/") == ["labels/a.mp4.json"]
        assert (store.presigned_url("a.mp4", 60) is None) == (store.url_for("videos/a.mp4") is None)

    def test_video_paths_stay_until_the_store_is_closed(self, store: StorageBackend) -> None:
        """A data set reads many videos by their paths, in any order, again and again."""
        names = [f"{number}.mp4" for number in range(5)]
        for name in names:
            store.put(f"videos/{name}", name.encode())
        paths = [store.read_video(name) for name in names]
        assert [path.read_bytes() for path in paths] == [name.encode() for name in names]
        assert [store.read_video(name) for name in names] == paths
        store.put("videos/0.mp4", b"new")
        assert store.read_video("0.mp4").read_bytes() == b"new"
        with store:
            pass
        assert store.read_video("1.mp4").read_bytes() == b"1.mp4"

    def test_labels_that_are_not_there_are_an_error(self, store: StorageBackend) -> None:
        """Not an empty dictionary: no labels and no events are different things."""
        with pytest.raises(NotFoundError, match=r"labels/a\.mp4\.json"):
            store.read_labels("a.mp4")

    @pytest.mark.parametrize(
        "labels",
        [[], None, {"x": object()}, {"x": float("nan")}],
        ids=["a list", "nothing", "an object", "not a number"],
    )
    def test_labels_that_json_cannot_hold_change_nothing(
        self, store: StorageBackend, labels: dict[str, object]
    ) -> None:
        """The old labels stay."""
        store.write_labels("a", {"events": []})
        with pytest.raises(InvalidInputError, match="labels of 'a'"):
            store.write_labels("a", labels)
        assert store.read_labels("a") == {"events": []}

    @pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]"], ids=["cut", "binary", "a list"])
    def test_damaged_labels_are_an_error(self, store: StorageBackend, content: bytes) -> None:
        """Never silently empty."""
        store.put("labels/a.json", content)
        with pytest.raises(InvalidInputError, match=r"labels/a\.json"):
            store.read_labels("a")
