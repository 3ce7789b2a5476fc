"""The `prismata` command and the one place where errors become sentences and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from prismata._version import __version__
from prismata.core.errors import UserError

COMMANDS = {
    "demo": "Invent videos, train on them, detect, evaluate: the whole job in one command.",
    "ingest": "Take videos into the library.",
    "probe": "Say what a file is and whether it can be used.",
    "videos": "List, show, prepare, group and remove videos.",
    "labels": "Import, list, export and migrate labels.",
    "datasets": "List, compare and plan frozen versions of labels.",
    "train": "Train a detector from labels.",
    "search": "Look for the settings that train best.",
    "models": "List, show, promote and add models.",
    "export": "Write a model to a folder as ONNX.",
    "detect": "Find events in videos.",
    "review": "Accept or reject what a model found.",
    "events": "Search the events of all videos; write them as tables, clips and reels.",
    "report": "Write what a model found as one HTML page.",
    "evaluate": "Measure a model against labels.",
    "domains": "List, check, create, film and pack domain plugins.",
    "serve": "Open the workbench in the browser.",
    "worker": "Take jobs from the queue and run them.",
    "jobs": "List jobs, look at one, call one off.",
    "people": "Say who may do what in the browser.",
    "audit": "Tell who did what.",
    "backup": "Write the catalog, labels and models to one file.",
    "restore": "Make a backup the catalog again, in SQLite or PostgreSQL.",
    "migrate-storage": "Copy the storage from disk to S3 or back, and check every object.",
    "doctor": "Check that everything needed is there.",
}
"""In the order of a user's work; each is a file of this room."""

HELP = "Teach a computer to find moments in video: label a few, train, let it find the rest."


def build_app(arguments: Sequence[str]) -> typer.Typer:
    """Return the command line, with only the command that is asked for imported.

    A file holds either `app` (a group of commands) or a function called like the command. The
    others are in the overview by their line above, so that `--help` is instant.
    """
    app = typer.Typer(no_args_is_help=True, add_completion=False, help=HELP)
    app.callback()(_options)
    asked = next((word for word in arguments if not word.startswith("-")), "")
    for name, line in COMMANDS.items():
        if name != asked:
            app.command(name, help=line)(_not_imported)
            continue
        module = import_module(f"prismata.cli.{name.replace('-', '_')}")
        group: typer.Typer | None = getattr(module, "app", None)
        if group is not None:
            app.add_typer(group, name=name, help=line)
        else:
            command: Callable[..., Any] = getattr(module, module.__name__.rpartition(".")[2])
            app.command(name)(command)
    return app


def _not_imported() -> None:
    """Stand in the overview for a command that was not asked for; never runs."""


def _show_version(value: bool) -> None:
    if value:
        print(f"prismata {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Declare the options that stand before a command."""


def run() -> None:
    """Run the command line and leave with its exit code: 0, or what the error's class says."""
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code."""
    try:
        build_app(arguments)(args=list(arguments), prog_name="prismata")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except UserError as error:
        print(f"prismata: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing to say and nobody to hear it.
        sys.stderr.close()
        return 141
    return 0


if __name__ == "__main__":
    run()
