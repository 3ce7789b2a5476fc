"""The score curves of two models over each other as inline SVG, with both thresholds and events.

The first model is dashed and the second one solid, in the curve, at the threshold and in the
legend, so nobody needs the colours to tell them apart. A mark says by its shape what labels say of
it: disc = right, cross = wrong, hollow = nobody knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from prismata.core.events import Event, EventType
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan, format_time
from prismata.evaluation.pairing import Verdict
from prismata.evaluation.timeline_svg import draw_axis, percent_of, thinned

_LEGEND_HEIGHT = 18
_ROW_HEIGHT = 22
_CURVE_HEIGHT = 96
_AXIS_HEIGHT = 26
_NAME_WIDTH = 52
_SIDES = ("first", "second")
_STYLES = ("dashed", "solid")

_SHAPES: dict[Verdict, str] = {
    "true": '<circle class="fill edge" r="5.5"/>',
    "false": '<path class="cross" d="M-5,-5 L5,5 M-5,5 L5,-5"/>',
    "unjudged": '<circle class="hollow" r="5"/>',
}
_WORDS: dict[Verdict, str] = {
    "true": "labels say it is right",
    "false": "labels say it is wrong",
    "unjudged": "nobody judged it",
}


@dataclass(frozen=True, slots=True)
class ModelLine:
    """What one of the two models thinks of a video, of one event type."""

    name: str
    track: ScoreTrack
    threshold: float
    events: tuple[tuple[Event, Verdict], ...]
    """What reached the threshold, with what labels say of it."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """One stretch of one video as two models see it."""

    title: str
    event_type: EventType
    window: TimeSpan
    """What is drawn; not empty."""
    chosen: TimeSpan
    """What is looked at; drawn as a band."""
    models: tuple[ModelLine, ModelLine]
    truth: tuple[Event, ...] = ()


def draw_overlay(picture: Overlay, element_id: str) -> str:
    """Return the picture as an `<svg>` element.

    Args:
        picture: What is drawn.
        element_id: Unique in the page.
    """
    truth_y = 2 * _LEGEND_HEIGHT + 10
    first_y = truth_y + _ROW_HEIGHT
    curve_y = first_y + _ROW_HEIGHT // 2 + 4
    second_y = curve_y + _CURVE_HEIGHT + _ROW_HEIGHT // 2 + 4
    height = second_y + _ROW_HEIGHT // 2 + _AXIS_HEIGHT
    bottom = height - _AXIS_HEIGHT
    first, second = picture.models
    words = (
        f"{picture.event_type.title}: {first.name} dashed, threshold {first.threshold:.2f}; "
        f"{second.name} solid, threshold {second.threshold:.2f}"
    )
    parts = [
        f'<svg class="timeline overlay" id="{element_id}" width="100%" height="{height}" '
        f'role="img" aria-labelledby="{element_id}-t {element_id}-d">',
        f'<title id="{element_id}-t">{escape(picture.title)}</title>',
        f'<desc id="{element_id}-d">{escape(words)}</desc>',
        draw_axis(picture.window, height, top=2 * _LEGEND_HEIGHT),
        f'<rect class="plot" y="{curve_y}" width="100%" height="{_CURVE_HEIGHT}"/>',
        _band(picture, curve_y - 2 * _ROW_HEIGHT, bottom),
    ]
    # The dashed one last: a solid line would hide it, and shines through between its dashes.
    for index, model in reversed(list(enumerate(picture.models))):
        parts.append(f'<g class="{_SIDES[index]}">')
        parts.append(_legend(model, index))
        parts.append(_threshold(model, curve_y))
        parts.append(_curve(picture, model, index, curve_y))
        y = (first_y, second_y)[index]
        parts += [_mark(picture.window, event, verdict, y) for event, verdict in model.events]
        parts.append("</g>")
    # Last, so that no curve lies over them.
    parts += [_level_text(model, index, curve_y) for index, model in enumerate(picture.models)]
    parts.append('<g class="labels">')
    parts += [_mark(picture.window, event, None, truth_y) for event in picture.truth]
    parts.append("</g>")
    return "\n".join([*filter(None, parts), "</svg>"])


def window_around(span: TimeSpan, duration_us: int, *, margin_us: int) -> TimeSpan:
    """Return a stretch with a margin on both sides, moved where the video ends."""
    length_us = min(duration_us, span.duration_us + 2 * margin_us)
    start_us = min(max(0, span.start_us - margin_us), duration_us - length_us)
    return TimeSpan(start_us, start_us + length_us)


def marked(
    events: Sequence[tuple[Event | None, Verdict]], event_type: EventType
) -> tuple[tuple[Event, Verdict], ...]:
    """Return one model's events of one type out of pairs, those that it did not find left out."""
    return tuple(
        (event, verdict)
        for event, verdict in events
        if event is not None and event.event_type == event_type.name
    )


def _legend(model: ModelLine, index: int) -> str:
    y = _LEGEND_HEIGHT * index + 9
    text = f"{_SIDES[index]}: {model.name} ({_STYLES[index]})"
    return (
        f'<line class="curve" x1="0" x2="{_NAME_WIDTH - 10}" y1="{y}" y2="{y}"/>'
        f'<text x="{_NAME_WIDTH}" y="{y + 4}">{escape(text)}</text>'
    )


def _threshold(model: ModelLine, curve_y: int) -> str:
    y = _level(model, curve_y)
    return f'<line class="level" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'


def _level_text(model: ModelLine, index: int, curve_y: int) -> str:
    # Names stand at opposite ends, because thresholds are often the same.
    x, anchor = (("4", "start"), ("100%", "end"))[index]
    y = max(curve_y + 12, _level(model, curve_y) - 5)
    return (
        f'<text class="tick level-name" x="{x}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{_SIDES[index]} {model.threshold:.2f}</text>"
    )


def _level(model: ModelLine, curve_y: int) -> float:
    return curve_y + _CURVE_HEIGHT * (1 - model.threshold)


def _curve(picture: Overlay, model: ModelLine, index: int, curve_y: int) -> str:
    window, name = picture.window, picture.event_type.name
    if name not in model.track.event_types:
        return ""
    # One sample beyond each end, so that the line reaches the border of the picture.
    times = model.track.times_us
    first = max(0, int(np.searchsorted(times, window.start_us)) - 1)
    last = int(np.searchsorted(times, window.end_us)) + 1
    shown, scores = thinned(times[first:last], model.track.column(name)[first:last])
    if not shown.size:
        return ""
    points = " ".join(
        f"{1000 * (time - window.start_us) / window.duration_us:.1f},{100 * (1 - score):.1f}"
        for time, score in zip(shown.tolist(), scores.tolist(), strict=True)
    )
    return (
        f'<svg y="{curve_y}" width="100%" height="{_CURVE_HEIGHT}" viewBox="0 0 1000 100" '
        f'preserveAspectRatio="none"><polyline class="curve" points="{points}">'
        f"<title>{escape(model.name)}, {_STYLES[index]}</title></polyline></svg>"
    )


def _band(picture: Overlay, top: int, bottom: int) -> str:
    window, chosen = picture.window, picture.chosen
    x = percent_of(chosen.start_us - window.start_us, window.duration_us)
    width = percent_of(chosen.duration_us, window.duration_us)
    return (
        f'<svg x="{x}" y="{top}" width="100%" height="{bottom - top}" overflow="visible">'
        f'<rect class="chosen" x="-6" width="12" height="100%" rx="3"/></svg>'
        if not chosen.duration_us
        else f'<rect class="chosen" x="{x}" y="{top}" style="width:max(4px, {width})" '
        f'height="{bottom - top}" rx="3"/>'
    )


def _mark(window: TimeSpan, event: Event, verdict: Verdict | None, y: int) -> str:
    """Draw an event, or nothing outside the window; without a verdict it is a label."""
    if event.end_us < window.start_us or event.start_us > window.end_us:
        return ""
    when = format_time(event.start_us)
    if event.kind == "segment":
        when = f"{when} to {format_time(event.end_us)}"
    words = "labelled" if verdict is None else _WORDS[verdict]
    score = "" if event.score is None else f", score {event.score:.2f}"
    title = f"<title>{when}{score}: {words}</title>"
    x = percent_of(max(event.start_us, window.start_us) - window.start_us, window.duration_us)
    if event.kind == "point":
        shape = '<path class="fill edge" d="M-6,-5 H6 L0,6 Z"/>'
        drawn = shape if verdict is None else _SHAPES[verdict]
        return f'<svg x="{x}" y="{y}" overflow="visible">{title}{drawn}</svg>'
    seen = TimeSpan(max(event.start_us, window.start_us), min(event.end_us, window.end_us))
    width = percent_of(seen.duration_us, window.duration_us)
    kind = "fill edge" if verdict in (None, "true") else "hollow"
    bar = (
        f'<rect class="{kind}" x="{x}" y="{y - 6}" height="12" rx="2" '
        f'style="width:max(3px, {width})"/>'
    )
    if verdict == "false":
        place = (seen.start_us + seen.end_us) / 2 - window.start_us
        middle = percent_of(place, window.duration_us)
        bar += f'<svg x="{middle}" y="{y}" overflow="visible">{_SHAPES["false"]}</svg>'
    return f"<g>{title}{bar}</g>"
