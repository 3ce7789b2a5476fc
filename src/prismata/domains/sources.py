"""Where plugins lie, with a stamp of each that tells whether it changed since.

Invariant: looking runs no plugin; where nothing changed it costs reading a few small files.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint
from importlib.metadata import entry_points as installed_entry_points
from pathlib import Path

from prismata.core.errors import ConflictError, NotFoundError
from prismata.domains.loading import PLUGIN_FILE, load_entry_point, load_plugin
from prismata.domains.spec import Domain

ENTRY_POINT_GROUP = "prismata.domains"

Stamp = tuple[object, ...]
"""Equal as long as the plugin is the same."""


@dataclass(frozen=True, slots=True)
class Source:
    """One place that should give one domain."""

    origin: str
    """File or entry point, for people."""
    name: str
    """What its domain should be called: the name of the folder or of the entry point."""
    stamp: Stamp
    load: Callable[[], type[Domain]]
    folder: Path | None = None
    """The plugin's folder; None for a package, which is nowhere until it is imported."""
    release: str = ""
    """Name and version of the package that brings it; empty for a folder."""


class SourceFinder:
    """Looks for plugins, and remembers of the installed packages what cannot have changed."""

    def __init__(self) -> None:
        self._path_stamp: Stamp = ()
        self._packaged: tuple[Source, ...] = ()

    def find(self, folders: Sequence[Path], *, entry_points: bool) -> list[Source]:
        """Return installed packages first, then `*/domain.py` of each folder, each plugin once."""
        sources = [*self._in_packages()] if entry_points else []
        seen: set[Path] = set()
        for folder in folders:
            if not folder.is_dir():
                sources.append(Source(str(folder), "", (), partial(_missing, folder)))
                continue
            for plugin in _plugin_folders(folder):
                if plugin not in seen:
                    seen.add(plugin)
                    sources.append(
                        Source(
                            origin=str(plugin / PLUGIN_FILE),
                            name=plugin.name,
                            stamp=_stamp_of_folder(plugin),
                            load=partial(load_plugin, plugin),
                            folder=plugin,
                        )
                    )
        return sources

    def _in_packages(self) -> tuple[Source, ...]:
        # Reading what all packages say of themselves takes a hundred times as long as asking when
        # their folders changed last.
        stamp = _stamp_of_path()
        if stamp != self._path_stamp:
            importlib.invalidate_caches()
            points = sorted(
                installed_entry_points(group=ENTRY_POINT_GROUP),
                key=lambda item: (item.name, item.value),
            )
            self._path_stamp = stamp
            self._packaged = tuple(_packaged(point) for point in points)
        return self._packaged


def needs_restart(source: Source, old_release: str) -> ConflictError:
    """Return the refusal to take another version of a package that was imported already."""
    return ConflictError(
        f"{source.release} is installed now, but this process has imported {old_release}; start it "
        "again to use the new one"
    )


def _packaged(point: EntryPoint) -> Source:
    release = f"{point.dist.name} {point.dist.version}" if point.dist else ""
    package = f" of {point.dist.name}" if point.dist else ""
    return Source(
        origin=f"entry point {point.name} = {point.value}{package}",
        name=point.name,
        stamp=(point.value, release),
        load=partial(load_entry_point, point),
        release=release,
    )


def _plugin_folders(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.glob(f"*/{PLUGIN_FILE}")):
        if not file.parent.name.startswith((".", "_")):
            yield file.parent.resolve()


def _stamp_of_folder(plugin: Path) -> Stamp:
    """Return the digests of a plugin's own modules.

    They are a few kB. Times and sizes would be cheaper and wrong: an edit of one character within
    one tick of the file system's clock changes neither, nor does a tool that sets times back.
    """
    facts: list[tuple[str, str]] = []
    with suppress(OSError), os.scandir(plugin) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                with suppress(OSError), Path(entry.path).open("rb") as source:
                    facts.append((entry.name, hashlib.file_digest(source, "sha256").hexdigest()))
    return tuple(sorted(facts))


def _stamp_of_path() -> Stamp:
    stamp: list[tuple[str, int]] = []
    for item in sys.path:
        with suppress(OSError):
            stamp.append((item, Path(item or ".").stat().st_mtime_ns))
    return tuple(stamp)


def _missing(folder: Path) -> type[Domain]:
    raise NotFoundError(
        f"the domain folder {folder} does not exist; create it or change PRISMATA_DOMAINS_DIRS"
    )
