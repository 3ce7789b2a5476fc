"""The guess that any model has to beat: events at a fixed cadence."""

from __future__ import annotations

from collections.abc import Mapping

from prismata.core.events import Event, EventType
from prismata.evaluation.matching import EventsByVideo, of_type


def cadence_guesses(
    truth: EventsByVideo, durations_us: Mapping[str, int], event_type: EventType
) -> dict[str, list[Event]]:
    """Return as many events as are true, evenly spread over all videos laid end to end.

    With N true events in a total time D the k-th guess is at `(k + 1/2) D / N`; a segment is as
    long as the true ones on average, cut at the borders of its video. All have score 1. Where
    events come at regular intervals this guess is surprisingly good: it knows their true number.
    """
    videos = sorted(durations_us)
    true_events = [
        event for video_id in videos for event in of_type(truth, video_id, event_type.name)
    ]
    count, total_us = len(true_events), sum(durations_us.values())
    half_us = sum(event.end_us - event.start_us for event in true_events) // (2 * max(1, count))
    guesses: dict[str, list[Event]] = {video_id: [] for video_id in videos}
    offset_us, index = 0, 0
    for video_id in videos:
        duration_us = durations_us[video_id]
        while index < count and (2 * index + 1) * total_us // (2 * count) < offset_us + duration_us:
            time_us = (2 * index + 1) * total_us // (2 * count) - offset_us
            if event_type.kind == "point":
                guess = Event.point(event_type.name, time_us, 1.0)
            else:
                end_us = min(duration_us, max(time_us + half_us, time_us + 1))
                guess = Event.segment(event_type.name, max(0, time_us - half_us), end_us, 1.0)
            guesses[video_id].append(guess)
            index += 1
        offset_us += duration_us
    return guesses
