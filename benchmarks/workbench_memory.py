"""The workbench in 2 GB, with people at it and one detection running: who holds how much?

In a control group without swap: `prismata serve` and whatever it starts. Outside: a headless
Chromium that opens page after page, and a client that asks the routes. First with nothing else
going on, then while the workbench detects in a real clip with a ResNet18. Told are the resident
(RSS) and the proportional (PSS: shared pages divided among those who share them) memory of each
process over time, and how long pages and routes took. Linux, as root. Ends with one line of JSON.

    python benchmarks/workbench_memory.py [--minutes 10] [--limit-mb 2048]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
from footage import build_clip
from memory_group import MemoryGroup
from playwright.sync_api import Page, sync_playwright
from small_machine import add_model
from speed_bundle import speed_bundle

from prismata.services.detect import DetectRequest, prepare_detection, start_detection
from prismata.services.ingest import ingest_file
from prismata.settings import Settings
from prismata.testing.private_servers import free_port
from prismata.wiring import open_workbench

HERE = Path(__file__).resolve().parent
CHROMIUM = Path("/usr/bin/chromium")
PAGES = ("", "train", "analyze", "detect", "review", "library", "jobs", "health")
ROUNDS_IDLE = 2
SAMPLE_SECONDS = 1.0
PAGE_MS = 120_000
DRAWN = (
    '[data-testid="stApp"][data-test-script-state="notRunning"] [data-testid="stMain"] '
    '[data-testid="stElementContainer"]:not(:has([data-testid="stSkeleton"]))'
)
"""The page's script has ended, and something of it stands there."""


def main() -> None:
    """Prepare outside, serve inside, look, detect, look again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the clip")
    parser.add_argument("--limit-mb", type=int, default=2048)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="prismata-memory-") as temporary:
        work = Path(temporary)
        clip = work / "clip.mp4"
        build_clip(clip, minutes=given.minutes)
        speed_bundle(work / "bundle", clip)
        settings = Settings(
            data_dir=work / "data", domains_dirs=str(HERE.parent / "domains"), dispatcher="none"
        )
        told = measure(settings, work, limit_mb=given.limit_mb)
    told = {"limit_mb": given.limit_mb, "minutes": given.minutes, **told}
    print_memory(told)
    print(json.dumps({"workbench_memory": told}))
    if told["oom_kills"] or told["detection"]["state"] != "succeeded":
        sys.exit(1)


def measure(settings: Settings, work: Path, *, limit_mb: int) -> dict[str, Any]:
    """Serve in a group of so much memory; return what was seen."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with (
        open_workbench(settings) as bench,
        MemoryGroup("prismata-workbench", limit_mb=limit_mb) as group,
        (work / "serve.log").open("wb") as log,
    ):
        add_model(bench.catalog, bench.storage, work / "bundle")
        video = ingest_file(bench, work / "clip.mp4").video
        if video is None:
            sys.exit("the clip could not be taken in")
        command = [sys.executable, "-m", "prismata", "serve", "--port", str(port)]
        environment = {
            **os.environ,
            "PRISMATA_DATA_DIR": str(settings.data_dir),
            "PRISMATA_DOMAINS_DIRS": settings.domains_dirs,
        }
        began = time.monotonic()
        server = subprocess.Popen(group.inside(command), env=environment, stdout=log, stderr=log)
        wait_until_up(address, server)
        up_seconds = round(time.monotonic() - began, 1)
        with Memory(group) as memory, browser_page() as page:
            idle = Latencies()
            for _ in range(ROUNDS_IDLE):
                look_around(page, address, idle)
            memory.mark("detection begins")
            prepared = prepare_detection(bench, DetectRequest(video.id))
            start_detection(bench, prepared)  # the workbench's own worker takes it
            busy = Latencies()
            while not bench.catalog.jobs.get(prepared.job.id).state.is_final:
                look_around(page, address, busy)
            memory.mark("detection has ended")
            look_around(page, address, Latencies())
        job = bench.catalog.jobs.get(prepared.job.id)
        run = bench.catalog.detections.get(prepared.run.id)
        told = {
            "up_seconds": up_seconds,
            "idle": idle.told(),
            "while_detecting": busy.told(),
            "processes": memory.peaks(),
            "over_time": memory.rows(),
            "peak_programs_mb": round(group.peak_program_mb),
            "peak_charged_mb": round(group.peak_mb),
            "oom_kills": group.oom_kills,
            "server_lives": server.poll() is None,
            "detection": {
                "state": job.state.value,
                "runtime": run.runtime,
                "wall_seconds": run.wall_seconds,
                "peak_rss_mb": run.peak_rss_mb,
            },
            "load_1min": round(os.getloadavg()[0], 1),
        }
        server.terminate()
        server.wait(60)
    return told


class Latencies:
    """How long pages and routes took, in seconds."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        """Measure what is done inside."""
        began = time.monotonic()
        yield
        self._seconds[what].append(time.monotonic() - began)

    def told(self) -> dict[str, dict[str, float]]:
        """Return number, median and most of each, in milliseconds."""
        return {
            what: {
                "times": len(seconds),
                "median_ms": round(1000 * statistics.median(seconds)),
                "most_ms": round(1000 * max(seconds)),
            }
            for what, seconds in self._seconds.items()
        }


def look_around(page: Page, address: str, seen: Latencies) -> None:
    """Open every page as a person would by its address, and ask the routes after each."""
    for name in PAGES:
        with seen.of(f"page /{name}"):
            page.goto(f"{address}/{name}")
            page.wait_for_selector(DRAWN, timeout=PAGE_MS, state="attached")
        with seen.of("route /api/health"):
            httpx.get(f"{address}/api/health", timeout=60).raise_for_status()


class Memory:
    """Samples the processes of a group every second, until the context ends.

    Args:
        group: Whose.
    """

    def __init__(self, group: MemoryGroup) -> None:
        self._pids = group.folder / "cgroup.procs"
        self._samples: list[tuple[float, dict[str, tuple[float, float]], str]] = []
        self._began = time.monotonic()
        self._mark = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def mark(self, what: str) -> None:
        """Note what happens now beside the next sample."""
        self._mark = what

    def peaks(self) -> dict[str, dict[str, float]]:
        """Return the most that each kind of process held, in MB."""
        most: dict[str, list[float]] = {}
        for _, held, _ in self._samples:
            for what, (rss, pss) in held.items():
                known = most.setdefault(what, [0.0, 0.0])
                known[0], known[1] = max(known[0], rss), max(known[1], pss)
        return {
            what: {"rss_mb": round(rss), "pss_mb": round(pss)} for what, (rss, pss) in most.items()
        }

    def rows(self, about: int = 14) -> list[dict[str, Any]]:
        """Return about so many samples, those with a mark among them."""
        step = max(1, len(self._samples) // about)
        return [
            {
                "second": round(second),
                **{what: [round(rss), round(pss)] for what, (rss, pss) in held.items()},
                "all_pss": round(sum(pss for _, pss in held.values())),
                **({"mark": mark} if mark else {}),
            }
            for number, (second, held, mark) in enumerate(self._samples)
            if mark or number % step == 0
        ]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            held: dict[str, tuple[float, float]] = {}
            for pid in self._pids.read_text().split():
                try:
                    what, rss, pss = _held_by(Path("/proc") / pid)
                except (OSError, ValueError):
                    continue  # it ended meanwhile
                before = held.get(what, (0.0, 0.0))
                held[what] = (before[0] + rss, before[1] + pss)
            self._samples.append((time.monotonic() - self._began, held, self._mark))
            self._mark = ""


def print_memory(told: dict[str, Any]) -> None:
    """Print who held how much, and how long things took."""
    print(
        f"of {told['limit_mb']} MB: programs {told['peak_programs_mb']} MB at most, with page "
        f"cache {told['peak_charged_mb']} MB; killed for memory: {told['oom_kills']}"
    )
    for what, held in told["processes"].items():
        print(f"  {what}: RSS {held['rss_mb']} MB, PSS {held['pss_mb']} MB at most")
    for row in told["over_time"]:
        print(f"  {row}")
    idle, busy = told["idle"], told["while_detecting"]
    for what in sorted({*idle, *busy}):
        print(f"  {what}: idle {idle.get(what)}, detecting {busy.get(what)}")


@contextmanager
def browser_page() -> Iterator[Page]:
    """Open a browser outside of the group."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield browser.new_page()
        finally:
            browser.close()


def _held_by(process: Path) -> tuple[str, float, float]:
    """Return what a process is, and its RSS and PSS in MB."""
    words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    rows = (line.split() for line in (process / "smaps_rollup").read_text().splitlines())
    found = {row[0]: float(row[1]) / 1024 for row in rows if row[0] in ("Rss:", "Pss:")}
    return _what(words), found["Rss:"], found["Pss:"]


def _what(words: Sequence[str]) -> str:
    marks = {
        "prismata.detection": "detection",
        "prismata.worker.prepare": "preparation",
        "serve": "workbench",
    }
    for mark, what in marks.items():
        if mark in words:
            return what
    return "warden" if any("warden" in word for word in words) else Path(words[0]).name


def wait_until_up(address: str, server: subprocess.Popen[bytes]) -> None:
    """Wait for the first answer; ends the program if there is none."""
    deadline = time.monotonic() + 120
    while server.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/api/health", timeout=30).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    sys.exit("the workbench did not start")


if __name__ == "__main__":
    main()
