"""Server memory while five clients scrub a 2 GB video.

Each client behaves like a browser's player: an open-ended range at a random place, read until the
next wish comes; `--clients` of them at once. Prints the server's resident memory before, during
and after, and as the last line everything as JSON.

    python benchmarks/scrubbing_memory.py [--seconds 60] [--gigabytes 2]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from serving import DOMAINS, ServedWorkbench

from prismata.services.ingest import ingest_file
from prismata.settings import Settings
from prismata.wiring import open_workbench

SIZE = (1280, 720)
CLIENTS = 5


def write_large_video(path: Path, size_bytes: int) -> None:
    """Write noise that hardly compresses, encoded once and repeated until the size is reached."""
    import av

    piece = path.with_name("piece.mp4")
    rng = np.random.default_rng(3)
    with av.open(str(piece), "w") as target:
        options = {"preset": "ultrafast", "crf": "12", "g": "30", "bf": "0"}
        stream = target.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for _ in range(90):
            image = rng.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        target.mux(stream.encode(None))
    with av.open(str(path), "w", options={"movflags": "faststart"}) as target:
        offset = 0
        out = None
        while offset == 0 or _size(path) < size_bytes:
            with av.open(str(piece)) as source:
                track = source.streams.video[0]
                out = out or target.add_stream_from_template(track)
                length = 0
                for packet in source.demux(track):
                    if packet.pts is None or packet.dts is None or packet.duration is None:
                        continue
                    length = max(length, packet.pts + packet.duration)
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = out
                    target.mux(packet)
                offset += length
    piece.unlink()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def scrub(url: str, token: str, size: int, stop: threading.Event, counts: list[int]) -> None:
    """Ask for random places until told to stop, as a player that is being dragged."""
    rng = random.Random(size + threading.get_ident())  # noqa: S311 - places to seek to
    with httpx.Client(timeout=30) as client:
        while not stop.is_set():
            headers = {"range": f"bytes={rng.randrange(size)}-"}
            with client.stream("GET", url, params={"token": token}, headers=headers) as answer:
                answer.raise_for_status()
                wanted = rng.randrange(64 * 1024, 4 * 2**20)
                got = 0
                for part in answer.iter_bytes(64 * 1024):
                    got += len(part)
                    if got >= wanted or stop.is_set():
                        break
                counts.append(got)


def measure(folder: Path, *, seconds: float, gigabytes: float) -> dict[str, Any]:
    """Make the video, serve it, scrub it."""
    file = folder / "large.mp4"
    write_large_video(file, int(gigabytes * 1e9))
    data = folder / "data"
    with open_workbench(Settings(data_dir=data, domains_dirs=str(DOMAINS))) as bench:
        video = ingest_file(bench, file).video
    if video is None:
        raise SystemExit("the large video was not taken in")
    file.unlink()
    with ServedWorkbench(data) as served:
        url, token = f"{served.url}/api/video/{video.id}", served.token("video", video.id)
        # One answer first: what every server loads on its first request is not scrubbing.
        httpx.get(url, params={"token": token}, headers={"range": "bytes=0-99"}).raise_for_status()
        before = served.rss_mb
        stop, counts = threading.Event(), list[int]()
        arguments = (url, token, video.size_bytes, stop, counts)
        clients = [threading.Thread(target=scrub, args=arguments) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        samples = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(0.25)
            samples.append(served.rss_mb)
        stop.set()
        for client in clients:
            client.join()
        after = served.rss_mb
    return {
        "video_gb": round(video.size_bytes / 1e9, 2),
        "clients": CLIENTS,
        "seconds": seconds,
        "requests": len(counts),
        "read_gb": round(sum(counts) / 1e9, 2),
        "rss_before_mb": round(before, 1),
        "rss_peak_mb": round(max(samples), 1),
        "rss_after_mb": round(after, 1),
        "growth_mb": round(max(samples) - before, 1),
        "load": round(os.getloadavg()[0], 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="prismata-scrub-") as folder:
        found = measure(Path(folder), seconds=chosen.seconds, gigabytes=chosen.gigabytes)
    print(
        f"{found['video_gb']} GB, {found['clients']} clients, {found['requests']} requests, "
        f"{found['read_gb']} GB read in {found['seconds']:.0f} s: server memory "
        f"{found['rss_before_mb']} MB before, at most {found['rss_peak_mb']} MB "
        f"(+{found['growth_mb']} MB), {found['rss_after_mb']} MB after"
    )
    print(json.dumps({"scrubbing_memory": found}))


if __name__ == "__main__":
    main()
