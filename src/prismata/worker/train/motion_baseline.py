"""What motion alone would find: a model that is no better has learned that things move.

Peaks of motion energy stand for point events and stretches above a threshold for segments, grouped
and judged exactly as the model's scores are. Where nothing was measured the card says why; that
is never a 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.core.events import Event, EventType
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.detection.motion import MotionEnergy
from prismata.evaluation import choose_threshold, motion_scores
from prismata.evaluation.chance import MOTION_HALVINGS
from prismata.postprocess import group_events
from prismata.worker.train.rescoring import measure_events, seconds_of, unseen_time
from prismata.worker.train.stretches import Stretch, StretchBatch

GRID = tuple(step / (2 * MOTION_HALVINGS) for step in range(1, 2 * MOTION_HALVINGS))
"""Thresholds to choose from: each lets 0.7 times as many samples through as the last one."""


class MotionWatch:
    """Looks on while stretches are seen, and keeps the motion energy of their samples."""

    def __init__(self) -> None:
        self._stretch: Stretch | None = None
        self._energy = MotionEnergy()
        self._parts: list[tuple[Stretch, NDArray[np.float32]]] = []

    def look(self, stretch: Stretch, batch: StretchBatch) -> None:
        """Take the next batch of a stretch; a new stretch begins without a frame before it."""
        if stretch is not self._stretch:
            self._stretch, self._energy = stretch, MotionEnergy()
            # A sample that shows the frame before once more has not moved: 0 stays.
            empty = np.zeros(stretch.last - stretch.first, np.float32)
            self._parts.append((stretch, empty))
        self._parts[-1][1][batch.rows - stretch.first] = self._energy.of(batch.frames)

    def measure(self, card: ModelCard, *, whole: bool) -> dict[str, Any]:
        """Return the section about motion: mean average precisions, each type, how it was measured.

        The threshold of each type is the best one on these very stretches: motion is flattered and
        not slighted.

        Args:
            card: Its event types and grouping rules; its thresholds are not used.
            whole: Whether the stretches are all there is of the validation videos.
        """
        stretches = [stretch for stretch, _ in self._parts]
        tracks = self._tracks(card.event_names)
        rules = {
            item.name: _best_rule(item, card.rules[item.name], stretches, tracks)
            for item in card.event_types
        }
        figures = measure_events(replace(card, rules=rules), stretches, tracks)
        return {
            "points": figures.mean_ap.get("points"),
            "segments": figures.mean_ap.get("segments"),
            "types": figures.ap,
            "seconds": round(seconds_of(stretches), 1),
            "videos": len({stretch.video.name for stretch in stretches}),
            "events": figures.events,
            "whole": whole,
        }

    def _tracks(self, names: tuple[str, ...]) -> list[ScoreTrack]:
        """Return a track for each stretch; ranks are among all that was seen of a video."""
        by_video: dict[str, list[int]] = {}
        for number, (stretch, _) in enumerate(self._parts):
            by_video.setdefault(stretch.video.name, []).append(number)
        scores: dict[int, NDArray[np.float32]] = {}
        for numbers in by_video.values():
            energies = [self._parts[number][1] for number in numbers]
            ends = np.cumsum([part.size for part in energies])[:-1]
            ranked = np.split(motion_scores(np.concatenate(energies)), ends)
            scores |= dict(zip(numbers, ranked, strict=True))
        return [
            ScoreTrack(
                stretch.times_us, np.repeat(scores[number][:, None], len(names), axis=1), names
            )
            for number, (stretch, _) in enumerate(self._parts)
        ]


def no_baseline(reason: str) -> dict[str, Any]:
    """Return the section where motion could not be measured."""
    return {"note": f"what motion alone would find is not known: {reason}"}


def _best_rule(
    event_type: EventType,
    rule: GroupingRule,
    stretches: Sequence[Stretch],
    tracks: Sequence[ScoreTrack],
) -> GroupingRule:
    def group(video: str, threshold: float) -> list[Event]:
        rules = {event_type.name: replace(rule, threshold=threshold)}
        return [
            event
            for stretch, track in zip(stretches, tracks, strict=True)
            if stretch.video.name == video
            for event in group_events(track, [event_type], rules, duration_us=stretch.span.end_us)
        ]

    videos = {stretch.video.name: stretch.video for stretch in stretches}
    choice = choose_threshold(
        {name: list(video.events) for name, video in videos.items()},
        group,
        event_type,
        videos=list(videos),
        grid=GRID,
        ignored=unseen_time(stretches),
    )
    return replace(rule, threshold=choice.threshold)
