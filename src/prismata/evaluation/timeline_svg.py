"""One video's timeline as inline SVG: labelled above, score curve between, detected below.

Positions are percentages, so the picture fits any width while text and marks keep their size. What
a mark means is in its shape as well as in its colour: filled triangle = labelled and found, hollow
triangle = missed, disc = right detection, cross = false alarm; bars are filled, dashed or striped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from prismata.core.events import PALETTE, Event, EventType
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan, format_time, to_us
from prismata.evaluation.ignoring import without_ignored
from prismata.evaluation.matching import Criterion, Match, match_events

_TITLE_HEIGHT = 24
_ROW_HEIGHT = 20
_CURVE_HEIGHT = 44
_LANE_HEIGHT = _TITLE_HEIGHT + 2 * _ROW_HEIGHT + _CURVE_HEIGHT + 12
_AXIS_HEIGHT = 26
_CURVE_POINTS = 1000
_MARK_WIDTH = 9
"""Pixels that a mark needs; a picture with very many of them gets wide and scrolls."""
_MAX_WIDTH = 4000
_TICK_SECONDS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
_MAX_TICKS = 6
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class VideoPicture:
    """What is drawn of one video."""

    video_id: str
    title: str
    duration_us: int
    truth: tuple[Event, ...]
    detections: tuple[Event, ...]
    """At the product's threshold, with scores."""
    track: ScoreTrack | None = None
    """Score curves; without it there are none."""
    unknown: tuple[TimeSpan, ...] = ()
    """Stretches that nobody watched and where no label lies; drawn shaded, nothing there is right
    or wrong."""


@dataclass(frozen=True, slots=True)
class Lane:
    """One event type of one video, matched."""

    event_type: EventType
    letter: str
    color: str
    matches: tuple[Match, ...]
    missed: tuple[Event, ...]
    threshold: float | None
    unjudged: tuple[Event, ...] | None = None
    """Detections of a video that nobody has labelled, so none is right or wrong; else None."""
    remark: str = "no labels to compare with"
    """Why there is no verdict."""
    unseen: tuple[Event, ...] = ()
    """Detections in time of which nothing is known: neither right nor wrong."""

    @property
    def found(self) -> tuple[Event, ...]:
        """True events that a detection found."""
        return tuple(match.truth for match in self.matches if match.truth is not None)

    @property
    def false_alarms(self) -> tuple[Event, ...]:
        """Detections that found nothing."""
        return tuple(match.detection for match in self.matches if match.truth is None)

    @property
    def summary(self) -> str:
        """The lane in words, short enough for a phone."""
        if self.unjudged is not None:
            return ", ".join(filter(None, (f"{len(self.unjudged)} detected", self.remark)))
        labelled, alarms = len(self.found) + len(self.missed), len(self.false_alarms)
        noun = "false alarm" if alarms == 1 else "false alarms"
        unseen = f", {len(self.unseen)} where nobody watched" if self.unseen else ""
        return f"{len(self.found)} of {labelled} found, {alarms} {noun}{unseen}"


def plan_lanes(
    picture: VideoPicture,
    event_types: Sequence[EventType],
    criteria: Mapping[str, Criterion],
    thresholds: Mapping[str, float],
) -> list[Lane]:
    """Match one video's events for drawing and listing.

    Args:
        picture: The video.
        event_types: Their order gives letters and colours.
        criteria: Event type name → what counts as found.
        thresholds: Event type name → threshold, drawn as a line where it is known.
    """
    lanes = []
    for index, item in enumerate(event_types):
        truth = [event for event in picture.truth if event.event_type == item.name]
        detected = [event for event in picture.detections if event.event_type == item.name]
        judged = without_ignored({"": detected}, {"": picture.unknown})[""]
        unseen = tuple(sorted(set(detected) - set(judged)))
        matches = match_events(truth, judged, criteria[item.name])
        left = list(truth)
        for match in matches:
            if match.truth is not None:
                left.remove(match.truth)
        lanes.append(
            Lane(
                item,
                _LETTERS[index % len(_LETTERS)],
                item.color or PALETTE[index % len(PALETTE)],
                tuple(matches),
                tuple(left),
                thresholds.get(item.name),
                unseen=unseen,
            )
        )
    return lanes


def plan_unjudged_lanes(
    picture: VideoPicture,
    event_types: Sequence[EventType],
    thresholds: Mapping[str, float],
    *,
    remark: str = "no labels to compare with",
) -> list[Lane]:
    """Plan the lanes of a video whose detections are shown without a verdict.

    Args:
        picture: The video.
        event_types: Their order gives letters and colours.
        thresholds: Event type name → threshold, drawn as a line where it is known.
        remark: Why there is no verdict; said beside the number. May be empty.
    """
    return [
        Lane(
            item,
            _LETTERS[index % len(_LETTERS)],
            item.color or PALETTE[index % len(PALETTE)],
            (),
            (),
            thresholds.get(item.name),
            tuple(event for event in picture.detections if event.event_type == item.name),
            remark,
        )
        for index, item in enumerate(event_types)
    ]


def draw_timeline(picture: VideoPicture, lanes: Sequence[Lane], element_id: str) -> str:
    """Return the picture as an `<svg>` element.

    Args:
        picture: The video.
        lanes: From `plan_lanes`.
        element_id: Unique in the page.
    """
    height = len(lanes) * _LANE_HEIGHT + _AXIS_HEIGHT
    marks = max(
        (
            len(lane.matches) + len(lane.missed) + len(lane.unjudged or lane.unseen)
            for lane in lanes
        ),
        default=0,
    )
    width = min(_MAX_WIDTH, marks * _MARK_WIDTH)
    words = "; ".join(f"{lane.event_type.title}: {lane.summary}" for lane in lanes)
    parts = [
        f'<svg class="timeline" id="{element_id}" width="100%" height="{height}" role="img" '
        f'style="min-width:{width}px" aria-labelledby="{element_id}-t {element_id}-d">',
        f'<title id="{element_id}-t">Timeline of {escape(picture.title)}</title>',
        f'<desc id="{element_id}-d">{escape(words)}</desc>',
        draw_axis(TimeSpan(0, picture.duration_us), height),
    ]
    for index, lane in enumerate(lanes):
        parts.append(
            f'<svg y="{index * _LANE_HEIGHT}" width="100%" height="{_LANE_HEIGHT}" '
            f'overflow="visible" style="--lane:{escape(lane.color)}">'
        )
        parts += _lane(picture, lane, f"{element_id}-{index}")
        parts.append("</svg>")
    return "\n".join([*parts, "</svg>"])


def _lane(picture: VideoPicture, lane: Lane, lane_id: str) -> list[str]:
    duration_us = picture.duration_us
    title = f"{lane.letter} · {lane.event_type.title}"
    truth_y = _TITLE_HEIGHT + _ROW_HEIGHT / 2
    curve_y = _TITLE_HEIGHT + _ROW_HEIGHT
    detected_y = curve_y + _CURVE_HEIGHT + _ROW_HEIGHT / 2
    parts = [
        f'<text class="lane-title" y="15"><tspan class="strong">{escape(title)}</tspan>'
        f'<tspan dx="8" class="soft">{escape(lane.summary)}</tspan></text>',
        f'<pattern id="{lane_id}" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><rect width="3" height="6" class="fill"/></pattern>',
        f'<rect class="plot" y="{curve_y}" width="100%" height="{_CURVE_HEIGHT}"/>',
    ]
    if picture.track is not None and lane.event_type.name in picture.track.event_types:
        parts.append(_curve(picture.track, lane.event_type.name, duration_us, curve_y))
    if lane.threshold is not None:
        line_y = curve_y + _CURVE_HEIGHT * (1 - lane.threshold)
        parts.append(
            f'<line class="threshold" x1="0" x2="100%" y1="{line_y:.1f}" y2="{line_y:.1f}">'
            f"<title>threshold {lane.threshold:.2f}</title></line>"
        )
    parts += [
        f'<rect class="unseen" x="{percent_of(span.start_us, duration_us)}" y="{_TITLE_HEIGHT}" '
        f'width="{percent_of(span.duration_us, duration_us)}" '
        f'height="{2 * _ROW_HEIGHT + _CURVE_HEIGHT}"><title>nobody watched '
        f"{format_time(span.start_us)} to {format_time(span.end_us)}</title></rect>"
        for span in picture.unknown
    ]
    for match in lane.matches:
        if match.truth is not None:
            parts.append(_mark(match.truth, "found", truth_y, duration_us, lane_id))
        meaning = "hit" if match.truth is not None else "false"
        parts.append(_mark(match.detection, meaning, detected_y, duration_us, lane_id))
    parts += [_mark(event, "missed", truth_y, duration_us, lane_id) for event in lane.missed]
    parts += [
        _mark(event, "detected", detected_y, duration_us, lane_id)
        for event in lane.unjudged or lane.unseen
    ]
    return parts


_MEANINGS = {
    "found": "labelled and found",
    "missed": "labelled but missed",
    "hit": "detected, right",
    "false": "detected, false alarm",
    "detected": "detected",
}
_SHAPES = {
    "found": '<path class="fill edge" d="M-6,-5 H6 L0,6 Z"/>',
    "missed": '<path class="hollow" d="M-6,-5 H6 L0,6 Z"/>',
    "hit": '<circle class="fill edge" r="5.5"/>',
    "detected": '<circle class="fill edge" r="5.5"/>',
    "false": '<path class="cross" d="M-5,-5 L5,5 M-5,5 L5,-5"/>',
}


def _mark(event: Event, meaning: str, y: float, duration_us: int, lane_id: str) -> str:
    when = format_time(event.start_us)
    if event.kind == "segment":
        when = f"{when} to {format_time(event.end_us)}"
    score = "" if event.score is None else f", score {event.score:.2f}"
    title = f"<title>{_MEANINGS[meaning]}: {when}{score}</title>"
    x = percent_of(event.start_us, duration_us)
    if event.kind == "point":
        return f'<svg x="{x}" y="{y:g}" overflow="visible">{title}{_SHAPES[meaning]}</svg>'
    # A bar that would be thinner than a pixel still has to be seen.
    width = f"max(3px, {percent_of(event.end_us - event.start_us, duration_us)})"
    fill = f' fill="url(#{lane_id})"' if meaning == "false" else ""
    kind = "fill edge"
    if meaning in ("missed", "false"):
        kind = "hollow dashed" if meaning == "missed" else "edge"
    bar = (
        f'<rect class="{kind}"{fill} x="{x}" y="{y - 6:g}" height="12" rx="2" '
        f'style="width:{width}"/>'
    )
    if meaning == "false":
        middle = percent_of((event.start_us + event.end_us) / 2, duration_us)
        bar += f'<svg x="{middle}" y="{y:g}" overflow="visible">{_SHAPES["false"]}</svg>'
    return f"<g>{title}{bar}</g>"


def _curve(track: ScoreTrack, event_type: str, duration_us: int, y: float) -> str:
    times, scores = thinned(track.times_us, track.column(event_type))
    points = " ".join(
        f"{1000 * time / duration_us:.1f},{100 * (1 - score):.1f}"
        for time, score in zip(times.tolist(), scores.tolist(), strict=True)
    )
    first, last = (f"{1000 * time / duration_us:.1f}" for time in (times[0], times[-1]))
    return (
        f'<svg y="{y}" width="100%" height="{_CURVE_HEIGHT}" viewBox="0 0 1000 100" '
        f'preserveAspectRatio="none"><polygon class="area" points="{first},100 {points} '
        f'{last},100"/><polyline class="curve" points="{points}"/></svg>'
    )


def thinned(
    times_us: NDArray[np.int64], scores: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Keep the highest score of each bucket, so that no peak is lost to the resolution."""
    if times_us.size <= _CURVE_POINTS:
        return times_us, scores
    edges = np.linspace(0, times_us.size, _CURVE_POINTS + 1).astype(np.int64)[:-1]
    ends = np.append(edges[1:], times_us.size)
    best = [
        start + int(np.argmax(scores[start:end])) for start, end in zip(edges, ends, strict=True)
    ]
    return times_us[best], scores[best]


def draw_axis(window: TimeSpan, height: int, *, top: int = _TITLE_HEIGHT) -> str:
    """Return grid lines, from `top` down, and times for a picture that is `height` pixels high."""
    steps = [to_us(seconds) for seconds in _TICK_SECONDS]
    length_us = window.duration_us
    step = next((value for value in steps if length_us <= value * _MAX_TICKS), steps[-1])
    parts = []
    first = -(-window.start_us // step) * step
    for time_us in range(first, window.end_us + 1, step):
        x = percent_of(time_us - window.start_us, length_us)
        share = (time_us - window.start_us) / length_us
        anchor = "start" if share < 0.03 else "end" if share > 0.97 else "middle"
        label = format_time(time_us)
        shown = label if step < to_us(1) else label.split(".")[0]
        parts.append(
            f'<line class="grid" x1="{x}" x2="{x}" y1="{top}" '
            f'y2="{height - _AXIS_HEIGHT}"/>'
            f'<text class="tick" x="{x}" y="{height - 8}" text-anchor="{anchor}">{shown}</text>'
        )
    return "\n".join(parts)


def percent_of(time_us: float, duration_us: int) -> str:
    """Return the place of an instant in a picture of so long a time."""
    return f"{100 * time_us / duration_us:.3f}%"
