"""Counts by event type as stacked bars, one line for each video or day; inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from prismata.core.events import PALETTE, EventType

_ROW_HEIGHT = 42
_BAR_HEIGHT = 14
_NAME_CHARACTERS = 44
"""So much of a name fits beside its number on a phone; all of it is in the title."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One line."""

    name: str
    counts: Mapping[str, int]
    """Event type name → events."""


def color_of(event_types: Sequence[EventType], index: int) -> str:
    """Return the colour of the event type at a place, the same in all pictures of a page."""
    return event_types[index].color or PALETTE[index % len(PALETTE)]


def draw_bars(bars: Sequence[Bar], event_types: Sequence[EventType], title: str) -> str:
    """Return the lines as an `<svg>` element as wide as the page.

    Args:
        bars: In the order to draw.
        event_types: Their order gives colours and the order within a line.
        title: Of the picture, for who cannot see it; plain text.
    """
    longest = max((sum(bar.counts.values()) for bar in bars), default=0) or 1
    height = len(bars) * _ROW_HEIGHT
    parts = [
        f'<svg class="timeline" width="100%" height="{height}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>'
    ]
    for row, bar in enumerate(bars):
        parts.append(_line(bar, event_types, longest, row * _ROW_HEIGHT))
    return "\n".join([*parts, "</svg>"])


def _line(bar: Bar, event_types: Sequence[EventType], longest: int, y: int) -> str:
    total = sum(bar.counts.values())
    name = bar.name
    if len(name) > _NAME_CHARACTERS:
        half = _NAME_CHARACTERS // 2
        name = f"{name[:half]}…{name[-half + 1 :]}"
    parts = [
        f'<text y="{y + 15}"><title>{escape(bar.name)}</title>{escape(name)}</text>'
        f'<text class="tick" x="100%" y="{y + 15}" text-anchor="end">{total}</text>'
        f'<rect class="plot" y="{y + 21}" width="100%" height="{_BAR_HEIGHT}" rx="2"/>'
    ]
    before = 0
    for index, item in enumerate(event_types):
        count = bar.counts.get(item.name, 0)
        if count:
            x, width = 100 * before / longest, 100 * count / longest
            parts.append(
                f'<rect class="fill edge" style="--lane:{escape(color_of(event_types, index))}" '
                f'x="{x:.3f}%" width="{width:.3f}%" y="{y + 21}" height="{_BAR_HEIGHT}" rx="2">'
                f"<title>{escape(bar.name)}: {count} {escape(item.title)}</title></rect>"
            )
        before += count
    return "".join(parts)
