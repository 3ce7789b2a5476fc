"""How long backup, restore and moving a storage take, and how much memory.

A catalog in SQLite with many events (as labels come in: one row and one operation each), backed up,
restored into PostgreSQL if an address is given, backed up again and restored into SQLite; then
a storage on disk that is copied to another folder. Each step is the command itself in a process of
its own, whose peak resident memory is told. Ends with one line of JSON.

    python benchmarks/operation.py [--events 200000] [--megabytes 2000] [--postgres URL]

The PostgreSQL has to be empty; what was restored stays in it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from prismata.catalog import open_catalog
from prismata.core.events import Event

EVENTS_AT_ONCE = 5000


def fill(url: str, events: int) -> None:
    """Put a hundred videos with their share of the events into a new catalog."""
    with open_catalog(url) as catalog:
        for number in range(100):
            video, _ = catalog.videos.add(
                name=f"{number}.mp4",
                storage_key=f"videos/{number}.mp4",
                sha256=f"{number:064}",
                size_bytes=1,
                container="mov,mp4",
                codec="h264",
                width=1920,
                height=1080,
                rotation=0,
                frame_count=90_000,
                duration_us=3_600_000_000,
                first_pts_us=0,
                min_step_us=40_000,
                max_step_us=40_000,
                timeline_key=f"timelines/{number}.npz",
            )
            share = events // 100
            for first in range(0, share, EVENTS_AT_ONCE):
                found = [
                    Event.point("hit", 1000 * n)
                    for n in range(first, min(share, first + EVENTS_AT_ONCE))
                ]
                catalog.events.add_annotations(video.id, "cricket", 1, found, "anna")


def run(environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    """Run a command; return how long it took and the most memory it had, in MB."""
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "prismata", *arguments, "--json"],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{arguments[0]} ended with {os.waitstatus_to_exitcode(status)}")
    scale = 1024 if sys.platform == "linux" else 1024 * 1024
    return {
        "seconds": round(time.monotonic() - begun, 1),
        "peak_rss_mb": round(usage.ru_maxrss / scale),
    }


def main() -> None:
    """Run everything and print a line for each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--megabytes", type=int, default=2000)
    parser.add_argument("--postgres", default="")
    asked = parser.parse_args()
    steps: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(f"sqlite:///{folder / 'a' / 'prismata.db'}", asked.events)
        a, b, c = ({"PRISMATA_DATA_DIR": str(folder / part)} for part in "abc")
        one, two = str(folder / "one.backup"), str(folder / "two.backup")
        steps["backup of SQLite"] = run(a, "backup", one)
        steps["backup of SQLite"]["megabytes"] = round(Path(one).stat().st_size / 1e6, 1)
        if asked.postgres:
            b["PRISMATA_DATABASE_URL"] = asked.postgres
        steps[f"restore into {'PostgreSQL' if asked.postgres else 'SQLite'}"] = run(
            b, "restore", one
        )
        steps["backup of that"] = run(b, "backup", two)
        steps["restore into SQLite"] = run(c, "restore", two)
        storage = folder / "a" / "storage" / "videos"
        storage.mkdir(parents=True, exist_ok=True)
        block = os.urandom(1_000_000)
        for number in range(4):
            with (storage / f"{number}.mp4").open("wb") as target:
                for part in range(asked.megabytes // 4):
                    target.write(part.to_bytes(8, "big") + block[8:])
        steps["move of the storage"] = run(a, "migrate-storage", "--to", str(folder / "d"))
        steps["the same again"] = run(a, "migrate-storage", "--to", str(folder / "d"))
    for step, facts in steps.items():
        print(f"{step:<26} {facts}")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"events": asked.events, "megabytes": asked.megabytes, **steps, "own": own}))


if __name__ == "__main__":
    main()
