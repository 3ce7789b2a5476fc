"""Hard negatives by out-of-fold scores: what a model that never saw a video takes for an event.

The training videos are cut into folds by their groups; each fold is scored by a model trained on
the others. Where such a model is as sure as it is of true events, but nothing is labelled, the
samples weigh more in the training that follows, and stretches are drawn around them. The model's
own training videos would not do: what it has learned by heart it does not mistake.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.core.targets import HARD_NEGATIVE_WEIGHT
from prismata.training.data import LabelledVideo, check_trainable
from prismata.training.loop import StepReport, TrainingTask, train
from prismata.training.model import Detector
from prismata.training.validation import score_videos

SURE = 0.25
"""Share of the true events that score lower than what is called a mistake."""
GUARD_SECONDS = 1.0
"""So near to an event a high score is no mistake but a matter of timing."""


@dataclass(frozen=True, slots=True)
class Mined:
    """The training videos with more weight on what is mistaken for events."""

    videos: list[LabelledVideo]
    moments: dict[str, int]
    """Event type name → moments that weigh more now."""
    scored: int
    """Videos that a model which had not seen them has looked at."""


def mine_hard_negatives(
    untrained: Detector,
    task: TrainingTask,
    videos: Sequence[LabelledVideo],
    val_videos: Sequence[LabelledVideo],
    groups: Mapping[str, str],
    *,
    folds: int,
    on_fold: Callable[[int, int], None] = lambda _done, _folds: None,
    on_step: StepReport = lambda _step: None,
) -> Mined:
    """Train once for every fold and weigh what was mistaken for events in the fold left out.

    At most as many moments are taken for an event type as it has events, the surest ones.

    Args:
        untrained: What every training begins with; stays as it is.
        task: What is to be learned.
        videos: The training videos.
        val_videos: For early stopping of each fold's model.
        groups: Video name → what it is kept together with.
        folds: How many; fewer if there are not so many groups.
        on_fold: Gets folds done and folds in all.
        on_step: Gets each step of each training.

    Raises:
        InvalidInputError: If all videos are of one group, or nothing can be learned from the others
            whichever part is left out.
    """
    parts = _folds(videos, groups, folds)
    if len(parts) < 2:
        raise InvalidInputError(
            "hard negatives were asked for (mining_folds), but all training videos are of one "
            "group, so none can be left out; label videos of another group, or leave it off"
        )
    names = tuple(event_type.name for event_type in task.event_types)
    scores: dict[str, NDArray[np.float32]] = {}
    for number, part in enumerate(parts):
        on_fold(number, len(parts))
        seen = [video for video in videos if video.name not in part]
        unseen = [video for video in videos if video.name in part]
        try:
            check_trainable(seen, task.event_types)
        except InvalidInputError:
            continue  # an event type has all its examples in this fold
        trained = train(copy.deepcopy(untrained), task, seen, val_videos, on_step=on_step)
        tracks = score_videos(trained.detector, unseen, names, stride=task.window_stride)
        for video in unseen:
            track = tracks[video.name]
            rows = np.searchsorted(video.times_us, track.times_us)
            scores[video.name] = np.zeros((video.times_us.size, len(names)), np.float32)
            scores[video.name][rows] = track.scores
    if not scores:
        raise InvalidInputError(
            "hard negatives were asked for (mining_folds), but whichever part of the training "
            "videos is left out, the others lack examples of an event type; label more groups, or "
            "leave it off"
        )
    on_fold(len(parts), len(parts))
    weights = {video.name: video.weights.copy() for video in videos}
    moments = {
        name: _weigh(videos, scores, weights, name, column) for column, name in enumerate(names)
    }
    heavier = [replace(video, weights=weights[video.name]) for video in videos]
    return Mined(heavier, moments, len(scores))


def _folds(
    videos: Sequence[LabelledVideo], groups: Mapping[str, str], count: int
) -> list[set[str]]:
    """Return the names of each fold's videos: whole groups, and about as many events in each."""
    events: dict[str, int] = {}
    for video in videos:
        group = groups[video.name]
        events[group] = events.get(group, 0) + len(video.events)
    load = [0] * min(count, len(events))
    members: list[set[str]] = [set() for _ in load]
    for group in sorted(events, key=lambda name: (-events[name], name)):
        lightest = load.index(min(load))
        load[lightest] += events[group] + 1
        members[lightest] |= {video.name for video in videos if groups[video.name] == group}
    return members


def _weigh(
    videos: Sequence[LabelledVideo],
    scores: Mapping[str, NDArray[np.float32]],
    weights: Mapping[str, NDArray[np.float32]],
    name: str,
    column: int,
) -> int:
    """Weigh what one event type is mistaken for; return how many moments there were."""
    sure: list[float] = []
    mistakes: list[tuple[float, str, int]] = []
    for video in videos:
        if video.name not in scores:
            continue
        track = scores[video.name][:, column]
        near = _near_events(video, name)
        for event in video.events:
            if event.event_type == name:
                rows = np.abs(video.times_us - (event.start_us + event.end_us) // 2)
                sure.append(float(track[max(0, rows.argmin() - 2) : rows.argmin() + 3].max()))
        quiet = np.where((video.weights[:, column] > 0) & ~near, track, 0.0)
        mistakes += [(float(quiet[row]), video.name, row) for row in _peaks(quiet)]
    if not sure:
        return 0
    least = float(np.quantile(sure, SURE))
    taken = [item for item in sorted(mistakes, reverse=True) if item[0] >= least][: len(sure)]
    for _, video_name, row in taken:
        around = slice(max(0, row - 1), row + 2)
        known = weights[video_name][around, column] > 0
        weights[video_name][around, column][known] = HARD_NEGATIVE_WEIGHT
    return len(taken)


def _near_events(video: LabelledVideo, name: str) -> NDArray[np.bool_]:
    guard = round(GUARD_SECONDS * 1e6)
    near = np.zeros(video.times_us.size, np.bool_)
    for event in video.events:
        if event.event_type == name:
            near |= (video.times_us >= event.start_us - guard) & (
                video.times_us <= event.end_us + guard
            )
    return near


def _peaks(track: NDArray[np.floating]) -> list[int]:
    """Return where a track is higher than before and not lower than after, above 0."""
    before = np.append(-1.0, track[:-1])
    after = np.append(track[1:], -1.0)
    return np.flatnonzero((track > 0) & (track > before) & (track >= after)).tolist()
