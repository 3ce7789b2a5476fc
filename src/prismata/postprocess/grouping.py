"""A whole score track to its events, in one call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from prismata.core.events import Event, EventType
from prismata.core.recipes import GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.core.time import to_us
from prismata.postprocess.streaming import StreamingGrouper

LOWEST_LEVEL = 0.001
"""Runs that never reach this score are noise, not candidates."""


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


def candidate_events(
    track: ScoreTrack,
    event_types: Sequence[EventType],
    rules: Mapping[str, GroupingRule],
    *,
    duration_us: int,
) -> list[Event]:
    """Return every event that some threshold would show, ranked by its score: for AP.

    Average precision judges the whole ranking, and a threshold cuts it off. Events are grouped at
    the rule's own threshold, then at half of it, and so on; one that overlaps an event found
    before, or lies within `min_gap_seconds` of it, is the same event and adds nothing. So what the
    product shows keeps its borders, and what it would miss is there with a low score.

    Raises:
        InvalidInputError: As `group_events`.
    """
    kept: list[Event] = []
    for event_type in event_types:
        rule = rules[event_type.name]
        found: list[Event] = []
        gap_us = to_us(rule.min_gap_seconds)
        above = math.inf
        while rule.threshold >= LOWEST_LEVEL:
            level = group_events(
                track, [event_type], {event_type.name: rule}, duration_us=duration_us
            )
            found += [
                event
                for event in level
                # A point that reached the level before is found already: its run at this level
                # may reach much further, which only moves its centre to where nothing is.
                if (event.kind == "segment" or (event.score or 0.0) < above)
                and all(
                    event.start_us > other.end_us + gap_us or event.end_us < other.start_us - gap_us
                    for other in found
                )
            ]
            above = rule.threshold
            rule = replace(rule, threshold=rule.threshold / 2)
        kept += found
    return sorted(kept)
