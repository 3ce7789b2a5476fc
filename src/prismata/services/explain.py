"""Why an event fired: the scores behind it, the frames the model saw, the rule that grouped it.

Invariant: everything is read from the run's stored scores and from the rules that grouped them; no
model runs, and nothing is guessed about what a network looks at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from prismata.catalog import DetectionRunRecord
from prismata.core.errors import NotFoundError
from prismata.core.events import Event, EventType
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.core.time import FrameTimeline, TimeSpan, format_time, to_us
from prismata.evaluation import confidence_of
from prismata.postprocess import group_events, scoring_windows
from prismata.services.regroup import Regrouped
from prismata.services.review_items import card_of
from prismata.services.workbench import Workbench


@dataclass(frozen=True, slots=True)
class ScoredInstant:
    """One instant of the curve under an event."""

    at_us: int
    score: float
    window: TimeSpan
    """From the first to the end of the last frame that the model looked at for this score."""
    frames: int
    """How many samples that were."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where one event comes from."""

    event: Event
    rule: GroupingRule
    stretch: TimeSpan
    """Where the score stayed at or above the level at which a run ends, gaps bridged."""
    parts: tuple[TimeSpan, ...]
    """The runs that were joined; one where nothing was."""
    instants: tuple[ScoredInstant, ...]
    """Every scored instant in the stretch, by time."""
    confidence: float | None
    """In what share of cases such a score meant a true event; None where nobody measured it."""
    is_coarse: bool = False
    """Whether the run looked at key frames only."""

    @property
    def peak(self) -> ScoredInstant:
        """The instant with the highest score, the first of several."""
        return max(self.instants, key=lambda item: (item.score, -item.at_us))

    def sentences(self) -> list[str]:
        """Say it in a few sentences: score, run, rule, window, meaning."""
        rule, peak = self.rule, self.peak
        reached = sum(item.score >= rule.threshold for item in self.instants)
        said = [
            f"The score reached {peak.score:.2f} at {format_time(peak.at_us)}; an event has to "
            f"reach {rule.threshold:.2f}, and {reached} of {len(self.instants)} scored instants "
            "did.",
            f"The run lasts from {format_time(self.stretch.start_us)} to "
            f"{format_time(self.stretch.end_us)}, while the score stayed at or above "
            f"{rule.leave:.2f}.",
        ]
        if len(self.parts) > 1:
            said.append(
                f"{len(self.parts)} runs closer than {rule.min_gap_seconds:g} s to each other were "
                "joined."
            )
        if self.event.kind == "point":
            said.append("The instant is the centre of that run, weighted by the scores.")
        elif rule.min_seconds:
            said.append(f"Runs shorter than {rule.min_seconds:g} s would have been dropped.")
        frames = "1 frame" if peak.frames == 1 else f"{peak.frames} frames"
        said.append(
            f"For its highest score the model looked at {frames}, from "
            f"{format_time(peak.window.start_us)} to {format_time(peak.window.end_us)}."
        )
        if self.is_coarse:
            said.append("It was a coarse look: each is the last key frame before its instant.")
        if self.confidence is not None:
            said.append(
                f"On validation videos such a score meant a true event in "
                f"{100 * self.confidence:.0f} of 100 cases."
            )
        return said


def explain_event(
    bench: Workbench, run: DetectionRunRecord, found: Regrouped, event: Event
) -> Explanation:
    """Say why a run shows an event under the rules of the moment.

    Args:
        bench: The workbench.
        run: The run.
        found: Its events as they are grouped now.
        event: One of them.

    Raises:
        NotFoundError: If no run of scores lies under this event.
    """
    video = bench.catalog.videos.get(run.video_id)
    rule = found.rules[event.event_type]
    stretch, parts = _runs(found.track, event, rule, video.duration_us)
    times, scores = found.track.times_us, found.track.column(event.event_type)
    inside = np.flatnonzero(
        (times >= stretch.start_us) & (times < stretch.end_us) & (scores >= np.float32(rule.leave))
    )
    card = card_of(bench.catalog.models.get(run.model_id))
    return Explanation(
        event,
        rule,
        stretch,
        parts,
        tuple(_scored(card, bench.timeline(video), times[inside], scores[inside])),
        confidence_of(found.calibration, event.event_type, event.score),
        is_coarse=bool(run.settings.get("coarse")),
    )


def _runs(
    track: ScoreTrack, event: Event, rule: GroupingRule, duration_us: int
) -> tuple[TimeSpan, tuple[TimeSpan, ...]]:
    """Return the run under an event and the runs that were joined to it, found by the same code."""
    as_segment = EventType(event.event_type, "segment")

    def spans(gap_seconds: float) -> list[TimeSpan]:
        loose = replace(rule, min_gap_seconds=gap_seconds, min_seconds=0.0)
        runs = group_events(track, [as_segment], {event.event_type: loose}, duration_us=duration_us)
        return [item.span for item in runs]

    stretch = next(
        (
            span
            for span in spans(rule.min_gap_seconds)
            if span.start_us <= event.start_us < span.end_us
        ),
        None,
    )
    if stretch is None:
        raise NotFoundError(
            f"no score of this run lies under the {event.event_type} at "
            f"{format_time(event.start_us)}; group its scores anew"
        )
    # Parts that never reach the threshold join nothing of their own, and are no runs by themselves.
    parts = [span for span in spans(0.0) if stretch.start_us <= span.start_us < stretch.end_us]
    return stretch, tuple(parts)


def _scored(
    card: ModelCard,
    timeline: FrameTimeline,
    times_us: NDArray[np.int64],
    scores: NDArray[np.float32],
) -> Iterator[ScoredInstant]:
    """Yield `(M,)` scored instants with what the model looked at for each."""
    clip, plan_us = card.clip, timeline.sample(card.clip.target_fps).times_us
    windows = scoring_windows(
        np.searchsorted(plan_us, times_us),
        plan_us.size,
        clip.num_frames,
        clip.window_stride,
        dense=card.scores == "dense",
    )
    reach_us = to_us(1 / clip.target_fps)
    for at_us, score, (first, last) in zip(
        times_us.tolist(), scores.tolist(), windows.tolist(), strict=True
    ):
        end_us = min(int(plan_us[last]) + reach_us, timeline.duration_us)
        yield ScoredInstant(at_us, score, TimeSpan(int(plan_us[first]), end_us), last - first + 1)
