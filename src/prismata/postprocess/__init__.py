"""From window scores to events; validation and production call the same code.

Invariant: pure functions of their arguments, numpy and the core only, no clock, no disk.
"""

from prismata.postprocess.announcing import Announcer
from prismata.postprocess.clips import view_clip
from prismata.postprocess.grouping import candidate_events, group_events
from prismata.postprocess.runs import Run
from prismata.postprocess.stitch import (
    DenseStitcher,
    build_track,
    scoring_windows,
    window_centres,
    window_indices,
)
from prismata.postprocess.streaming import StreamingGrouper

__all__ = [
    "Announcer",
    "DenseStitcher",
    "Run",
    "StreamingGrouper",
    "build_track",
    "candidate_events",
    "group_events",
    "scoring_windows",
    "view_clip",
    "window_centres",
    "window_indices",
]
