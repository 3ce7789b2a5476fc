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
from prismata.catalog.library import VideoOverview
from prismata.catalog.opening import Catalog, open_catalog
from prismata.catalog.records import (
    DatasetVersionRecord,
    DetectionRunRecord,
    EventDraft,
    EventOrigin,
    EventRecord,
    FrozenAnnotation,
    JobRecord,
    ModelKind,
    ModelRecord,
    ModelStage,
    ReviewState,
    Split,
    TrainingRunRecord,
    VideoRecord,
    VideoRemoval,
)

__all__ = [
    "LABEL_FIELDS",
    "AnnotatorRecord",
    "Catalog",
    "Change",
    "Changes",
    "DatasetVersionRecord",
    "DetectionRunRecord",
    "EventDraft",
    "EventOrigin",
    "EventRecord",
    "FrozenAnnotation",
    "JobRecord",
    "LoadedLabels",
    "ModelKind",
    "ModelRecord",
    "ModelStage",
    "ReviewState",
    "SheetRecord",
    "Split",
    "TrainingRunRecord",
    "VideoOverview",
    "VideoRecord",
    "VideoRemoval",
    "open_catalog",
]
