"""A large upload straight to the store, interrupted three times: is it right, and what grows?

    python benchmarks/direct_upload.py --gigabytes 3

The film of `upload_interruptions.py` goes in parts to presigned addresses of a moto S3 server,
which has a process of its own, and that needs memory for the film three times. One address is
refused like one whose time is over, the answer to one part is lost, and the workbench is killed
with `kill -9`. Printed: the digest that was sent and the one of the stored video, bytes that went
through the workbench, its resident memory (`VmRSS`) before and at its highest while parts are sent
and while the film is taken in, and seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from serving import ServedWorkbench
from upload_interruptions import UPLOAD_ID, LargeFilm, Memory

from prismata.services.uploads import PIECE_BYTES
from prismata.testing.s3_server import TEST_CREDENTIALS, Fault, LocalS3Server


class Sender:
    """Sends a film as a page does, through whatever happens."""

    def __init__(self, served: ServedWorkbench, client: httpx.Client, film: LargeFilm) -> None:
        self._served = served
        self._client = client
        self._film = film
        self.through_workbench = 0
        """Bytes that the workbench was sent."""
        self.again = 0
        """Parts that were sent once more."""

    def ask(
        self,
        method: str,
        path: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        json: object = None,
    ) -> dict[str, Any]:
        """Ask the workbench and return its JSON."""
        permission = {"x-prismata-token": self._served.token("upload", "")}
        url = f"{self._served.url}/api/upload/{UPLOAD_ID}{path}"
        request = self._client.build_request(
            method, url, headers={**permission, **(headers or {})}, json=json
        )
        self.through_workbench += len(request.content)
        answer = self._client.send(request)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    def announce(self) -> Mapping[str, Any]:
        """Return which parts are there and where the next ones go."""
        hello = {"name": "large.mp4", "size": self._film.size, "direct": True}
        told: Mapping[str, Any] = self.ask("PUT", json=hello)["direct"]
        return told

    def send(self, told: Mapping[str, Any]) -> int:
        """Send parts to their addresses until one fails; return how many arrived."""
        size = int(told["part_bytes"])
        for sent, (number, url) in enumerate(told["urls"].items()):
            part = self._film.read((int(number) - 1) * size, size)
            try:
                answer = self._client.put(url, content=part)
            except httpx.TransportError:
                self.again += 1
                return sent
            if answer.status_code != 200:
                self.again += 1
                return sent
        return len(told["urls"])


def main() -> None:
    """Measure and print, or be the store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=3.0)
    parser.add_argument("--folder", type=Path, help="where the workbench lies; default: temporary")
    parser.add_argument("--store", type=int, default=0, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.store:
        be_the_store(chosen.store)
        return
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        measure(Path(folder), int(chosen.gigabytes * 10**9))


def be_the_store(parts: int) -> None:
    """Serve a bucket until killed; refuse one part, lose the answer to another."""
    puts = 0

    def fault(method: str, path: str) -> Fault:
        nonlocal puts
        if method != "PUT" or "/uploads/" not in path:
            return ""
        puts += 1
        return {parts // 4: "denied", parts // 2: "lost"}.get(puts, "")  # type: ignore[return-value]

    server = LocalS3Server()
    with server.running():
        bucket = server.make_bucket()
        server.fault = fault
        sys.stdout.write(f"{server.endpoint_url} {bucket}\n")
        sys.stdout.flush()
        sys.stdin.read()


@contextmanager
def store(parts: int) -> Iterator[tuple[str, str]]:
    """Run the store in a process of its own; yield address and bucket."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--store", str(parts)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | TEST_CREDENTIALS,
        text=True,
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        url, bucket = process.stdout.readline().split()
        yield url, bucket
    finally:
        process.kill()
        process.wait()


def measure(folder: Path, size: int) -> None:
    """Send a film of this size through three interruptions."""
    film = LargeFilm(folder, size)
    sent, pieces = hashlib.sha256(), hashlib.sha256()
    for offset in range(0, size, PIECE_BYTES):
        piece = film.read(offset, PIECE_BYTES)
        sent.update(piece)
        pieces.update(hashlib.sha256(piece).digest())
    parts = -(-size // PIECE_BYTES)
    with store(parts) as (url, bucket):
        os.environ.update(TEST_CREDENTIALS)
        os.environ["PRISMATA_STORAGE_BACKEND"] = "s3"
        os.environ["PRISMATA_S3_BUCKET"] = bucket
        os.environ["PRISMATA_S3_ENDPOINT_URL"] = url
        with ServedWorkbench(folder / "data") as served, httpx.Client(timeout=900) as client:
            print(json.dumps(_send(served, client, film, pieces.hexdigest(), sent), indent=1))


def _send(
    served: ServedWorkbench,
    client: httpx.Client,
    film: LargeFilm,
    digest: str,
    sent: hashlib._Hash,
) -> dict[str, Any]:
    sender = Sender(served, client, film)
    told = sender.announce()
    idle = {served.process.pid: served.rss_mb}
    memory = Memory(served)
    began = time.monotonic()
    is_killed = False
    while told["urls"]:
        sender.send(told)
        if not is_killed and len(told["done"]) > 2 * told["count"] // 3:
            is_killed = True
            served.kill()
            served.start()
            told = sender.announce()
            idle[served.process.pid] = served.rss_mb
        else:
            told = sender.ask("GET", "/parts")
    seconds_sent = time.monotonic() - began
    while_sent = dict(memory.peaks)
    done = sender.ask("POST", "/parts", headers={"x-prismata-digest": digest})
    seconds = time.monotonic() - began
    memory.stop()
    return {
        "gigabytes": film.size / 1e9,
        "parts": told["count"],
        "sent_again": sender.again,
        "megabytes_through_the_workbench": round(sender.through_workbench / 1e6, 3),
        "sha256_sent": sent.hexdigest(),
        "sha256_stored": done["sha256"],
        "is_the_same": done["sha256"] == sent.hexdigest(),
        "workbench_idle_mb": [round(value) for value in idle.values()],
        "growth_while_sent_mb": [round(while_sent[pid] - idle[pid], 1) for pid in idle],
        "growth_in_all_mb": [round(memory.peaks[pid] - idle[pid], 1) for pid in idle],
        "seconds_sent": round(seconds_sent, 1),
        "seconds_in_all": round(seconds, 1),
    }


if __name__ == "__main__":
    main()
