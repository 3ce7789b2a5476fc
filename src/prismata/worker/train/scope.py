"""What a training can learn: the event types of which its training videos hold an example."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from prismata.catalog import DatasetVersionRecord
from prismata.domains import Domain
from prismata.services.datasets import taught_types


@dataclass(frozen=True, slots=True)
class Scope:
    """A domain and its labels, as far as there is something to learn."""

    domain: Domain
    dataset: DatasetVersionRecord
    """The same version; labels of other event types are left out."""
    note: str
    """Which event types the model will not know; empty if it will know all."""


def learnable(domain: Domain, dataset: DatasetVersionRecord) -> Scope:
    """Leave out what no training video shows; with no example at all, everything stays.

    A domain of many event types is useful long before each of them was seen once. What nobody
    labelled is no reason to learn nothing, and a type without an example would only learn "never".
    """
    shown = taught_types(dataset.content, dataset.video_splits)
    left_out = [name for name in domain.event_names if name not in shown]
    if not left_out or len(left_out) == len(domain.event_names):
        return Scope(domain, dataset, "")
    content = tuple(item for item in dataset.content if item[1].event_type in shown)
    note = f"no training video holds an example of {', '.join(left_out)}: this model knows none"
    return Scope(_only(domain, shown), replace(dataset, content=content), note)


def _only(domain: Domain, names: Collection[str]) -> Domain:
    """Return a domain with some of its event types; rules between events judge labels, not scores.

    Its class has the module of the plugin, so that `model.py` beside that is found.
    """
    own = type(domain)
    kept = tuple(item for item in domain.event_types if item.name in names)
    changes = {
        "__module__": own.__module__,
        "event_types": kept,
        "rules": {item.name: domain.rules[item.name] for item in kept},
        "relations": (),
    }
    narrower: type[Domain] = type(own.__name__, (own,), changes)
    return narrower()
