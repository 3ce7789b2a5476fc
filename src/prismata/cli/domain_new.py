"""`prismata domains new`: from flags, or from answers to a few questions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from prismata.cli.console import notes, output
from prismata.core.errors import InvalidInputError
from prismata.core.events import EventKind, EventType, check_name
from prismata.domains import create_domain, parse_event_type
from prismata.domains.checks import PLAYER_KEYS
from prismata.domains.scaffold import DEFAULT_WINDOW_SECONDS
from prismata.settings import load_settings

_KINDS: dict[str, EventKind] = {"i": "point", "s": "segment"}


def new_domain(
    name: Annotated[str, typer.Argument(help="Lower-case name, for example tennis_serve.")],
    event: Annotated[
        list[str] | None,
        typer.Option(help="NAME:point:KEY or NAME:segment:KEY (repeat for more)."),
    ] = None,
    title: Annotated[str, typer.Option(help="What people read.")] = "",
    window: Annotated[
        float, typer.Option(help="Seconds that show what kind of event it is.")
    ] = DEFAULT_WINDOW_SECONDS,
    folder: Annotated[
        Path | None, typer.Option(help="Folder for it; by default the first domain folder.")
    ] = None,
) -> None:
    """Write a complete domain plugin: declaration, label guide, a scene to film, and tests.

    Asks for what it needs if nothing but the name is given in a terminal.
    """
    check_name(name, "domain")
    folders = load_settings().domain_folders
    target = folder or (folders[0] if folders else None)
    if target is None:
        raise InvalidInputError("no domain folder is set; name one with --folder")
    events = [parse_event_type(text) for text in event or []]
    if not events and not title and sys.stdin.isatty():
        title, events, window = _ask(name)
    files = create_domain(target, name, events, title=title, window_seconds=window)
    for path in files:
        output.print(str(path), markup=False)
    notes.print(
        f"Edit domain.py and README.md, then run `prismata domains check {name}`. "
        f"`prismata domains film {name} --to videos` invents videos to try it with.",
        markup=False,
    )


def _ask(name: str) -> tuple[str, list[EventType], float]:
    notes.print("Enter takes what stands in brackets.")
    title = typer.prompt("What people read", default=name.replace("_", " ").capitalize(), err=True)
    events: list[EventType] = []
    while True:
        what = "Another event (Enter: no more)" if events else "What happens? A name, as bounce"
        default = "" if events else name
        answer = typer.prompt(what, default=default, show_default=not events, err=True).strip()
        if not answer:
            break
        try:
            events.append(_ask_event(answer.lower().replace(" ", "_"), events))
        except InvalidInputError as error:
            notes.print(f"{error}.", markup=False)
    window = typer.prompt(
        "How many seconds show what kind of event it is?",
        default=DEFAULT_WINDOW_SECONDS,
        type=float,
        err=True,
    )
    return title, events, window


def _ask_event(name: str, known: list[EventType]) -> EventType:
    if name in {item.name for item in known}:
        raise InvalidInputError(f"{name!r} is there already")
    check_name(name, "event type")
    kind = ""
    while kind not in _KINDS:
        kind = typer.prompt(
            "  An (i)nstant, or a (s)tretch with a start and an end?", default="i", err=True
        )[:1].lower()
    key = typer.prompt("  Key that marks it (Enter: the next digit)", default="", err=True,
                       show_default=False).strip()  # fmt: skip
    taken = {item.hotkey.lower() for item in known if item.hotkey}
    if key.lower() in PLAYER_KEYS | taken:
        raise InvalidInputError(
            f"{key!r} is used already, by the player or by another event; begin this event again"
        )
    guide = typer.prompt(
        "  Which frame exactly, in one sentence?",
        default=f"First frame of the {name.replace('_', ' ')}.",
        err=True,
    ).strip()
    guide = guide if guide[-1:] in ".!?" else f"{guide}."
    return EventType(name, _KINDS[kind], hotkey=key, guide=guide)
