"""The detector: sampled frames → windows → scores → grouping, streaming and bounded in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prismata.core.events import Event
from prismata.core.scores import ScoreTrack
from prismata.core.time import FrameTimeline
from prismata.detection.frames import frame_batches
from prismata.detection.scorers import Scorer, WindowScores
from prismata.postprocess import StreamingGrouper

FRAME_BATCH = 8


@dataclass(frozen=True, slots=True, eq=False)
class PipelineOutput:
    """What one pass over a video gave."""

    events: list[Event]
    track: ScoreTrack
    seconds: dict[str, float]
    """Wall time of the stages; `wait_decode` is what inference spent waiting for frames."""


def run_pipeline(
    path: Path,
    scorer: Scorer,
    *,
    timeline: FrameTimeline,
    reader: str = "pyav",
    batch: int = FRAME_BATCH,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    on_event: Callable[[Event], None] = lambda _event: None,
) -> PipelineOutput:
    """Detect events in one video.

    Args:
        path: The video.
        scorer: The model.
        timeline: The video's timeline.
        reader: Which reader decodes.
        batch: Frames encoded at a time.
        on_progress: Gets samples done and samples in all.
        on_event: Gets each event as soon as its run has closed; the same events, in the same
            order of closing, are in the output.

    Raises:
        BadVideoError: If the video cannot be decoded.
    """
    card = scorer.card
    plan = timeline.sample(card.clip.target_fps)
    grouper = StreamingGrouper(card.event_types, card.rules)
    events: list[Event] = []
    centres: list[NDArray[np.int64]] = []
    scores: list[NDArray[np.float32]] = []
    started = time.perf_counter()
    waited = 0.0
    done = 0

    def take(part: WindowScores) -> None:
        if part.centres.size == 0:
            return
        centres.append(part.centres)
        scores.append(part.scores)
        for event in grouper.push(plan.times_us[part.centres], part.scores):
            events.append(event)
            on_event(event)

    batches = frame_batches(
        path,
        plan,
        timeline=timeline,
        size=(card.clip.width, card.clip.height),
        batch=batch,
        reader=reader,
    )
    while True:
        asked = time.perf_counter()
        frames = next(batches, None)
        waited += time.perf_counter() - asked
        if frames is None:
            break
        take(scorer.push(frames.frames, frames.repeats))
        done += sum(frames.repeats)
        on_progress(done, len(plan))
    take(scorer.finish())
    for event in grouper.finish(timeline.duration_us):
        events.append(event)
        on_event(event)
    track = ScoreTrack(
        plan.times_us[np.concatenate(centres)], np.concatenate(scores), card.event_names
    )
    seconds = {
        "wait_decode": waited,
        **scorer.seconds,
        "total": time.perf_counter() - started,
    }
    return PipelineOutput(sorted(events), track, seconds)
