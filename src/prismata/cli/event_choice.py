"""Which events a command is about: the options of a search, or a model's runs and thresholds."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated, Any, get_type_hints

import typer

from prismata.catalog import DetectionRunRecord, ModelRecord
from prismata.catalog.event_search import EventFilter, parse_order
from prismata.cli.console import notes, parse_thresholds
from prismata.core.errors import InvalidInputError
from prismata.domains import HookFailure
from prismata.formats.result_rows import DERIVED
from prismata.services.event_search import resolve_search
from prismata.services.outgoing import (
    Outgoing,
    newest_runs,
    of_runs,
    provenance,
    searched,
)
from prismata.services.workbench import Workbench


def _search_options(
    domain: Annotated[str, typer.Option(help="Only of this domain.")] = "",
    event_type: Annotated[str, typer.Option("--type", help="Only of this event type.")] = "",
    origin: Annotated[str, typer.Option(help="annotation or detection.")] = "",
    state: Annotated[str, typer.Option(help="none, accepted, rejected, corrected or unsure.")] = "",
    reviewer: Annotated[str, typer.Option(help="Decided by this person.")] = "",
    video: Annotated[str, typer.Option(help="Part of the video's name.")] = "",
    min_score: Annotated[float | None, typer.Option(help="At least this score.")] = None,
    max_score: Annotated[float | None, typer.Option(help="At most this score.")] = None,
    min_seconds: Annotated[float | None, typer.Option(help="At least so long.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="At most so long.")] = None,
    since: Annotated[str, typer.Option(help="Found or labelled then or later, ISO 8601.")] = "",
    until: Annotated[str, typer.Option(help="Found or labelled before, ISO 8601.")] = "",
    saved: Annotated[str, typer.Option(help="Begin with this saved search.")] = "",
) -> None:
    """Declare the options of a search."""


def _choice_options(
    model: Annotated[
        str,
        typer.Option(help="Instead of a search: this model's newest finished run on each video."),
    ] = "",
    threshold: Annotated[
        list[str] | None,
        typer.Option(help="EVENT=0.4: with --model, under another threshold than the runs had."),
    ] = None,
) -> None:
    """Declare the options of a choice of runs."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for on the command line."""

    conditions: dict[str, Any] = field(default_factory=dict)
    saved: str = ""
    model: str = ""
    thresholds: dict[str, float] = field(default_factory=dict)

    def filter(self, bench: Workbench) -> EventFilter:
        """Return the search that is meant.

        Raises:
            UserError: As `resolve_search`.
        """
        return resolve_search(bench, self.saved, self.conditions)

    def runs(self, bench: Workbench) -> tuple[ModelRecord, list[DetectionRunRecord]]:
        """Return the model that is named, and its newest run on each video.

        Raises:
            NotFoundError: If there is no such model, or it has not run.
        """
        model = bench.catalog.models.find(self.model)
        return model, newest_runs(bench, model, str(self.conditions.get("video", "")))

    def events(self, bench: Workbench, *, order: str = "newest") -> Iterator[Outgoing]:
        """Yield the events that are meant; those of runs by video and time.

        Raises:
            UserError: If a condition cannot be used.
        """
        wanted, by = self.filter(bench), parse_order(order)
        if not self.model:
            return searched(bench, wanted, order=by)
        _, runs = self.runs(bench)
        told: set[str] = set()

        def tell(failure: HookFailure) -> None:
            if str(failure) not in told:
                told.add(str(failure))
                notes.print(f"nothing is derived: {failure}", style="yellow", markup=False)

        return of_runs(bench, runs, self.thresholds, wanted, on_failure=tell)

    def best_events(self, bench: Workbench, *, order: str, limit: int) -> list[Outgoing]:
        """Return the first so many (0: all) of the events that are meant, to be looked at.

        Those that somebody rejected are not among them, unless they are what is asked for.

        Raises:
            UserError: If a condition cannot be used.
        """
        wanted = self.filter(bench)
        is_wanted = wanted.review_state == "rejected"
        meant: Iterable[Outgoing] = (
            item
            for item in self.events(bench, order=order)
            # What is derived shows again what the others show, unless it is what is asked for.
            if (is_wanted or item.row.review_state != "rejected")
            and (item.row.origin != DERIVED or wanted.event_type)
        )
        if self.model:
            sign = 1 if order == "unsure" else -1  # runs are not kept in any order
            meant = sorted(meant, key=lambda item: sign * (item.row.event.score or 0.0))
        return list(islice(meant, limit or None))

    def provenance(self, bench: Workbench) -> dict[str, Any]:
        """Return what the events were made with and chosen by, as JSON values."""
        asked = self.filter(bench).to_dict()
        if not self.model:
            return provenance(bench, asked=asked)
        model, _ = self.runs(bench)
        return provenance(bench, asked=asked, models=[model], thresholds=self.thresholds)


def takes_search(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command whose first parameter is an `Asked` the options of a search instead."""
    return _with_options(command, [_search_options])


def takes_events(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command whose first parameter is an `Asked` the options of a search and of runs."""
    return _with_options(command, [_search_options, _choice_options])


def _with_options(
    command: Callable[..., None], declared: list[Callable[..., None]]
) -> Callable[..., None]:
    own = list(inspect.signature(command).parameters.values())[1:]
    options = [
        item for function in declared for item in inspect.signature(function).parameters.values()
    ]

    def run(**values: Any) -> None:  # noqa: ANN401 - whatever the options hold
        asked = _asked({item.name: values.pop(item.name) for item in options})
        command(asked, **values)

    hints: dict[str, Any] = {}
    for function in (*declared, command):
        hints |= get_type_hints(function, include_extras=True)
    parameters = [item.replace(annotation=hints[item.name]) for item in (*own, *options)]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {item.name: item.annotation for item in parameters}
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # typer reads it
        [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in parameters]
    )
    return run


def _asked(values: dict[str, Any]) -> Asked:
    saved, model = values.pop("saved"), values.pop("model", "")
    thresholds = parse_thresholds(values.pop("threshold", None) or [])
    if thresholds and not model:
        raise InvalidInputError(
            "--threshold groups a model's runs anew, so it needs --model; a search takes "
            "--min-score"
        )
    values["review_state"] = values.pop("state")
    conditions = {name: value for name, value in values.items() if value not in ("", None)}
    return Asked(conditions, saved, model, thresholds)
