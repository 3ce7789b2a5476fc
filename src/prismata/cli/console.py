"""What all commands share in talking to a person or a program: tables, bars, JSON, options."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from prismata.core.errors import InvalidInputError
from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import ChildOutcome
from prismata.core.protocol import Message

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]

EXIT_CODES = {
    FailureCause.USER_ERROR: 65,
    FailureCause.OUT_OF_MEMORY: 77,
    FailureCause.STORAGE: 74,
}
EXIT_JOB_FAILED = 70

notes = Console(stderr=True, highlight=False, soft_wrap=True)
"""For people: progress, hints, warnings; standard output is for results."""

output = Console(highlight=False, soft_wrap=True)


def announce(text: str, log_format: str) -> None:
    """Tell whoever started a program that stays; where the log is for machines, in the log."""
    if log_format == "json":
        logging.getLogger("prismata.cli").info(text)
    else:
        notes.print(text, markup=False)


def print_json(value: Any) -> None:  # noqa: ANN401 - JSON values
    """Print one line of JSON to standard output."""
    print(json.dumps(value, default=str, ensure_ascii=False))


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: str = ""
) -> None:
    """Print a table; columns named in `right` (comma-separated) are right-aligned."""
    table = Table(title=title or None, title_justify="left", header_style="bold")
    aligned = set(right.split(","))
    for column in columns:
        table.add_column(column, justify="right" if column in aligned else "left")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    output.print(table)


def parse_pairs(values: Sequence[str], what: str) -> dict[str, str]:
    """Turn `name=value` options into a dictionary.

    Raises:
        InvalidInputError: If one has no `=`.
    """
    pairs: dict[str, str] = {}
    for value in values:
        name, separator, right = value.partition("=")
        if not separator or not name:
            raise InvalidInputError(f"{what} takes NAME=VALUE, not {value!r}")
        pairs[name.strip()] = right.strip()
    return pairs


def parse_thresholds(values: Sequence[str]) -> dict[str, float]:
    """Turn `event=0.4` options into thresholds.

    Raises:
        InvalidInputError: If one is not a number.
    """
    thresholds: dict[str, float] = {}
    for name, text in parse_pairs(values, "--threshold").items():
        try:
            thresholds[name] = float(text)
        except ValueError as error:
            raise InvalidInputError(f"--threshold {name}={text!r} is not a number") from error
    return thresholds


@dataclass(slots=True)
class ChildBar:
    """A progress bar fed by a child's messages."""

    progress: Progress
    task: TaskID
    peak_rss_mb: float = 0.0

    def show(self, done: int, total: int, note: str) -> None:
        """Move the bar to `done` of `total`."""
        self.progress.update(self.task, description=note, completed=done, total=total)

    def on_message(self, message: Message) -> None:
        """Move the bar."""
        if message["type"] == "progress":
            total = message.get("total")
            self.progress.update(
                self.task,
                description=message.get("note") or "working",
                completed=message["done"],
                total=total,
            )
        elif message["type"] == "memory":
            self.peak_rss_mb = max(self.peak_rss_mb, float(message.get("peak_rss_mb") or 0))


@contextmanager
def child_bar(label: str, *, enabled: bool = True) -> Iterator[ChildBar]:
    """Show a bar with what is done now, how far it is and how long it will take."""
    with Progress(
        SpinnerColumn(),
        TextColumn(f"{label}: {{task.description}}" if label else "{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(),
        console=notes,
        transient=True,
        disable=not enabled,
    ) as progress:
        yield ChildBar(progress, progress.add_task("starting", total=None))


@dataclass(slots=True)
class BatchBars:
    """Two bars: the video at hand and all videos."""

    progress: Progress
    video: TaskID
    all_videos: TaskID | None
    name: str = ""

    def show(self, name: str, note: str, share: float) -> None:
        """Move the bar of the video at hand; another one begins with a clock of its own."""
        if name != self.name:
            self.name = name
            self.progress.reset(self.video)
        self.progress.update(self.video, name=name, description=note, completed=share)

    def show_all(self, label: str, share: float, eta_seconds: float | None) -> None:
        """Move the bar of all videos."""
        if self.all_videos is not None:
            self.progress.update(
                self.all_videos,
                name=label,
                completed=share,
                left=format_left(eta_seconds),
            )


@contextmanager
def batch_bars(*, several: bool, enabled: bool = True) -> Iterator[BatchBars]:
    """Show how far the video at hand is and, of several, how far all are and how long it takes.

    Only in a terminal; elsewhere bars would be noise.
    """
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[name]} {task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=notes,
        transient=True,
        disable=not (enabled and notes.is_terminal),
    ) as progress:
        video = progress.add_task("starting", total=1.0, name="", left="")
        everything = progress.add_task("", total=1.0, name="", left="") if several else None
        yield BatchBars(progress, video, everything)


def format_left(seconds: float | None) -> str:
    """Return "about 3 min left", as exact as anybody can know it; empty if nobody can."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"about {max(1, round(seconds))} s left"
    if seconds < 3600:
        return f"about {round(seconds / 60)} min left"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"about {hours} h {minutes} min left"


@contextmanager
def file_bar(*, enabled: bool = True) -> Iterator[Progress]:
    """Show a bar that counts files."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(),
        console=notes,
        transient=True,
        disable=not enabled,
    ) as progress:
        yield progress


def exit_code(outcome: ChildOutcome) -> int:
    """Return the exit code that a child's end means."""
    if outcome.state is JobState.SUCCEEDED:
        return 0
    if outcome.state is JobState.CANCELLED:
        return 130
    return EXIT_CODES.get(outcome.cause, EXIT_JOB_FAILED) if outcome.cause else EXIT_JOB_FAILED


def outcome_dict(outcome: ChildOutcome) -> dict[str, Any]:
    """Return how a job ended, as JSON values."""
    return {
        "state": outcome.state.value,
        "cause": outcome.cause.value if outcome.cause else None,
        "message": outcome.message,
        "wall_seconds": round(outcome.wall_seconds, 3),
        "peak_rss_mb": round(outcome.peak_rss_mb, 1),
    }
