"""Small trainings, run once by `test_ranks.py` in one process and once under torchrun in two.

`python ranks_program.py FOLDER` leaves for each case in FOLDER what it came to. Each rank has its
own file of what it saw.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from prismata.core.events import Event, EventType
from prismata.core.recipes import GroupingRule
from prismata.core.targets import build_targets
from prismata.training.checkpoint import build_detector, describe_model
from prismata.training.data import LabelledVideo
from prismata.training.loop import Step, TrainingInterruptedError, TrainingTask, train
from prismata.training.model import Detector
from prismata.training.ranks import Ranks, fewer, joined
from prismata.training.recipe import Recipe

HIT = EventType("hit", "point")
STEP_US = 100_000
FEATURES = 6
NO_DICE = {"hidden": 8, "dropout": 0.0}


@dataclass(frozen=True)
class Case:
    """One training; what is unusual about it."""

    recipe: dict[str, Any]
    stop_after: int | None = None
    """Steps after which the first rank is asked to stop, within the next one; it then goes on."""
    goes_on: bool = True
    share_with: int = 2
    """How many ranks take part."""

    @property
    def full_recipe(self) -> Recipe:
        return Recipe.from_dict({"epochs": 2, "head_lr": 0.01, "head": NO_DICE, **self.recipe})


DENSE = {"architecture": "linear_probe", "chunk_samples": 8, "batch_chunks": 3}
WHOLE = {"encoder": "tiny", "frozen": False, "chunk_samples": 4, "batch_chunks": 3}
CASES = {
    "windows": Case({"batch_windows": 15}),
    "dense": Case(DENSE),
    "blended": Case({**DENSE, "mixup": 0.4, "focal_gamma": 1.0}),
    "encoder": Case({**WHOLE, "freeze_batch_norm": True}),
    "statistics": Case(WHOLE),
    "neighbours": Case({**WHOLE, "architecture": "spot_rny002", "encoder": "tiny_gsm"}),
    "stopped": Case({**WHOLE, "epochs": 3}, stop_after=2),
    "handed over": Case({**WHOLE, "epochs": 3}, stop_after=6, goes_on=False),
    "one stretch": Case({**WHOLE, "batch_chunks": 1}),
    "one rank": Case(DENSE, share_with=1),
    "dropout": Case({**DENSE, "head": {"hidden": 8, "dropout": 0.5}}),
}


def make_video(name: str, *, frames: bool, seed: int) -> LabelledVideo:
    """Return noise with events: in its first feature, or as brighter frames."""
    rng = np.random.default_rng(seed)
    samples = 30
    times = np.arange(samples, dtype=np.int64) * STEP_US
    events = tuple(Event.point("hit", int(times[at])) for at in (6, 20))
    targets, weights = build_targets(times, events, [HIT])
    if frames:
        inputs: np.ndarray = rng.integers(0, 90, (samples, 16, 16, 3), np.uint8)
        inputs += (100 * targets[:, 0]).astype(np.uint8)[:, None, None, None]
    else:
        inputs = rng.normal(0, 0.2, (samples, FEATURES)).astype(np.float32)
        inputs[:, 0] += 3 * targets[:, 0]
    return LabelledVideo(name, times, inputs, targets, weights, events, samples * STEP_US)


def new_detector(recipe: Recipe, ranks: Ranks) -> Detector:
    """Return a network that is another one on each rank before training."""
    torch.manual_seed(1 + ranks.number)
    size = FEATURES if recipe.frozen else 144
    about = describe_model(recipe, feature_size=size, num_classes=1, num_frames=4)
    return build_detector(about)


def run(case: Case, ranks: Ranks, checkpoint: Path) -> dict[str, Any]:
    """Train as the case says; return the weights, the history and what this rank's steps saw."""
    recipe = case.full_recipe
    task = TrainingTask((HIT,), {"hit": GroupingRule(min_gap_seconds=0.1)}, 4, recipe, "data")
    videos = [
        make_video(name, frames=not recipe.frozen, seed=seed) for seed, name in enumerate("ab")
    ]
    judged = [make_video("c", frames=not recipe.frozen, seed=9)]
    steps: list[Step] = []

    def once_more(*, stop: bool) -> Any:
        return train(
            new_detector(recipe, ranks),
            task,
            videos,
            judged if ranks.is_first else [],
            checkpoint_path=checkpoint,
            on_step=steps.append,
            is_to_stop=lambda: stop and ranks.is_first and len(steps) >= (case.stop_after or 0),
            ranks=ranks,
        )

    if case.stop_after is not None:
        try:
            once_more(stop=True)
        except TrainingInterruptedError:
            pass
        else:
            raise AssertionError("it was to stop")
        if not case.goes_on:
            return {"losses": [step.loss for step in steps]}
        # Whoever reads it waits until it is written.
        ranks.from_first(None)
    trained = once_more(stop=False)
    return {
        "weights": trained.detector.state_dict(),
        "history": trained.history,
        "losses": [step.loss for step in steps],
        "inputs": [step.batch.inputs for step in steps],
        "targets": [step.batch.targets for step in steps],
        "places": [(step.epoch, step.number) for step in steps],
    }


def main(folder: Path) -> None:
    """Run all cases as one of the ranks."""
    torch.set_num_threads(1)
    with joined(use_gpus=False) as ranks:
        for name, case in CASES.items():
            taking_part = fewer(ranks, case.share_with)
            if taking_part is not None:
                result = run(case, taking_part, folder / f"{name}.pt")
                torch.save(result, folder / f"{name} {ranks.number}.result")
            dist.barrier()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
