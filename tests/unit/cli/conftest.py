"""The command line, run in this process as `prismata` runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from prismata.cli.console import notes, output
from prismata.cli.main import run_command
from prismata.settings import Settings


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be exactly one line of JSON."""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1, f"not one line: {self.out!r}"
        return json.loads(self.out)


@pytest.fixture
def prismata(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    """Run one command with the environment that the settings describe."""
    monkeypatch.setenv("COLUMNS", "160")
    for console in (output, notes):  # imported where the shell says COLUMNS, they keep that width
        monkeypatch.setattr(console, "_width", 160)
    for name in ("data_dir", "domains_dirs", "user", "detect_threads"):
        monkeypatch.setenv(f"PRISMATA_{name.upper()}", str(getattr(settings, name)))

    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        code = run_command([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return run
