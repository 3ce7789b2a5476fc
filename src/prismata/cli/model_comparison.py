"""`prismata models compare`: two models on the same videos, in numbers and event by event."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from prismata.cli.console import JsonOption, notes, output, print_json, print_table
from prismata.cli.evaluate import choose_videos, detect_missing
from prismata.core.errors import InvalidInputError
from prismata.core.time import format_time
from prismata.evaluation.comparison import PrecisionDifference
from prismata.evaluation.pairing import EventPair
from prismata.services.compare import Comparison, difference_sentences, metric_rows
from prismata.services.model_difference import (
    CHANGE_WORDS,
    CHANGES,
    VERDICT_WORDS,
    ModelDifference,
    compare_findings,
    count_sentence,
    difference_dict,
)
from prismata.services.report import evaluation_dict
from prismata.wiring import open_workbench


def compare(
    first: Annotated[str, typer.Argument(help="Name or id.")],
    second: Annotated[str, typer.Argument(help="Name or id.")],
    video: Annotated[list[str] | None, typer.Option(help="Videos to compare on.")] = None,
    split: Annotated[
        str, typer.Option(help="Split of the second model's dataset version: train, val or test.")
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="On all videos that both have been run on.")
    ] = False,
    detect: Annotated[
        bool, typer.Option("--detect", help="Run the models on videos they have not been run on.")
    ] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="List every event that was gained, lost or changed.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare two models on the same videos, event by event."""
    if everything and (video or split or detect):
        raise InvalidInputError(
            "--all means the videos that both have been run on; leave out --video, --split and "
            "--detect"
        )
    with open_workbench() as bench:
        videos = None if everything else choose_videos(bench, second, video or [], split)
        if detect and videos is not None:
            for name in (first, second):
                detect_missing(bench, name, videos, show=not as_json)
        difference = compare_findings(bench, first, second, videos)
    if as_json:
        changes = difference_dict(difference, with_events=listed)
        print_json({**_metrics_dict(difference), "changes": changes})
        return
    if difference.comparison is not None:
        _print_metrics(difference.comparison)
    _print_changes(difference, listed=listed)


def _print_metrics(comparison: Comparison) -> None:
    names = comparison.first.model.name, comparison.second.model.name
    count = len(comparison.first.videos)
    print_table(
        f"{count} video{'' if count == 1 else 's'}",
        ("event", "", *names),
        metric_rows(comparison),
        right=",".join(names),
    )
    for sentence in difference_sentences(comparison):
        output.print(sentence, markup=False)
    for note in dict.fromkeys((*comparison.first.report.notes, *comparison.second.report.notes)):
        notes.print(note, markup=False)


def _print_changes(difference: ModelDifference, *, listed: bool) -> None:
    for change in CHANGES:
        line = f"{CHANGE_WORDS[change]}: {count_sentence(difference.counts(change))}"
        output.print(line, markup=False)
    if listed:
        _print_list(difference)
    notes.print(
        f"The same event, and right, means {difference.criterion}; gained is what only "
        f"{difference.second.name} finds, lost what only {difference.first.name} does.",
        markup=False,
    )
    if difference.unmeasured:
        notes.print(f"no metrics: {difference.unmeasured}", markup=False)
    for sentence in (*difference.ignored(), *difference.missing()):
        notes.print(sentence, markup=False)


def _print_list(difference: ModelDifference) -> None:
    changed = [(item.video, pair) for item, pair in difference.pairs if pair.is_changed]
    if not changed:
        notes.print("both found the same events")
        return
    titles = {item.name: item.title for item in difference.event_types}
    print_table(
        f"{len(changed)} events",
        ("what", "labels say", "event", "video", "start", "end", "first", "second"),
        [
            (
                CHANGE_WORDS[pair.change],
                VERDICT_WORDS[pair.verdict],
                titles[pair.event.event_type],
                video.name,
                *_times(pair),
                *_scores(pair),
            )
            for video, pair in changed
        ],
        right="start,end,first,second",
    )


def _times(pair: EventPair) -> tuple[str, str]:
    event = pair.event
    end = format_time(event.end_us) if event.kind == "segment" else ""
    return format_time(event.start_us), end


def _scores(pair: EventPair) -> tuple[str, str]:
    first, second = (
        "" if event is None or event.score is None else f"{event.score:.2f}"
        for event in (pair.first, pair.second)
    )
    return first, second


def _metrics_dict(difference: ModelDifference) -> dict[str, Any]:
    comparison = difference.comparison
    if comparison is None:
        # The keys stay, so that a program finds them whether there are labels or not.
        nothing = dict.fromkeys(("first", "second", "points", "segments"))
        return {**nothing, "unmeasured": difference.unmeasured}
    return {
        "first": evaluation_dict(comparison.first),
        "second": evaluation_dict(comparison.second),
        "points": _precision_dict(comparison.points),
        "segments": _precision_dict(comparison.segments),
    }


def _precision_dict(found: PrecisionDifference | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "first": found.first,
        "second": found.second,
        "difference": found.difference,
        "interval": found.interval,
        "certain": found.is_certain,
    }
