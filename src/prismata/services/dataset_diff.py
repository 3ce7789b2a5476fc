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
    moved = _pair_moved(gone, new)
    for label in moved:
        gone.remove(next(i for i in gone if i[0] == label.video_id and i[1] == label.before))
        new.remove(next(i for i in new if i[0] == label.video_id and i[1] == label.after))
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
        added=tuple(new),
        removed=tuple(gone),
        moved=tuple(moved),
        judged=tuple(
            (before[key], after[key])
            for key in before.keys() & after.keys()
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


def _pair_moved(gone: list[FrozenAnnotation], new: list[FrozenAnnotation]) -> list[MovedLabel]:
    """Pair what is gone with what is new, the nearest first."""
    near = sorted(
        (distance, i, j)
        for i, (video_id, before, _) in enumerate(gone)
        for j, (other_id, after, _) in enumerate(new)
        if video_id == other_id
        and before.event_type == after.event_type
        and (distance := _distance_us(before, after)) <= MOVED_WITHIN_US
    )
    taken_gone: set[int] = set()
    taken_new: set[int] = set()
    moved = []
    for _, i, j in near:
        if i not in taken_gone and j not in taken_new:
            taken_gone.add(i)
            taken_new.add(j)
            moved.append(MovedLabel(gone[i][0], gone[i][1], new[j][1]))
    return sorted(moved, key=lambda label: (label.video_id, label.before.start_us))


def _distance_us(before: Event, after: Event) -> int:
    return max(abs(before.start_us - after.start_us), abs(before.end_us - after.end_us))


def _known_us(version: DatasetVersionRecord, video_id: str, durations_us: Mapping[str, int]) -> int:
    spans = version.known.get(video_id)
    if spans is None:
        return durations_us.get(video_id, 0)
    return sum(span.duration_us for span in spans)
