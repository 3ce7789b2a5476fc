"""`prismata models`: the registry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, cast

import typer

from prismata.cli.console import JsonOption, notes, output, print_json, print_table
from prismata.cli.model_comparison import compare
from prismata.core.errors import InvalidInputError
from prismata.services.lineage import model_lineage
from prismata.services.models import (
    ForeignModel,
    Normalization,
    add_checkpoint_model,
    add_foreign_model,
    card_sentences,
    describe_model,
    promote_model,
    retire_model,
    roll_back_model,
)
from prismata.wiring import open_workbench

app = typer.Typer(no_args_is_help=True, help="List, show, promote and add models.")

NORMALIZATIONS = ("imagenet", "unit", "none")


@app.command("list")
def list_models(
    domain: Annotated[str, typer.Option(help="Only models of this domain.")] = "",
    as_json: JsonOption = False,
) -> None:
    """List models, newest first."""
    with open_workbench() as bench:
        models = bench.catalog.models.list(domain=domain or None)
    if as_json:
        print_json({"models": [describe_model(model) for model in models]})
        return
    if not models:
        notes.print("There is no model yet. Train one with `prismata train DOMAIN`.")
        return
    print_table(
        f"{len(models)} models",
        ("name", "domain", "kind", "encoder", "data", "stage", "created"),
        [
            (
                model.name,
                model.domain,
                model.kind,
                model.card.get("encoder", ""),
                model.card.get("dataset_version", ""),
                model.stage,
                f"{model.created_at:%Y-%m-%d %H:%M}",
            )
            for model in models
        ],
    )


@app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(help="Name or id.")], as_json: JsonOption = False
) -> None:
    """Show a model's card."""
    with open_workbench() as bench:
        model = bench.catalog.models.find(name)
    if as_json:
        print_json(describe_model(model))
    else:
        output.print_json(json.dumps(describe_model(model), default=str))
        for sentence in card_sentences(model.card):
            notes.print(sentence, markup=False)


@app.command("lineage")
def lineage(
    name: Annotated[str, typer.Argument(help="Name or id.")], as_json: JsonOption = False
) -> None:
    """Tell where a model comes from: its training run, dataset version, videos and labels."""
    with open_workbench() as bench:
        found = model_lineage(bench, name)
    if as_json:
        print_json(found.to_dict())
        return
    for sentence in found.sentences():
        output.print(sentence, markup=False)
    if found.teachers:
        types = sorted({label for item in found.teachers for label in item.labels})
        print_table(
            f"{len(found.teachers)} videos",
            ("video", "split", *types, "hard negatives"),
            [
                (
                    item.name or f"{item.video_id} (removed)",
                    item.split,
                    *(str(item.labels.get(label, 0)) for label in types),
                    str(item.hard_negatives),
                )
                for item in found.teachers
            ],
        )


@app.command("promote")
def promote(name: Annotated[str, typer.Argument(help="Name or id.")]) -> None:
    """Make a model the one its domain uses from now on."""
    with open_workbench() as bench:
        model = promote_model(bench, name)
    notes.print(f"{model.name} is in production for {model.domain}", markup=False)


@app.command("rollback")
def rollback(
    domain: Annotated[str, typer.Argument(help="Domain whose model disappoints.")],
) -> None:
    """Put back the model that the one in production took the place of."""
    with open_workbench() as bench:
        model = roll_back_model(bench, domain)
    notes.print(f"{model.name} is in production for {model.domain} again", markup=False)


@app.command("retire")
def retire(name: Annotated[str, typer.Argument(help="Name or id.")]) -> None:
    """Take a model out of the choice; what it found stays."""
    with open_workbench() as bench:
        model = retire_model(bench, name)
    notes.print(f"{model.name} is retired", markup=False)


app.command("compare")(compare)


@app.command("add")
def add(
    domain: Annotated[str, typer.Option(help="Domain whose events it finds.")] = "",
    onnx: Annotated[
        Path | None, typer.Option(help="Classic single-file .onnx, (B,T,3,H,W) to logits.")
    ] = None,
    run: Annotated[
        str, typer.Option(help="Training run whose checkpoint PyTorch is to run, unexported.")
    ] = "",
    normalization: Annotated[
        str, typer.Option(help="What the .onnx expects: imagenet, unit (0..1) or none (0..255).")
    ] = "imagenet",
    name: Annotated[str, typer.Option(help="Name of the model.")] = "",
) -> None:
    """Register a model made elsewhere, or a checkpoint."""
    if normalization not in NORMALIZATIONS:
        raise InvalidInputError(
            f"there is no normalization {normalization!r}; there is {', '.join(NORMALIZATIONS)}"
        )
    with open_workbench() as bench:
        if run:
            model = add_checkpoint_model(bench, run, name=name)
        elif onnx and domain:
            foreign = ForeignModel(onnx, domain, name, cast(Normalization, normalization))
            model = add_foreign_model(bench, foreign)
        else:
            raise InvalidInputError("name --onnx FILE and --domain DOMAIN, or --run RUN")
    notes.print(f"added {model.name} ({model.kind})", markup=False)
