"""Hard negatives of a training run: mined once, kept with its checkpoint."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from prismata.core.child import ChildReporter
from prismata.services.workbench import Workbench
from prismata.training.data import LabelledVideo
from prismata.training.loop import Step, TrainingTask
from prismata.training.mining import mine_hard_negatives
from prismata.training.model import Detector
from prismata.worker.train.gather import GatheredData

MINED_FILE = "mined.npz"
NOTE = "looking for what is mistaken for events"
_FACTS = "facts"


def with_hard_negatives(
    bench: Workbench,
    untrained: Detector,
    task: TrainingTask,
    data: GatheredData,
    prefix: str,
    reporter: ChildReporter,
) -> tuple[GatheredData, dict[str, Any]]:
    """Weigh what models that never saw it mistake for events, if the recipe says so.

    Args:
        bench: Where the weights are kept.
        untrained: The detector before its training; stays as it is.
        task: Of that training.
        data: The videos.
        prefix: Of the run's files in storage.
        reporter: Hears how far it is.

    Returns:
        The data for the training, and what was found, for the card; empty if not asked for.

    Raises:
        InvalidInputError: If all training videos are of one group.
    """
    folds, videos = task.recipe.mining_folds, data.videos["train"]
    if folds < 2:
        return data, {}
    key = prefix + MINED_FILE
    if not bench.storage.exists(key):
        telling = _Telling(reporter, folds, task.recipe.epochs)
        mined = mine_hard_negatives(
            untrained,
            task,
            videos,
            data.videos["val"],
            {name: record.group_name for name, record in data.records.items()},
            folds=folds,
            on_fold=telling.on_fold,
            on_step=telling.on_step,
        )
        facts = {"moments": mined.moments, "videos_looked_at": mined.scored, "folds": folds}
        bench.storage.put(key, _packed(mined.videos, facts))
    # Read back even when just written: a resumed run sees what the first attempt saw.
    with np.load(io.BytesIO(bench.storage.get(key)), allow_pickle=False) as kept:
        facts = json.loads(str(kept[_FACTS]))
        heavier = [replace(video, weights=kept[f"video_{video.name}"]) for video in videos]
    return GatheredData({**data.videos, "train": heavier}, data.records), facts


@dataclass(slots=True)
class _Telling:
    """Says how far it is at every step: whoever is silent for long is taken for stalled."""

    reporter: ChildReporter
    folds: int
    epochs: int
    done: int = 0

    def on_fold(self, done: int, folds: int) -> None:
        self.done, self.folds = done, folds
        self.reporter.progress(done, folds, NOTE)

    def on_step(self, step: Step) -> None:
        self.reporter.progress(self.done + step.epoch / self.epochs, self.folds, NOTE)


def _packed(videos: list[LabelledVideo], facts: dict[str, Any]) -> bytes:
    target = io.BytesIO()
    arrays: dict[str, Any] = {f"video_{video.name}": video.weights for video in videos}
    arrays[_FACTS] = np.array(json.dumps(facts))
    np.savez_compressed(target, **arrays)
    return target.getvalue()
