"""Prismata: teach a computer to find moments in video.

Importing the package loads nothing heavy; the public names below are resolved on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from prismata._version import __version__

if TYPE_CHECKING:
    from prismata.domains import Attribute, Domain, DomainRegistry, EventType, register_domain
    from prismata.wiring import get_storage_backend

_PUBLIC = {
    "Attribute": "prismata.domains",
    "Domain": "prismata.domains",
    "DomainRegistry": "prismata.domains",
    "EventType": "prismata.domains",
    "register_domain": "prismata.domains",
    "get_storage_backend": "prismata.wiring",
}

__all__ = [
    "Attribute",
    "Domain",
    "DomainRegistry",
    "EventType",
    "__version__",
    "get_storage_backend",
    "register_domain",
]


def __getattr__(name: str) -> object:
    """Resolve a public name on first use, so that `import prismata` stays instant."""
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'prismata' has no attribute {name!r}")
