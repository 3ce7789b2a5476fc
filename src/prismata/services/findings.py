"""Checks and what they find: one verdict a part, and no part that hides another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from prismata.core.errors import UserError
from prismata.settings import Settings

Verdict = Literal["ok", "degraded", "error"]

Finding = tuple[Verdict, str]
"""The verdict; what is true, and what to do if it is not ok."""

Check = Callable[[Settings], Finding]


@dataclass(frozen=True, slots=True)
class PartHealth:
    """One part of the workbench."""

    part: str
    verdict: Verdict
    message: str
    """What is true, and what to do if it is not ok."""


def run_checks(settings: Settings, checks: Mapping[str, Check]) -> list[PartHealth]:
    """Run checks in their order, each on its own; a broken one never hides another."""
    report = []
    for part, check in checks.items():
        try:
            verdict, message = check(settings)
        except UserError as error:
            verdict, message = "error", str(error)
        report.append(PartHealth(part, verdict, message))
    return report
