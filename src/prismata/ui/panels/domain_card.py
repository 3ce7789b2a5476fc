"""What a domain declares, to read: its event types with colour, shape, key, guide and rule."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path

import streamlit as st

from prismata.core.events import Attribute, EventType
from prismata.core.recipes import GroupingRule
from prismata.domains import Domain

_STYLE = Path(__file__).parent / "assets" / "domain_card.css"
# A point has the shape that the label station draws, a segment too: colour is never alone.
_SHAPES = {
    "point": '<path d="M10 4 L16 12 L10 20 L4 12 Z" fill="{}"/>',
    "segment": '<rect x="1" y="7" width="18" height="10" rx="2" fill="{}"/>',
}
_KINDS = {"point": "an instant", "segment": "a stretch of time"}


def show_declaration(domain: Domain) -> None:
    """Show what people label and how scores become events."""
    rows = "".join(_row(item, domain.rules[item.name]) for item in domain.event_types)
    st.html(f'<style>{_style()}</style><ul class="event-types">{rows}</ul>')


def recipe_sentences(domain: Domain) -> list[str]:
    """Say how a domain's videos are looked at."""
    clip = domain.clip
    seconds = clip.num_frames / clip.target_fps
    said = [
        f"{clip.target_fps:g} pictures a second of {clip.width} x {clip.height} pixels, "
        f"{clip.num_frames} at a time: {seconds:.2g} s",
        f"a found point counts as right within {domain.tolerance_seconds:g} s",
    ]
    if domain.motion_gate is not None:
        said.append("pictures in which nothing moves are left out")
    if domain.left_right_matters:
        said.append("left and right are never swapped in training")
    return said


@cache
def _style() -> str:
    return _STYLE.read_text(encoding="utf-8")


def _row(item: EventType, rule: GroupingRule) -> str:
    shape = _SHAPES[item.kind].format(escape(item.color))
    key = f" · key <kbd>{escape(item.hotkey)}</kbd>" if item.hotkey else " · no key"
    attributes = "".join(f"<p>{_attribute(part)}</p>" for part in item.attributes)
    return (
        f'<li><svg viewBox="0 0 20 24" aria-hidden="true">{shape}</svg>'
        f'<div class="what"><strong>{escape(item.title)}</strong>'
        f"<span>{escape(item.name)} · {_KINDS[item.kind]}{key}</span></div>"
        f'<div class="said"><p>{escape(item.guide) or "No guide: nobody knows which frame."}</p>'
        f'{attributes}<p class="rule">{escape(_rule(item, rule))}</p></div></li>'
    )


def _attribute(item: Attribute) -> str:
    values = {
        "choice": " or ".join(item.choices),
        "number": "a number",
        "text": "text",
        "flag": "yes or no",
    }[item.kind]
    said = f"<em>{escape(item.title)}</em>: {escape(values)}"
    return f"{said}. {escape(item.guide)}" if item.guide else said


def _rule(item: EventType, rule: GroupingRule) -> str:
    said = [
        f"Found from a score of {rule.threshold:g} on (each training chooses its own)",
        f"two closer than {rule.min_gap_seconds:g} s are one",
    ]
    if item.kind == "segment" and rule.min_seconds:
        said.append(f"shorter than {rule.min_seconds:g} s is none")
    return "; ".join(said)
