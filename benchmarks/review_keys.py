"""How fast a keyboard goes through the review: real keys, a real browser, each card's picture.

A library of synthetic videos in which a tiny model found every flash. A script presses one key a
card and waits each time until the next card's stretch is on screen. Ends with one line of JSON.

    python benchmarks/review_keys.py [--cards 20]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from batch_kills import add_flashes, write_plugin
from player_page import open_browser

from prismata.core.jobs import JobState
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.settings import Settings
from prismata.testing.private_servers import free_port
from prismata.wiring import open_workbench

VIDEOS = 3


def main() -> None:
    """Press the keys and print how long the cards took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=20)
    count = parser.parse_args().cards
    with tempfile.TemporaryDirectory(prefix="prismata-review-keys-") as name:
        folder = Path(name)
        plugins = write_plugin(folder)
        settings = Settings(data_dir=folder / "data", domains_dirs=str(plugins))
        with open_workbench(settings) as bench:
            for source in add_flashes(bench, folder, VIDEOS):
                request = DetectRequest(source.video.id, "flash-detector")
                outcome = run_detection(bench, prepare_detection(bench, request))
                if outcome.state is not JobState.SUCCEEDED:
                    sys.exit(outcome.message)
        port = free_port()
        environment = dict(
            os.environ,
            PRISMATA_DATA_DIR=str(folder / "data"),
            PRISMATA_DOMAINS_DIRS=str(plugins),
        )
        command = [sys.executable, "-m", "prismata", "serve", "--port", str(port)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as app:
            try:
                seconds = _review(f"http://127.0.0.1:{port}", count)
            finally:
                app.send_signal(signal.SIGINT)
        with open_workbench(settings) as bench:
            kept = len(bench.catalog.reviews.list("flashes"))
    told = {
        "cards": count,
        "stored": kept,
        "all_s": round(sum(seconds), 2),
        "median_s": round(statistics.median(seconds), 3),
        "slowest_s": round(max(seconds), 3),
    }
    print(f"{count} cards in {told['all_s']} s, {kept} decisions stored")
    print(json.dumps({"review_keys": told}))


def _review(url: str, count: int) -> list[float]:
    """Return for each card how long it took from its key to the next card's picture."""
    deadline = time.monotonic() + 120
    while True:
        try:
            if httpx.get(f"{url}/api/health", timeout=5).status_code == httpx.codes.OK:
                break
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            sys.exit("the workbench did not start")
        time.sleep(0.2)
    with open_browser() as browser:
        page: Any = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{url}/review?domain=flashes")
        inbox = page.locator(".inbox[data-card]")
        inbox.wait_for(timeout=120_000)
        seconds = []
        for _ in range(count):
            before = inbox.get_attribute("data-card")
            began = time.perf_counter()
            page.keyboard.press("a")
            while inbox.get_attribute("data-card") == before:
                page.wait_for_timeout(5)
            seconds.append(time.perf_counter() - began)
        page.locator('.saved[data-state="saved"]').wait_for()
    return seconds


if __name__ == "__main__":
    main()
