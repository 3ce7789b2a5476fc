"""Wrong frames, counted: the real player in a real browser on six files with numbered pictures.

Seeks at random and steps forwards and backwards; after each, the number in the shown picture is
read back from the canvas and compared with what was asked and what the player told. Then a label is
made at each visited frame through the labels route, and the timestamp that it stored is compared
with the one in the container. Prints a table, and as the last line everything as JSON.

    python benchmarks/exact_frames.py [--seeks 1000] [--steps 1000]

Ends with 1 if a single frame or timestamp was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from player_page import PlayerPage, open_browser

from prismata.catalog import VideoRecord
from prismata.services.ingest import ingest_file
from prismata.services.prepare import prepare_video
from prismata.services.renditions import load_playability
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.testing.barcode import write_barcode_video
from prismata.wiring import open_workbench

if TYPE_CHECKING:
    from playwright.sync_api import Page

DOMAINS = Path(__file__).resolve().parents[1] / "domains"
LABELS = ("falls", "fall")
"""A domain of the project and a point event type in it."""
MAX_BATCH = 500
LATE_US = 8_970_000

_STEPS_US = np.random.default_rng(7).integers(15_000, 120_000, 299)
_VFR_US = [0, *(int(us) for us in np.cumsum(_STEPS_US))]

FILES: dict[str, dict[str, Any]] = {
    "CFR 25": {"frames": 300},
    "CFR 29.97": {"frames": 360, "rate": Fraction(30_000, 1001)},
    "CFR 59.94": {"frames": 720, "rate": Fraction(60_000, 1001)},
    "VFR": {"frames": 300, "pts_us": _VFR_US},
    "B-frames, GOP 250": {"frames": 750, "gop": 250, "bframes": 3},
    "starts at 8.97 s": {"frames": 300, "pts_us": [LATE_US + 40_000 * i for i in range(300)]},
}
"""Name and properties of each file, for `write_barcode_video`."""


@dataclass
class Tally:
    """What was found on one file."""

    name: str
    rendition: str
    """What the player showed: `source`, or `proxy` if browsers do not show the source exactly."""
    seeks: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    labels: int = 0
    wrong_labels: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[dict[str, Any]]:
        """Looks at which anything differs: asked, told, verified, read from the picture."""
        return [look for look in self.seeks + self.steps if not is_right(look)]


def is_right(look: dict[str, Any]) -> bool:
    """Say whether a frame was shown that was asked for, and told as verified."""
    said = {look["asked"], look["told"], look["frame"], look["read"]}
    return len(said) == 1 and look["exact"] is True


def store_file(bench: Workbench, folder: Path, name: str) -> tuple[VideoRecord, str]:
    """Write one of `FILES` and add it to the library; returns also the rendition a player shows."""
    path = folder / f"{name.replace(' ', '-')}.mp4"
    video = ingest_file(bench, write_barcode_video(path, **FILES[name])).video
    if video is None:
        raise SystemExit(f"{name} was not taken into the library")
    if load_playability(bench, video).exact:
        return video, "source"
    prepare_video(bench, video)
    return video, "proxy"


def source_ticks(path: Path) -> list[int]:
    """Return the timestamp of each frame as the container has it, in display order."""
    import av

    with av.open(str(path)) as container:
        packets = container.demux(container.streams.video[0])
        return sorted(packet.pts for packet in packets if packet.pts is not None)


def walk(count: int, seed: int) -> list[int]:
    """Return steps of one frame: runs forwards and runs backwards."""
    rng = np.random.default_rng(seed)
    steps: list[int] = []
    while len(steps) < count:
        steps += [int(rng.choice((1, -1)))] * int(rng.integers(3, 12))
    return steps[:count]


def look_at(
    page: Page,
    site: PlayerPage,
    stored: tuple[VideoRecord, str],
    name: str,
    counts: tuple[int, int],
) -> Tally:
    """Seek and step in one file.

    Args:
        page: A page of `site`.
        site: Serves the player.
        stored: What `store_file` returned.
        name: The name in `FILES`.
        counts: How many seeks and steps.
    """
    video, rendition = stored
    opened = page.evaluate(
        "(source) => bench.open(source)", site.source(video, rendition=rendition)
    )
    if not opened["ready"]:
        raise SystemExit(f"{name} did not open: {page.evaluate('bench.troubles')}")
    tally = Tally(name, rendition)
    rng = np.random.default_rng(list(name.encode()))
    seeks = rng.integers(0, opened["count"], counts[0])
    tally.seeks = page.evaluate("(frames) => bench.visit(frames)", seeks.tolist())
    page.evaluate("(frame) => bench.visit([frame])", opened["count"] // 2)
    tally.steps = page.evaluate("(steps) => bench.walk(steps)", walk(counts[1], seed=len(seeks)))
    return tally


def label_all(tally: Tally, site: PlayerPage, page: Page, video: VideoRecord, path: Path) -> None:
    """Make a label at each visited frame and compare the timestamps that are stored."""
    domain, event_type = LABELS
    user = "benchmark"
    token = site.permission("labels", f"{video.id}/{domain}/{user}")
    headers = {"x-prismata-token": token, "x-prismata-user": user}
    address = f"{site.url}/api/labels/{video.id}/{domain}"
    visited = {look["frame"]: look["us"] for look in tally.seeks + tally.steps}
    client = secrets.token_hex(8)
    operations = [
        {
            "id": secrets.token_hex(16),
            "client": client,
            "seq": seq,
            "kind": "create",
            "event_id": secrets.token_hex(16),
            "before": None,
            "after": {
                "start_us": us,
                "end_us": us,
                "event_type": event_type,
                "kind": "point",
                "review_state": "none",
                "attributes": {},
            },
            "undoes": None,
        }
        for seq, us in enumerate(visited.values(), start=1)
    ]
    for first in range(0, len(operations), MAX_BATCH):
        batch = {"since": 0, "ops": operations[first : first + MAX_BATCH]}
        answer = page.request.post(f"{address}/ops", data=batch, headers=headers).json()
        refused = [result for result in answer["results"] if result["status"] != "applied"]
        if refused:
            raise SystemExit(f"labels of {tally.name} were not stored: {refused[0]}")
    loaded = page.request.get(address, headers=headers).json()
    rows = [dict(zip(loaded["fields"], row, strict=True)) for row in loaded["rows"]]
    truth = source_ticks(path)
    by_start = {row["start_us"]: row for row in rows}
    tally.labels = len(visited)
    for frame, us in visited.items():
        row = by_start.get(us)
        if row is None or row["frame_index"] != frame or row["source_pts"] != truth[frame]:
            tally.wrong_labels.append(f"frame {frame} at {us} us is stored as {row}")


def percentiles(looks: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Return the median and the 95th percentile of the latencies, in milliseconds."""
    times = sorted(look["ms"] for look in looks)
    return round(statistics.median(times), 1), round(times[int(0.95 * (len(times) - 1))], 1)


def share(total: int, parts: int) -> Callable[[int], int]:
    """Return how many of `total` fall on each of `parts`, so that the sum is right."""
    return lambda part: total * (part + 1) // parts - total * part // parts


def report(tallies: list[Tally]) -> dict[str, Any]:
    """Print the table and return the figures."""
    print(f"{'file':<20} {'shown':<7} {'seeks':>6} {'p50':>7} {'p95':>7} ", end="")
    print(f"{'steps':>6} {'p50':>7} {'p95':>7} {'wrong':>6} {'labels':>7} {'wrong':>6}")
    files = {}
    for tally in tallies:
        seek, step = percentiles(tally.seeks), percentiles(tally.steps)
        print(f"{tally.name:<20} {tally.rendition:<7} {len(tally.seeks):>6} ", end="")
        print(
            f"{seek[0]:>7} {seek[1]:>7} {len(tally.steps):>6} {step[0]:>7} {step[1]:>7} "
            f"{len(tally.wrong):>6} {tally.labels:>7} {len(tally.wrong_labels):>6}"
        )
        for look in tally.wrong[:5]:
            print(f"    wrong: {look}")
        for words in tally.wrong_labels[:5]:
            print(f"    wrong: {words}")
        files[tally.name] = {
            "rendition": tally.rendition,
            "seek_ms": {"p50": seek[0], "p95": seek[1]},
            "step_ms": {"p50": step[0], "p95": step[1]},
            "wrong_frames": len(tally.wrong),
            "labels": tally.labels,
            "wrong_labels": len(tally.wrong_labels),
        }
    return {
        "seeks": sum(len(tally.seeks) for tally in tallies),
        "steps": sum(len(tally.steps) for tally in tallies),
        "wrong_frames": sum(len(tally.wrong) for tally in tallies),
        "labels": sum(tally.labels for tally in tallies),
        "wrong_labels": sum(len(tally.wrong_labels) for tally in tallies),
        "files": files,
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeks", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=1000)
    asked = parser.parse_args()
    seeks, steps = share(asked.seeks, len(FILES)), share(asked.steps, len(FILES))
    load = os.getloadavg()[0]
    tallies = []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder) / "data", domains_dirs=str(DOMAINS))
        with (
            open_workbench(settings) as bench,
            PlayerPage(bench) as site,
            open_browser() as browser,
        ):
            page = browser.new_page()
            page.goto(site.url)
            page.wait_for_function("() => window.bench")
            for place, name in enumerate(FILES):
                stored = store_file(bench, Path(folder), name)
                tally = look_at(page, site, stored, name, (seeks(place), steps(place)))
                path = Path(folder) / f"{name.replace(' ', '-')}.mp4"
                label_all(tally, site, page, stored[0], path)
                tallies.append(tally)
            version = browser.version
    figures = report(tallies)
    machine = {
        "browser": f"Chromium {version}",
        "cores": os.cpu_count(),
        "load_before": round(load, 2),
    }
    print(json.dumps({**figures, **machine, "machine": platform.machine()}))
    if figures["wrong_frames"] or figures["wrong_labels"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
