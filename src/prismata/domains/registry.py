"""The registry: which domains exist, where they came from and which plugins are broken.

Invariant: nothing is loaded at import; a broken plugin is kept as a failure and stops no other.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from importlib.metadata import entry_points as installed_entry_points
from pathlib import Path
from threading import RLock
from typing import ClassVar, TypeVar

from prismata.core.errors import ConflictError, NotFoundError, PrismataError
from prismata.domains.loading import PLUGIN_FILE, collect, load_entry_point, load_plugin
from prismata.domains.spec import Domain, complete_domain

ENTRY_POINT_GROUP = "prismata.domains"

DomainClass = TypeVar("DomainClass", bound=type[Domain])


@dataclass(frozen=True, slots=True)
class DomainFailure:
    """A plugin that could not be used, and why."""

    origin: str
    """File or entry point."""
    message: str
    """One sentence for a person."""
    traceback: str
    """For the plugin's author."""


@dataclass(frozen=True, slots=True)
class DiscoveryResult:
    """What a discovery found; both parts in the order of looking."""

    domains: tuple[Domain, ...]
    failures: tuple[DomainFailure, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    domain: Domain
    origin: str
    is_discovered: bool


# Inside the class body `list` is the classic method, so the types are named here.
_Domains = list[Domain]
_Failures = list[DomainFailure]


class DomainRegistry:
    """All known domains, by name.

    A name belongs to whoever registered it first; the second origin becomes a failure that names
    both. A domain registered by hand (in a notebook or a test) survives discoveries.
    """

    _entries: ClassVar[dict[str, _Entry]] = {}
    _failures: ClassVar[tuple[DomainFailure, ...]] = ()
    _lock: ClassVar[RLock] = RLock()

    @classmethod
    def get(cls, name: str) -> Domain:
        """Return the instance of a domain.

        Raises:
            NotFoundError: If there is none; names the closest ones, or why its plugin is broken.
        """
        with cls._lock:
            entry = cls._entries.get(name)
            known, failures = sorted(cls._entries), cls._failures
        if entry is not None:
            return entry.domain
        for failure in failures:
            if Path(failure.origin).parent.name == name:
                raise NotFoundError(
                    f"domain {name!r} is not available, its plugin is broken: {failure.message}"
                )
        hint = "none is known yet, call DomainRegistry.discover first"
        if close := get_close_matches(name, known, n=3):
            hint = f"did you mean {' or '.join(close)}?"
        elif known:
            hint = f"known domains are {', '.join(known)}"
        raise NotFoundError(f"there is no domain {name!r}; {hint}")

    @classmethod
    def failures(cls) -> _Failures:
        """Return the plugins that the last discovery could not use."""
        with cls._lock:
            return [*cls._failures]

    @classmethod
    def origin(cls, name: str) -> str:
        """Return the file or entry point that a domain came from.

        Raises:
            NotFoundError: If there is no such domain.
        """
        cls.get(name)
        with cls._lock:
            return cls._entries[name].origin

    @classmethod
    def discover(cls, folders: Sequence[Path], *, entry_points: bool = True) -> DiscoveryResult:
        """Look at installed packages, then at `*/domain.py` in each folder, and load what is there.

        Replaces what an earlier discovery found: edited plugins are read again, vanished ones
        go, and doing it twice changes nothing. A folder that does not exist is a failure.

        Args:
            folders: Folders that hold plugin folders; hidden ones (`.x`, `_x`) are left out.
            entry_points: Whether to look at entry points of group `prismata.domains`.
        """
        with cls._lock:
            kept = {name: item for name, item in cls._entries.items() if not item.is_discovered}
            entries, found, failures = kept, [], _Failures()
            for origin, load in _sources(folders, look_at_packages=entry_points):
                # Plugins are foreign code: whatever one raises is recorded and shown, and must
                # not keep the others from loading.
                try:
                    entry = _Entry(load()(), origin, is_discovered=True)
                    _add(entries, entry)
                    found.append(entry.domain)
                except (Exception, SystemExit) as error:  # noqa: BLE001 - recorded as a failure
                    failures.append(_failure(origin, error))
            cls._entries, cls._failures = entries, tuple(failures)
        return DiscoveryResult(tuple(found), tuple(failures))

    @classmethod
    def clear(cls) -> None:
        """Forget everything; for tests."""
        with cls._lock:
            cls._entries, cls._failures = {}, ()

    @classmethod
    def register(cls, domain_class: type[Domain]) -> None:
        """Add a completed domain by hand; from the same file it replaces its older self.

        Raises:
            ConflictError: If the name belongs to another origin; names both.
        """
        module = sys.modules.get(domain_class.__module__)
        origin = getattr(module, "__file__", None) or domain_class.__module__
        with cls._lock:
            entries = dict(cls._entries)
            _add(entries, _Entry(domain_class(), origin, is_discovered=False))
            cls._entries = entries

    @classmethod
    def list(cls) -> _Domains:
        """Return all domains, sorted by name."""
        with cls._lock:
            return [cls._entries[name].domain for name in sorted(cls._entries)]


def register_domain(domain_class: DomainClass) -> DomainClass:
    """Class decorator: check the declaration, fill in defaults, make the domain known.

    Inside a plugin that is being discovered the discovery decides; anywhere else the domain is
    available at once.

    Raises:
        InvalidInputError: If the declaration cannot be used.
        ConflictError: If another file has registered this name already.
    """
    complete_domain(domain_class)
    if not collect(domain_class):
        DomainRegistry.register(domain_class)
    return domain_class


def _add(entries: dict[str, _Entry], entry: _Entry) -> None:
    name = entry.domain.name
    old = entries.get(name)
    # An installed plugin that was also imported by hand is one class under two origins.
    if old and old.origin != entry.origin and type(old.domain) is not type(entry.domain):
        raise ConflictError(
            f"two plugins are called {name!r}: {old.origin} and {entry.origin}; "
            "the first is used, rename or remove one"
        )
    entries[name] = entry


def _sources(
    folders: Sequence[Path], *, look_at_packages: bool
) -> list[tuple[str, Callable[[], type[Domain]]]]:
    sources: list[tuple[str, Callable[[], type[Domain]]]] = []
    if look_at_packages:
        points = sorted(
            installed_entry_points(group=ENTRY_POINT_GROUP),
            key=lambda item: (item.name, item.value),
        )
        for point in points:
            package = f" of {point.dist.name}" if point.dist else ""
            origin = f"entry point {point.name} = {point.value}{package}"
            sources.append((origin, partial(load_entry_point, point)))
    seen: set[Path] = set()
    for folder in folders:
        if not folder.is_dir():
            sources.append((str(folder), partial(_missing, folder)))
            continue
        for file in sorted(folder.glob(f"*/{PLUGIN_FILE}")):
            plugin = file.parent.resolve()
            if not file.parent.name.startswith((".", "_")) and plugin not in seen:
                seen.add(plugin)
                sources.append((str(plugin / PLUGIN_FILE), partial(load_plugin, plugin)))
    return sources


def _missing(folder: Path) -> type[Domain]:
    raise NotFoundError(
        f"the domain folder {folder} does not exist; create it or change PRISMATA_DOMAINS_DIRS"
    )


def _failure(origin: str, error: BaseException) -> DomainFailure:
    message = str(error) if isinstance(error, PrismataError) else _describe(error)
    return DomainFailure(origin, message, "".join(traceback.format_exception(error)))


def _describe(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
