"""Our detection child against the classic path and against its own floors, in one run.

One clip of real footage, looped to ten minutes (720p30 H.264, GOP 250, 3 B-frames, 1.4 Mb/s),
5 frames a second, ResNet18 + BiLSTM with random weights. In every round, one after the other:

- decode-only: PyAV decodes all frames on all cores and resizes the sampled ones; nothing else runs;
- reader-only: our reader alone, which leaves out frames that nothing needs;
- encoder-only: each runtime on frames that are already in memory (a stated part, scaled);
- ours: the isolated child as production starts it; torch, torchvision and onnx cannot be imported.

The classic path (`classic_path.py`) runs on a stated share of its windows, scaled. Medians over the
rounds; then variants of the clip and the settings with the best runtime.

    python benchmarks/detect_vs_classic.py [--minutes 10] [--rounds 5] [--classic-share 0.03]
        [--skip-variants] [--only-variants]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from classic_path import run_classic
from footage import build_clip
from speed_bundle import speed_bundle, with_clip

from prismata.core.ports import ChildLimits, ChildOutcome, MessageHandler
from prismata.core.time import FrameTimeline
from prismata.detection.bundle import load_bundle
from prismata.detection.frames import FrameBatches
from prismata.jobs import ChildSupervisor
from prismata.media import scan

PROJECT = Path(__file__).resolve().parents[1]
SAMPLE_FPS = 5.0
SIZE = (224, 224)
ENCODER_FRAMES = 400
"""Frames that the encoder-only measurement really encodes; its time is scaled to all samples."""

NO_TORCH_CHILD = (
    sys.executable,
    "-c",
    "import sys, runpy\n"
    "for name in ('torch', 'torchvision', 'onnx'): sys.modules[name] = None\n"
    "runpy.run_module('prismata.detection', run_name='__main__')",
)

GOP_250 = "keyint=250:min-keyint=250:scenecut=0:bframes=3:b-adapt=0"
CLIPS: dict[str, tuple[tuple[int, int], str]] = {
    "720p": ((1280, 720), GOP_250),
    "1080p": ((1920, 1080), GOP_250),
    "one key frame": ((1280, 720), "keyint=infinite:scenecut=0:bframes=3:b-adapt=0"),
    "no B-frames": ((1280, 720), "keyint=30:scenecut=0:bframes=0"),
}
RUNTIMES = (
    ("openvino", "int8"),
    ("onnxruntime", "int8"),
    ("onnxruntime", "fp32"),
)
MORE_RUNTIMES = (("openvino", "bf16"), ("openvino", "fp32"))

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bench:
    """What all measurements share."""

    work: Path
    bundle: Path
    realdata: Path
    minutes: float
    rounds: int

    def clip(self, name: str, minutes: float) -> Path:
        """Build a clip once and return it."""
        size, params = CLIPS[name]
        path = self.work / f"{name.replace(' ', '-')}-{minutes:g}min.mp4"
        if not path.is_file():
            build_clip(path, minutes=minutes, size=size, x264_params=params)
        return path


def main() -> None:
    """Measure, print the tables and one line of JSON."""
    given = _arguments()
    given.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(
            given.work, Path(temporary) / "bundle", given.realdata, given.minutes, given.rounds
        )
        clip = bench.clip("720p", bench.minutes)
        speed_bundle(bench.bundle, clip)
        figures: Figures = {
            "minutes": bench.minutes,
            "rounds": bench.rounds,
            "load": os.getloadavg(),
        }
        if not given.only_variants:
            figures["main"] = against_classic(bench, clip, given.classic_share)
        if not given.skip_variants:
            figures["variants"] = variants(bench, given.classic_share)
        figures["load_at_end"] = os.getloadavg()
    print(json.dumps({"detect_vs_classic": figures}))


def against_classic(bench: Bench, clip: Path, share: float) -> Figures:
    """Run everything `rounds` times on the main clip and compare medians."""
    print(f"{clip.name}, {clip.stat().st_size / 1e6:.0f} MB, load {os.getloadavg()[0]:.1f}")
    samples = len(scan(clip).timeline.sample(SAMPLE_FPS))
    measures: dict[str, Callable[[], Figures]] = {
        "decode-only": partial(decode_only, clip, mode="all"),
        "reader-only": partial(decode_only, clip, mode="planned"),
    }
    for runtime, precision in RUNTIMES:
        measures[f"encoder {runtime} {precision}"] = partial(
            encoder_only, bench.bundle, runtime, precision, samples
        )
        measures[f"ours {runtime} {precision}"] = partial(
            ours, clip, bench.bundle, runtime, precision
        )
    medians = in_rounds(measures, bench.rounds)
    classic = {
        stride: run_classic(clip, stride=stride, share=share * stride / 4) for stride in (4, 8)
    }
    print(f"{'':34}{'wall s':>8}{'CPU s':>8}{'MB':>7}{'x classic 4':>13}{'x floor':>9}")
    for name, row in medians.items():
        if name.startswith("ours"):
            floor = max(
                medians["decode-only"]["wall_s"],
                medians[name.replace("ours", "encoder")]["wall_s"],
            )
            row["times_faster"] = round(classic[4]["wall_s"] / row["wall_s"], 1)
            row["times_floor"] = round(row["wall_s"] / floor, 2)
        _print_row(name, row)
    for stride, row in classic.items():
        _print_row(f"classic stride {stride} ({row['windows_run']}/{row['windows']})", row)
    return {"rows": medians, "classic": classic}


def variants(bench: Bench, share: float) -> Figures:
    """Other clips and settings with the best runtime, on a third of the length."""
    minutes = bench.minutes / 3
    best, precision = RUNTIMES[0]
    figures: Figures = {"minutes": minutes}
    clips = {name: bench.clip(name, minutes) for name in CLIPS}
    measures: dict[str, Callable[[], Figures]] = {}
    for name, clip in clips.items():
        measures[f"decode-only {name}"] = partial(decode_only, clip, mode="all")
        measures[f"ours {name}"] = partial(ours, clip, bench.bundle, best, precision)
    main_clip = clips["720p"]
    measures["ours stride 8"] = partial(with_settings, bench, main_clip, best, precision, stride=8)
    measures["ours 10 fps"] = partial(
        with_settings, bench, main_clip, best, precision, sample_fps=10.0
    )
    for runtime, other in MORE_RUNTIMES:
        measures[f"ours 720p {runtime} {other}"] = partial(
            ours, main_clip, bench.bundle, runtime, other
        )
    medians = in_rounds(measures, bench.rounds)
    for name, row in medians.items():
        _print_row(name, row)
    ratio = medians["ours 720p"]["wall_s"] / medians["ours stride 8"]["wall_s"]
    print(f"stride 1 takes {ratio:.2f} times what stride 8 takes")
    classic = {
        name: run_classic(clip, stride=4, share=share)
        for name, clip in clips.items()
        if name != "720p"
    }
    for name, row in classic.items():
        row["times_faster"] = round(row["wall_s"] / medians[f"ours {name}"]["wall_s"], 1)
        print(f"{name}: {row['times_faster']} times faster than the classic path")
    return {**figures, "rows": medians, "classic": classic, "stride_1_over_8": round(ratio, 3)}


def in_rounds(measures: dict[str, Callable[[], Figures]], rounds: int) -> dict[str, Figures]:
    """Run all measures in turn, `rounds` times; return medians, and the spread of the wall time."""
    rows: dict[str, list[Figures]] = {name: [] for name in measures}
    for number in range(rounds):
        for name, measure in measures.items():
            rows[name].append(measure())
        print(f"round {number + 1} of {rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    medians: dict[str, Figures] = {}
    for name, found in rows.items():
        last = dict(found[-1])
        for key in ("wall_s", "cpu_s", "peak_mb"):
            last[key] = round(statistics.median(row[key] for row in found), 2)
        last["wall_all_s"] = [row["wall_s"] for row in found]
        medians[name] = last
    return medians


def ours(clip: Path, bundle: Path, runtime: str, precision: str) -> Figures:
    """Run the detection child as production does, torch made impossible to import."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    outcome, result = run_child(clip, bundle, runtime, precision)
    return {
        "wall_s": round(outcome.wall_seconds, 2),
        "cpu_s": _cpu_since(before),
        "peak_mb": round(outcome.peak_rss_mb, 1),
        "samples": result["samples"],
        "windows": result["windows"],
        "stages_s": result["timing_s"],
        "runtime": result["runtime"],
    }


def run_child(
    clip: Path,
    bundle: Path,
    runtime: str,
    precision: str,
    on_message: MessageHandler = lambda _message: None,
) -> tuple[ChildOutcome, Figures]:
    """Run the child and return how it ended, and its result; end the program if it has none."""
    request = {
        "video": str(clip),
        "bundle": str(bundle),
        "runtime": runtime,
        "precision": precision,
        "profile": "normal",
    }
    outcome = ChildSupervisor(nice=0).run(
        NO_TORCH_CHILD, request, on_message=on_message, limits=ChildLimits()
    )
    if outcome.result is None:
        sys.exit(f"our child {outcome.state.value}: {outcome.message}")
    return outcome, outcome.result


def with_settings(
    bench: Bench,
    clip: Path,
    runtime: str,
    precision: str,
    *,
    sample_fps: float = SAMPLE_FPS,
    stride: int = 1,
) -> Figures:
    """Run ours with another sampling, and put the bundle back."""
    with_clip(bench.bundle, sample_fps=sample_fps, stride=stride)
    try:
        return ours(clip, bench.bundle, runtime, precision)
    finally:
        with_clip(bench.bundle, sample_fps=SAMPLE_FPS, stride=1)


def decode_only(clip: Path, *, mode: str) -> Figures:
    """Decode in a process of its own and return its figures."""
    return _in_process("--decode", str(clip), mode)


def encoder_only(bundle: Path, runtime: str, precision: str, samples: int) -> Figures:
    """Encode frames from memory in a process of its own, scaled to all samples."""
    figures = _in_process("--encode", str(bundle), runtime, precision)
    scale = samples / ENCODER_FRAMES
    return {
        **figures,
        "wall_s": round(figures["wall_s"] * scale, 2),
        "cpu_s": round(figures["cpu_s"] * scale, 2),
        "scaled_from_frames": ENCODER_FRAMES,
    }


def _in_process(*words: str) -> Figures:
    ended = subprocess.run(
        [sys.executable, __file__, *words], check=True, capture_output=True, text=True
    )
    figures: Figures = json.loads(ended.stdout.splitlines()[-1])
    return figures


def _decode(clip: Path, mode: str) -> Figures:
    """Decode all frames with all cores, or what our reader decodes for the sampling plan."""
    from prismata.core.child import peak_rss_mb

    timeline = scan(clip).timeline
    started, cpu = time.perf_counter(), time.process_time()
    frames = _decode_all(clip, timeline) if mode == "all" else _read_planned(clip, timeline)
    return {
        "wall_s": round(time.perf_counter() - started, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "peak_mb": peak_rss_mb(),
        "frames": frames,
    }


def _read_planned(clip: Path, timeline: FrameTimeline) -> int:
    plan = timeline.sample(SAMPLE_FPS)
    batches = FrameBatches(clip, plan, timeline=timeline, size=SIZE, batch=8)
    return sum(len(batch.repeats) for batch in batches)


def _decode_all(clip: Path, timeline: FrameTimeline) -> int:
    """The plain way: PyAV, every frame, all cores, the sampled ones resized as the house does."""
    import av

    from prismata.media.pixels import Orientation, Resizer

    wanted = set(np.unique(timeline.sample(SAMPLE_FPS).frame_indices).tolist())
    kept = 0
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.thread_count = os.cpu_count() or 1
        resizer = Resizer(Orientation(), SIZE)
        for number, frame in enumerate(container.decode(stream)):
            if number in wanted:
                resizer.rgb(frame, SIZE)
                kept += 1
    return kept


def _encode(bundle: Path, runtime: str, precision: str) -> Figures:
    from prismata.core.child import peak_rss_mb

    model = load_bundle(bundle, runtime=runtime, precision=precision, profile="normal")
    batch = model.runtime.batch
    frames = np.random.default_rng(3).integers(0, 256, (batch, *SIZE[::-1], 3), np.uint8)
    model.encoder.encode(frames)
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(ENCODER_FRAMES // batch):
        model.encoder.encode(frames)
    return {
        "wall_s": time.perf_counter() - started,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": peak_rss_mb(),
    }


def _cpu_since(before: resource.struct_rusage) -> float:
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime, 2)


def _print_row(name: str, row: Figures) -> None:
    cpu = f"{row['cpu_s']:8.1f}" if "cpu_s" in row else " " * 8
    faster = f"{row['times_faster']:13.1f}" if "times_faster" in row else " " * 13
    floor = f"{row['times_floor']:9.2f}" if "times_floor" in row else ""
    print(f"{name:34}{row['wall_s']:8.1f}{cpu}{row['peak_mb']:7.0f}{faster}{floor}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--classic-share", type=float, default=0.03, help="share of the classic windows to run"
    )
    parser.add_argument("--skip-variants", action="store_true")
    parser.add_argument("--only-variants", action="store_true")
    parser.add_argument("--realdata", type=Path, default=PROJECT.parent / "shared" / "realdata")
    parser.add_argument("--work", type=Path, default=PROJECT / "data" / "benchmarks")
    parser.add_argument("--decode", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--encode", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.decode:
        print(json.dumps(_decode(Path(given.decode[0]), given.decode[1])))
        sys.exit()
    if given.encode:
        folder, runtime, precision = given.encode
        print(json.dumps(_encode(Path(folder), runtime, precision)))
        sys.exit()
    return given


if __name__ == "__main__":
    main()
