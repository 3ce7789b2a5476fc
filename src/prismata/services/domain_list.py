"""Domains for people: what each is used for, and what is left of those that are gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prismata.core.errors import NotFoundError
from prismata.domains import CheckResult, Domain, DomainFailure, DomainRegistry, check_domain
from prismata.services.workbench import Workbench


@dataclass(frozen=True, slots=True)
class DomainUse:
    """What the catalog has of one domain."""

    videos: int = 0
    labels: int = 0
    """Hard negatives not counted."""
    stray: int = 0
    """Labels and hard negatives of event types that it does not declare, or not of that kind."""
    models: int = 0
    model_in_use: str = ""
    """Name of the model in production; empty if there is none."""

    def __str__(self) -> str:
        counts = ((self.videos, "video"), (self.labels, "label"), (self.models, "model"))
        return ", ".join(f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in counts)


@dataclass(frozen=True, slots=True)
class DomainItem:
    """One domain that can be used."""

    domain: Domain
    origin: str
    use: DomainUse
    failure: DomainFailure | None
    """Why the last edit of it could not be loaded; None if what runs is what is there."""


@dataclass(frozen=True, slots=True)
class DomainOverview:
    """All there is to say of domains."""

    items: tuple[DomainItem, ...]
    """By name."""
    failures: tuple[DomainFailure, ...]
    """Plugins of which nothing can be used."""
    missing: Mapping[str, DomainUse]
    """Name of a domain that no plugin declares, but videos, labels or models belong to."""


def look_at_domains(bench: Workbench) -> DomainOverview:
    """Return what is declared, what came of it, and what cannot be used."""
    domains = {domain.name: domain for domain in DomainRegistry.list()}
    uses = _uses(bench, domains)
    failures = DomainRegistry.failures()
    stale = {item.name: item for item in failures if item.kept_version is not None}
    items = tuple(
        DomainItem(domain, DomainRegistry.origin(name), uses[name], stale.get(name))
        for name, domain in domains.items()
    )
    return DomainOverview(
        items,
        tuple(item for item in failures if item.kept_version is None),
        {name: use for name, use in sorted(uses.items()) if name not in domains},
    )


def domain_folder(domain: Domain) -> Path:
    """Return the folder that holds a domain's files, of a plugin folder or an installed package.

    Raises:
        NotFoundError: If it was registered by hand from no file.
    """
    if domain.folder is None:
        raise NotFoundError(
            f"domain {domain.name!r} was registered by hand, so there are no files to look at"
        )
    return domain.folder


def check_domain_files(domain: Domain) -> list[CheckResult]:
    """Run the published checks on a domain and the files that it came with.

    Raises:
        NotFoundError: If it was registered by hand from no file.
    """
    return check_domain(domain, domain_folder(domain))


def _uses(bench: Workbench, domains: Mapping[str, Domain]) -> dict[str, DomainUse]:
    kinds = {
        (name, item.name): item.kind
        for name, domain in domains.items()
        for item in domain.event_types
    }
    videos = Counter(video.domain for video in bench.catalog.videos.list() if video.domain)
    labels: Counter[str] = Counter()
    stray: Counter[str] = Counter()
    for count in bench.catalog.events.count_labels():
        labels[count.domain] += count.labels
        if kinds.get((count.domain, count.event_type)) != count.kind:
            stray[count.domain] += count.labels + count.rejected
    models: Counter[str] = Counter()
    in_use: dict[str, str] = {}
    for model in bench.catalog.models.list():
        models[model.domain] += 1
        if model.stage == "production":
            in_use[model.domain] = model.name
    names = {*domains, *videos, *labels, *stray, *models}
    return {
        name: DomainUse(videos[name], labels[name], stray[name], models[name], in_use.get(name, ""))
        for name in sorted(names)
    }
