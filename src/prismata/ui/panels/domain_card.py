"""What a domain declares, to read: event types with colour, shape, key, guide and rule."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path

import streamlit as st

from prismata.core.events import Attribute, EventType
from prismata.core.presets import find_preset
from prismata.core.recipes import GroupingRule
from prismata.domains import Domain, Exclusion, Relation
from prismata.ui.panels.notices import plain

_STYLE = Path(__file__).parent / "assets" / "domain_card.css"
_PICTURES_IN_A_ROW = 4
_FOLLOWS = "Follows from the others, so nobody labels it"
_KINDS = {"point": "an instant", "segment": "a stretch of time"}


def show_declaration(domain: Domain) -> None:
    """Show what people label, what follows from it, and how scores become events."""
    rows = [_row(item, [_rule(item, domain.rules[item.name])]) for item in domain.event_types]
    rows += [_row(item, [_FOLLOWS]) for item in domain.derived_types]
    st.html(f'<style>{_style()}</style><div class="event-types">{"".join(rows)}</div>')
    for item in domain.event_types:
        _show_pictures(domain, item)


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
    said += [_relation(item, domain) for item in domain.relations]
    if domain.preset:
        said.append(f"trained as “{find_preset(domain.preset).title}” where nobody chooses")
    if domain.emphasis:
        said.append(f"reports put {domain.emphasis.replace('_', ' ')} first")
    if domain.left_right_matters:
        said.append("left and right are never swapped in training")
    return said


@cache
def _style() -> str:
    return _STYLE.read_text(encoding="utf-8")


def _row(item: EventType, notes: list[str]) -> str:
    key = f" · key <kbd>{escape(item.hotkey)}</kbd>" if item.hotkey else ""
    said = [escape(item.guide) or "It has no guide."]
    said += [_attribute(part) for part in item.attributes]
    notes = [*notes, *_lengths(item)]
    return (
        f'<div><div class="shape {item.kind}" style="background:{escape(item.color)}"></div>'
        f'<div class="what"><b>{escape(item.title)}</b>'
        f"<span>{escape(item.name)} · {_KINDS[item.kind]}{key}</span></div>"
        f'<div class="said">{"".join(f"<div>{line}</div>" for line in said)}'
        f'<div class="rule">{escape(". ".join(notes))}.</div></div></div>'
    )


def _lengths(item: EventType) -> list[str]:
    """Say what an event type says of its own times."""
    said = []
    if item.min_seconds is not None:
        said.append(f"A label shorter than {item.min_seconds:g} s is pointed out")
    if item.max_seconds is not None:
        said.append(f"A label longer than {item.max_seconds:g} s is pointed out")
    if item.tolerance_seconds is not None:
        said.append(f"Right within {item.tolerance_seconds:g} s")
    return said


def _relation(relation: Relation, domain: Domain) -> str:
    titles = {item.name: item.title for item in domain.event_types}
    if isinstance(relation, Exclusion):
        return f"{titles[relation.first]} and {titles[relation.second]} never overlap"
    where = "it" if relation.near == "anywhere" else f"its {relation.near}"
    order = "" if relation.order == "either" else f"{relation.order} it, "
    return (
        f"{titles[relation.event]} never comes without {titles[relation.needs]} "
        f"{order}within {relation.within_seconds:g} s of {where}"
    )


def _show_pictures(domain: Domain, item: EventType) -> None:
    pictures = domain.guide_pictures(item.name)
    if not pictures:
        return
    st.caption(f"{plain(item.title)}, in pictures")
    columns = st.columns(_PICTURES_IN_A_ROW)
    for number, picture in enumerate(pictures):
        columns[number % _PICTURES_IN_A_ROW].image(
            picture.path.read_bytes(), caption=picture.caption or item.title
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
