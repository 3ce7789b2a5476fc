"""`prismata datasets groups`: groups by a pattern of the videos' names, shown before stored."""

from __future__ import annotations

from typing import Annotated

import typer

from prismata.cli.console import JsonOption, notes, output, print_json, print_table
from prismata.core.time import to_seconds
from prismata.services.dataset_groups import GroupPlan, apply_groups, plan_groups
from prismata.wiring import open_workbench


def group_by_pattern(
    domain: Annotated[str, typer.Argument(help="Domain whose videos are grouped.")],
    pattern: Annotated[
        str,
        typer.Option(
            help="Regular expression, looked for anywhere in a video's name. What its parentheses "
            "catch, joined by '/', is the group; without parentheses, all that matches. A video "
            "that it does not match keeps its group."
        ),
    ],
    apply: Annotated[
        bool, typer.Option("--apply", help="Store it; without this the groups are only shown.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the split that is shown.")] = 0,
    val_share: Annotated[float, typer.Option(help="Share of time for validation.")] = 0.2,
    test_share: Annotated[float, typer.Option(help="Share of time held out.")] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Show the groups that a pattern makes and the split of each; store them with --apply."""
    with open_workbench() as bench:
        plan = plan_groups(
            bench, domain, pattern, seed=seed, val_share=val_share, test_share=test_share
        )
        changed = apply_groups(bench, plan) if apply else 0
    if as_json:
        print_json({**plan.to_dict(), "applied": apply, "stored": changed})
        return
    _print_plan(plan, stored=apply)
    if apply:
        notes.print(
            f"{changed} videos are in another group now; frozen versions keep the groups they had"
        )
    else:
        notes.print("Nothing was written: this was a dry run. Add --apply to store it.")


def _print_plan(plan: GroupPlan, *, stored: bool) -> None:
    are = "are" if stored else "would be"
    print_table(
        f"{len(plan.changed)} of {len(plan.videos)} videos {are} in another group",
        ("video", "group now", "group", ""),
        [
            (
                item.video.name,
                item.before,
                item.after,
                "changes" if item.changes else "" if item.matches else "no match, keeps its group",
            )
            for item in plan.videos
        ],
    )
    print_table(
        f"{len(plan.groups)} groups",
        ("group", "videos", "labelled min", "events", "split"),
        [
            (
                group.name,
                group.videos,
                f"{to_seconds(group.known_us) / 60:.1f}",
                group.events,
                group.split or "takes no part",
            )
            for group in plan.groups
        ],
        right="videos,labelled min,events",
    )
    for note in plan.notes:
        output.print(note, markup=False)
