"""The guesses that any model has to beat: events at a fixed cadence, and wherever much moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from prismata.core.coverage import unknown_spans
from prismata.core.events import Event, EventType
from prismata.core.time import TimeSpan
from prismata.evaluation.matching import EventsByVideo, of_type

MOTION_HALVINGS = 12
"""How rare a movement has to be to get score 1: one sample in 4096."""


def cadence_guesses(
    truth: EventsByVideo,
    durations_us: Mapping[str, int],
    event_type: EventType,
    ignored: Mapping[str, Sequence[TimeSpan]] | None = None,
) -> dict[str, list[Event]]:
    """Return as many events as are true, evenly spread over all videos laid end to end.

    With N true events in a total time D the k-th guess is at `(k + 1/2) D / N`; a segment is as
    long as the true ones on average, cut at the borders of its video. All have score 1. Where
    events come at regular intervals this guess is surprisingly good: it knows their true number.
    Ignored stretches are taken out before the rest is laid end to end.
    """
    videos = sorted(durations_us)
    true_events = [
        event for video_id in videos for event in of_type(truth, video_id, event_type.name)
    ]
    # What is not ignored is scored: the complement of one is the other.
    scored = [
        (video_id, stretch)
        for video_id in videos
        for stretch in unknown_spans(
            (ignored or {}).get(video_id, ()), duration_us=durations_us[video_id]
        )
    ]
    count, total_us = len(true_events), sum(stretch.duration_us for _, stretch in scored)
    half_us = sum(event.end_us - event.start_us for event in true_events) // (2 * max(1, count))
    guesses: dict[str, list[Event]] = {video_id: [] for video_id in videos}
    offset_us, index = 0, 0
    for video_id, stretch in scored:
        end_of_stretch_us = offset_us + stretch.duration_us
        while index < count and (2 * index + 1) * total_us // (2 * count) < end_of_stretch_us:
            time_us = stretch.start_us + (2 * index + 1) * total_us // (2 * count) - offset_us
            if event_type.kind == "point":
                guess = Event.point(event_type.name, time_us, 1.0)
            else:
                end_us = min(durations_us[video_id], max(time_us + half_us, time_us + 1))
                guess = Event.segment(event_type.name, max(0, time_us - half_us), end_us, 1.0)
            guesses[video_id].append(guess)
            index += 1
        offset_us = end_of_stretch_us
    return guesses


def motion_scores(energy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `(K,)` float32 scores in [0, 1] of one video's `(K,)` motion energies.

    Only ranks count, within the video: a camera that shakes, a large picture or a bright one give
    no higher scores. The score is how often the number of samples with at least this energy is half
    of all again, over `MOTION_HALVINGS`: half of the samples get less than 1/12, one in 64 gets
    1/2. Plain ranks would be spread evenly, and then half a video is above half of any
    threshold: no peak would ever end. The least energy always has score 0.
    """
    if energy.size == 0:
        return np.zeros(0, np.float32)
    rising = np.sort(energy)
    at_least = energy.size - np.searchsorted(rising, energy, side="left")
    halvings = np.log2(energy.size / at_least)
    return np.clip(halvings / MOTION_HALVINGS, 0, 1).astype(np.float32)
