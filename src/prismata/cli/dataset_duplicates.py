"""`prismata datasets duplicates`: footage that videos of different groups share."""

from __future__ import annotations

from typing import Annotated

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
from prismata.core.time import to_seconds
from prismata.services.near_duplicates import (
    DuplicateReport,
    compare_videos,
    find_subject,
    read_report,
)
from prismata.wiring import open_workbench


def show_duplicates(
    subject: Annotated[str, typer.Argument(help="A domain, or name or id of a dataset version.")],
    seed: Annotated[int, typer.Option(help="Of the split of a domain.")] = 0,
    val_share: Annotated[float, typer.Option(help="Share of time for validation.")] = 0.2,
    test_share: Annotated[float, typer.Option(help="Share of time held out.")] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Look for footage that is in several videos: copies, cuts, other sizes and rates.

    Every video is decoded once and remembered; later only new ones are. Pairs of one group are
    left out, because no split separates them.
    """
    with open_workbench() as bench:
        wanted = find_subject(bench, subject, seed=seed, val_share=val_share, test_share=test_share)
        outcome = None
        if read_report(bench, wanted).not_compared:
            with child_bar("", enabled=not as_json) as bar:
                outcome = compare_videos(bench, wanted, on_message=bar.on_message)
        report = read_report(bench, wanted)
    failed = outcome is not None and outcome.result is None
    if as_json:
        job = None if outcome is None else outcome_dict(outcome)
        print_json({**report.to_dict(), "comparison": job})
    else:
        if outcome is not None and failed:
            notes.print(f"the comparison {outcome.state.value}: {outcome.message}", markup=False)
        _print_report(report)
    if outcome is not None and (code := exit_code(outcome)):
        raise typer.Exit(code)


def _print_report(report: DuplicateReport) -> None:
    if report.found:
        print_table(
            f"pairs that share footage: {len(report.found)}, in different splits: "
            f"{len(report.leaks)}",
            ("video", "shares with", "splits", "shared s", "offset s", "alike"),
            [
                (
                    item.first,
                    item.second,
                    " / ".join(item.splits) if item.leaks else item.splits[0],
                    f"{to_seconds(item.overlap_us):.1f}",
                    f"{to_seconds(item.offset_us):+.2f}",
                    f"{item.similarity:.2f}",
                )
                for item in report.found
            ],
            right="shared s,offset s,alike",
        )
        notes.print(
            "Put videos that share footage into one group: `prismata videos group GROUP VIDEO…`, "
            "or `prismata datasets groups` by a pattern.",
            markup=False,
        )
    elif report.pairs > report.not_compared:
        output.print(
            f"no footage is shared by two of {len(report.subject.splits)} videos "
            f"({report.pairs - report.not_compared} pairs of different groups compared)",
            markup=False,
        )
    for sentence in report.sentences():
        notes.print(sentence, markup=False)
