"""A control group with a bound on memory, for benchmarks that must live in little. Linux, as root.

with MemoryGroup("prismata-small", limit_mb=2048) as group:
    subprocess.run(group.inside(["prismata", "detect", "…"]))
    print(group.peak_mb, group.oom_kills)
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

BYTES_PER_MB = 1024 * 1024
SAMPLE_SECONDS = 0.2
_ROOT = Path("/sys/fs/cgroup")


class MemoryGroup:
    """A group of our own; everything still in it is killed at the end.

    Args:
        name: Of the group; a number is added.
        limit_mb: Memory of all processes inside together, page cache included, without swap.

    Raises:
        SystemExit: If no group can be made here; says why.
    """

    def __init__(self, name: str, *, limit_mb: int) -> None:
        self.is_version_1 = (_ROOT / "memory" / "memory.limit_in_bytes").is_file()
        root = _ROOT / "memory" if self.is_version_1 else _ROOT
        self.folder = root / f"{name}-{os.getpid()}"
        try:
            self.folder.mkdir()
            self._limit(limit_mb * BYTES_PER_MB)
        except OSError as error:
            with contextlib.suppress(OSError):
                self.folder.rmdir()
            raise SystemExit(
                f"no memory group can be made in {root} ({error.strerror}); run this as root where "
                "control groups are writable"
            ) from error
        self.peak_program_mb = 0.0
        """Most that the programs themselves held, without page cache."""
        self.peak_rss_mb: dict[str, float] = {}
        """Most that each process held, by what it is."""
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def inside(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs `command` inside from its first instruction."""
        enter = f'echo $$ > {self.folder}/cgroup.procs && exec "$@"'
        return ["/bin/sh", "-c", enter, "sh", *command]

    @property
    def oom_counter(self) -> Path:
        """The file whose `oom_kill` line counts."""
        return self.folder / ("memory.oom_control" if self.is_version_1 else "memory.events")

    @property
    def oom_kills(self) -> int:
        """Processes the kernel killed for memory inside."""
        return self._row(self.oom_counter, "oom_kill")

    @property
    def peak_mb(self) -> float:
        """Most that was charged, page cache included; it may reach the limit without harm."""
        name = "memory.max_usage_in_bytes" if self.is_version_1 else "memory.peak"
        return round(int((self.folder / name).read_text()) / BYTES_PER_MB, 1)

    def __enter__(self) -> Self:
        self._sampler.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._sampler.join()
        for _ in range(50):
            pids = self._pids()
            if not pids:
                break
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        self.folder.rmdir()

    def _limit(self, limit: int) -> None:
        if self.is_version_1:
            (self.folder / "memory.limit_in_bytes").write_text(str(limit))
            swap = self.folder / "memory.memsw.limit_in_bytes"
            if swap.is_file():
                swap.write_text(str(limit))
            return
        (self.folder / "memory.max").write_text(str(limit))
        (self.folder / "memory.swap.max").write_text("0")

    def _sample(self) -> None:
        row = "total_rss" if self.is_version_1 else "anon"
        while not self._over.wait(SAMPLE_SECONDS):
            held = self._row(self.folder / "memory.stat", row) / BYTES_PER_MB
            self.peak_program_mb = max(self.peak_program_mb, held)
            for pid in self._pids():
                with contextlib.suppress(OSError, StopIteration):
                    what, rss_mb = _describe(pid)
                    self.peak_rss_mb[what] = max(self.peak_rss_mb.get(what, 0.0), rss_mb)

    def _pids(self) -> list[int]:
        return [int(pid) for pid in (self.folder / "cgroup.procs").read_text().split()]

    @staticmethod
    def _row(path: Path, name: str) -> int:
        rows = (line.split() for line in path.read_text().splitlines())
        return next((int(row[1]) for row in rows if len(row) == 2 and row[0] == name), 0)


def _describe(pid: int) -> tuple[str, float]:
    """Return what a process is (its program's last telling word) and its resident memory in MB."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    telling = ("prismata.detection", "serving.py", "warden.py", "detect")
    what = next((mark for mark in telling if any(word.endswith(mark) for word in words)), words[0])
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    line = next(line for line in status if line.startswith("VmHWM:"))
    return what, int(line.split()[1]) / 1024
