"""`prismata search`: try a handful of settings, tell which did best and how to train them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from prismata.cli.console import (
    JsonOption,
    child_bar,
    exit_code,
    notes,
    outcome_dict,
    output,
    print_json,
    print_table,
)
from prismata.cli.train import (
    Groups,
    Preset,
    TestShare,
    TrainEncoder,
    ValShare,
    Weights,
    fixed_groups,
    parse_settings,
)
from prismata.core.architectures import ARCHITECTURES, DEFAULT_ARCHITECTURE
from prismata.core.ports import ChildOutcome
from prismata.core.protocol import Message
from prismata.services.presets import start_recipe
from prismata.services.search import (
    DEFAULT_MINUTES,
    DEFAULT_TRIALS,
    PreparedSearch,
    SearchReport,
    SearchRequest,
    prepare_search,
    read_search,
    run_search,
)
from prismata.services.search_space import format_settings, parse_tries
from prismata.services.train import TrainRequest
from prismata.wiring import open_workbench


def search(
    domain: Annotated[str, typer.Argument(help="Domain to look for settings for.")],
    tries: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            help="A setting to vary and its values, as NAME=V1,V2 (repeat); only these are varied. "
            "By default a handful around the recipe.",
        ),
    ] = None,
    minutes: Annotated[
        float, typer.Option(help="Time to train; videos are read once before.")
    ] = DEFAULT_MINUTES,
    trials: Annotated[int, typer.Option(help="How many sets of settings.")] = DEFAULT_TRIALS,
    preset: Preset = "",
    architecture: Annotated[
        str,
        typer.Option(
            help=f"Where to start: {', '.join(ARCHITECTURES)}; by default the preset's, or "
            f"{DEFAULT_ARCHITECTURE}."
        ),
    ] = "",
    encoder: Annotated[
        str, typer.Option(help="As for `prismata train`; by default the architecture's.")
    ] = "",
    train_encoder: TrainEncoder = None,
    weights: Weights = "",
    epochs: Annotated[int | None, typer.Option(help="Epochs of a whole training.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of every trial, as NAME=VALUE (repeat)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same split and same search.")] = 0,
    val_share: ValShare = 0.2,
    test_share: TestShare = 0.0,
    train_group: Groups = None,
    val_group: Groups = None,
    test_group: Groups = None,
    as_json: JsonOption = False,
) -> None:
    """Look for settings by successive halving: all for a few epochs, the best third for more.

    Only validation videos choose. Nothing is published: the last line is the command that trains
    the best to its end. A search that was stopped, or ended by time, goes on when the same is asked
    for again.
    """
    chosen: dict[str, Any] = {
        "architecture": architecture or None,
        "encoder": encoder or None,
        "frozen": None if train_encoder is None else not train_encoder,
        "weights": weights or None,
        "epochs": epochs,
    }
    recipe = {name: value for name, value in chosen.items() if value is not None}
    recipe |= parse_settings(settings or [])
    groups = {"train": train_group, "val": val_group, "test": test_group}
    space = parse_tries(tries) if tries else None
    with open_workbench() as bench:
        training = TrainRequest(
            domain,
            start_recipe(bench.domain(domain), recipe, preset=preset),
            val_share=val_share,
            test_share=test_share,
            fixed_groups=fixed_groups(groups),
            seed=seed,
        )
        prepared = prepare_search(bench, SearchRequest(training, space, trials, minutes))
        if not as_json:
            _announce(prepared, minutes)
        with child_bar("", enabled=not as_json) as bar:

            def on_message(message: Message) -> None:
                bar.on_message(message)
                if message["type"] == "event" and not as_json:
                    line = _trial_line(message["event"], prepared)
                    bar.progress.console.print(line, markup=False)

            outcome = run_search(bench, prepared, on_message=on_message)
        report = read_search(bench, bench.catalog.jobs.get(prepared.job.id))
    if as_json:
        print_json({**report.to_dict(), "search": outcome_dict(outcome)})
    else:
        _print_report(report, outcome)
    if code := exit_code(outcome):
        raise typer.Exit(code)


def _announce(prepared: PreparedSearch, minutes: float) -> None:
    drawn = prepared.drawn
    of = f" of {drawn.combinations}" if drawn.combinations > len(drawn.trials) else ""
    notes.print(
        f"dataset {prepared.dataset.name}: {len(drawn.trials)}{of} sets of settings, at most "
        f"{minutes:g} minutes of training",
        markup=False,
    )
    if prepared.note:
        notes.print(prepared.note, markup=False)


def _trial_line(event: dict[str, Any], prepared: PreparedSearch) -> str:
    settings = format_settings(prepared.drawn.trials[event["trial"] - 1])
    if event["failed"]:
        return f"trial {event['trial']:>2}  {event['failed']}  {settings}"
    return (
        f"trial {event['trial']:>2}  epoch {event['epochs']:>3}  score {event['score']:.3f}  "
        f"{event['seconds']:.1f} s  {settings}"
    )


def _print_report(report: SearchReport, outcome: ChildOutcome) -> None:
    if outcome.result is None:
        notes.print(f"the search {outcome.state.value}: {outcome.message}", markup=False)
        for line in outcome.log_tail[-15:] if outcome.cause and outcome.cause == "bug" else ():
            notes.print(f"  {line}", markup=False)
    if report.best is not None:
        print_table(
            "trials, best first",
            ("trial", "settings", "rung", "epochs", "score", "seconds"),
            [
                (
                    trial.number,
                    format_settings(trial.settings),
                    "failed" if trial.failed else f"{len(trial.scores)}/{len(report.rungs)}",
                    len(trial.curve),
                    "" if trial.score is None else f"{trial.score:.3f}",
                    f"{trial.seconds:.1f}",
                )
                for trial in report.trials
            ],
            right="trial,rung,epochs,score,seconds",
        )
    for sentence in report.sentences():
        notes.print(sentence, markup=False)
    if report.best is not None:
        notes.print(f"To train trial {report.best.number} to its end and publish it:", markup=False)
        output.print(report.train_command(), markup=False)
