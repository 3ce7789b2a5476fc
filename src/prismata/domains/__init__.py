"""Domains: the whole public API of a plugin, its discovery, its checks and its scaffold.

Invariant: this room imports core, the standard library and numpy; a plugin imports this room.
"""

from prismata.core.events import Attribute, DescribedEvent, Event, EventType, check_attributes
from prismata.core.recipes import ClipSpec, GroupingRule, MotionGate
from prismata.domains.checks import CheckResult, check_domain
from prismata.domains.failures import DomainFailure
from prismata.domains.guide import GuidePicture, read_guide
from prismata.domains.hooks import (
    Derived,
    HookFailure,
    Reviewed,
    ask_section,
    check_labels,
    derive_events,
)
from prismata.domains.loading import load_plugin
from prismata.domains.options import Emphasis, IngestOptions, Wording
from prismata.domains.registry import DiscoveryResult, DomainRegistry, register_domain
from prismata.domains.relations import Exclusion, Implication, Relation, Remark
from prismata.domains.reporting import DerivedEvent, ReportSection, ReportTable, ReportVideo
from prismata.domains.scaffold import create_domain, parse_event_type
from prismata.domains.spec import Domain

__all__ = [
    "Attribute",
    "CheckResult",
    "ClipSpec",
    "Derived",
    "DerivedEvent",
    "DescribedEvent",
    "DiscoveryResult",
    "Domain",
    "DomainFailure",
    "DomainRegistry",
    "Emphasis",
    "Event",
    "EventType",
    "Exclusion",
    "GroupingRule",
    "GuidePicture",
    "HookFailure",
    "Implication",
    "IngestOptions",
    "MotionGate",
    "Relation",
    "Remark",
    "ReportSection",
    "ReportTable",
    "ReportVideo",
    "Reviewed",
    "Wording",
    "ask_section",
    "check_attributes",
    "check_domain",
    "check_labels",
    "create_domain",
    "derive_events",
    "load_plugin",
    "parse_event_type",
    "read_guide",
    "register_domain",
]
