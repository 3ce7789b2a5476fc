"""Why a plugin cannot be used, and in which line of which file, for people and for its author.

Invariant: whatever a plugin raises becomes a record; its exception is not kept.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path

from prismata.core.errors import PrismataError
from prismata.domains.sources import Source
from prismata.domains.spec import Domain

_HOUSE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class DomainFailure:
    """A plugin that could not be used, and why."""

    origin: str
    """File or entry point."""
    message: str
    """One sentence for a person."""
    traceback: str
    """For the plugin's author."""
    name: str = ""
    """What the domain should be called; empty if nobody knows."""
    file: str = ""
    """The file of the plugin that it happened in; empty if it was in none."""
    line: int | None = None
    """The line of that file, from 1."""
    kept_version: int | None = None
    """Version of the domain as it was loaded before, which stays in use; None if there is none."""

    @property
    def where(self) -> str:
        """File and line if they are known, else the origin."""
        if not self.file:
            return self.origin
        return f"{self.file}, line {self.line}" if self.line else self.file

    @property
    def sentence(self) -> str:
        """Where, what, and what is used meanwhile."""
        said = f"{self.where}: {self.message.rstrip('.')}"
        if self.kept_version is None:
            return said
        return f"{said}; version {self.kept_version}, loaded before, stays in use meanwhile"


def describe_failure(
    source: Source, error: BaseException, kept: Domain | None = None
) -> DomainFailure:
    """Return what a person wants to know about what a plugin raised.

    Args:
        source: The plugin.
        error: What it raised.
        kept: The domain as it was loaded before, if that stays in use.
    """
    message = str(error) if isinstance(error, PrismataError) else _describe(error)
    file, line = _place(source, error)
    return DomainFailure(
        source.origin,
        message,
        "".join(traceback.format_exception(error)),
        kept.name if kept is not None else source.name,
        file,
        line,
        kept.version if kept is not None else None,
    )


def _describe(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        # Its text repeats the file and the line, which are told beside it.
        return f"{type(error).__name__}: {error.msg}"
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _place(source: Source, error: BaseException) -> tuple[str, int | None]:
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno
    frames = [
        (frame.filename, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if _is_of_plugin(source, frame.filename)
    ]
    return frames[-1] if frames else ("", None)


def _is_of_plugin(source: Source, filename: str) -> bool:
    path = Path(filename)
    if source.folder is not None:
        return source.folder in path.parents
    # Between us and an installed package stand the import system and the library for packages.
    return path.is_file() and _HOUSE not in path.parents and "importlib" not in path.parts
