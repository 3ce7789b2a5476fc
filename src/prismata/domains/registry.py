"""The registry: which domains exist, where they came from and which plugins are broken.

Invariant: nothing is loaded at import; a broken plugin is kept as a failure and stops no other.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from threading import Lock, RLock
from typing import ClassVar, TypeVar

from prismata.core.errors import ConflictError, NotFoundError
from prismata.domains.failures import DomainFailure, describe_failure
from prismata.domains.loading import collect
from prismata.domains.sources import Source, SourceFinder, Stamp, needs_restart
from prismata.domains.spec import Domain, complete_domain

DomainClass = TypeVar("DomainClass", bound=type[Domain])


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


@dataclass(frozen=True, slots=True)
class _Load:
    """What came of one source: its domain, the one it gave before, or a failure."""

    source: Source
    domain: Domain | None
    failure: DomainFailure | None


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
    # Only who looks has these. A plugin runs while they are held, and what it takes its time for
    # must not keep the others from the domains that are known.
    _looking: ClassVar[Lock] = Lock()
    _finder: ClassVar[SourceFinder] = SourceFinder()
    _loads: ClassVar[dict[str, _Load]] = {}
    _looked: ClassVar[tuple[tuple[str, Stamp], ...] | None] = None

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
            if failure.name == name:
                raise NotFoundError(
                    f"domain {name!r} is not available, its plugin is broken: {failure.message} "
                    f"({failure.where})"
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
        with cls._looking:
            cls._loads = {}
            cls._look(cls._finder.find(folders, entry_points=entry_points))
        return cls._found()

    @classmethod
    def refresh(cls, folders: Sequence[Path], *, entry_points: bool = True) -> DiscoveryResult:
        """Load what is new or was edited since the last look; the rest stays the same instances.

        An edit that cannot be loaded is a failure, and the domain stays as it was before. Costs
        reading a few small files if nothing changed. If somebody else looks right now, what is
        known is the answer. A package that was imported stays until the process is started again.

        Args:
            folders: As for `discover`.
            entry_points: As for `discover`.
        """
        if cls._looking.acquire(blocking=False):
            try:
                sources = cls._finder.find(folders, entry_points=entry_points)
                if cls._looked != tuple((item.origin, item.stamp) for item in sources):
                    cls._look(sources)
            finally:
                cls._looking.release()
        return cls._found()

    @classmethod
    def _look(cls, sources: Sequence[Source]) -> None:
        cls._looked = tuple((item.origin, item.stamp) for item in sources)
        cls._loads = {item.origin: _load(item, cls._loads.get(item.origin)) for item in sources}
        with cls._lock:
            entries = {name: item for name, item in cls._entries.items() if not item.is_discovered}
            failures: list[DomainFailure] = []
            for load in cls._loads.values():
                if load.failure is not None:
                    failures.append(load.failure)
                if load.domain is not None:
                    try:
                        _add(entries, _Entry(load.domain, load.source.origin, is_discovered=True))
                    except ConflictError as error:
                        failures.append(describe_failure(load.source, error))
            cls._entries, cls._failures = entries, tuple(failures)

    @classmethod
    def _found(cls) -> DiscoveryResult:
        with cls._lock:
            found = [item.domain for item in cls._entries.values() if item.is_discovered]
            return DiscoveryResult(tuple(found), cls._failures)

    @classmethod
    def clear(cls) -> None:
        """Forget everything; for tests."""
        with cls._looking, cls._lock:
            cls._entries, cls._failures = {}, ()
            cls._loads, cls._looked = {}, None

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


_imported: dict[str, str] = {}
"""Origin of a package → the release that this process has imported, for as long as it lives."""


def _load(source: Source, known: _Load | None) -> _Load:
    """Load a source unless it is known as it is; keep what it gave before if it gives nothing."""
    if known is not None and known.source.stamp == source.stamp:
        return known
    before = known.domain if known is not None else None
    old = _imported.get(source.origin, source.release)
    # Plugins are foreign code: whatever one raises is recorded and shown, and must not keep the
    # others from loading.
    try:
        if old != source.release:
            raise needs_restart(source, old)
        domain = source.load()()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - recorded as a failure
        return _Load(source, before, describe_failure(source, error, before))
    if source.release:
        _imported[source.origin] = source.release
    return _Load(source, domain, None)
