"""Promises of every storage backend about writing: all at once, conditions, several writers.

Part of `StorageContract`; a backend's author inherits that one.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from prismata.core.errors import ConflictError, InvalidInputError
from prismata.storage.base import StorageBackend

MEGABYTE = 1_000_000
BIG = 20 * MEGABYTE
WRITERS = 8
APPENDS = 5


class BrokenSource:
    """A binary source that yields `content` and then fails, like a connection that went away."""

    def __init__(self, content: bytes) -> None:
        self._stream = BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        """Return what is left, then fail."""
        chunk = self._stream.read(size)
        if not chunk:
            raise OSError("the source went away")
        return chunk


def broken(content: bytes) -> BinaryIO:
    """Return a source that fails after `content`."""
    return cast("BinaryIO", BrokenSource(content))


def noise(size: int, seed: int = 7) -> bytes:
    """Return reproducible bytes that no compression and no repetition can fake."""
    return random.Random(seed).randbytes(size)  # noqa: S311  # test data, not a secret


def keys_of(store: StorageBackend, prefix: str = "") -> list[str]:
    """Return the keys in the order in which they are listed."""
    return [info.key for info in store.list(prefix)]


class WritingPromises:
    """A put happens completely or not at all, whoever else writes."""

    def test_the_last_put_wins(self, store: StorageBackend) -> None:
        """A put replaces, also by something shorter."""
        store.put("k", b"the first and longer content")
        store.put("k", b"second")
        assert store.get("k") == b"second"
        assert keys_of(store) == ["k"]

    @pytest.mark.parametrize("size", [100, 12 * MEGABYTE], ids=["small", "large"])
    def test_a_failed_put_leaves_the_old_object(self, store: StorageBackend, size: int) -> None:
        """No lost objects: the source's own error arrives, and the old content stays."""
        before = store.put("k", b"old")
        with pytest.raises(OSError, match="went away"):
            store.put("k", broken(noise(size)))
        assert store.get("k") == b"old"
        assert store.stat("k").etag == before.etag

    @pytest.mark.parametrize("size", [0, 100, 12 * MEGABYTE], ids=["none", "small", "large"])
    def test_a_failed_put_leaves_no_half_object(self, store: StorageBackend, size: int) -> None:
        """No half objects: neither readable nor listed."""
        with pytest.raises(OSError, match="went away"):
            store.put("videos/k", broken(noise(size)))
        assert not store.exists("videos/k")
        assert keys_of(store) == []

    def test_a_transfer_that_is_stopped_leaves_the_old_object(
        self, store: StorageBackend, tmp_path: Path
    ) -> None:
        """A progress callback may stop a large transfer in its middle."""
        store.put("k", b"old")
        (tmp_path / "big").write_bytes(noise(BIG))
        seen: list[int] = []

        def stop_midway(done: int, total: int) -> None:
            seen.append(done)
            if done >= total // 3:
                raise RuntimeError("stopped by the user")

        with pytest.raises(RuntimeError, match="stopped by the user"):
            store.put_file("k", tmp_path / "big", progress=stop_midway)
        assert 0 < seen[-1] < BIG
        assert store.get("k") == b"old"
        assert store.remove_leftovers(older_than_seconds=-60) == 0

    def test_the_etag_tells_versions_of_one_size_apart(self, store: StorageBackend) -> None:
        """However quickly they follow each other."""
        etags = [store.put("k", f"{number:02}".encode()).etag for number in range(20)]
        assert len(set(etags)) == 20

    def test_create_only_refuses_to_replace(self, store: StorageBackend) -> None:
        """`if_absent` stores once."""
        store.put("k", b"first", if_absent=True)
        with pytest.raises(ConflictError, match="exists already"):
            store.put("k", b"second", if_absent=True)
        assert store.get("k") == b"first"
        store.delete("k")
        store.put("k", b"third", if_absent=True)
        assert store.get("k") == b"third"

    def test_replace_only_refuses_another_version(self, store: StorageBackend) -> None:
        """`if_match` replaces what the writer has read, nothing else."""
        first = store.put("k", b"first")
        second = store.put("k", b"second", if_match=first.etag)
        with pytest.raises(ConflictError, match="changed or deleted"):
            store.put("k", b"third", if_match=first.etag)
        assert store.get("k") == b"second"
        store.delete("k")
        with pytest.raises(ConflictError, match="changed or deleted"):
            store.put("k", b"fourth", if_match=second.etag)
        assert not store.exists("k")

    def test_conditions_hold_for_large_files_too(
        self, store: StorageBackend, tmp_path: Path
    ) -> None:
        """An upload in parts decides at its end as strictly as one request."""
        (tmp_path / "big").write_bytes(noise(BIG))
        first = store.put_file("k", tmp_path / "big", if_absent=True)
        with pytest.raises(ConflictError):
            store.put_file("k", tmp_path / "big", if_absent=True)
        store.put("k", b"small", if_match=first.etag)
        with pytest.raises(ConflictError):
            store.put_file("k", tmp_path / "big", if_match=first.etag)
        assert store.get("k") == b"small"

    @pytest.mark.parametrize("condition", ["if_absent", "if_match"])
    def test_a_change_during_a_large_put_is_noticed(
        self, store: StorageBackend, tmp_path: Path, condition: str
    ) -> None:
        """A look before the transfer is not enough: the end decides."""
        (tmp_path / "big").write_bytes(noise(BIG))
        etag = None if condition == "if_absent" else store.put("k", b"mine").etag
        theirs: list[str] = []

        def get_there_first(*_: int) -> None:
            if not theirs:
                theirs.append(store.put("k", b"theirs").etag)

        with pytest.raises(ConflictError):
            store.put_file(
                "k",
                tmp_path / "big",
                if_absent=etag is None,
                if_match=etag,
                progress=get_there_first,
            )
        assert store.get("k") == b"theirs"
        assert store.remove_leftovers(older_than_seconds=-60) == 0

    def test_both_conditions_at_once_make_no_sense(self, store: StorageBackend) -> None:
        """Something cannot be absent and have a version."""
        with pytest.raises(InvalidInputError, match="both"):
            store.put("k", b"x", if_absent=True, if_match="1")

    def test_two_writers_at_once_leave_one_whole_object(self, store: StorageBackend) -> None:
        """Readers see one writer's content or the other's, never a mixture."""
        contents = {noise(2 * MEGABYTE, seed) for seed in (1, 2)}
        store.put("k", next(iter(contents)))
        with ThreadPoolExecutor(3) as pool:
            writes = [pool.submit(store.put, "k", content) for content in [*contents] * 3]
            seen = [store.get("k") for _ in range(4)]
            for write in writes:
                write.result()
        assert {*seen, store.get("k")} <= contents

    def test_one_of_eight_creators_wins(self, store: StorageBackend) -> None:
        """The others learn that they did not."""

        def create(number: int) -> bytes:
            content = f"writer {number}".encode()
            try:
                store.put("race", content, if_absent=True)
            except ConflictError:
                return b""
            return content

        with ThreadPoolExecutor(WRITERS) as pool:
            winners = [content for content in pool.map(create, range(WRITERS)) if content]
        assert winners == [store.get("race")]

    def test_no_update_of_eight_writers_is_lost(self, store: StorageBackend) -> None:
        """Read, append, put with `if_match`, again after a conflict: every line is kept."""
        store.put("log", b"")

        def append(number: int) -> None:
            for turn in range(APPENDS):
                for _ in range(10_000):
                    etag = store.stat("log").etag
                    text = store.get("log")
                    try:
                        store.put("log", text + f"{number}:{turn}\n".encode(), if_match=etag)
                    except ConflictError:
                        continue
                    break

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(append, range(WRITERS)))
        lines = store.get("log").decode().split()
        assert sorted(lines) == sorted(f"{n}:{t}" for n in range(WRITERS) for t in range(APPENDS))
