from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest

from prismata.core.errors import InvalidInputError, NotFoundError, UnavailableError
from prismata.storage.local import LocalStorage


@pytest.fixture
def store(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "storage")


def keys_of(store: LocalStorage) -> list[str]:
    return [info.key for info in store.list()]


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )


def test_an_object_is_a_plain_file_with_its_own_name(store: LocalStorage) -> None:
    store.put("videos/clip.mp4", b"x")
    assert (store.root / "videos" / "clip.mp4").read_bytes() == b"x"
    with store.local_copy("videos/clip.mp4") as path:
        assert path == store.root / "videos" / "clip.mp4"


def test_a_file_copied_there_by_hand_is_an_object(store: LocalStorage) -> None:
    (store.root / "videos").mkdir()
    (store.root / "videos" / "clip.mp4").write_bytes(b"by hand")
    assert store.get("videos/clip.mp4") == b"by hand"
    assert store.list_videos() == ["clip.mp4"]


def test_a_file_whose_name_is_no_key_is_skipped_and_logged(
    store: LocalStorage, caplog: pytest.LogCaptureFixture
) -> None:
    (store.root / "back\\slash").write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(store.root) + b"/not-utf8-\xff")).write_bytes(b"x")
    store.put("good", b"x")
    assert keys_of(store) == ["good"]
    assert caplog.text.count("file_skipped") == 2


@pytest.mark.parametrize("link", ["folder", "file", "inside", "loop"])
def test_no_operation_follows_a_link(
    store: LocalStorage, tmp_path: Path, caplog: pytest.LogCaptureFixture, link: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    store.put("inside/secret", b"inside")
    key = "trap/secret" if link in ("folder", "inside") else "trap"
    target = {
        "folder": outside,
        "file": outside / "secret",
        "inside": store.root / "inside",
        "loop": store.root / "trap",
    }
    (store.root / "trap").symlink_to(target[link])
    for ask in (
        lambda: store.get(key),
        lambda: store.put(key, b"overwritten"),
        lambda: store.delete(key),
        lambda: store.stat(key),
        lambda: store.exists(key),
        lambda: store.local_copy(key).__enter__(),
    ):
        with pytest.raises(InvalidInputError, match="passes through a link"):
            ask()
    assert keys_of(store) == ["inside/secret"]
    assert "link_skipped key=trap" in caplog.text
    assert (outside / "secret").read_bytes() == b"secret"
    assert (store.root / "inside" / "secret").read_bytes() == b"inside"


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    LocalStorage(tmp_path / "link").put("a/b", b"x")
    assert (tmp_path / "real" / "a" / "b").read_bytes() == b"x"


def test_an_object_cannot_lie_below_another(store: LocalStorage) -> None:
    store.put("a/b", b"x")
    with pytest.raises(InvalidInputError, match="below another object"):
        store.put("a/b/c", b"y")
    with pytest.raises(InvalidInputError, match="other objects lie below it"):
        store.put("a", b"y")
    with pytest.raises(NotFoundError):
        store.get("a/b/c")
    store.delete("a/b/c")
    assert store.get("a/b") == b"x"
    assert keys_of(store) == ["a/b"]


def test_a_folder_that_becomes_empty_goes(store: LocalStorage) -> None:
    store.put("a/b/c/d", b"x")
    store.put("a/e", b"x")
    store.delete("a/b/c/d")
    assert not (store.root / "a" / "b").exists()
    store.delete("a/e")
    assert not (store.root / "a").exists()
    assert store.root.is_dir()


def test_an_opened_object_is_read_to_its_end_after_a_put(store: LocalStorage) -> None:
    store.put("k", b"old version")
    with store.open("k") as stream:
        store.put("k", b"new")
        assert stream.read() == b"old version"


def test_a_new_version_is_later_even_if_the_clock_was_set_back(store: LocalStorage) -> None:
    store.put("k", b"old")
    future = time.time_ns() + 10**15
    os.utime(store.root / "k", ns=(future, future))
    before = store.stat("k")
    after = store.put("k", b"new")
    assert after.etag != before.etag
    assert (store.root / "k").stat().st_mtime_ns > future
    assert store.stat("k").etag == after.etag


def test_an_edit_by_hand_is_another_version(store: LocalStorage) -> None:
    before = store.put("k", b"old")
    (store.root / "k").write_bytes(b"new")
    assert store.stat("k").etag != before.etag


def test_other_users_may_read_as_the_umask_says(store: LocalStorage) -> None:
    store.put("k", b"x")
    (store.root / "plain").write_bytes(b"x")
    assert (store.root / "k").stat().st_mode == (store.root / "plain").stat().st_mode


KILLED = """
import os, signal, sys
from prismata.storage.local import LocalStorage

class Source:
    reads = 0
    def read(self, size):
        self.reads += 1
        if self.reads == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return b"n" * size

LocalStorage(sys.argv[1]).put("k", Source())
"""


def test_a_killed_writer_leaves_the_old_object_and_a_leftover_that_can_be_removed(
    store: LocalStorage,
) -> None:
    store.put("k", b"old")
    assert run_python(KILLED, str(store.root)).returncode == -signal.SIGKILL
    assert store.get("k") == b"old"
    assert keys_of(store) == ["k"]
    (part,) = store.root.glob("*.part")
    assert part.stat().st_size >= 1_000_000
    assert store.remove_leftovers() == 0
    assert store.remove_leftovers(older_than_seconds=-60) == 1
    assert not part.exists()
    store.put("k", b"new")
    assert keys_of(store) == ["k"]


FULL = """
import resource, sys
from prismata.core.errors import UnavailableError
from prismata.storage.local import LocalStorage

store = LocalStorage(sys.argv[1])
store.put("k", b"old")
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    store.put("k", b"n" * 5_000_000)
except UnavailableError as error:
    print(error)
print(store.get("k"), [info.key for info in store.list()], len(list(store.root.iterdir())))
"""


def test_a_disk_that_takes_no_more_leaves_the_old_object(store: LocalStorage) -> None:
    answer = run_python(FULL, str(store.root))
    assert answer.stdout.splitlines() == [
        "could not store 'k': File too large",
        "b'old' ['k'] 2",
    ], answer.stderr


APPEND = """
import sys
from prismata.core.errors import ConflictError
from prismata.storage.local import LocalStorage

store = LocalStorage(sys.argv[1])
for turn in range(20):
    while True:
        etag = store.stat("log").etag
        content = store.get("log")
        try:
            store.put("log", content + f"{sys.argv[2]}:{turn} ".encode(), if_match=etag)
            break
        except ConflictError:
            pass
"""


def test_processes_that_change_one_object_lose_nothing(store: LocalStorage) -> None:
    store.put("log", b"")
    children = [
        subprocess.Popen([sys.executable, "-c", APPEND, str(store.root), str(number)])
        for number in range(3)
    ]
    assert [child.wait() for child in children] == [0, 0, 0]
    expected = sorted(f"{number}:{turn}" for number in range(3) for turn in range(20))
    assert sorted(store.get("log").decode().split()) == expected


def test_a_root_that_cannot_be_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnavailableError, match=r"use the storage folder .*file"):
        LocalStorage(tmp_path / "file")


def test_a_root_that_vanished_is_empty_and_comes_back(store: LocalStorage) -> None:
    store.root.rmdir()
    assert keys_of(store) == []
    assert not store.exists("k")
    store.put("k", BytesIO(b"x"))
    assert store.get("k") == b"x"


def test_something_that_is_neither_bytes_nor_a_stream_is_refused(store: LocalStorage) -> None:
    with pytest.raises(InvalidInputError, match="a str cannot be stored"):
        store.put("k", "text")  # type: ignore[arg-type]
    assert keys_of(store) == []


def test_a_file_that_cannot_be_read_is_refused(store: LocalStorage, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read"):
        store.put_file("k", tmp_path)


def test_it_says_where_it_is(store: LocalStorage) -> None:
    assert repr(store) == f"LocalStorage({str(store.root)!r})"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "the operating system denies it"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_the_reason_why_the_disk_refuses_is_told(
    store: LocalStorage, monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    store.put("k", b"old")

    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(UnavailableError, match=f"could not store 'k': {told}"):
        store.put("k", b"new")
    assert store.get("k") == b"old"
    assert not list(store.root.glob("*.part"))


def test_a_file_system_that_cannot_flush_folders_is_good_enough(
    store: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def flush(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(errno.EINVAL, "not for folders")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", flush)
    store.put("k", b"x")
    assert store.get("k") == b"x"


def test_versions_differ_where_times_are_kept_to_two_seconds(
    store: LocalStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, tick = os.utime, 2 * 10**9

    def coarse(path: Path, ns: tuple[int, int]) -> None:
        real(path, ns=(ns[0] // tick * tick, ns[1] // tick * tick))

    monkeypatch.setattr(os, "utime", coarse)
    times = []
    for number in range(5):
        store.put("k", str(number).encode())
        times.append((store.root / "k").stat().st_mtime_ns)
    assert times == sorted(set(times))
