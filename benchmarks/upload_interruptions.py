"""A large upload that is interrupted twice: is the file right, and how much does the server grow?

    python benchmarks/upload_interruptions.py --gigabytes 3

A film of a few seconds is followed by a box of noise that players pass over, so that it is a video
of any size; it is made piece by piece and never lies on disk whole. The first interruption is a
connection cut in the middle of a piece, the second is `kill -9` of the server. Printed: the digest
that was sent and the one of the stored video, resident memory of the server (`VmRSS`) before and at
its highest, and seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import socket
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
from serving import ServedWorkbench

from prismata.services.uploads import PIECE_BYTES
from prismata.testing.synth import render_flashes

UPLOAD_ID = "5" * 32
NOISE = hashlib.shake_256(b"noise").digest(PIECE_BYTES)


class LargeFilm:
    """A video of a given size, made where it is read."""

    def __init__(self, folder: Path, size: int) -> None:
        path = folder / "short.mp4"
        render_flashes(path, seconds=4, seed=1, size=(96, 64))
        short = path.read_bytes()
        padding = size - len(short)
        # ISO/IEC 14496-12, 4.2: a box whose length is above 32 bits says so after its name.
        header = (1).to_bytes(4, "big") + b"free" + padding.to_bytes(8, "big")
        self.size = size
        self._start = short + header

    def read(self, offset: int, length: int) -> bytes:
        """Return a part."""
        parts, end = [], min(self.size, offset + length)
        if offset < len(self._start):
            parts.append(self._start[offset:end])
            offset = min(end, len(self._start))
        while offset < end:
            place = offset % PIECE_BYTES
            piece = NOISE[place : place + end - offset]
            parts.append(piece)
            offset += len(piece)
        return b"".join(parts)


class Memory:
    """Watches the resident memory of the server, in MB, by process."""

    def __init__(self, served: ServedWorkbench) -> None:
        self._served = served
        self.peaks: dict[int, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            pid = self._served.process.pid
            with suppress(OSError, StopIteration):  # it is being started again
                self.peaks[pid] = max(self.peaks.get(pid, 0.0), self._served.rss_mb)

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join()


def cut_in_the_middle(served: ServedWorkbench, film: LargeFilm, offset: int) -> None:
    """Send half a piece, then let the connection go."""
    piece = film.read(offset, PIECE_BYTES)
    head = (
        f"PATCH /api/upload/{UPLOAD_ID} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"x-prismata-token: {served.token('upload', '')}\r\nupload-offset: {offset}\r\n"
        f"content-length: {len(piece)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", served.port)) as line:
        line.sendall(head.encode() + piece[: len(piece) // 2])
        time.sleep(0.3)


def announce(client: httpx.Client, served: ServedWorkbench, film: LargeFilm) -> int:
    """Return how much is there."""
    answer = client.put(
        f"{served.url}/api/upload/{UPLOAD_ID}",
        headers={"x-prismata-token": served.token("upload", "")},
        json={"name": "large.mp4", "size": film.size},
    )
    answer.raise_for_status()
    return int(answer.headers["upload-offset"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=3.0)
    parser.add_argument("--folder", type=Path, help="where the workbench lies; default: temporary")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        measure(Path(folder), int(chosen.gigabytes * 10**9))


def measure(folder: Path, size: int) -> None:
    """Send a film of this size through two interruptions."""
    film = LargeFilm(folder, size)
    sent, pieces = hashlib.sha256(), hashlib.sha256()
    for offset in range(0, size, PIECE_BYTES):
        piece = film.read(offset, PIECE_BYTES)
        sent.update(piece)
        pieces.update(hashlib.sha256(piece).digest())
    interruptions = {"cut": size // 3, "kill": 2 * size // 3}
    offsets = {}
    with ServedWorkbench(folder / "data") as served, httpx.Client(timeout=600) as client:
        announce(client, served, film)  # everything that is imported late is there
        idle = {served.process.pid: served.rss_mb}
        memory = Memory(served)
        began = time.monotonic()
        offset, sent_after = 0, 0.0
        while True:
            if "cut" in interruptions and offset >= interruptions["cut"]:
                del interruptions["cut"]
                cut_in_the_middle(served, film, offset)
                offsets["cut"] = offset = announce(client, served, film)
            if "kill" in interruptions and offset >= interruptions["kill"]:
                del interruptions["kill"]
                served.kill()
                served.start()
                offsets["kill"] = offset = announce(client, served, film)
                idle[served.process.pid] = served.rss_mb
            end = (offset // PIECE_BYTES + 1) * PIECE_BYTES
            headers = {
                "x-prismata-token": served.token("upload", ""),
                "upload-offset": str(offset),
            }
            if end >= size:
                headers["x-prismata-digest"] = pieces.hexdigest()
                sent_after = time.monotonic() - began
            answer = client.patch(
                f"{served.url}/api/upload/{UPLOAD_ID}",
                headers=headers,
                content=film.read(offset, end - offset),
            )
            answer.raise_for_status()
            if answer.status_code == 200:
                break
            offset = end
        told = answer.json()
        seconds = time.monotonic() - began
        memory.stop()
    growth = {pid: memory.peaks[pid] - idle[pid] for pid in idle}
    print(
        json.dumps(
            {
                "gigabytes": size / 1e9,
                "offset_after": offsets,
                "sha256_sent": sent.hexdigest(),
                "sha256_stored": told["sha256"],
                "is_the_same": told["sha256"] == sent.hexdigest(),
                "server_idle_mb": [round(value) for value in idle.values()],
                "server_growth_mb": [round(value, 1) for value in growth.values()],
                "seconds_sent": round(sent_after, 1),
                "seconds_in_all": round(seconds, 1),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
