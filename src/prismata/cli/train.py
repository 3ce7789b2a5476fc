"""`prismata train`: from labels to a published model."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from prismata.catalog import Split
from prismata.cli.console import (
    JsonOption,
    child_bar,
    exit_code,
    notes,
    outcome_dict,
    output,
    print_json,
)
from prismata.core.architectures import ARCHITECTURES, DEFAULT_ARCHITECTURE
from prismata.core.errors import InvalidInputError
from prismata.core.ports import ChildOutcome
from prismata.core.presets import PRESETS
from prismata.core.protocol import Message
from prismata.services.models import card_sentences, motion_beside, motion_remark
from prismata.services.presets import preset_words, start_recipe
from prismata.services.train import (
    PreparedTraining,
    TrainRequest,
    prepare_resume,
    prepare_training,
    run_training,
)
from prismata.wiring import open_workbench

TrainEncoder = Annotated[
    bool | None,
    typer.Option(
        "--train-encoder/--freeze-encoder",
        help="Train the encoder too, or only the head; by default the architecture's way.",
    ),
]
Preset = Annotated[
    str,
    typer.Option(
        help=f"Settings to start from: {', '.join(PRESETS)}; by default what the domain declares."
    ),
]
Weights = Annotated[
    str,
    typer.Option(
        help="auto (weights provider), none (random on purpose) or a file; by default auto, or "
        "what the preset says."
    ),
]
ValShare = Annotated[float, typer.Option(help="Share of time for validation.")]
TestShare = Annotated[float, typer.Option(help="Share of time held out.")]
Groups = Annotated[list[str] | None, typer.Option(help="Group to put there (repeat for more).")]


def train(
    domain: Annotated[str, typer.Argument(help="Domain to train for.")] = "",
    preset: Preset = "",
    architecture: Annotated[
        str,
        typer.Option(
            help=f"What to train: {', '.join(ARCHITECTURES)}; by default the preset's, or "
            f"{DEFAULT_ARCHITECTURE}."
        ),
    ] = "",
    encoder: Annotated[
        str,
        typer.Option(
            help="resnet18, mobilenet_v2, regnet_y_200mf, tiny, the last two with _gsm to see "
            "neighbouring frames, or an .onnx encoder of the weights provider; by default the "
            "architecture's."
        ),
    ] = "",
    train_encoder: TrainEncoder = None,
    weights: Weights = "",
    epochs: Annotated[int | None, typer.Option(help="Most epochs.")] = None,
    patience: Annotated[
        int | None, typer.Option(help="Epochs without progress before stopping.")
    ] = None,
    hidden: Annotated[
        int | None, typer.Option(help="Recurrent units per direction, or channels of the head.")
    ] = None,
    head_lr: Annotated[float | None, typer.Option(help="Learning rate of the head.")] = None,
    encoder_lr: Annotated[float | None, typer.Option(help="Learning rate of the encoder.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other setting of the recipe, as NAME=VALUE (repeat)."),
    ] = None,
    flip: Annotated[
        bool | None,
        typer.Option(
            "--flip/--no-flip",
            help="Mirror at random; by default unless sides matter in the domain.",
        ),
    ] = None,
    quantize: Annotated[
        str, typer.Option(help="auto (an 8-bit encoder too, if nothing is lost by it) or never.")
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Same seed, same split and same training.")] = 0,
    val_share: ValShare = 0.2,
    test_share: TestShare = 0.0,
    train_group: Groups = None,
    val_group: Groups = None,
    test_group: Groups = None,
    name: Annotated[str, typer.Option(help="Name of the model.")] = "",
    processes: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes that share the steps; by default PRISMATA_TRAIN_PROCESSES."
        ),
    ] = None,
    resume: Annotated[str, typer.Option(help="Go on with this interrupted run.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Train a detector, export it to ONNX, check it and register it."""
    with open_workbench() as bench:
        told = ""
        if resume:
            prepared = prepare_resume(bench, resume, processes=processes)
        elif domain:
            chosen: dict[str, Any] = {
                "architecture": architecture or None,
                "encoder": encoder or None,
                "frozen": None if train_encoder is None else not train_encoder,
                "weights": weights or None,
                "epochs": epochs,
                "patience": patience,
                "head_lr": head_lr,
                "encoder_lr": encoder_lr,
                "flip": flip,
                "quantize": quantize,
                "head": None if hidden is None else {"hidden": hidden},
            }
            # What is not given is the preset's, then the architecture's.
            recipe = {name: value for name, value in chosen.items() if value is not None}
            recipe |= parse_settings(settings or [])
            declared = bench.domain(domain)
            told = preset_words(declared, recipe, preset=preset)
            recipe = start_recipe(declared, recipe, preset=preset)
            groups = {"train": train_group, "val": val_group, "test": test_group}
            prepared = prepare_training(
                bench,
                TrainRequest(
                    domain,
                    recipe,
                    val_share=val_share,
                    test_share=test_share,
                    fixed_groups=fixed_groups(groups),
                    seed=seed,
                    model_name=name,
                    processes=processes,
                ),
            )
        else:
            raise InvalidInputError(
                "name the domain to train for, or an interrupted run with --resume RUN"
            )
        if not as_json:
            _announce(prepared, told)
        with child_bar("", enabled=not as_json) as bar:

            def on_message(message: Message) -> None:
                bar.on_message(message)
                if message["type"] == "event" and not as_json:
                    bar.progress.console.print(_epoch_line(message["event"]), markup=False)

            outcome = run_training(bench, prepared, on_message=on_message)
    _report(prepared, outcome, as_json=as_json)
    if code := exit_code(outcome):
        raise typer.Exit(code)


def parse_settings(given: list[str]) -> dict[str, Any]:
    """Read `NAME=VALUE`; the value is JSON where it is, else a word.

    Raises:
        InvalidInputError: If there is no `=`.
    """
    read: dict[str, Any] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not (name and equals):
            raise InvalidInputError(f"--set takes NAME=VALUE, for example mixup=0.2, not {item!r}")
        try:
            read[name] = json.loads(value)
        except json.JSONDecodeError:
            read[name] = value
    return read


def fixed_groups(groups: dict[str, list[str] | None]) -> dict[str, Split]:
    """Return the split of each group that a person put somewhere.

    Raises:
        InvalidInputError: If one is put into two splits.
    """
    fixed: dict[str, Split] = {}
    splits: tuple[Split, ...] = ("train", "val", "test")
    for split in splits:
        for group in groups[split] or []:
            if group in fixed:
                raise InvalidInputError(f"group {group!r} is put into {fixed[group]} and {split}")
            fixed[group] = split
    return fixed


def _announce(prepared: PreparedTraining, told: str) -> None:
    counts = dict.fromkeys(("train", "val", "test"), 0)
    for split in prepared.dataset.video_splits.values():
        counts[split] += 1
    notes.print(
        f"{prepared.run.name}: dataset {prepared.dataset.name}, "
        + ", ".join(f"{count} {split} videos" for split, count in counts.items() if count),
        markup=False,
    )
    if told:
        notes.print(told, markup=False)
    if prepared.note:
        notes.print(prepared.note, markup=False)


def _epoch_line(row: dict[str, Any]) -> str:
    parts = [f"epoch {row['epoch']:>3}", f"loss {row['train_loss']:.4f}"]
    for key, title in (("val_map_point", "mAP points"), ("val_map_segment", "mAP segments")):
        if row.get(key) is not None:
            parts.append(f"{title} {row[key]:.3f}")
    parts.append(f"{row['seconds']:.1f} s")
    return "  ".join(parts)


def _mean_line(split: str, kind: str, report: dict[str, Any]) -> str:
    means = report[kind]
    beside = f"chance {means['chance'] or 0.0:.3f}"
    if found := motion_beside(report, kind):
        beside += f", motion {found[0]:.3f}{found[1]}"
    return f"{split}: mAP {kind} {means['mean']:.3f} ({beside})"


def _report(prepared: PreparedTraining, outcome: ChildOutcome, *, as_json: bool) -> None:
    result = outcome.result or {}
    if as_json:
        kept = {key: value for key, value in result.items() if key not in ("type", "v")}
        print_json({"run": prepared.run.name, **outcome_dict(outcome), "result": kept or None})
    elif outcome.result is None:
        notes.print(f"{prepared.run.name} {outcome.state.value}: {outcome.message}", markup=False)
        for line in outcome.log_tail[-15:] if outcome.cause and outcome.cause == "bug" else ():
            notes.print(f"  {line}", markup=False)
    else:
        output.print(
            f"model {result['model']} after {result['epochs']} epochs "
            f"(best: {result['best_epoch']}), exported and checked "
            f"(largest difference {result['parity']['max_score_difference']:.1e})",
            markup=False,
        )
        for split, report in result["metrics"].items():
            for kind in ("points", "segments"):
                means = report.get(kind)
                if means and means["mean"] is not None:
                    output.print(_mean_line(split, kind, report), markup=False)
            if remark := motion_remark(report):
                notes.print(remark, markup=False)
        for sentence in card_sentences(result):
            output.print(sentence, markup=False)
        notes.print(
            f"Try it: prismata detect VIDEO --model {result['model']}   "
            f"Use it: prismata models promote {result['model']}",
            markup=False,
        )
