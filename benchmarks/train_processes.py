"""Samples a second of a training in one process and in several, for every architecture.

Each number of processes runs under torchrun, as the workbench runs it, on made-up frames or
features in memory: steps only, no validation. On a machine with GPUs each rank has one, in fp32 and
in bf16, and the most memory that a rank's GPU held is told; elsewhere ranks share the cores. Ends
with one line of JSON.

    python benchmarks/train_processes.py [--processes 1,2] [--architectures cnn_lstm,…]
        [--steps 10] [--size 224]

Without a GPU fewer steps and smaller pictures are the default, or it takes an hour.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from prismata.core.architectures import ARCHITECTURES
from prismata.core.events import EventType
from prismata.core.machine import usable_cores
from prismata.core.recipes import ClipSpec, GroupingRule
from prismata.training.checkpoint import build_detector, describe_model
from prismata.training.data import LabelledVideo
from prismata.training.encoders import build_encoder
from prismata.training.loop import Step, TrainingInterruptedError, TrainingTask, train
from prismata.training.ranks import ALONE, Ranks, joined
from prismata.training.recipe import Recipe

HIT = EventType("hit", "point")
STEP_US = 40_000
WARM_UP_STEPS = 2


def main() -> None:
    """Measure each number of processes in turn, or be one of its ranks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", default="")
    parser.add_argument("--architectures", default=",".join(ARCHITECTURES))
    gpus = torch.cuda.device_count()
    parser.add_argument("--steps", type=int, default=10 if gpus else 3)
    parser.add_argument("--size", type=int, default=224 if gpus else 64)
    parser.add_argument("--rank-of", type=int, default=0, help="used by the program itself")
    parser.add_argument("--into", default="", help="used by the program itself")
    given = parser.parse_args()
    if given.rank_of:
        measure_as_rank(given)
        return
    chosen = given.processes or (f"1,{gpus}" if gpus > 1 else "1" if gpus else "1,2")
    rows: list[dict[str, Any]] = []
    for count in map(int, chosen.split(",")):
        rows += start_ranks(count, given)
    about = {
        "machine": torch.cuda.get_device_name(0) if gpus else f"{usable_cores()} cores",
        "gpus": gpus,
        "size": given.size,
        "torch": torch.__version__,
        "load": os.getloadavg(),
    }
    print(json.dumps({"train_processes": rows, **about}))


def start_ranks(count: int, given: argparse.Namespace) -> list[dict[str, Any]]:
    """Run this program as `count` ranks and return what the first one measured."""
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "rows.json"
        threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, usable_cores() // count))
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1"]
        own = ["--architectures", given.architectures, "--size", str(given.size)]
        own += ["--steps", str(given.steps), "--rank-of", str(count), "--into", str(into)]
        subprocess.run(
            [sys.executable, *torchrun, f"--nproc-per-node={count}", __file__, *own],
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"},
        )
        rows: list[dict[str, Any]] = json.loads(into.read_text())
        return rows


def measure_as_rank(given: argparse.Namespace) -> None:
    """Measure every architecture as one of the ranks."""
    on_gpu = torch.cuda.is_available()
    rows = []
    with joined(use_gpus=on_gpu) as met:
        ranks = met if given.rank_of > 1 else ALONE
        for name in given.architectures.split(","):
            for frozen in sorted({ARCHITECTURES[name].frozen, False}):
                for precision in ("fp32", "bf16") if on_gpu else ("fp32",):
                    setting = {"architecture": name, "frozen": frozen, "precision": precision}
                    row = measure(setting, ranks, steps=given.steps, size=given.size)
                    rows.append({"processes": given.rank_of, **row})
                    if met.is_first:
                        print(rows[-1], flush=True)
    if met.is_first:
        Path(given.into).write_text(json.dumps(rows))


def measure(setting: dict[str, Any], ranks: Ranks, *, steps: int, size: int) -> dict[str, Any]:
    """Train until `steps` steps were timed; return scored samples a second."""
    recipe = Recipe.resolved({**setting, "epochs": 1000})
    clip = ClipSpec().changed(ARCHITECTURES[recipe.architecture].clip)
    is_windows = recipe.frozen and ARCHITECTURES[recipe.architecture].scores == "centre"
    in_step = recipe.batch_windows if is_windows else recipe.batch_chunks * recipe.chunk_samples
    feature_size = build_encoder(recipe.encoder).feature_size
    with_stop = WARM_UP_STEPS + steps
    # Long enough that no epoch ends, which would validate.
    video = make_video((with_stop + 2) * in_step, recipe, feature_size, size)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(0)
    about = describe_model(
        recipe, feature_size=feature_size, num_classes=1, num_frames=clip.num_frames
    )
    detector = build_detector(about).to(device)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    samples, moments = [], [0.0]

    def on_step(step: Step) -> None:
        # The loss has been read: what the device had to do is done.
        moments.append(time.perf_counter())
        samples.append(float((step.batch.weights[..., 0] > 0).sum()))

    task = TrainingTask((HIT,), {"hit": GroupingRule()}, clip.num_frames, recipe, "made up")
    with contextlib.suppress(TrainingInterruptedError):
        train(
            detector,
            task,
            [video],
            [video],
            on_step=on_step,
            is_to_stop=lambda: len(samples) >= with_stop,
            ranks=ranks,
        )
    seconds = moments[with_stop] - moments[WARM_UP_STEPS]
    mine = sum(samples[WARM_UP_STEPS:with_stop])
    of_all = mine if ranks.is_alone else sum(ranks.tell_all(round(mine)))
    memory = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else None
    return {
        **setting,
        "encoder": recipe.encoder,
        "device": device,
        "samples_per_s": round(of_all / seconds, 1),
        "gpu_memory_mb": None if memory is None else round(memory),
    }


def make_video(samples: int, recipe: Recipe, feature_size: int, size: int) -> LabelledVideo:
    """Return noise in which every tenth sample is an event."""
    rng = np.random.default_rng(0)
    inputs: Any
    if recipe.frozen:
        inputs = rng.normal(size=(samples, feature_size)).astype(np.float32)
    else:
        inputs = rng.integers(0, 255, (samples, size, size, 3), np.uint8)
    targets = np.zeros((samples, 1), np.float32)
    targets[::10] = 1
    times = np.arange(samples, dtype=np.int64) * STEP_US
    weights = np.ones_like(targets)
    return LabelledVideo("noise", times, inputs, targets, weights, (), samples * STEP_US)


if __name__ == "__main__":
    main()
