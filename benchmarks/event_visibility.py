"""How soon what a detection has found can be read from the catalog, and by a browser's route.

A detection of a synthetic minute runs as people start it. Its child notes when it hands over each
event and part of the curve, which is right after the window was scored; a reader beside it asks the
catalog every few milliseconds, as a page's route does. Printed: milliseconds from the one to the
other.

    python benchmarks/event_visibility.py [--seconds 60]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from prismata.core.modelcard import ModelCard
from prismata.services import detect_model
from prismata.services.detect import DetectRequest, prepare_detection, start_detection
from prismata.services.ingest import ingest_file
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.testing.synth import render_flashes
from prismata.testing.tiny_onnx import write_flash_bundle
from prismata.wiring import open_workbench

NOTES = "PRISMATA_TEST_NOTES"
LOOK_SECONDS = 0.005


def child() -> int:
    """Detect as the child does, and note when something is handed over."""
    from prismata.core.child import ChildReporter, child_main
    from prismata.detection.child import DetectionChild

    original = ChildReporter._send

    def noting(self: ChildReporter, message_type: str, **fields: Any) -> None:  # noqa: ANN401
        if message_type in ("event", "scores"):
            what = fields["event"]["start_us"] if message_type == "event" else fields["times_us"][0]
            with Path(os.environ[NOTES]).open("a") as notes:
                notes.write(json.dumps([message_type, what, time.time()]) + "\n")
        original(self, message_type, **fields)

    ChildReporter._send = noting  # type: ignore[method-assign]
    return child_main(DetectionChild())


class Reader:
    """Notes when events and parts of the curve are in the catalog first."""

    def __init__(self, bench: Workbench, run_id: str) -> None:
        self._bench, self._run_id = bench, run_id
        self.seen: dict[tuple[str, int], float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        part = 0
        while not self._stop.wait(LOOK_SECONDS):
            found = self._bench.catalog.events.list(detection_run_id=self._run_id)
            now = time.time()
            for item in found:
                self.seen.setdefault(("event", item.event.start_us), now)
            parts = self._bench.catalog.live_scores.since(self._run_id, part)
            now = time.time()
            for each in parts:
                part = each.number
                self.seen.setdefault(("scores", each.times_us[0]), now)

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--child", action="store_true")
    chosen = parser.parse_args()
    if chosen.child:
        sys.exit(child())
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), chosen.seconds)


def measure(folder: Path, seconds: int) -> None:
    """Run one detection and compare."""
    notes = folder / "notes"
    os.environ[NOTES] = str(notes)
    detect_model.DETECT_CHILD = (sys.executable, __file__, "--child")
    film = render_flashes(folder / "film.mp4", seconds=seconds, seed=1, size=(320, 240)).path
    bundle = write_flash_bundle(folder / "flash-detector")
    settings = Settings(data_dir=folder / "data", feature_cache_gb=0, user="bench")
    with open_workbench(settings) as bench:
        for path in bundle.iterdir():
            bench.storage.put_file(f"models/flash/{path.name}", path)
        card = ModelCard.from_json((bundle / "card.json").read_text())
        model = bench.catalog.models.add(
            name="flash",
            domain="flashes",
            domain_version=1,
            bundle_key="models/flash/",
            kind="bundle",
            card=json.loads(card.to_json()) | {"name": "flash"},
        )
        video = ingest_file(bench, film).video
        prepared = prepare_detection(bench, DetectRequest(video.id if video else "", model.id))
        reader = Reader(bench, prepared.run.id)
        outcome = start_detection(bench, prepared).wait(600)
        reader.stop()
    told: dict[str, Any] = {"state": outcome.state.value if outcome else "none"}
    sent = [json.loads(line) for line in notes.read_text().splitlines()]
    for kind in ("event", "scores"):
        waits = [
            1000 * (reader.seen[(kind, what)] - at)
            for sort, what, at in sent
            if sort == kind and (kind, what) in reader.seen
        ]
        told[kind] = {
            "sent": sum(sort == kind for sort, _, _ in sent),
            "seen_while_it_ran": len(waits),
            "ms_p50": round(float(np.percentile(waits, 50)), 1),
            "ms_p95": round(float(np.percentile(waits, 95)), 1),
            "ms_max": round(max(waits), 1),
        }
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
