"""The detector: sampled frames → features → windows → scores → grouping; streaming, bounded memory.

A thread decodes ahead (`frames`), this one encodes, scores and groups. Events come out as soon as
nothing can change them; runs that are still going are announced.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prismata.core.child import current_rss_mb
from prismata.core.events import Event
from prismata.core.scores import ScoreTrack
from prismata.core.time import FrameTimeline, SamplePlan
from prismata.detection.frames import FrameBatch, FrameBatches
from prismata.detection.growing import GrowingArray
from prismata.detection.scorers import BundleScorer, SampleScores, Scorer
from prismata.media.coarse import coarse_plan
from prismata.postprocess import Announcer, Run, StreamingGrouper

FEATURE_CHUNK = 256
"""Samples scored at a time when their features are there already."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears what while a video is looked at."""

    on_progress: Callable[[int, int], None] = lambda _done, _total: None
    """Gets samples done and samples in all."""
    on_run: Callable[[Run], None] = lambda _run: None
    """Gets each event as soon as its run has closed; the same events are in the output."""
    on_open_run: Callable[[Run], None] = lambda _run: None
    """Gets an event as soon as its run has reached the threshold, and again while it grows."""
    on_scores: Callable[[NDArray[np.int64], NDArray[np.float32]], None] = lambda _t, _s: None
    """Gets `(K,)` instants in microseconds and their `(K, C)` scores as they come."""


@dataclass(slots=True)
class FrameCounts:
    """How much was looked at."""

    sampled: int
    """Instants of the sampling grid."""
    decoded: int = 0
    """Frames that came out of the decoder."""
    encoded: int = 0
    """Frames that went through the encoder."""
    from_cache: bool = False
    """Features were there from an earlier run: nothing was decoded or encoded."""


@dataclass(frozen=True, slots=True, eq=False)
class PipelineOutput:
    """What one pass over a video gave."""

    events: list[Event]
    track: ScoreTrack
    seconds: dict[str, float]
    """Wall time of the stages. `decode` and `resize` run beside the others; `wait_decode` is what
    these spent waiting for frames."""
    frames: FrameCounts
    memory_mb: dict[str, float | None] = field(default_factory=dict)
    """Resident memory when a stage had worked for the first time (`decode`, `encode`) and at the
    end (`all`); None where the system does not tell."""


def sampling_plan(
    path: Path, timeline: FrameTimeline, target_fps: float, *, coarse: bool
) -> SamplePlan:
    """Return which frames a model looks at; `coarse` = only key frames.

    Raises:
        BadVideoError: If there is no coarse look at this video.
    """
    plan = timeline.sample(target_fps)
    return coarse_plan(path, timeline, plan) if coarse else plan


def run_pipeline(
    batches: FrameBatches,
    plan: SamplePlan,
    scorer: Scorer,
    *,
    duration_us: int,
    listeners: Listeners | None = None,
) -> PipelineOutput:
    """Detect events in one video.

    Args:
        batches: The planned frames.
        plan: Which they are.
        scorer: The model.
        duration_us: Of the video.
        listeners: Who hears what on the way.

    Raises:
        BadVideoError: If the video cannot be decoded.
    """
    run = _Run(scorer, plan, duration_us, listeners or Listeners())
    for batch in run.waited_for(batches):
        times = plan.times_us[batch.first_samples]
        run.take(scorer.push(batch.frames, batch.repeats, times.tolist()), sum(batch.repeats))
    last = scorer.finish()
    run.counts.decoded, run.counts.encoded = batches.decoded_frames, scorer.encoded
    return run.finish(last, {**batches.seconds, **scorer.seconds})


def run_on_features(
    features: NDArray[np.float32],
    plan: SamplePlan,
    scorer: BundleScorer,
    *,
    duration_us: int,
    listeners: Listeners | None = None,
) -> PipelineOutput:
    """Detect events from the `(K, F)` features of all samples, which an earlier run has kept."""
    run = _Run(scorer, plan, duration_us, listeners or Listeners())
    run.counts.from_cache = True
    for start in range(0, len(features), FEATURE_CHUNK):
        chunk = features[start : start + FEATURE_CHUNK]
        run.take(scorer.push_features(chunk, [1] * len(chunk)), len(chunk))
    last = scorer.finish()
    return run.finish(last, scorer.seconds)


@dataclass(slots=True)
class _Run:
    """What accumulates over one video: scores, events, times."""

    scorer: Scorer
    plan: SamplePlan
    duration_us: int
    listeners: Listeners
    counts: FrameCounts = field(init=False)
    _grouper: StreamingGrouper = field(init=False)
    _announcer: Announcer = field(default_factory=lambda: Announcer(time.monotonic))
    _events: list[Event] = field(default_factory=list)
    _samples: GrowingArray[np.int64] = field(init=False)
    _scores: GrowingArray[np.float32] = field(init=False)
    _memory_mb: dict[str, float | None] = field(default_factory=dict)
    _started: float = field(default_factory=time.perf_counter)
    _waited: float = 0.0
    _grouping: float = 0.0
    _done: int = 0

    def __post_init__(self) -> None:
        card = self.scorer.card
        self.counts = FrameCounts(len(self.plan))
        self._samples = GrowingArray((), np.int64)
        self._scores = GrowingArray((len(card.event_types),), np.float32)
        self._grouper = StreamingGrouper(card.event_types, card.rules)

    def waited_for(self, batches: FrameBatches) -> Iterator[FrameBatch]:
        """Pass batches on and keep the time that waiting for them took."""
        while True:
            asked = time.perf_counter()
            batch = next(batches, None)
            self._waited += time.perf_counter() - asked
            if batch is None:
                return
            if not self._memory_mb:
                self._memory_mb["decode"] = current_rss_mb()
            yield batch

    def take(self, part: SampleScores, samples: int) -> None:
        """Group the scores of a part of the video and say how far we are."""
        if "encode" not in self._memory_mb:
            self._memory_mb["encode"] = current_rss_mb()
        self._group(part)
        self._done += samples
        self.listeners.on_progress(self._done, len(self.plan))

    def finish(self, last: SampleScores, seconds: dict[str, float]) -> PipelineOutput:
        """Close everything that is still open."""
        self._group(last)
        self._tell(self._grouper.finish_runs(self.duration_us))
        track = ScoreTrack(
            self.plan.times_us[self._samples.rows()],
            self._scores.rows(),
            self.scorer.card.event_names,
        )
        total = time.perf_counter() - self._started
        stages = {**seconds, "group": self._grouping, "wait_decode": self._waited, "total": total}
        self._memory_mb["all"] = current_rss_mb()
        return PipelineOutput(sorted(self._events), track, stages, self.counts, self._memory_mb)

    def _group(self, part: SampleScores) -> None:
        if part.samples.size == 0:
            return
        started = time.perf_counter()
        self._samples.extend(part.samples)
        self._scores.extend(part.scores)
        times_us = self.plan.times_us[part.samples]
        closed = self._grouper.push_runs(times_us, part.scores)
        still_open = self._announcer.due(self._grouper.open_runs())
        self._grouping += time.perf_counter() - started
        self._tell(closed)
        for run in still_open:
            self.listeners.on_open_run(run)
        self.listeners.on_scores(times_us, part.scores)

    def _tell(self, closed: list[Run]) -> None:
        for run in closed:
            self._announcer.forget(run.id)
            self._events.append(run.event)
            self.listeners.on_run(run)
