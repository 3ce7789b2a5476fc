"""The reliability diagram of one event type as inline SVG: how often what was said came true.

One bar a bin: as wide as the confidences in it and as high as the share of true events. Where a bar
ends at the diagonal what was said was right; the gap to what was said is drawn dashed. How many
events a bar stands for is written above the picture, in its title and in the table below.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_SIDE = 240
_LEFT, _TOP, _RIGHT, _BOTTOM = 50, 40, 26, 44
_THINNEST = 6.0
"""Pixels; confidences crowd near 0, and a bar that is thinner cannot be seen."""
_LABEL_ROOM = 18.0
"""Pixels between two counts; where there is less, the table tells."""
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def draw_reliability(title: str, entry: Mapping[str, Any], color: str, element_id: str) -> str:
    """Return the diagram as an `<svg>` element; an empty text if nothing was measured.

    Args:
        title: Of the event type.
        entry: What the model card keeps of it, see `prismata.evaluation.calibration.calibrate`.
        color: `#RRGGBB` of its bars.
        element_id: Unique in the page.
    """
    bins = entry["bins"]
    if not bins:
        return ""
    axis = "score" if entry["ece_after"] is None else "confidence"
    words = "; ".join(
        f"said {part['mean_confidence']:.2f}, true {part['share_true']:.2f} "
        f"({part['events']} events)"
        for part in bins
    )
    width, height = _LEFT + _SIDE + _RIGHT, _TOP + _SIDE + _BOTTOM
    parts = [
        f'<svg class="timeline" id="{element_id}" width="{width}" height="{height}" role="img" '
        f'viewBox="0 0 {width} {height}" style="max-width:100%;--lane:{escape(color)}" '
        f'aria-labelledby="{element_id}-t {element_id}-d">',
        f'<title id="{element_id}-t">How often {escape(title)} was true, by {axis}</title>',
        f'<desc id="{element_id}-d">{escape(words)}</desc>',
        f'<rect class="plot" x="{_LEFT}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}"/>',
        *_axes(axis),
    ]
    labelled = -_LABEL_ROOM
    for part in bins:
        x = _x(part["mean_confidence"])
        parts.append(_bar(part, x))
        if x - labelled >= _LABEL_ROOM:
            parts.append(
                f'<text class="tick" x="{x:.1f}" y="{_TOP - 6}" text-anchor="middle">'
                f"{part['events']}</text>"
            )
            labelled = x
    parts.append(
        f'<line class="threshold" x1="{_x(0):.1f}" y1="{_y(0):.1f}" x2="{_x(1):.1f}" '
        f'y2="{_y(1):.1f}"><title>said and true equally often</title></line>'
    )
    return "\n".join([*parts, "</svg>"])


def _bar(part: Mapping[str, Any], x: float) -> str:
    left, wide = _x(part["from"]), _SIDE * (part["to"] - part["from"])
    if wide < _THINNEST:
        wide = _THINNEST
        left = min(max(_LEFT, x - wide / 2), _LEFT + _SIDE - wide)
    top, said = _y(part["share_true"]), _y(part["mean_confidence"])
    return (
        f"<g><title>said {part['from']:.2f} to {part['to']:.2f}, true "
        f"{100 * part['share_true']:.0f} % of {part['events']}</title>"
        f'<rect class="fill edge" x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" '
        f'height="{_y(0) - top:.1f}"/>'
        f'<rect class="gap" x="{left:.1f}" y="{min(top, said):.1f}" width="{wide:.1f}" '
        f'height="{abs(top - said):.1f}"/></g>'
    )


def _axes(axis: str) -> list[str]:
    parts = []
    for tick in _TICKS:
        x, y, text = _x(tick), _y(tick), f"{100 * tick:.0f} %"
        parts.append(
            f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_TOP + _SIDE}"/>'
            f'<line class="grid" x1="{_LEFT}" x2="{_LEFT + _SIDE}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{x:.1f}" y="{_TOP + _SIDE + 16}" text-anchor="middle">'
            f"{text}</text>"
            f'<text class="tick" x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        )
    middle = _LEFT + _SIDE / 2
    parts.append(
        f'<text class="tick" x="{middle}" y="{_TOP + _SIDE + 36}" text-anchor="middle">{axis}'
        f'</text><text class="tick" x="2" y="14">share of true events, and of how many</text>'
    )
    return parts


def _x(share: float) -> float:
    return _LEFT + _SIDE * share


def _y(share: float) -> float:
    return _TOP + _SIDE * (1 - share)
