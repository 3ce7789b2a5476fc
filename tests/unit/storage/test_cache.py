from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest

from prismata.core.errors import ConflictError, UnavailableError
from prismata.storage.base import ObjectInfo
from prismata.storage.cache import LocalCopyCache


class Remote:
    """One remote object that counts how often it is fetched."""

    def __init__(self, key: str, content: bytes, *, tells_digest: bool = True) -> None:
        sha256 = hashlib.sha256(content).hexdigest()
        self.content = content
        self.fetched = 0
        self.info = ObjectInfo(
            key, len(content), sha256 if tells_digest else None, sha256[:8], datetime.now(UTC)
        )
        self.arriving: list[bytes] = []

    def fetch(self) -> BinaryIO:
        self.fetched += 1
        return BytesIO(self.arriving.pop(0) if self.arriving else self.content)


@pytest.fixture
def cache(tmp_path: Path) -> LocalCopyCache:
    return LocalCopyCache(tmp_path / "cache", max_bytes=10_000)


def read(cache: LocalCopyCache, remote: Remote) -> bytes:
    with cache.hold(remote.info, remote.fetch) as path:
        return path.read_bytes()


def test_an_object_is_fetched_once(cache: LocalCopyCache) -> None:
    remote = Remote("videos/a.mp4", b"content")
    assert [read(cache, remote) for _ in range(3)] == [b"content"] * 3
    assert remote.fetched == 1


def test_a_copy_has_the_name_of_its_object(cache: LocalCopyCache) -> None:
    for key in ("videos/a.mp4", "b.MP4", "odd/stamp.json", "odd/copy"):
        remote = Remote(key, key.encode())
        with cache.hold(remote.info, remote.fetch) as path:
            assert path.name == key.rpartition("/")[2]
        assert read(cache, remote) == key.encode()
        assert remote.fetched == 1


@pytest.mark.parametrize("tampered", [b"CONTENT", b"longer than it was", b""])
def test_a_tampered_copy_is_fetched_again(cache: LocalCopyCache, tampered: bytes) -> None:
    remote = Remote("a", b"content")
    with cache.hold(remote.info, remote.fetch) as path:
        pass
    path.write_bytes(tampered)
    assert read(cache, remote) == b"content"
    assert remote.fetched == 2


def test_a_copy_that_somebody_deleted_is_fetched_again(cache: LocalCopyCache) -> None:
    remote = Remote("a", b"content")
    with cache.hold(remote.info, remote.fetch) as path:
        pass
    path.unlink()
    assert read(cache, remote) == b"content"


@pytest.mark.parametrize("stamp", ["", "[]", "{}", "{"])
def test_a_damaged_stamp_means_fetching_again(cache: LocalCopyCache, stamp: str) -> None:
    remote = Remote("a", b"content")
    with cache.hold(remote.info, remote.fetch) as path:
        (path.parent.parent / "stamp.json").write_text(stamp)
    assert read(cache, remote) == b"content"
    assert remote.fetched == 2


def test_rehashing_finds_what_size_and_time_hide(tmp_path: Path) -> None:
    remote = Remote("a", b"content")
    trusting, careful = (
        LocalCopyCache(tmp_path, max_bytes=100, rehash=rehash) for rehash in (False, True)
    )
    with trusting.hold(remote.info, remote.fetch) as path:
        before = path.stat().st_mtime_ns
        path.write_bytes(b"CONTENT")
        os.utime(path, ns=(before, before))
    assert read(trusting, remote) == b"CONTENT"
    assert read(careful, remote) == b"content"
    assert read(careful, remote) == b"content"
    assert remote.fetched == 2


def test_a_tampered_copy_in_use_is_replaced_without_waiting(cache: LocalCopyCache) -> None:
    remote = Remote("a", b"content")
    with cache.hold(remote.info, remote.fetch) as path:
        path.write_bytes(b"tampered!")
        assert read(cache, remote) == b"content"
        assert path.read_bytes() == b"content"


def test_another_version_is_another_copy(cache: LocalCopyCache) -> None:
    old, new = Remote("a", b"old"), Remote("a", b"new")
    with cache.hold(old.info, old.fetch) as old_path:
        assert read(cache, new) == b"new"
        assert old_path.read_bytes() == b"old"


def test_stores_that_share_a_folder_do_not_mix(tmp_path: Path) -> None:
    for namespace in ("bucket-1", "bucket-2"):
        remote = Remote("a", b"content")
        read(LocalCopyCache(tmp_path, max_bytes=100, namespace=namespace), remote)
        assert remote.fetched == 1


def test_content_that_arrives_damaged_is_fetched_once_more(cache: LocalCopyCache) -> None:
    remote = Remote("a", b"content")
    remote.arriving = [b"cOntent"]
    assert read(cache, remote) == b"content"
    assert remote.fetched == 2


@pytest.mark.parametrize("tells_digest", [True, False])
def test_content_that_keeps_arriving_damaged_is_never_handed_out(
    cache: LocalCopyCache, tells_digest: bool
) -> None:
    remote = Remote("a", b"content", tells_digest=tells_digest)
    remote.arriving = [b"cut", b"cut"]
    with pytest.raises(UnavailableError, match="arrived damaged twice"):
        read(cache, remote)
    assert cache.size_bytes() == 0
    assert read(cache, remote) == b"content"


def test_a_fetch_that_fails_leaves_nothing_and_passes_its_error(cache: LocalCopyCache) -> None:
    remote = Remote("a", b"content")

    def changed() -> BinaryIO:
        raise ConflictError("it changed")

    with pytest.raises(ConflictError, match="it changed"), cache.hold(remote.info, changed):
        pass
    assert cache.size_bytes() == 0
    assert read(cache, remote) == b"content"


def test_the_least_recently_used_copies_make_room(tmp_path: Path) -> None:
    cache = LocalCopyCache(tmp_path, max_bytes=4000)
    a, b, c, d = (Remote(name, name.encode() * 1000) for name in "abcd")
    for remote in (a, b, c, a, d):
        read(cache, remote)
        assert cache.size_bytes() <= 4000
    for remote in (a, d):
        read(cache, remote)
    assert (a.fetched, d.fetched) == (1, 1)
    read(cache, b)
    assert b.fetched == 2


def test_removed_copies_leave_no_lock_files(tmp_path: Path) -> None:
    cache = LocalCopyCache(tmp_path, max_bytes=1500)
    for name in "abcdef":
        read(cache, Remote(name, name.encode() * 1000))
    assert len(list(tmp_path.rglob("*.pin"))) == 1
    assert len(list(tmp_path.rglob("*.fill"))) == 1


def test_a_copy_in_use_is_never_removed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = LocalCopyCache(tmp_path, max_bytes=2500)
    used, other, third = (Remote(name, name.encode() * 1000) for name in "abc")
    with cache.hold(used.info, used.fetch) as path:
        read(cache, other)
        read(cache, third)
        assert path.read_bytes() == used.content
        assert other.fetched == 1
    read(cache, used)
    assert used.fetched == 1
    read(cache, other)
    assert other.fetched == 2
    assert "cache_over_bound" not in caplog.text


def test_the_bound_gives_way_to_copies_in_use_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = LocalCopyCache(tmp_path, max_bytes=1500)
    used, other = Remote("a", b"a" * 1000), Remote("b", b"b" * 1000)
    with cache.hold(used.info, used.fetch) as path:
        assert read(cache, other) == other.content
        assert path.read_bytes() == used.content
    assert "cache_over_bound" in caplog.text
    read(cache, Remote("c", b"c" * 1000))
    assert cache.size_bytes() <= 1500


HOLD = """
import hashlib, io, sys
from datetime import UTC, datetime
from pathlib import Path
from prismata.storage.base import ObjectInfo
from prismata.storage.cache import LocalCopyCache

content = b"a" * 1000
sha256 = hashlib.sha256(content).hexdigest()
info = ObjectInfo("a", 1000, sha256, sha256[:8], datetime.now(UTC))
with LocalCopyCache(Path(sys.argv[1]), max_bytes=1).hold(info, lambda: io.BytesIO(content)):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_copy_that_another_process_uses_stays_until_it_dies(tmp_path: Path) -> None:
    cache = LocalCopyCache(tmp_path, max_bytes=1500)
    used = Remote("a", b"a" * 1000)
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        read(cache, Remote("b", b"b" * 1000))
        read(cache, used)
        assert used.fetched == 0
        child.kill()
    read(cache, Remote("c", b"c" * 1000))
    read(cache, used)
    assert used.fetched == 1


def test_many_who_want_the_same_object_fetch_it_once(cache: LocalCopyCache) -> None:
    remote = Remote("a", b"content")
    together = threading.Barrier(6)

    def want(_: int) -> bytes:
        together.wait()
        return read(cache, remote)

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(want, range(6))) == {b"content"}
    assert remote.fetched == 1


def test_a_crowded_cache_never_hands_out_a_wrong_or_missing_copy(tmp_path: Path) -> None:
    cache = LocalCopyCache(tmp_path, max_bytes=2500)
    remotes = [Remote(f"{number}.bin", bytes([number]) * 1000) for number in range(6)]

    def use(number: int) -> bool:
        remote = remotes[number % len(remotes)]
        return read(cache, remote) == remote.content

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(use, range(120)))
    assert max(remote.fetched for remote in remotes) > 1


def test_what_a_killed_process_left_is_replaced(cache: LocalCopyCache) -> None:
    remote = Remote("a", b"content")
    with cache.hold(remote.info, remote.fetch) as path:
        folder = path.parent.parent
    (folder / "stamp.json").rename(folder / "stamp.json.part")
    path.unlink()
    assert read(cache, remote) == b"content"
    assert sorted(found.name for found in folder.iterdir()) == ["copy", "stamp.json"]


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = LocalCopyCache(tmp_path / "file", max_bytes=100)
    with pytest.raises(UnavailableError, match="no local copy could be kept in"):
        read(cache, Remote("a", b"content"))
