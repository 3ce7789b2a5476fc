"""The catalog: what videos, events, datasets, runs, models and jobs there are.

Invariant: frozen records go in and come out; nothing of the database leaves this room.
"""

from __future__ import annotations

from prismata.catalog.label_records import (
    LABEL_FIELDS,
    AnnotatorRecord,
    Change,
    Changes,
    LoadedLabels,
    SheetRecord,
)
from prismata.catalog.leases import Claimant, LeaseRepository, Offer
from prismata.catalog.library import VideoOverview
from prismata.catalog.opening import Catalog, open_catalog
from prismata.catalog.people import Deed, PersonRecord
from prismata.catalog.records import (
    AttemptRecord,
    DatasetVersionRecord,
    Decision,
    DetectionRunRecord,
    EventDraft,
    EventOrigin,
    EventRecord,
    FrozenAnnotation,
    JobRecord,
    LabelCount,
    ModelKind,
    ModelRecord,
    ModelStage,
    ReviewDecision,
    ReviewReason,
    ReviewState,
    Split,
    TrainingRunRecord,
    VideoRecord,
    VideoRemoval,
    WorkerRecord,
)
from prismata.catalog.tables import CatalogTables, PlainRow, TableRows, TableShape
from prismata.catalog.upgrades import newest_revision, steps_behind

__all__ = [
    "LABEL_FIELDS",
    "AnnotatorRecord",
    "AttemptRecord",
    "Catalog",
    "CatalogTables",
    "Change",
    "Changes",
    "Claimant",
    "DatasetVersionRecord",
    "Decision",
    "Deed",
    "DetectionRunRecord",
    "EventDraft",
    "EventOrigin",
    "EventRecord",
    "FrozenAnnotation",
    "JobRecord",
    "LabelCount",
    "LeaseRepository",
    "LoadedLabels",
    "ModelKind",
    "ModelRecord",
    "ModelStage",
    "Offer",
    "PersonRecord",
    "PlainRow",
    "ReviewDecision",
    "ReviewReason",
    "ReviewState",
    "SheetRecord",
    "Split",
    "TableRows",
    "TableShape",
    "TrainingRunRecord",
    "VideoOverview",
    "VideoRecord",
    "VideoRemoval",
    "WorkerRecord",
    "newest_revision",
    "open_catalog",
    "steps_behind",
]
