"""`prismata export`: a model as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prismata.cli.console import JsonOption, child_bar, output, print_json
from prismata.services.models import export_model
from prismata.wiring import open_workbench


def export(
    model: Annotated[str, typer.Argument(help="Name or id.")],
    to: Annotated[Path, typer.Option(help="Folder to write; must not exist.")],
    classic: Annotated[
        bool,
        typer.Option("--classic", help="Also write the single-file classic (B,T,3,H,W) .onnx."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write encoder.onnx, temporal.onnx and card.json; refused unless they agree with training."""
    with open_workbench() as bench, child_bar("", enabled=not as_json) as bar:
        written = export_model(bench, model, to, classic=classic, on_message=bar.on_message)
    if as_json:
        print_json(written)
    else:
        output.print(f"{written['folder']}: {', '.join(written['files'])}", markup=False)
