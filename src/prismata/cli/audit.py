"""`prismata audit`: who did what, and who was refused."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from prismata.cli.console import JsonOption, notes, print_json, print_table
from prismata.core.errors import InvalidInputError
from prismata.wiring import open_workbench


def audit(
    person: Annotated[str, typer.Option(help="Only what this person did.")] = "",
    action: Annotated[str, typer.Option(help="Only this: train, detect, set_role, …")] = "",
    since: Annotated[str, typer.Option(help="Only from this day or instant on (UTC).")] = "",
    refused: Annotated[bool, typer.Option("--refused", help="Only what was refused.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many, newest first.", min=1)] = 100,
    as_json: JsonOption = False,
) -> None:
    """Tell who did what, newest first.

    Labels and verdicts have a history of their own: `prismata labels` and each video's page.
    """
    with open_workbench() as bench:
        found = bench.catalog.deeds.list(
            person=person,
            action=action,
            outcome="refused" if refused else None,
            since=_instant(since) if since else None,
            limit=limit,
        )
    if as_json:
        print_json([asdict(item) | {"at": item.at.isoformat()} for item in found])
        return
    if not found:
        notes.print("nothing like this was done yet")
        return
    rows = [
        [f"{item.at:%Y-%m-%d %H:%M:%S}", item.person, item.action, item.subject, item.outcome]
        for item in found
    ]
    print_table("", ["when (UTC)", "who", "what", "to what", "outcome"], rows)


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(
            f"--since {text!r} is no day or instant; write it like 2026-11-27 or 2026-11-27T14:00"
        ) from error
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
