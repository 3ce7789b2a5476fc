"""What differs between two dataset versions: videos, splits, labels, known time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prismata.catalog import DatasetVersionRecord, FrozenAnnotation, Split
from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.core.time import to_us

MOVED_WITHIN_US = to_us(1.0)
"""A label that is gone and one of its type that is new, so near each other, are one that moved."""


@dataclass(frozen=True, slots=True)
class MovedLabel:
    """A label whose times differ."""

    video_id: str
    before: Event
    after: Event


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """What the newer version has that the older has not, and the other way round."""

    older: DatasetVersionRecord
    newer: DatasetVersionRecord
    added_videos: tuple[str, ...]
    removed_videos: tuple[str, ...]
    other_split: Mapping[str, tuple[Split, Split]]
    """Video id → split before and after; of those that both have."""
    added: tuple[FrozenAnnotation, ...]
    removed: tuple[FrozenAnnotation, ...]
    moved: tuple[MovedLabel, ...]
    judged: tuple[tuple[FrozenAnnotation, FrozenAnnotation], ...]
    """The same label with another review state, before and after."""
    known_change_us: int
    """How much more time is known in the newer one, in the videos that both have."""

    @property
    def is_empty(self) -> bool:
        """Whether both hold the same."""
        return self.older.digest == self.newer.digest


def diff_datasets(
    older: DatasetVersionRecord, newer: DatasetVersionRecord, durations_us: Mapping[str, int]
) -> DatasetDiff:
    """Compare two versions of one domain.

    Args:
        older: Compared with.
        newer: What is told about.
        durations_us: Video id → length; a video that is known from end to end counts with it.

    Raises:
        InvalidInputError: If they belong to different domains.
    """
    if older.domain != newer.domain:
        raise InvalidInputError(
            f"{older.name!r} holds labels of {older.domain!r} and {newer.name!r} of "
            f"{newer.domain!r}; only versions of one domain can be compared"
        )
    common = older.video_splits.keys() & newer.video_splits.keys()
    before, after = (
        {_key(item): item for item in older.content},
        {_key(item): item for item in newer.content},
    )
    gone = [item for key, item in before.items() if key not in after]
    new = [item for key, item in after.items() if key not in before]
    pairs = _pair_moved(gone, new)
    moved_from, moved_to = {i for i, _ in pairs}, {j for _, j in pairs}
    return DatasetDiff(
        older,
        newer,
        added_videos=tuple(sorted(newer.video_splits.keys() - older.video_splits.keys())),
        removed_videos=tuple(sorted(older.video_splits.keys() - newer.video_splits.keys())),
        other_split={
            video_id: (older.video_splits[video_id], newer.video_splits[video_id])
            for video_id in sorted(common)
            if older.video_splits[video_id] != newer.video_splits[video_id]
        },
        added=tuple(item for j, item in enumerate(new) if j not in moved_to),
        removed=tuple(item for i, item in enumerate(gone) if i not in moved_from),
        moved=tuple(MovedLabel(gone[i][0], gone[i][1], new[j][1]) for i, j in pairs),
        judged=tuple(
            (before[key], after[key])
            for key in sorted(before.keys() & after.keys())
            if before[key][2] != after[key][2]
        ),
        known_change_us=sum(
            _known_us(newer, video_id, durations_us) - _known_us(older, video_id, durations_us)
            for video_id in common
        ),
    )


def _key(item: FrozenAnnotation) -> tuple[str, int, int, str]:
    video_id, event, _ = item
    return video_id, event.start_us, event.end_us, event.event_type


def _pair_moved(gone: list[FrozenAnnotation], new: list[FrozenAnnotation]) -> list[tuple[int, int]]:
    """Return the places of labels that moved in both lists, the nearest paired first."""
    candidates: dict[tuple[str, str], list[int]] = {}
    for j, (video_id, event, _) in enumerate(new):
        candidates.setdefault((video_id, event.event_type), []).append(j)
    near = sorted(
        (distance, i, j)
        for i, (video_id, event, _) in enumerate(gone)
        for j in candidates.get((video_id, event.event_type), ())
        if (distance := _distance_us(event, new[j][1])) <= MOVED_WITHIN_US
    )
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, i, j in near:
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return sorted(pairs.items())


def _distance_us(before: Event, after: Event) -> int:
    return max(abs(before.start_us - after.start_us), abs(before.end_us - after.end_us))


def _known_us(version: DatasetVersionRecord, video_id: str, durations_us: Mapping[str, int]) -> int:
    spans = version.known.get(video_id)
    if spans is None:
        return durations_us.get(video_id, 0)
    return sum(span.duration_us for span in spans)
