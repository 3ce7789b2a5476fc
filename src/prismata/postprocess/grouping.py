"""A whole score track to its events, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from prismata.core.events import Event, EventType
from prismata.core.recipes import GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.postprocess.streaming import StreamingGrouper


def group_events(
    track: ScoreTrack,
    event_types: Sequence[EventType],
    rules: Mapping[str, GroupingRule],
    *,
    duration_us: int,
) -> list[Event]:
    """Return the events of a track, by time.

    The rules are those of `prismata.postprocess.streaming`, which does the work: a video grouped
    at once and a live stream grouped in pieces give the same events.

    Raises:
        InvalidInputError: If an event type has no rule or no scores, or the track runs past the
            end of the video.
    """
    grouper = StreamingGrouper(event_types, rules)
    if len(track) and event_types:
        columns = [track.column(event_type.name) for event_type in event_types]
        found = grouper.push(track.times_us, np.stack(columns, axis=1))
    else:
        found = []
    return sorted([*found, *grouper.finish(duration_us)])
