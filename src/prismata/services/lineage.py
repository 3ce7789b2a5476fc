"""From a model back to the labels that taught it: training run, dataset version, videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prismata.catalog import DatasetVersionRecord, ModelRecord, Split, TrainingRunRecord
from prismata.core.replays import replays_in_data
from prismata.services.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Teacher:
    """What one video gave to a training."""

    video_id: str
    name: str
    """As it is called now; empty if it was removed since."""
    split: Split
    labels: Mapping[str, int]
    """Event type → labelled events."""
    hard_negatives: int


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a model comes from, as far back as it is known."""

    model: ModelRecord
    run: TrainingRunRecord | None
    """None for a model that was trained elsewhere."""
    dataset: DatasetVersionRecord | None
    teachers: tuple[Teacher, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        run, dataset = self.run, self.dataset
        return {
            "model": {
                "name": self.model.name,
                "created_at": self.model.created_at.isoformat(),
                "files": self.model.card.get("files", {}),
            },
            "training_run": run
            and {
                "name": run.name,
                "recipe": run.recipe,
                "started_at": run.started_at.isoformat(),
            },
            "dataset": dataset
            and {
                "name": dataset.name,
                "digest": dataset.digest,
                "created_at": dataset.created_at.isoformat(),
                "author": dataset.author,
            },
            "videos": [
                {
                    "id": item.video_id,
                    "name": item.name,
                    "split": item.split,
                    "labels": dict(item.labels),
                    "hard_negatives": item.hard_negatives,
                }
                for item in self.teachers
            ],
        }

    def sentences(self) -> list[str]:
        """Say it in a few sentences, the nearest first."""
        if self.run is None or self.dataset is None:
            return [
                f"{self.model.name} was trained elsewhere; nothing is known of the labels that "
                "taught it."
            ]
        trained = [item for item in self.teachers if item.split == "train"]
        counts: Counter[str] = Counter()
        for item in trained:
            counts.update(item.labels)
        negatives = sum(item.hard_negatives for item in trained)
        gone = sum(not item.name for item in self.teachers)
        said = [
            f"{self.model.name} was made by the training run {self.run.name}, which began "
            f"{self.run.started_at:%Y-%m-%d %H:%M} UTC.",
            f"It learned from {self.dataset.name} (digest {self.dataset.digest[:12]}), frozen "
            f"{self.dataset.created_at:%Y-%m-%d %H:%M} UTC by {self.dataset.author}: "
            + (", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "no label")
            + f" in {len(trained)} training videos"
            + (f", and {negatives} rejected detections as hard negatives." if negatives else "."),
        ]
        if self.dataset.replays != "unstated":
            said.append(f"Replays in it: {replays_in_data(self.dataset.replays)}.")
        if gone:
            said.append(f"{gone} of its videos have been removed since.")
        return said


def model_lineage(bench: Workbench, name_or_id: str) -> Lineage:
    """Return where a model comes from.

    Raises:
        NotFoundError: If there is no such model.
    """
    model = bench.catalog.models.find(name_or_id)
    if model.training_run_id is None:
        return Lineage(model, None, None, ())
    run = bench.catalog.runs.get(model.training_run_id)
    dataset = bench.catalog.datasets.get(run.dataset_version_id)
    labels: dict[str, Counter[str]] = {}
    negatives: Counter[str] = Counter()
    for video_id, event, state in dataset.content:
        if state == "rejected":
            negatives[video_id] += 1
        else:
            labels.setdefault(video_id, Counter())[event.event_type] += 1
    names = {video.id: video.name for video in bench.catalog.videos.list()}
    teachers = tuple(
        Teacher(
            video_id,
            names.get(video_id, ""),
            split,
            labels.get(video_id, {}),
            negatives[video_id],
        )
        for video_id, split in dataset.video_splits.items()
    )
    return Lineage(
        model, run, dataset, tuple(sorted(teachers, key=lambda item: (item.split, item.name)))
    )
