"""Domains: the whole public API of a plugin, its discovery, its checks and its scaffold.

Invariant: this room imports core, the standard library and numpy; a plugin imports this room.
"""

from prismata.core.events import Attribute, Event, EventType, check_attributes
from prismata.core.recipes import ClipSpec, GroupingRule, MotionGate
from prismata.domains.checks import CheckResult, check_domain
from prismata.domains.failures import DomainFailure
from prismata.domains.loading import load_plugin
from prismata.domains.registry import DiscoveryResult, DomainRegistry, register_domain
from prismata.domains.scaffold import create_domain, parse_event_type
from prismata.domains.spec import Domain

__all__ = [
    "Attribute",
    "CheckResult",
    "ClipSpec",
    "DiscoveryResult",
    "Domain",
    "DomainFailure",
    "DomainRegistry",
    "Event",
    "EventType",
    "GroupingRule",
    "MotionGate",
    "check_attributes",
    "check_domain",
    "create_domain",
    "load_plugin",
    "parse_event_type",
    "register_domain",
]
