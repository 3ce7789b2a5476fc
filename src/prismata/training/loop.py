"""The training loop, top to bottom: steps, validation, early stopping, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
from prismata.training.ranks import ALONE, Ranks
from prismata.training.recipe import Recipe
from prismata.training.shared_norm import shared_statistics
from prismata.training.validation import Validation, validate

SAVE_EVERY_SECONDS = 60.0
"""How much work within an epoch a kill may cost."""


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """What is to be learned; its digest ties a checkpoint to its data."""

    event_types: tuple[EventType, ...]
    rules: dict[str, GroupingRule]
    num_frames: int
    recipe: Recipe
    data_digest: str
    window_stride: int = 1
    """Samples between the windows that are scored in validation."""


class TrainingInterruptedError(Exception):
    """Somebody asked to stop; the checkpoint holds everything up to the last step."""


@dataclass(slots=True)
class TrainingState:
    """Where training stands: so many epochs, and so many steps of the next one."""

    epoch: int = 0
    losses: list[float] = field(default_factory=list)
    """Of the steps made in the epoch that is not over."""
    random_state: torch.Tensor | None = None
    """Of torch after those steps; None at the beginning of an epoch, which seeds it anew."""
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


@dataclass(frozen=True, slots=True)
class Step:
    """One optimisation step, for those who watch."""

    epoch: int
    """From 0."""
    number: int
    """From 0 in every epoch."""
    loss: float
    batch: Batch
    """What it saw: the same step of the same task always sees the same."""


StepReport = Callable[[Step], None]
EpochReport = Callable[[int, int, dict[str, Any]], None]


def train(  # noqa: PLR0913 - who watches and who takes part are named
    detector: Detector,
    task: TrainingTask,
    train_videos: Sequence[LabelledVideo],
    val_videos: Sequence[LabelledVideo],
    *,
    checkpoint_path: Path | None = None,
    on_epoch: EpochReport = lambda _epoch, _epochs, _row: None,
    on_step: StepReport = lambda _step: None,
    is_to_stop: Callable[[], bool] = lambda: False,
    ranks: Ranks = ALONE,
) -> Trained:
    """Train until the validation score stops rising.

    The score is event-level: the mean of point AP and segment AP on the validation videos (the
    training videos if there are none, which the history says), or the one of them that the recipe
    emphasises. Ties go to the smaller loss.

    Args:
        detector: The model; an interrupted run with the same task goes on from its checkpoint.
        task: What is to be learned.
        train_videos: Data for the gradients.
        val_videos: Data for early stopping.
        checkpoint_path: Where the state is kept after every epoch, and within long ones.
        on_epoch: Gets the epoch (from 1), the number of epochs and the epoch's figures.
        on_step: Gets each step as it is made.
        is_to_stop: Asked in each step and after each epoch.
        ranks: Who trains together. All call this with the same task, data and checkpoint; the first
            one validates, writes, reports and decides, and it alone returns the best weights.

    Raises:
        TrainingInterruptedError: If it was to stop; the checkpoint is written.
        RankLostError: If another rank is gone.
        InvalidInputError: If nothing can be learned from the data, or the checkpoint belongs to
            other data or another recipe.
    """
    recipe = task.recipe
    check_trainable(train_videos, task.event_types)
    torch.manual_seed(recipe.seed)
    ranks.take_from_first(detector)
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
        steps = _Steps(learner, task, weights, state, checkpoint_path, on_step, is_to_stop, ranks)
        row = steps.run(train_videos)
        schedule.step()
        ranks.check_equal(detector)
        if ranks.is_first:
            smoothed = cast(Detector, average.module)
            judged = val_videos or train_videos
            score = validate(
                smoothed,
                judged,
                task.event_types,
                task.rules,
                weights,
                stride=task.window_stride,
                emphasis=recipe.emphasis,
            )
            row |= {**score.to_dict(), "validated_on": "val" if val_videos else "train"}
            _remember(state, smoothed, score, row)
            if checkpoint_path is not None:
                _save(checkpoint_path, learner, task, state)
            on_epoch(state.epoch, recipe.epochs, row)
        else:
            state.epoch += 1
        state.best_epoch, stops = ranks.from_first((state.best_epoch, is_to_stop()))
        if stops and state.epoch < recipe.epochs:
            raise TrainingInterruptedError
    if ranks.is_first:
        detector.load_state_dict(state.best_weights)
    return Trained(
        detector,
        state.history,
        state.best_epoch,
        state.best_score,
        stopped_early=state.epoch < recipe.epochs,
        train_seconds=time.perf_counter() - started,
    )


class _Steps:
    """The steps of one epoch, those that a checkpoint holds already left out."""

    def __init__(
        self,
        learner: _Learner,
        task: TrainingTask,
        positive: torch.Tensor,
        state: TrainingState,
        checkpoint_path: Path | None,
        on_step: StepReport,
        is_to_stop: Callable[[], bool],
        ranks: Ranks,
    ) -> None:
        self._learner, self._task, self._positive = learner, task, positive
        self._state = state
        self._checkpoint_path = checkpoint_path
        self._on_step, self._is_to_stop = on_step, is_to_stop
        self._ranks, self._all_stop = ranks, False
        self._saved_at = time.monotonic()

    def run(self, videos: Sequence[LabelledVideo]) -> dict[str, Any]:
        """Make the pass to its end and return its figures."""
        started = time.perf_counter()
        state, seed = self._state, self._task.recipe.seed
        rng = np.random.default_rng((seed, state.epoch))
        torch.manual_seed(seed * 100_003 + state.epoch)
        detector = self._learner.detector
        detector.train()
        if self._task.recipe.freeze_batch_norm:
            _freeze_batch_norm(detector)
        done = len(state.losses)
        for number, batch in enumerate(self._batches(videos, rng)):
            if number < done:
                # Making it again moves the batches' own dice on to where they were.
                if number == done - 1 and state.random_state is not None:
                    torch.set_rng_state(state.random_state)
                continue
            state.losses.append(self._step(batch))
            self._on_step(Step(state.epoch, number, state.losses[-1], batch))
            self._save_now_and_then()
        losses, state.losses, state.random_state = state.losses, [], None
        return {
            "epoch": state.epoch + 1,
            "train_loss": float(np.mean(losses)),
            "seconds": round(time.perf_counter() - started, 2),
        }

    def _batches(
        self, videos: Sequence[LabelledVideo], rng: np.random.Generator
    ) -> Iterator[Batch]:
        detector, recipe = self._learner.detector, self._task.recipe
        if detector.encoder is None and not detector.is_dense:
            return feature_batches(videos, recipe, detector.num_frames, rng, self._ranks)
        return chunk_batches(videos, recipe, detector.context + 1, rng, self._ranks)

    def _step(self, batch: Batch) -> float:
        learner, ranks = self._learner, self._ranks
        learner.optimizer.zero_grad(set_to_none=True)
        with self._as_one_of(ranks, batch):
            loss = _loss(learner.detector, batch, self._positive, self._task.recipe)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        told = None
        if not ranks.is_alone:
            stops = self._is_to_stop()
            told = ranks.sum_gradients(learner.detector.parameters(), loss, stops=stops)
            self._all_stop = told.stops
        nn.utils.clip_grad_norm_(learner.detector.parameters(), 1.0)
        learner.optimizer.step()
        learner.average.update_parameters(learner.detector)
        return float(loss.detach()) if told is None else told.loss

    @contextmanager
    def _as_one_of(self, ranks: Ranks, batch: Batch) -> Iterator[None]:
        """Count batch statistics together, and throw dice of our own for what is dropped out.

        The dice that batches are drawn with stay where they are, alike on all ranks.
        """
        if ranks.is_alone:
            yield
            return
        with ExitStack() as stack:
            stack.enter_context(torch.random.fork_rng(devices=[]))
            place = (self._task.recipe.seed, self._state.epoch, len(self._state.losses))
            dice = np.random.SeedSequence((*place, ranks.number))
            torch.manual_seed(int(dice.generate_state(1)[0]))
            if batch.is_shared:
                stack.enter_context(shared_statistics(self._learner.detector, ranks))
            yield

    def _save_now_and_then(self) -> None:
        stops = self._is_to_stop() if self._ranks.is_alone else self._all_stop
        is_due = time.monotonic() - self._saved_at >= SAVE_EVERY_SECONDS
        writes = self._ranks.is_first and (stops or is_due)
        if self._checkpoint_path is not None and writes:
            self._state.random_state = torch.get_rng_state()
            _save(self._checkpoint_path, self._learner, self._task, self._state)
            self._saved_at = time.monotonic()
        if stops:
            raise TrainingInterruptedError


def _loss(detector: Detector, batch: Batch, positive: torch.Tensor, recipe: Recipe) -> torch.Tensor:
    device = detector.device
    inputs = batch.inputs.to(device, non_blocking=True)
    with torch.autocast(device.type, torch.bfloat16, enabled=uses_bf16(recipe, device)):
        logits = (
            detector.forward_windows(inputs)
            if detector.encoder is None and not detector.is_dense
            else detector.forward_stretch(inputs)
        ).float()
    weights, targets = batch.weights.to(device), batch.targets.to(device)
    losses = binary_cross_entropy_with_logits(
        logits, targets, pos_weight=positive.to(device), reduction="none"
    )
    if recipe.focal_gamma:
        # Targets may be blended; for 0 and 1 this is (1 - p)^gamma of the true class.
        losses = losses * (targets - torch.sigmoid(logits)).abs() ** recipe.focal_gamma
    divisor = weights.sum().clamp(min=1.0) if batch.divisor is None else batch.divisor.to(device)
    return (losses * weights).sum() / divisor


def uses_bf16(recipe: Recipe, device: torch.device) -> bool:
    """Return whether matrix products and convolutions of the training are in bf16."""
    if recipe.precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported()
    return recipe.precision == "bf16"


def _freeze_batch_norm(detector: Detector) -> None:
    # Not those of gate shift, which no published weights have and which begin knowing nothing.
    for module in detector.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


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
                feature_size=head.feature_size,
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
            "losses": state.losses,
            "random_state": state.random_state,
            "best_epoch": state.best_epoch,
            "best_score": state.best_score,
            "best_loss": state.best_loss,
            "history": state.history,
        },
    )


def _resume(path: Path, learner: _Learner, task: TrainingTask) -> TrainingState:
    """Go on where a run with the same task stopped, with the batch that would have come next."""
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
        losses=[float(loss) for loss in stored.get("losses", [])],
        random_state=stored.get("random_state"),
        best_epoch=int(stored["best_epoch"]),
        best_score=float(stored["best_score"]),
        best_loss=float(stored["best_loss"]),
        history=cast(list[dict[str, Any]], stored["history"]),
        best_weights=stored["best_weights"],
    )
