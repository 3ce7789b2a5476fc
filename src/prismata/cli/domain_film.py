"""`prismata domains film`: videos of a domain's invented scenes, with labels that are exact."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from prismata.cli.console import JsonOption, file_bar, notes, output, print_json
from prismata.core.errors import ConflictError
from prismata.domains import DomainRegistry
from prismata.settings import load_settings
from prismata.testing.scenes import FilmedScene, film_set, load_scene
from prismata.testing.synth import truth_csv
from prismata.wiring import discover_domains

LABELS = "labels.csv"


def film_domain(
    name: Annotated[str, typer.Argument(help="Domain whose scene.py is to be filmed.")],
    to: Annotated[Path, typer.Option(help="Folder for videos and labels; not there, or empty.")],
    videos: Annotated[int, typer.Option(min=1, help="How many videos.")] = 8,
    seconds: Annotated[float, typer.Option(help="Length of each.")] = 20.0,
    seed: Annotated[int, typer.Option(min=0, help="Other seeds invent other videos.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Film invented events of a domain, and things that only look like them.

    Writes the videos and labels.csv with their exact truth, which `prismata labels import` takes.
    """
    discover_domains(load_settings())
    pack = load_scene(DomainRegistry.get(name))
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise ConflictError(f"{to} exists and is not an empty folder; name another with --to")
    with file_bar(enabled=not as_json) as progress:
        task = progress.add_task("filming", total=videos)
        filmed = film_set(
            pack,
            to,
            videos=videos,
            seconds=seconds,
            seed=seed,
            progress=lambda done, total, _name: progress.update(task, completed=done, total=total),
        )
    labels = to / LABELS
    labels.write_text(truth_csv(filmed), encoding="utf-8")
    events = Counter(event.event_type for video in filmed for event in video.events)
    distractors = Counter(item.event_type for video in filmed for item in video.distractors)
    if as_json:
        print_json(_figures(filmed, labels, events, distractors))
        return
    output.print(
        f"{len(filmed)} {'video' if videos == 1 else 'videos'} of {seconds:g} s with "
        f"{events.total()} events ({_counted(events)}) "
        f"and {distractors.total()} things that only look like one ({_counted(distractors)})",
        markup=False,
    )
    empty = sum(not video.events for video in filmed)
    if empty:
        notes.print(
            f"{empty} {'video shows' if empty == 1 else 'videos show'} no event, so {LABELS} does "
            "not name them: an import leaves them as never watched.",
            soft_wrap=True,
        )
    notes.print(
        f"Take them in: prismata ingest {to} --domain {name}\n"
        f"Label them:   prismata labels import {labels} --domain {name} --apply",
        markup=False,
        soft_wrap=True,
    )


def _figures(
    filmed: list[FilmedScene], labels: Path, events: Counter[str], distractors: Counter[str]
) -> dict[str, object]:
    return {
        "videos": [str(video.path) for video in filmed],
        "labels": str(labels),
        "events": dict(sorted(events.items())),
        "distractors": dict(sorted(distractors.items())),
    }


def _counted(names: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(names.items())) or "none"
