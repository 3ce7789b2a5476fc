"""`prismata doctor`: is everything there?"""

from __future__ import annotations

from dataclasses import asdict
from importlib.util import find_spec
from typing import Annotated

import typer

from prismata.cli.console import JsonOption, output, print_json
from prismata.services.health import check_health
from prismata.services.running_workbench import RouteProbe
from prismata.services.security import check_security
from prismata.settings import load_settings
from prismata.wiring import check_broker, start_logging

STYLES = {"ok": "green", "degraded": "yellow", "error": "red"}


def doctor(
    security: Annotated[
        bool,
        typer.Option(
            "--security",
            help="Find out what keeps strangers out instead, by asking the running workbench, the "
            "provider and the store.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check every part on its own and say what to do about what is not well.

    Makes and migrates no catalog. Exit code 1: something that is needed does not work; what only
    lacks or could be better is told and has exit code 0.
    """
    settings = load_settings()
    start_logging(settings)
    if security:
        report = check_security(settings, _closed_routes())
    else:
        report = check_health(settings, {"broker": check_broker})
    if as_json:
        print_json({"parts": [asdict(part) for part in report]})
    else:
        for part in report:
            output.print(f"[{STYLES[part.verdict]}]{part.verdict:<8}[/] {part.part:<14}", end=" ")
            output.print(part.message, markup=False)
    if any(part.verdict == "error" for part in report):
        raise typer.Exit(1)


def _closed_routes() -> list[RouteProbe]:
    """Return the routes that take a permission; none where pages are not installed."""
    if find_spec("starlette") is None:
        return []
    from prismata.api.rules import RULES

    return [
        RouteProbe(method, path)
        for (method, path), rule in RULES.items()
        if rule.needs is not None and path != "/api/jobs/{job_id}"
    ]
