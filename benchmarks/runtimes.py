"""Time and memory of each runtime and precision: ResNet18 + BiLSTM, as a detection child loads it.

Each row is a process of its own: it imports PyAV, loads the bundle, encodes frames that are already
in memory and scores windows of their features. Rounds go through all rows in turn; medians.

    python benchmarks/runtimes.py [--rounds 5] [--realdata DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
ROWS = (
    ("onnxruntime", "fp32", "normal"),
    ("onnxruntime", "fp32", "small"),
    ("onnxruntime", "int8", "normal"),
    ("onnxruntime", "int8", "small"),
    ("openvino", "fp32", "normal"),
    ("openvino", "fp32", "small"),
    ("openvino", "bf16", "normal"),
    ("openvino", "bf16", "small"),
    ("openvino", "int8", "normal"),
    ("openvino", "int8", "small"),
)
BATCHES = 25
HEAD_WINDOWS = 64


def main() -> None:
    """Measure, print the table and one line of JSON."""
    given = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "bundle"
        # Made in a process of its own, so that this one and its children are without torch.
        _in_process("--make", str(folder), str(given.realdata))
        found: dict[tuple[str, ...], list[dict[str, float]]] = {row: [] for row in ROWS}
        load_before = os.getloadavg()[0]
        for _ in range(given.rounds):
            for row, figures in found.items():
                figures.append(json.loads(_in_process("--one", str(folder), *row)))
    table = {
        " ".join(row): {
            key: round(statistics.median(one[key] for one in figures), 2) for key in figures[0]
        }
        for row, figures in found.items()
    }
    columns = list(next(iter(table.values())))
    print(" " * 26 + "".join(f"{column:>16}" for column in columns))
    for name, values in table.items():
        print(f"{name:26}" + "".join(f"{values[column]:16}" for column in columns))
    print(json.dumps({"runtimes": table, "rounds": given.rounds, "load": load_before}))


def one(folder: Path, runtime: str, precision: str, profile: str) -> dict[str, float]:
    """Load, encode and score in this process."""
    import av  # noqa: F401 - a detection child has it loaded
    import numpy as np

    from prismata.core.child import current_rss_mb, peak_rss_mb
    from prismata.detection.bundle import load_bundle

    started = time.perf_counter()
    model = load_bundle(folder, runtime=runtime, precision=precision, profile=profile)
    loading = time.perf_counter() - started
    loaded = current_rss_mb() or 0.0
    batch = model.runtime.batch
    dice = np.random.default_rng(1)
    frames = dice.integers(0, 256, (batch, 224, 224, 3), np.uint8)
    shape = (HEAD_WINDOWS, model.card.clip.num_frames, model.card.feature_size)
    windows = dice.random(shape, np.float32)
    encode = _milliseconds(lambda: model.encoder.encode(frames))
    head = _milliseconds(lambda: model.head.score(windows))
    return {
        "encode ms/frame": encode[0] / batch,
        "CPU ms/frame": encode[1] / batch,
        "head ms/window": head[0] / HEAD_WINDOWS,
        "load s": loading,
        "loaded MB": loaded,
        "peak MB": peak_rss_mb() or 0.0,
    }


def _milliseconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Return wall and processor time of one call, medians."""
    work()
    wall, processor = [], []
    for _ in range(BATCHES):
        started, spent = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - started)
        processor.append(time.process_time() - spent)
    return 1e3 * statistics.median(wall), 1e3 * statistics.median(processor)


def _make(folder: Path, realdata: Path) -> None:
    from runtime_equality import FOOTAGE, calibration_frames, resnet18

    paths = [path for name in FOOTAGE for path in sorted((realdata / name).rglob("*.mp4"))]
    if not paths:
        sys.exit(f"there is no real footage in {realdata}; name it with --realdata DIR")
    resnet18(folder, calibration_frames(paths, (224, 224)))


def _in_process(*words: str) -> str:
    ended = subprocess.run([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True)
    if ended.returncode:
        sys.exit(f"{' '.join(words)} failed")
    return ended.stdout


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--realdata", type=Path, default=PROJECT.parent / "shared" / "realdata")
    parser.add_argument("--make", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        _make(*given.make)
        sys.exit()
    if given.one:
        folder, runtime, precision, profile = given.one
        print(json.dumps(one(Path(folder), runtime, precision, profile)))
        sys.exit()
    return given


if __name__ == "__main__":
    main()
