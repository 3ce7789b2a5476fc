"""Import and export formats, all through one neutral event table.

Invariant: nothing here writes; readers return rows, the planner says what an import would do, and
writers return text.
"""

from prismata.formats.classic_json import read_classic_json, write_classic_json
from prismata.formats.events_csv import read_events_csv, write_events_csv
from prismata.formats.exports import write_events_json, write_webvtt
from prismata.formats.labels_v2 import is_labels_v2, read_labels_v2
from prismata.formats.plan import ImportPlan, plan_import
from prismata.formats.table import EventRow, EventTable, ExportVideo, TableError
from prismata.formats.video_names import match_videos

__all__ = [
    "EventRow",
    "EventTable",
    "ExportVideo",
    "ImportPlan",
    "TableError",
    "is_labels_v2",
    "match_videos",
    "plan_import",
    "read_classic_json",
    "read_events_csv",
    "read_labels_v2",
    "write_classic_json",
    "write_events_csv",
    "write_events_json",
    "write_webvtt",
]
