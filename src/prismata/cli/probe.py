"""`prismata probe`: what a file is, without taking it in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prismata.cli.console import JsonOption, output, print_json
from prismata.media import describe

EXIT_REFUSED = 65


def probe(
    file: Annotated[Path, typer.Argument(help="Video file.")],
    as_json: JsonOption = False,
) -> None:
    """Say what a file is, frame by frame of its index, and whether it can be used."""
    facts = describe(file)
    if as_json:
        print_json(facts)
    elif facts["accepted"]:
        width = max(len(name) for name in facts)
        for name, value in facts.items():
            if value not in (None, "", [], ()):
                output.print(f"{name:<{width}}  {value}", markup=False)
    else:
        output.print(f"{file.name}: refused. {facts['message']}", markup=False)
    if not facts["accepted"]:
        raise typer.Exit(EXIT_REFUSED)
