"""What is true at each sample: the targets and weights that a model is taught with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prismata.core.architectures import find_architecture
from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.time import TimeSpan

POINT_RADIUS_SAMPLES = 1.5
"""A point event makes the windows positive whose centre is at most so many samples away."""

RARE = 0.01
"""Where fewer samples than this hold an event, its neighbours are to say so, too."""

HARD_NEGATIVE_WEIGHT = 3.0
"""Weight of the samples inside an event that a person rejected."""


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
    it, or half the tolerance if that is more, for people do not mark more exactly than it; an event
    type may have a tolerance of its own. Rejected events are background that counts
    `HARD_NEGATIVE_WEIGHT` times. Samples outside `known` (None: nothing lies outside) weigh 0, but
    for what an event itself says of its own type.

    Raises:
        InvalidInputError: If an event has a type that the domain does not declare.
    """
    columns = {event_type.name: i for i, event_type in enumerate(event_types)}
    tolerances = {item.name: item.tolerance_us(tolerance_us) for item in event_types}
    targets = np.zeros((times_us.size, len(event_types)), np.float32)
    weights = np.ones_like(targets)
    if known is not None:
        weights[~_inside(times_us, known)] = 0.0
    step = float(np.median(np.diff(times_us))) if times_us.size > 1 else 1.0
    for event, is_rejected in [(e, True) for e in rejected] + [(e, False) for e in events]:
        if event.event_type not in columns:
            raise InvalidInputError(
                f"event type {event.event_type!r} is not declared by the domain; it has "
                f"{', '.join(columns)}"
            )
        radius = max(POINT_RADIUS_SAMPLES * step, tolerances[event.event_type] / 2)
        if dilation is not None:
            radius = (dilation + 0.5) * step
        rows = _rows(times_us, event, radius)
        column = columns[event.event_type]
        if is_rejected:
            weights[rows, column] = HARD_NEGATIVE_WEIGHT
        else:
            targets[rows, column] = 1.0
            weights[rows, column] = 1.0
    return targets, weights


def choose_dilation(
    architecture: str, asked: int | None, *, events: int, samples: int
) -> int | None:
    """Return the dilation for `build_targets`: what was asked for, or what suits head and data.

    A score for every sample is exact if one sample is right and its neighbours are wrong, but with
    very few positives there is too little to learn from: E2E-Spot dilates its rarest set by 1 and
    no other.
    """
    if asked is not None or find_architecture(architecture).scores == "centre":
        return asked
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
