"""Curves with their intervals as a standalone SVG, for the pages in `benchmarks/results`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_WIDE, _HIGH = 300, 220
_LEFT, _TOP, _BETWEEN, _BOTTOM = 46, 40, 56, 74
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_COLORS = ("#b3541e", "#1f5f8b", "#3d7a3a", "#6a3d8a")
_SHIFT = 4.0
"""Pixels between the marks of two curves at one place, so that no interval hides another."""
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.g{stroke:#ddd}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.g{stroke:#444}}"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """One point of a curve, a share, and how far it would move."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture: curves by name, over the same places."""

    title: str
    curves: Mapping[str, Sequence[Mark]]


def draw_curves(title: str, places: Sequence[str], axis: str, panels: Sequence[Panel]) -> str:
    """Return a whole SVG file with one picture beside the other.

    Args:
        title: What it shows, for those who hear it.
        places: What stands below the axis, evenly spaced, one for each mark of a curve.
        axis: What they are.
        panels: The pictures; a curve has the same colour in each.
    """
    names = list(dict.fromkeys(name for panel in panels for name in panel.curves))
    width = _LEFT + len(panels) * (_WIDE + _BETWEEN)
    height = _TOP + _HIGH + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
    ]
    for number, panel in enumerate(panels):
        left = _LEFT + number * (_WIDE + _BETWEEN)
        parts += [*_frame(panel.title, places, axis, left)]
        for name, marks in panel.curves.items():
            parts += _curve(names.index(name), len(names), marks, left)
    for index, name in enumerate(names):
        x, y = _LEFT + 140 * index, height - 14
        parts.append(
            f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{_color(index)}"/>'
            f'<text x="{x + 15}" y="{y}">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _frame(title: str, places: Sequence[str], axis: str, left: int) -> list[str]:
    parts = [f'<text x="{left}" y="20" font-weight="600">{escape(title)}</text>']
    for tick in _TICKS:
        y = _y(tick)
        parts.append(
            f'<line class="g" x1="{left}" x2="{left + _WIDE}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{100 * tick:.0f}</text>'
        )
    for number, place in enumerate(places):
        x = _x(number, len(places), left)
        parts.append(
            f'<text x="{x:.1f}" y="{_TOP + _HIGH + 18}" text-anchor="middle">{escape(place)}</text>'
        )
    middle = left + _WIDE / 2
    parts.append(
        f'<text x="{middle}" y="{_TOP + _HIGH + 36}" text-anchor="middle">{escape(axis)}</text>'
    )
    return parts


def _curve(index: int, count: int, marks: Sequence[Mark], left: int) -> list[str]:
    color = _color(index)
    aside = _SHIFT * (index - (count - 1) / 2)
    places = [_x(number, len(marks), left) + aside for number in range(len(marks))]
    line = " ".join(f"{x:.1f},{_y(mark.value):.1f}" for x, mark in zip(places, marks, strict=True))
    parts = [f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>']
    parts += [
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_y(mark.low):.1f}" y2="{_y(mark.high):.1f}" '
        f'stroke="{color}"/>'
        f'<circle cx="{x:.1f}" cy="{_y(mark.value):.1f}" r="3.5" fill="{color}"/>'
        for x, mark in zip(places, marks, strict=True)
    ]
    return parts


def _color(index: int) -> str:
    return _COLORS[index % len(_COLORS)]


def _x(number: int, count: int, left: int) -> float:
    return left + _WIDE * (number + 0.5) / count


def _y(share: float) -> float:
    return _TOP + _HIGH * (1 - share)
