"""What each kind of job consists of; the one place that lists them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from prismata.catalog import JobRecord
from prismata.core.ports import Assignment
from prismata.services.detect import assign_detection
from prismata.services.intake import assign_intake
from prismata.services.models import assign_export
from prismata.services.near_duplicates import assign_comparison
from prismata.services.prepare import assign_preparation
from prismata.services.search import assign_search
from prismata.services.train import assign_training
from prismata.services.workbench import Workbench

_KINDS: Mapping[str, Callable[[Workbench, JobRecord], Assignment]] = {
    "compare": assign_comparison,
    "detect": assign_detection,
    "export": assign_export,
    "intake": assign_intake,
    "prepare": assign_preparation,
    "search": assign_search,
    "train": assign_training,
}


def job_handlers(bench: Workbench) -> dict[str, Callable[[JobRecord], Assignment]]:
    """Return, for each kind of job, who says what an attempt at one consists of."""
    return {kind: partial(assign, bench) for kind, assign in _KINDS.items()}
