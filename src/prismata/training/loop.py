"""The training loop, top to bottom: steps, validation, early stopping, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from prismata.core.errors import InvalidInputError
from prismata.core.events import EventType
from prismata.core.recipes import GroupingRule
from prismata.training.batches import Batch, chunk_batches, feature_batches
from prismata.training.checkpoint import describe_model, load_checkpoint, save_checkpoint
from prismata.training.data import LabelledVideo, check_trainable, positive_weights
from prismata.training.model import Detector
from prismata.training.recipe import Recipe
from prismata.training.validation import Validation, validate


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """What is to be learned; its digest ties a checkpoint to its data."""

    event_types: tuple[EventType, ...]
    rules: dict[str, GroupingRule]
    num_frames: int
    recipe: Recipe
    data_digest: str


@dataclass(slots=True)
class TrainingState:
    """Where training stands after an epoch."""

    epoch: int = 0
    best_epoch: int = -1
    best_score: float = -math.inf
    best_loss: float = math.inf
    history: list[dict[str, Any]] = field(default_factory=list)
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trained:
    """The detector with its best weights, and how it got there."""

    detector: Detector
    history: list[dict[str, Any]]
    best_epoch: int
    best_score: float
    stopped_early: bool
    train_seconds: float


@dataclass(frozen=True, slots=True)
class _Learner:
    """What changes from step to step."""

    detector: Detector
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR


EpochReport = Callable[[int, int, dict[str, Any]], None]


def train(
    detector: Detector,
    task: TrainingTask,
    train_videos: Sequence[LabelledVideo],
    val_videos: Sequence[LabelledVideo],
    *,
    checkpoint_path: Path | None = None,
    on_epoch: EpochReport = lambda _epoch, _epochs, _row: None,
) -> Trained:
    """Train until the validation score stops rising.

    The score is event-level: the mean of point AP and segment AP on the validation videos (the
    training videos if there are none, which the history says). Ties go to the smaller loss.

    Args:
        detector: The model; an interrupted run with the same task goes on from its checkpoint.
        task: What is to be learned.
        train_videos: Data for the gradients.
        val_videos: Data for early stopping.
        checkpoint_path: Where the state is kept after every epoch.
        on_epoch: Gets the epoch (from 1), the number of epochs and the epoch's figures.

    Raises:
        InvalidInputError: If nothing can be learned from the data, or the checkpoint belongs to
            other data or another recipe.
    """
    recipe = task.recipe
    check_trainable(train_videos, task.event_types)
    torch.manual_seed(recipe.seed)
    optimizer = _optimizer(detector, recipe)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _learning_rate(recipe.epochs))
    weights = torch.from_numpy(positive_weights(train_videos, limit=recipe.positive_limit))
    # The running mean of the weights is what is validated and kept: with few videos single steps
    # jump too far to trust any one of them (Polyak averaging; buffers are averaged too).
    mean_of = get_ema_multi_avg_fn(recipe.ema_decay)  # type: ignore[no-untyped-call]  # torch
    average = AveragedModel(detector, multi_avg_fn=mean_of, use_buffers=True)
    learner = _Learner(detector, average, optimizer, schedule)
    state = TrainingState()
    if checkpoint_path is not None and checkpoint_path.is_file():
        state = _resume(checkpoint_path, learner, task)
    started = time.perf_counter()
    while state.epoch < recipe.epochs and state.epoch - state.best_epoch <= recipe.patience:
        row = _run_epoch(learner, task, train_videos, weights, state.epoch)
        schedule.step()
        smoothed = cast(Detector, average.module)
        judged = val_videos or train_videos
        score = validate(smoothed, judged, task.event_types, task.rules, weights)
        row |= {**score.to_dict(), "validated_on": "val" if val_videos else "train"}
        _remember(state, smoothed, score, row)
        if checkpoint_path is not None:
            _save(checkpoint_path, learner, task, state)
        on_epoch(state.epoch, recipe.epochs, row)
    detector.load_state_dict(state.best_weights)
    return Trained(
        detector,
        state.history,
        state.best_epoch,
        state.best_score,
        stopped_early=state.epoch < recipe.epochs,
        train_seconds=time.perf_counter() - started,
    )


def _run_epoch(
    learner: _Learner,
    task: TrainingTask,
    videos: Sequence[LabelledVideo],
    positive: torch.Tensor,
    epoch: int,
) -> dict[str, Any]:
    """Make one pass and return its figures."""
    started = time.perf_counter()
    rng = np.random.default_rng((task.recipe.seed, epoch))
    torch.manual_seed(task.recipe.seed * 100_003 + epoch)
    detector, optimizer = learner.detector, learner.optimizer
    make = feature_batches if detector.encoder is None else chunk_batches
    detector.train()
    losses: list[float] = []
    for batch in make(videos, task.recipe, task.num_frames, rng):
        optimizer.zero_grad(set_to_none=True)
        loss = _loss(detector, batch, positive)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(detector.parameters(), 1.0)
        optimizer.step()
        learner.average.update_parameters(detector)
        losses.append(float(loss.detach()))
    return {
        "epoch": epoch + 1,
        "train_loss": float(np.mean(losses)),
        "seconds": round(time.perf_counter() - started, 2),
    }


def _loss(detector: Detector, batch: Batch, positive: torch.Tensor) -> torch.Tensor:
    device = detector.device
    inputs = batch.inputs.to(device, non_blocking=True)
    logits = (
        detector.forward_windows(inputs)
        if detector.encoder is None
        else detector.forward_chunk(inputs)
    )
    weights = batch.weights.to(device)
    losses = binary_cross_entropy_with_logits(
        logits, batch.targets.to(device), pos_weight=positive.to(device), reduction="none"
    )
    return (losses * weights).sum() / weights.sum().clamp(min=1.0)


def _optimizer(detector: Detector, recipe: Recipe) -> torch.optim.Optimizer:
    groups = [{"params": list(detector.head.parameters()), "lr": recipe.head_lr}]
    if detector.encoder is not None:
        groups.append({"params": list(detector.encoder.parameters()), "lr": recipe.encoder_lr})
    return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)


def _learning_rate(epochs: int) -> Callable[[int], float]:
    """Return the factor per epoch: a short warm-up, then a cosine down to 1 %."""
    warm_up = max(1, round(epochs * 0.05))

    def factor(epoch: int) -> float:
        if epoch < warm_up:
            return (epoch + 1) / (warm_up + 1)
        done = (epoch - warm_up) / max(1, epochs - warm_up)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    return factor


def _remember(
    state: TrainingState, detector: Detector, score: Validation, row: dict[str, Any]
) -> None:
    better = score.score > state.best_score or (
        score.score == state.best_score and score.loss < state.best_loss
    )
    if better:
        state.best_score, state.best_loss, state.best_epoch = score.score, score.loss, state.epoch
        state.best_weights = {
            name: value.detach().cpu().clone() for name, value in detector.state_dict().items()
        }
    state.epoch += 1
    state.history.append({**row, "best": better})


def _save(path: Path, learner: _Learner, task: TrainingTask, state: TrainingState) -> None:
    detector = learner.detector
    head = detector.head
    save_checkpoint(
        path,
        {
            "model": describe_model(
                task.recipe,
                feature_size=head.project.in_features,
                num_classes=len(task.event_types),
                num_frames=task.num_frames,
            ),
            "data_digest": task.data_digest,
            "weights": {k: v.cpu() for k, v in detector.state_dict().items()},
            "average": {k: v.cpu() for k, v in learner.average.state_dict().items()},
            "best_weights": state.best_weights,
            "optimizer": learner.optimizer.state_dict(),
            "schedule": {"last_epoch": learner.schedule.last_epoch},
            "epoch": state.epoch,
            "best_epoch": state.best_epoch,
            "best_score": state.best_score,
            "best_loss": state.best_loss,
            "history": state.history,
        },
    )


def _resume(path: Path, learner: _Learner, task: TrainingTask) -> TrainingState:
    """Go on where a run with the same task stopped; batches depend on (seed, epoch) only."""
    stored = load_checkpoint(path)
    if stored["data_digest"] != task.data_digest:
        raise InvalidInputError(
            "this checkpoint was made from other labels or videos; start a new run instead"
        )
    if Recipe.from_dict(stored["model"]["recipe"]) != task.recipe:
        raise InvalidInputError(
            "this checkpoint was made with another recipe; resume with the same one, or start a "
            "new run"
        )
    learner.detector.load_state_dict(stored["weights"])
    learner.average.load_state_dict(stored["average"])
    learner.optimizer.load_state_dict(stored["optimizer"])
    learner.schedule.last_epoch = int(stored["schedule"]["last_epoch"])
    return TrainingState(
        epoch=int(stored["epoch"]),
        best_epoch=int(stored["best_epoch"]),
        best_score=float(stored["best_score"]),
        best_loss=float(stored["best_loss"]),
        history=cast(list[dict[str, Any]], stored["history"]),
        best_weights=stored["best_weights"],
    )
