"""The detections that wait, run, or ended lately, each with its video and what was found so far.

One question for a whole table: asking for each row would be felt from a hundred rows on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, or_, select

from prismata.catalog.database import Database
from prismata.catalog.job_rows import job_record
from prismata.catalog.records import JobRecord
from prismata.catalog.schema import DetectionRunRow, EventRow, JobRow, ModelRow, VideoRow
from prismata.core.jobs import JobState

_ACTIVE = (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class QueuedDetection:
    """One detection of the queue."""

    job: JobRecord
    run_id: str
    video_id: str
    video: str
    """Its name."""
    duration_us: int
    """Of the video."""
    model_id: str
    model: str
    events: int
    """Found so far, or in all once it has ended."""
    first_us: int | None
    """When the first of them begins; None while there is none."""
    from_cache: bool
    """Its features were there from an earlier run, so its time tells nothing about others."""


class DetectionQueue:
    """Reads the queue of detections of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self, *, ended_since: datetime, limit: int, job_ids: list[str] | None = None
    ) -> list[QueuedDetection]:
        """Return running ones, those that wait in the order of their turn, then the last ended.

        Args:
            ended_since: Those that ended earlier are left out.
            limit: At most so many in all.
            job_ids: Only these; None: all.
        """
        found = (
            select(
                EventRow.detection_run_id.label("run_id"),
                func.count().label("events"),
                func.min(EventRow.start_us).label("first_us"),
            )
            .group_by(EventRow.detection_run_id)
            .subquery()
        )
        is_running = JobRow.state == JobState.RUNNING
        is_queued = JobRow.state == JobState.QUEUED
        query = (
            select(
                JobRow, DetectionRunRow, VideoRow, ModelRow.name, found.c.events, found.c.first_us
            )
            .join(DetectionRunRow, DetectionRunRow.job_id == JobRow.id)
            .join(VideoRow, VideoRow.id == DetectionRunRow.video_id)
            .join(ModelRow, ModelRow.id == DetectionRunRow.model_id)
            .outerjoin(found, found.c.run_id == DetectionRunRow.id)
            .where(or_(JobRow.state.in_(_ACTIVE), JobRow.finished_at >= ended_since))
            .order_by(
                case((is_running, 0), (is_queued, 1), else_=2),
                case((is_queued, JobRow.rank), else_=0),
                case((is_queued, JobRow.created_at)),
                JobRow.finished_at.desc(),
                JobRow.started_at,
                JobRow.id,
            )
            .limit(limit)
        )
        if job_ids is not None:
            query = query.where(JobRow.id.in_(job_ids))
        with self._database.read() as session:
            return [
                QueuedDetection(
                    job=job_record(job),
                    run_id=run.id,
                    video_id=video.id,
                    video=video.name,
                    duration_us=video.duration_us,
                    model_id=run.model_id,
                    model=model,
                    events=events or 0,
                    first_us=first_us,
                    from_cache=bool((run.settings.get("asked") or {}).get("from_cache")),
                )
                for job, run, video, model, events, first_us in session.execute(query)
            ]
