"""Finished detection runs of one video, for whoever compares labels with them."""

from __future__ import annotations

from typing import Any

from prismata.catalog import VideoRecord
from prismata.core.jobs import JobState
from prismata.services.workbench import Workbench


def finished_runs(bench: Workbench, video: VideoRecord, domain: str = "") -> list[dict[str, Any]]:
    """Return the runs that ended well, newest first, as JSON values.

    Args:
        bench: The workbench.
        video: Which video.
        domain: Only runs of this domain's models; empty = all.
    """
    models = {model.id: model for model in bench.catalog.models.list()}
    return [
        {
            "id": run.id,
            "model": model.name,
            "created_at": run.created_at.isoformat(),
            "event_count": run.event_count,
            "stage": model.stage,
        }
        for run in bench.catalog.detections.list(video_id=video.id)
        if run.state is JobState.SUCCEEDED
        and (model := models.get(run.model_id)) is not None
        and domain in ("", model.domain)
    ]
