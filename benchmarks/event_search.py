"""How long a page of found events takes among a million, on SQLite and PostgreSQL.

Fills a catalog with invented events of 2,000 videos in three domains and asks for pages as people
do: the newest, the least sure of one type, those nobody has judged, one reviewer's, a part of a
video's name, long ones, a week, and rare combinations; first pages, pages far behind, and counts.

    python benchmarks/event_search.py --postgres postgresql://postgres@127.0.0.1:5432/test
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import create_engine, insert, make_url, text

from prismata.catalog import Catalog, open_catalog
from prismata.catalog.event_search import EventFilter, EventOrder
from prismata.catalog.schema import EventRow, VideoRow

VIDEOS = 2_000
DOMAINS = {"cricket": ("delivery", "wicket"), "falls": ("fall",), "warehouse": ("drop", "pass")}
REVIEWERS = ("anna", "ben", "Zoë")
AT_ONCE = 20_000
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 300
FAR_PAGES = 20
BAR_MS = 300

SEARCHES: dict[str, tuple[EventFilter, EventOrder]] = {
    "newest of all": (EventFilter(), "newest"),
    "least sure of a type": (
        EventFilter("cricket", "wicket", origin="detection", review_state="none"),
        "unsure",
    ),
    "surest nobody has judged": (EventFilter(review_state="none"), "score"),
    "rejected": (EventFilter(review_state="rejected"), "newest"),
    "one reviewer's": (EventFilter(reviewer="Zoë"), "newest"),
    "one video": (EventFilter(video="clip-01234"), "newest"),
    "part of names": (EventFilter(video="-0077"), "newest"),
    "long ones": (EventFilter("warehouse", min_seconds=40.0), "newest"),
    "one week": (
        EventFilter("falls", since="2026-03-01", until="2026-03-08"),
        "newest",
    ),
    "doubtful of one week": (
        EventFilter(min_score=0.4, max_score=0.42, since="2026-03-01", until="2026-03-08"),
        "unsure",
    ),
    "accepted, short, by one": (
        EventFilter("cricket", review_state="accepted", reviewer="ben", max_seconds=0.5),
        "newest",
    ),
    "nothing fits": (EventFilter("falls", reviewer="nobody"), "newest"),
}


def main() -> None:
    """Fill both databases, ask, print the table."""
    arguments = _parse()
    rows = []
    with tempfile.TemporaryDirectory(prefix="prismata-events-") as folder:
        addresses = {"SQLite": f"sqlite:///{Path(folder) / 'catalog.db'}"}
        with _schema(arguments.postgres) as postgres:
            if postgres:
                addresses["PostgreSQL"] = postgres
            for name, address in addresses.items():
                with open_catalog(address) as catalog:
                    seconds = fill(catalog, address, arguments.events, arguments.seed)
                    print(f"{name}: {arguments.events} events written in {seconds:.0f} s")
                    rows += [{"database": name, **row} for row in ask(catalog, arguments.rounds)]
    table = _table(rows)
    print(table)
    if arguments.save:
        _save(table, arguments.events, rows)
    print(json.dumps({"event_search": [_plain(row) for row in rows]}))


@contextmanager
def _schema(address: str) -> Iterator[str]:
    """Make a schema of its own on the server and drop it at the end; empty = no server."""
    if not address:
        yield ""
        return
    name = f"prismata_bench_{uuid4().hex[:12]}"
    server = create_engine(make_url(address).set(drivername="postgresql+psycopg"))
    with server.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    try:
        inside = {"options": f"-csearch_path={name}"}
        url = make_url(address).set(drivername="postgresql").update_query_dict(inside)
        yield url.render_as_string(hide_password=False)
    finally:
        with server.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        server.dispose()


def fill(catalog: Catalog, address: str, events: int, seed: int) -> float:
    """Write videos and events past the repositories, in bulk; return the seconds it took."""
    started = time.perf_counter()
    driver = "postgresql+psycopg" if address.startswith("postgresql") else "sqlite"
    engine = create_engine(make_url(address).set(drivername=driver))
    dice = random.Random(seed)  # noqa: S311 - invented data
    videos = [_video(number) for number in range(VIDEOS)]
    with engine.begin() as connection:
        connection.execute(insert(VideoRow), videos)
    model = catalog.models.add(
        name="m", domain="cricket", domain_version=1, bundle_key="m/", kind="bundle", card={}
    )
    runs = [
        catalog.detections.start(
            video_id=str(video["id"]), model_id=model.id, job_id=None, settings={}
        )
        for video in videos[:20]
    ]
    with engine.begin() as connection:
        for start in range(0, events, AT_ONCE):
            count = min(AT_ONCE, events - start)
            rows = [_event(dice, videos, model.id, runs) for _ in range(count)]
            connection.execute(insert(EventRow), rows)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()
    return time.perf_counter() - started


def _video(number: int) -> dict[str, Any]:
    name = f"clip-{number:05d}.mp4"
    return {
        "id": f"v{number:05d}",
        "name": name,
        "storage_key": f"videos/{name}",
        "sha256": f"{number:064x}",
        "size_bytes": 1,
        "container": "mp4",
        "codec": "h264",
        "width": 1280,
        "height": 720,
        "rotation": 0,
        "frame_count": 90_000,
        "duration_us": 3_600_000_000,
        "first_pts_us": 0,
        "min_step_us": 40_000,
        "max_step_us": 40_000,
        "timeline_key": f"timelines/{name}",
        "group_name": name,
        "domain": "",
        "notes": [],
        "created_at": FIRST_DAY,
    }


def _event(
    dice: random.Random, videos: Sequence[dict[str, Any]], model_id: str, runs: Sequence[Any]
) -> dict[str, Any]:
    domain = dice.choice(list(DOMAINS))
    start = dice.randrange(3_500_000_000)
    length = 0 if domain == "falls" else int(min(60.0, dice.expovariate(1 / 4)) * 1e6) + 1
    is_found = dice.random() < 0.8
    state = dice.choices(
        ("none", "accepted", "rejected", "corrected", "unsure"), (70, 15, 10, 3, 2)
    )[0]
    at = FIRST_DAY + timedelta(seconds=dice.random() * DAYS * 86_400)
    return {
        "id": uuid4().hex,
        "video_id": dice.choice(videos)["id"],
        "domain": domain,
        "domain_version": 1,
        "start_us": start,
        "end_us": start + length,
        "length_us": length,
        "event_type": dice.choice(DOMAINS[domain]),
        "kind": "segment" if length else "point",
        "score": dice.random() if is_found else None,
        "origin": "detection" if is_found else "annotation",
        "author": "" if is_found else "anna",
        "model_id": model_id if is_found else None,
        "detection_run_id": dice.choice(runs).id if is_found else None,
        "review_state": state,
        "reviewer": "" if state == "none" else dice.choice(REVIEWERS),
        "provisional": False,
        "attributes": {},
        "created_at": at,
        "updated_at": at,
        "revision": 1,
    }


def ask(catalog: Catalog, rounds: int) -> list[dict[str, Any]]:
    """Ask each question several times; return its times in milliseconds."""
    rows = []
    for name, (wanted, order) in SEARCHES.items():
        first, far, count, found = [], [], [], 0
        for _ in range(rounds):
            started = time.perf_counter()
            page = catalog.event_search.find(wanted, order=order)
            first.append((time.perf_counter() - started) * 1000)
            started = time.perf_counter()
            found = catalog.event_search.count(wanted)
            count.append((time.perf_counter() - started) * 1000)
            for _ in range(FAR_PAGES):
                if not page.next_page:
                    break
                started = time.perf_counter()
                page = catalog.event_search.find(wanted, order=order, page=page.next_page)
                far.append((time.perf_counter() - started) * 1000)
        rows.append(
            {"search": name, "found": found, "first": first, "following": far, "count": count}
        )
    return rows


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    times = {f"{name}_p95_ms": round(p95(row[name]), 1) for name in ("first", "following", "count")}
    return {"database": row["database"], "search": row["search"], "found": row["found"], **times}


def p95(values: Sequence[float]) -> float:
    """Return the value that 95 of 100 do not exceed."""
    return (
        statistics.quantiles(values, n=20, method="inclusive")[-1]
        if len(values) > 1
        else (values[0] if values else 0.0)
    )


def _table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| database | search | found | first page, median | p95 | following pages, p95 | "
        "count, p95 |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        times = [statistics.median(row["first"]), *map(p95, (row["first"], row["following"]))]
        cells = [f"{value:.1f} ms" for value in (*times, p95(row["count"]))]
        lines.append(
            f"| {row['database']} | {row['search']} | {row['found']} | " + " | ".join(cells) + " |"
        )
    for database in dict.fromkeys(row["database"] for row in rows):
        mine = [row for row in rows if row["database"] == database]
        pages = [value for row in mine for value in (*row["first"], *row["following"])]
        counts = [value for row in mine for value in row["count"]]
        verdict = "under" if p95(pages) <= BAR_MS else "OVER"
        lines.append(
            f"| {database} | **all pages** | | {statistics.median(pages):.1f} ms | "
            f"**{p95(pages):.1f} ms** ({verdict} {BAR_MS}) | | {p95(counts):.1f} ms |"
        )
    return "\n".join(lines)


def _save(table: str, events: int, rows: Sequence[dict[str, Any]]) -> None:
    rounds = len(rows[0]["first"])
    path = Path(__file__).parent / "results" / "event_search.md"
    path.write_text(
        f"# A page of events among {events:,}, measured\n\n"
        f"`python benchmarks/event_search.py`, {datetime.now(UTC):%Y-%m-%d}, "
        f"{platform.machine()}, 2 virtual cores, Python {platform.python_version()}. Invented "
        f"events of {VIDEOS:,} videos; each\nsearch {rounds} times, 50 events a page, up to "
        f"{FAR_PAGES} pages on. Counting stops at 1,000.\n\n{table}\n",
        encoding="utf-8",
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the catalog")
    parser.add_argument("--rounds", type=int, default=20, help="times that each search is made")
    parser.add_argument("--seed", type=int, default=0, help="of the invented events")
    parser.add_argument("--postgres", default="", help="address of a PostgreSQL; empty = none")
    parser.add_argument(
        "--save", action="store_true", help="write benchmarks/results/event_search.md"
    )
    arguments = parser.parse_args()
    if arguments.events < 1 or arguments.rounds < 2:
        sys.exit("at least one event and two rounds")
    return arguments


if __name__ == "__main__":
    main()
