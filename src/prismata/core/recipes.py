"""What must travel with a model: how clips are cut, and how scores become events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from prismata.core.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """How a video is sampled and cut into the windows that a model sees.

    The classic recipe is 5 to 10 frames a second, windows of 8 frames, a stride of 4 to 8.
    With features encoded once per frame a stride of 1 costs next to nothing, so that is ours.

    Raises:
        InvalidInputError: If a number is out of range.
    """

    target_fps: float = 10.0
    """Samples a second on the video's clock."""
    num_frames: int = 8
    """Samples in one window (T)."""
    window_stride: int = 1
    """Samples between the starts of neighbouring windows."""
    width: int = 224
    height: int = 224
    """Pixel size of the frames that the encoder gets; the picture is stretched to it."""

    def __post_init__(self) -> None:
        if not 0 < self.target_fps <= 240:
            raise InvalidInputError(f"target_fps must lie in (0, 240], not {self.target_fps}")
        for name in ("num_frames", "window_stride"):
            if not 1 <= getattr(self, name) <= 4096:
                raise InvalidInputError(f"{name} must lie in 1..4096, not {getattr(self, name)}")
        for name in ("width", "height"):
            if not 16 <= getattr(self, name) <= 2048:
                raise InvalidInputError(f"{name} must lie in 16..2048, not {getattr(self, name)}")

    def changed(self, settings: Mapping[str, Any]) -> ClipSpec:
        """Return a copy with other settings.

        Raises:
            InvalidInputError: If a setting is unknown or out of range.
        """
        unknown = sorted(set(settings) - {item.name for item in fields(self)})
        if unknown:
            raise InvalidInputError(
                f"a clip has no setting {unknown[0]!r}; it has "
                f"{', '.join(item.name for item in fields(self))}"
            )
        return replace(self, **settings)


@dataclass(frozen=True, slots=True)
class GroupingRule:
    """How one event type's scores become events: threshold, then group.

    A run is a stretch of instants whose score stays at or above `leave` and reaches `threshold`
    at least once; runs closer than `min_gap_seconds` are one. A segment event is the run; a point
    event is its score-weighted centre.

    Raises:
        InvalidInputError: If a number is out of range.
    """

    threshold: float = 0.5
    """A run must reach this score."""
    leave_ratio: float = 0.5
    """A run lasts while the score is at least `threshold * leave_ratio` (hysteresis)."""
    min_gap_seconds: float = 0.3
    """Runs closer than this are merged (the classic `min_gap`)."""
    min_seconds: float = 0.0
    """Shorter segments are dropped; ignored for points."""
    buffer_seconds: float = 1.0
    """Added on both sides for the clip that people look at; never changes the event itself."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise InvalidInputError(f"threshold must lie in (0, 1], not {self.threshold}")
        if not 0 < self.leave_ratio <= 1:
            raise InvalidInputError(f"leave_ratio must lie in (0, 1], not {self.leave_ratio}")
        for name in ("min_gap_seconds", "min_seconds", "buffer_seconds"):
            if not 0 <= getattr(self, name) <= 3600:
                raise InvalidInputError(f"{name} must lie in 0..3600, not {getattr(self, name)}")

    @property
    def leave(self) -> float:
        """Score below which a run ends."""
        return self.threshold * self.leave_ratio


@dataclass(frozen=True, slots=True)
class MotionGate:
    """When a frame may go without the encoder because nothing has moved since the last encoded one.

    The picture's brightness is averaged over a grid of `GRID` x `GRID` cells. A frame is encoded if
    any cell differs by more than `threshold` from the last encoded one, or if that one is too long
    ago; otherwise it takes over that frame's features. This changes scores, so a domain has to ask
    for it, and its cost in recall is measured and stands on the model card.

    Raises:
        InvalidInputError: If a number is out of range.
    """

    threshold: float = 4.0
    """Difference of a cell's mean brightness, 0 to 255, that counts as motion."""
    max_hold_seconds: float = 2.0
    """Encode at least this often, however still the picture is."""

    GRID: ClassVar[int] = 14

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 255:
            raise InvalidInputError(f"threshold must lie in (0, 255], not {self.threshold}")
        if not 0 < self.max_hold_seconds <= 3600:
            raise InvalidInputError(
                f"max_hold_seconds must lie in (0, 3600], not {self.max_hold_seconds}"
            )
