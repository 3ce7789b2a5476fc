"""Training data as arrays: what each video's samples look like and what is true at each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.time import TimeSpan


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
