"""`prismata labels migrate`: what becomes of labels whose event type the domain dropped."""

from __future__ import annotations

from typing import Annotated

import typer

from prismata.cli.console import JsonOption, notes, output, parse_pairs, print_json
from prismata.core.time import to_us
from prismata.services.type_migration import (
    MigrationRules,
    apply_migration,
    find_undeclared,
    plan_migration,
    undeclared_dict,
)
from prismata.wiring import open_workbench


def migrate_labels(
    domain: Annotated[str, typer.Argument(help="Domain whose event types changed.")],
    rename: Annotated[
        list[str] | None,
        typer.Option(
            "--rename",
            help="OLD=NEW: labels of OLD become NEW, which the domain declares. Two OLD with one "
            "NEW are merged; NAME=NAME brings labels to the kind that NAME has now.",
        ),
    ] = None,
    retire: Annotated[
        list[str] | None,
        typer.Option("--retire", help="Remove the labels of this event type; history keeps them."),
    ] = None,
    length: Annotated[
        float | None,
        typer.Option("--length", help="Seconds that a point becomes as a segment.", min=0.001),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Do it; without this the plan is only shown.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what renaming, merging or retiring event types does to labels; do it with --apply.

    Without --rename and --retire it lists the event types that labels have and the domain does not.
    """
    renames = parse_pairs(rename or [], "--rename")
    if not renames and not retire:
        _show_undeclared(domain, as_json=as_json)
        return
    rules = MigrationRules(
        renames, frozenset(retire or ()), None if length is None else to_us(length)
    )
    with open_workbench() as bench:
        plan = plan_migration(bench, domain, rules)
        changed = apply_migration(bench, plan) if apply else 0
    if as_json:
        print_json({**plan.to_dict(), "applied": apply, "changed": changed})
        return
    for line in plan.sentences():
        output.print(line, markup=False)
    if apply:
        notes.print(f"{changed} labels changed; the history of each video can take it back")
    else:
        notes.print("Nothing was written: this was a dry run. Add --apply to do it.")


def _show_undeclared(domain: str, *, as_json: bool) -> None:
    with open_workbench() as bench:
        found = find_undeclared(bench, domain)
    if as_json:
        print_json({"domain": domain, "undeclared": [undeclared_dict(item) for item in found]})
        return
    for item in found:
        output.print(str(item), markup=False)
    if found:
        notes.print("Say what becomes of them with --rename OLD=NEW or --retire OLD.")
    else:
        notes.print(f"{domain!r} declares the event type of each of its labels.", markup=False)
