"""Training data as arrays: what each video's samples look like and what is true at each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prismata.core.architectures import find_architecture
from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.time import TimeSpan
from prismata.training.recipe import Recipe

POINT_RADIUS_SAMPLES = 1.5
"""A point event makes the windows positive whose centre is at most so many samples away."""

RARE = 0.01
"""Where fewer samples than this hold an event, its neighbours are to say so, too."""

HARD_NEGATIVE_WEIGHT = 3.0
"""Weight of the samples inside an event that a person rejected."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledVideo:
    """One video on its sampling grid."""

    name: str
    times_us: NDArray[np.int64]
    """`(K,)` grid instants."""
    inputs: NDArray[np.uint8] | NDArray[np.float32]
    """`(K, H, W, 3)` uint8 frames, or `(K, F)` float32 features when the encoder is frozen."""
    targets: NDArray[np.float32]
    """`(K, C)` 0 or 1."""
    weights: NDArray[np.float32]
    """`(K, C)` loss weights; 0 = unknown."""
    events: tuple[Event, ...]
    """The annotations, for event-level validation."""
    duration_us: int
    unknown: tuple[TimeSpan, ...] = ()
    """Stretches that nobody watched and where no label lies; they are not scored."""

    @property
    def known_rows(self) -> NDArray[np.int64]:
        """`(K',)` rows of which something is known for at least one event type."""
        return np.flatnonzero(self.weights.max(axis=1) > 0)


def build_targets(
    times_us: NDArray[np.int64],
    events: Sequence[Event],
    event_types: Sequence[EventType],
    *,
    rejected: Sequence[Event] = (),
    tolerance_us: int = 0,
    dilation: int | None = None,
    known: Sequence[TimeSpan] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return `(K, C)` targets and weights for the samples of one video.

    A segment makes the samples inside `[start, end)` positive; a point the nearest one, and
    `dilation` more to either side. Without a dilation it is those within `POINT_RADIUS_SAMPLES` of
    it, or half the tolerance if that is more, for people do not mark more exactly than it. Rejected
    events are background that counts `HARD_NEGATIVE_WEIGHT` times. Samples outside `known` (None:
    nothing lies outside) weigh 0, but for what an event itself says of its own type.

    Raises:
        InvalidInputError: If an event has a type that the domain does not declare.
    """
    columns = {event_type.name: i for i, event_type in enumerate(event_types)}
    targets = np.zeros((times_us.size, len(event_types)), np.float32)
    weights = np.ones_like(targets)
    if known is not None:
        weights[~_inside(times_us, known)] = 0.0
    step = float(np.median(np.diff(times_us))) if times_us.size > 1 else 1.0
    radius = max(POINT_RADIUS_SAMPLES * step, tolerance_us / 2)
    if dilation is not None:
        radius = (dilation + 0.5) * step
    for event, is_rejected in [(e, True) for e in rejected] + [(e, False) for e in events]:
        if event.event_type not in columns:
            raise InvalidInputError(
                f"event type {event.event_type!r} is not declared by the domain; it has "
                f"{', '.join(columns)}"
            )
        rows = _rows(times_us, event, radius)
        column = columns[event.event_type]
        if is_rejected:
            weights[rows, column] = HARD_NEGATIVE_WEIGHT
        else:
            targets[rows, column] = 1.0
            weights[rows, column] = 1.0
    return targets, weights


def choose_dilation(recipe: Recipe, *, events: int, samples: int) -> int | None:
    """Return what `build_targets` gets: the recipe's, or what suits the head and the data.

    A score for every sample is exact if one sample is right and its neighbours are wrong, but with
    very few positives there is too little to learn from: E2E-Spot dilates its rarest set by 1 and
    no other.
    """
    if recipe.dilation is not None or find_architecture(recipe.architecture).scores == "centre":
        return recipe.dilation
    return 1 if events < RARE * samples else 0


def _inside(times_us: NDArray[np.int64], spans: Sequence[TimeSpan]) -> NDArray[np.bool_]:
    inside = np.zeros(times_us.size, np.bool_)
    for span in spans:
        inside |= (times_us >= span.start_us) & (times_us < span.end_us)
    return inside


def _rows(times_us: NDArray[np.int64], event: Event, radius_us: float) -> NDArray[np.bool_]:
    if event.kind == "segment":
        rows = (times_us >= event.start_us) & (times_us < event.end_us)
    else:
        rows = np.abs(times_us - event.start_us) <= radius_us
    if not rows.any():  # shorter than a step: the nearest sample stands for it
        middle = (event.start_us + event.end_us) // 2
        rows = np.zeros(times_us.size, np.bool_)
        rows[int(np.argmin(np.abs(times_us - middle)))] = True
    return rows


def positive_weights(videos: Sequence[LabelledVideo], *, limit: float = 5.0) -> NDArray[np.float32]:
    """Return `(C,)` loss weights of positives: how much rarer they are, at most `limit`.

    Samples of which nothing is known are not counted. Full inverse frequency overshoots; the
    spotting literature settles on about 5.
    """
    positives = sum(video.targets.sum(axis=0) for video in videos)
    known = sum((video.weights > 0).sum(axis=0).astype(np.float32) for video in videos)
    ratio = (known - positives) / np.maximum(positives, 1)
    clipped: NDArray[np.float32] = np.clip(ratio, 1.0, limit).astype(np.float32)
    return clipped


def check_trainable(videos: Sequence[LabelledVideo], event_types: Sequence[EventType]) -> None:
    """Refuse data from which nothing can be learned.

    Raises:
        InvalidInputError: If there is no video, or an event type has no example, or no known time
            without it.
    """
    if not videos:
        raise InvalidInputError("there is no training video; label at least one and train again")
    counts = sum(video.targets.sum(axis=0) for video in videos)
    missing = [
        t.name for t, count in zip(event_types, np.atleast_1d(counts), strict=True) if not count
    ]
    if missing:
        raise InvalidInputError(
            f"the training videos hold no example of {', '.join(missing)}; label some, or move a "
            "video that has one into the training split"
        )
    known = sum((video.weights > 0).sum(axis=0) for video in videos)
    always = [
        t.name
        for t, rest in zip(event_types, np.atleast_1d(known - counts), strict=True)
        if not rest
    ]
    if always:
        raise InvalidInputError(
            f"nobody watched a moment of the training videos without {', '.join(always)}, so there "
            "is nothing to tell apart; watch some more of a video in the label station, or, if a "
            "label file holds all events of its videos, import it without --partial"
        )
