"""A hundred times as much of everything: how long services and pages take then.

A catalog with one real video, its labels, a model and a detection is multiplied within SQLite, to a
hundred videos and to ten thousand, each with a hundred events. For each size the real services are
timed, then `prismata serve` is opened in a headless Chromium, page after page. Besides: one video
with ten thousand labels, a queue as long as there are videos, and a storage with as many objects.
Told are medians, and the server's memory. Ends with one line of JSON.

    python benchmarks/hundredfold.py [--videos 100,10000] [--events 100] [--no-pages]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from batch_kills import add_flashes, write_plugin
from workbench_memory import Latencies, browser_page, look_around, wait_until_up

from prismata.catalog import Offer, VideoRecord
from prismata.catalog.event_search import EventFilter
from prismata.core.events import Event
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.event_search import find_events
from prismata.services.labels import add_label
from prismata.services.library import LibraryQuery, list_library
from prismata.services.queue_view import describe_queue, look_at_queue
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.testing.private_servers import free_port
from prismata.wiring import open_workbench

DOMAIN = "flashes"
TIMES = 5
CLAIMS = 50
LEASE_SECONDS = 60.0
MANY_LABELS = 10_000


def main() -> None:
    """Measure each size and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", default="100,10000")
    parser.add_argument("--events", type=int, default=100, help="of each video")
    parser.add_argument("--no-pages", action="store_true", help="services only")
    given = parser.parse_args()
    told = {}
    for count in (int(word) for word in given.videos.split(",")):
        with tempfile.TemporaryDirectory(prefix="prismata-hundredfold-") as name:
            told[count] = measure(Path(name), count, given.events, pages=not given.no_pages)
        print(f"{count} videos: {told[count]}", flush=True)
    for what in next(iter(told.values()))["milliseconds"]:
        row = (f"{size['milliseconds'].get(what, '-'):>9}" for size in told.values())
        print(f"{what:46}", *row)
    print(json.dumps({"hundredfold": told, "load_1min": round(os.getloadavg()[0], 1)}))


def measure(folder: Path, videos: int, events: int, *, pages: bool) -> dict[str, Any]:
    """Fill a catalog and time what people and workers do with it."""
    settings = Settings(
        data_dir=folder / "data", domains_dirs=str(write_plugin(folder)), dispatcher="none"
    )
    with open_workbench(settings) as bench:
        (source,) = add_flashes(bench, folder, 1)
        template = source.video
        add_label(bench, template, DOMAIN, _label(0))
        run_detection(bench, prepare_detection(bench, DetectRequest(template.id, domain=DOMAIN)))
    database = settings.data_dir / "prismata.db"
    began = time.monotonic()
    rows = multiply(database, template.id, videos, events)
    filled = round(time.monotonic() - began, 1)
    milliseconds: dict[str, float] = {}
    with open_workbench(settings) as bench:
        milliseconds |= time_services(bench, template.id)
        print(f"{videos} videos: {milliseconds}", flush=True)
        milliseconds["store 1 label"] = time_labelling(bench, template, first=1)
        milliseconds["list the storage"] = time_listing(bench, videos)
    told: dict[str, Any] = {"rows": rows, "filled_in_seconds": filled}
    told["database_mb"] = round(database.stat().st_size / 2**20)
    if pages:
        seen, rss_mb = open_pages(settings, folder)
        milliseconds |= seen
        print(seen, flush=True)
        told["server_rss_mb"] = rss_mb
    with open_workbench(settings) as bench:
        milliseconds |= time_many_labels(bench, template.id, database)
        milliseconds |= time_queue(bench, database, videos)
    return {**told, "milliseconds": milliseconds}


def multiply(database: Path, template: str, videos: int, events: int) -> dict[str, int]:
    """Copy the video with its sheet, its run and an event until there are so many; count rows."""
    with sqlite3.connect(database) as catalog:
        catalog.execute("CREATE TEMP TABLE v (n INTEGER PRIMARY KEY)")
        catalog.executemany("INSERT INTO v VALUES (?)", ((n,) for n in range(1, videos)))
        catalog.execute("CREATE TEMP TABLE e (k INTEGER PRIMARY KEY)")
        catalog.executemany("INSERT INTO e VALUES (?)", ((k,) for k in range(events)))
        number = "printf('%032x', n)"
        _copy(
            catalog, "video", f"id = '{template}'", "v",
            {"id": number, "name": "'clip-' || printf('%05d', n) || '.mp4'",
             "sha256": "printf('%064x', n)"},
        )  # fmt: skip
        of_video = {"video_id": number}
        _copy(catalog, "label_sheet", f"video_id = '{template}'", "v", of_video)
        _copy(
            catalog, "detection_run", f"video_id = '{template}'", "v",
            {**of_video, "id": number, "job_id": "NULL"},
        )  # fmt: skip
        found = "id = (SELECT id FROM event WHERE detection_run_id IS NOT NULL LIMIT 1)"
        _copy(
            catalog, "event", found, "v, e",
            {**of_video, "id": "printf('%016x%016x', n, k)", "detection_run_id": number,
             "start_us": "k * 500000", "end_us": "k * 500000",
             "score": "0.5 + (n * 31 + k * 17) % 100 / 200.0",
             "created_at": "datetime('2026-01-01', '+' || (n * 7 % 400) || ' hours')"},
        )  # fmt: skip
        return {
            table: int(catalog.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - ours
            for table in ("video", "detection_run", "event")
        }


def time_services(bench: Workbench, video_id: str) -> dict[str, float]:
    """Return what the services behind pages take."""
    events = bench.catalog.events
    return {
        "library, first 100": _median(lambda: list_library(bench, LibraryQuery(DOMAIN))),
        "library, by part of a name": _median(
            lambda: list_library(bench, LibraryQuery(DOMAIN, text="clip-0009"))
        ),
        "all videos": _median(lambda: bench.catalog.videos.list()),
        "events, newest 50": _median(lambda: find_events(bench, EventFilter(DOMAIN))),
        "events, best 50 above 0.9": _median(
            lambda: find_events(bench, EventFilter(DOMAIN, min_score=0.9), order="score")
        ),
        "events of one video": _median(lambda: events.list(video_id=video_id)),
    }


def time_labelling(bench: Workbench, video: VideoRecord, *, first: int) -> float:
    """Return what it takes until a label is stored."""
    numbers = itertools.count(first)
    return _median(lambda: add_label(bench, video, DOMAIN, _label(next(numbers))))


def time_listing(bench: Workbench, count: int) -> float:
    """Return what a listing of so many objects takes in the local storage."""
    root = bench.settings.storage_dir / "listed"
    root.mkdir(parents=True)
    for number in range(count):
        (root / f"{number:05}.json").write_bytes(b"{}")
    return _median(lambda: sum(1 for _ in bench.storage.list("listed/")))


def open_pages(settings: Settings, folder: Path) -> tuple[dict[str, float], float]:
    """Return what each page takes in a browser, the second time, and the server's memory."""
    port = free_port()
    environment = {
        **os.environ,
        "PRISMATA_DATA_DIR": str(settings.data_dir),
        "PRISMATA_DOMAINS_DIRS": settings.domains_dirs,
        "PRISMATA_DISPATCHER": "none",
    }
    address = f"http://127.0.0.1:{port}"
    with (folder / "serve.log").open("wb") as log:
        command = [sys.executable, "-m", "prismata", "serve", "--port", str(port)]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_until_up(address, server)
        with browser_page() as page:
            look_around(page, address, Latencies())
            seen = Latencies()
            look_around(page, address, seen)
        status = Path(f"/proc/{server.pid}/status").read_text()
        rss = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    finally:
        server.kill()  # at this size it may still be at what the last page asked for
        server.wait()
    return {what: row["median_ms"] for what, row in seen.told().items()}, int(
        rss.split()[1]
    ) // 1024


def time_many_labels(bench: Workbench, video_id: str, database: Path) -> dict[str, float]:
    """Give one video ten thousand labels; return what reading them and adding one takes."""
    with sqlite3.connect(database) as catalog:
        catalog.execute("CREATE TEMP TABLE e (k INTEGER PRIMARY KEY)")
        catalog.executemany("INSERT INTO e VALUES (?)", ((k,) for k in range(MANY_LABELS)))
        one = "id = (SELECT id FROM event WHERE detection_run_id IS NULL LIMIT 1)"
        changes = {"id": "printf('a%031x', k)", "start_us": "k * 5000", "end_us": "k * 5000"}
        _copy(catalog, "event", one, "e", changes)
    video = bench.catalog.videos.get(video_id)
    labels = bench.catalog.labels
    return {
        "read 10,000 labels of a video": _median(lambda: labels.load(video_id, DOMAIN)),
        "store 1 label beside them": time_labelling(bench, video, first=100),
    }


def time_queue(bench: Workbench, database: Path, count: int) -> dict[str, float]:
    """Queue so many detections; return what looking at them and claiming one takes."""
    with sqlite3.connect(database) as catalog:
        catalog.execute("CREATE TEMP TABLE v (n INTEGER PRIMARY KEY)")
        catalog.executemany("INSERT INTO v VALUES (?)", ((n,) for n in range(1, count)))
        changes = {
            "id": "printf('b%031x', n)",
            "state": "'queued'",
            "dedupe_key": "'detect:' || n",
            "result": "NULL",
            "started_at": "NULL",
            "finished_at": "NULL",
        }
        _copy(catalog, "job", "kind = 'detect'", "v", changes)
        catalog.execute("UPDATE detection_run SET state = 'queued' WHERE job_id IS NULL")
        catalog.execute(
            "UPDATE detection_run SET job_id = 'b' || substr(id, 2) WHERE state='queued'"
        )
        catalog.execute("UPDATE detection_run SET state = 'running' WHERE state = 'queued'")
    offer, leases = Offer(("detect",)), bench.catalog.leases
    told = {"look at the queue": _median(lambda: describe_queue(look_at_queue(bench)))}
    told["ask whether something waits"] = _median(lambda: leases.has_queued(offer))
    began = time.monotonic()
    for _ in range(CLAIMS):
        leases.claim_next(offer, LEASE_SECONDS)
    told["claim 1 job"] = round(1000 * (time.monotonic() - began) / CLAIMS, 1)
    return told


def _copy(
    catalog: sqlite3.Connection, table: str, which: str, numbers: str, changes: dict[str, str]
) -> None:
    """Insert a row's copies, one for each row of `numbers`, with some columns changed."""
    columns = [row[1] for row in catalog.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(changes.get(column, f"t.{column}") for column in columns)
    catalog.execute(
        f"INSERT INTO {table} SELECT {values} "  # noqa: S608 - our own words
        f"FROM (SELECT * FROM {table} WHERE {which} LIMIT 1) AS t, {numbers}"
    )


def _label(number: int) -> Event:
    at_us = 50_000 * (number + 1)
    return Event(at_us, at_us, "flash", "point")


def _median(act: Callable[[], object]) -> float:
    """Return the median of some times, in milliseconds."""
    seconds = []
    for _ in range(TIMES):
        began = time.monotonic()
        act()
        seconds.append(time.monotonic() - began)
    return round(1000 * statistics.median(seconds), 1)


if __name__ == "__main__":
    main()
