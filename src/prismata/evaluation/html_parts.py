"""What our offline HTML pages are made of: the frame of a page, tables, words for times and counts.

Invariant: a page loads nothing. Style and pictures are inside, there is no script, and its own
content security policy forbids everything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from prismata.core.events import Event
from prismata.core.time import format_time


def draw_page(title: str, body: Sequence[str], *, with_pictures: bool = False) -> str:
    """Return a whole page.

    Args:
        title: Plain text.
        body: HTML, part after part; empty parts are left out.
        with_pictures: Pictures inside the page (`data:`) are shown.
    """
    style = files("prismata.evaluation").joinpath("html_report.css").read_text(encoding="utf-8")
    pictures = "; img-src data:" if with_pictures else ""
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        f"content=\"default-src 'none'; style-src 'unsafe-inline'{pictures}\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in body if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def draw_cards(cards: Sequence[tuple[str, str]]) -> str:
    """Return figures in large type, each with what it means; plain text."""
    items = "".join(
        f"<li><b>{escape(big)}</b><span>{escape(small)}</span></li>" for big, small in cards
    )
    return f'<ul class="cards">{items}</ul>'


def draw_notes(notes: Sequence[str]) -> str:
    """Return sentences that must not be missed; plain text."""
    if not notes:
        return ""
    return '<div class="notes">' + "".join(f"<p>{escape(note)}</p>" for note in notes) + "</div>"


def draw_facts(title: str, facts: Mapping[str, str]) -> str:
    """Return names and values under a heading; plain text; nothing if there are none."""
    if not facts:
        return ""
    items = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()
    )
    return f'<h2>{escape(title)}</h2><dl class="facts">{items}</dl>'


@dataclass(frozen=True, slots=True)
class PageSection:
    """A section that somebody else wrote, as text; or why there is none."""

    title: str
    paragraphs: Sequence[str] = ()
    head: Sequence[str] = ()
    """Of its table; empty: it has none."""
    rows: Sequence[Sequence[str]] = ()
    caption: str = ""
    failure: str = ""
    """A sentence that stands where the section would."""


def draw_sections(sections: Sequence[PageSection]) -> str:
    """Return sections one after the other."""
    return "".join(_draw_section(item) for item in sections)


def _draw_section(section: PageSection) -> str:
    said = "".join(f"<p>{escape(text)}</p>" for text in section.paragraphs)
    table = ""
    if section.head:
        drawn = draw_table(
            section.head, section.rows, section.caption, text_columns=len(section.head)
        )
        table = f'<div class="wrapped">{drawn}</div>'
    failure = draw_notes([section.failure] if section.failure else [])
    return f"<h2>{escape(section.title)}</h2>{said}{table}{failure}"


def draw_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], caption: str, *, text_columns: int = 1
) -> str:
    """Return a table under its caption; the first column is the heading of its row; plain text."""

    def kind(column: int) -> str:
        return ' class="text"' if column < text_columns else ""

    titles = "".join(
        f'<th scope="col"{kind(column)}>{escape(title)}</th>' for column, title in enumerate(head)
    )
    lines = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(
            f"<td{kind(column)}>{escape(cell)}</td>" for column, cell in enumerate(row[1:], start=1)
        )
        + "</tr>"
        for row in rows
    )
    # Outside the table, because a caption inside would scroll away with a table wider than the
    # screen; the focus lets the keyboard scroll it.
    return (
        f'<p class="soft">{escape(caption)}</p>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def say_when(event: Event) -> str:
    """Return an instant, or a stretch from one to another."""
    start = format_time(event.start_us)
    return start if event.kind == "point" else f"{start} to {format_time(event.end_us)}"


def say_length(hours: float) -> str:
    """Return a length in hours or minutes."""
    minutes = 60 * hours
    return f"{hours:.1f} hours" if minutes >= 90 else f"{minutes:.1f} minutes"


def say_count(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
