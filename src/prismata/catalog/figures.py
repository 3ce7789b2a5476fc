"""Figures for whoever watches: how many jobs, how long they wait and take, who works.

Everything is counted by the database in a few queries, whatever number of rows there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select

from prismata.catalog.database import Database
from prismata.catalog.schema import (
    DetectionRunRow,
    EventRow,
    JobAttemptRow,
    JobRow,
    VideoRow,
    WorkerRow,
)
from prismata.core.jobs import FailureCause, JobState, ResourceClass

_US_PER_SECOND = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Durations:
    """How long attempts at jobs of one kind took that succeeded."""

    kind: str
    at_most: tuple[int, ...]
    """How many took at most each of the limits that were asked for."""
    count: int
    seconds: float
    """Of all together."""


@dataclass(frozen=True, slots=True)
class CatalogFigures:
    """One look at a catalog."""

    jobs: dict[tuple[str, JobState], int]
    """(kind, state) → jobs."""
    oldest_queued_seconds: dict[ResourceClass, float]
    """How long the job that waits longest has waited; paused ones and pauses do not count."""
    attempts: dict[tuple[str, JobState, FailureCause | None], int]
    """(kind, state, cause) → attempts."""
    durations: list[Durations]
    detected_video_seconds: float
    """Of all detections that succeeded: the length of their videos …"""
    detecting_seconds: float
    """… and how long they took."""
    recent_realtime_factor: float | None
    """Video seconds per second of work, of the detections of the last day; None: there were
    none."""
    workers: dict[bool, int]
    """Whether it takes no more jobs → workers seen lately."""
    worker_slots: dict[ResourceClass, int]
    """What these offer together."""
    videos: int
    video_seconds: float
    events: dict[str, int]
    """Origin → events."""


class FiguresRepository:
    """Counts in one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def look(
        self, limits_seconds: Sequence[float], *, seen_within_seconds: float
    ) -> CatalogFigures:
        """Count everything.

        Args:
            limits_seconds: Of the classes of durations, rising.
            seen_within_seconds: How lately a worker counts as there.
        """
        with self._database.read() as session:
            now = self._database.time_of(session)
            waiting = (
                select(JobRow.resource_class, func.min(JobRow.created_at))
                .where(
                    JobRow.state == JobState.QUEUED,
                    JobRow.held.is_(False),
                    or_(JobRow.not_before.is_(None), JobRow.not_before <= now),
                )
                .group_by(JobRow.resource_class)
            )
            per_attempt = (JobRow.kind, JobAttemptRow.state, JobAttemptRow.cause)
            attempts = (
                select(*per_attempt, func.count())
                .join(JobAttemptRow, JobAttemptRow.job_id == JobRow.id)
                .group_by(*per_attempt)
            )
            jobs = select(JobRow.kind, JobRow.state, func.count()).group_by(
                JobRow.kind, JobRow.state
            )
            events = select(EventRow.origin, func.count()).group_by(EventRow.origin)
            video_count, video_us = session.execute(
                select(func.count(), func.sum(VideoRow.duration_us)).select_from(VideoRow)
            ).one()
            detected = self._detected()
            detected_us, detecting = session.execute(detected).one()
            lately = detected.where(DetectionRunRow.finished_at >= now - timedelta(days=1))
            recent_us, recent = session.execute(lately).one()
            workers = session.scalars(
                select(WorkerRow).where(
                    WorkerRow.last_seen >= now - timedelta(seconds=seen_within_seconds)
                )
            ).all()
            return CatalogFigures(
                jobs={(kind, state): number for kind, state, number in session.execute(jobs)},
                oldest_queued_seconds={
                    resource: max(0.0, (now - since).total_seconds())
                    for resource, since in session.execute(waiting)
                },
                attempts={(a, b, c): number for a, b, c, number in session.execute(attempts)},
                durations=[
                    Durations(kind, tuple(int(part or 0) for part in parts), count, float(total))
                    for kind, count, total, *parts in session.execute(
                        self._durations(limits_seconds)
                    )
                ],
                detected_video_seconds=float(detected_us or 0) / _US_PER_SECOND,
                detecting_seconds=float(detecting or 0.0),
                recent_realtime_factor=(
                    float(recent_us) / _US_PER_SECOND / recent if recent else None
                ),
                workers={
                    draining: sum(row.draining is draining for row in workers)
                    for draining in (False, True)
                },
                worker_slots={
                    resource: sum(row.slots.get(resource.value, 0) for row in workers)
                    for resource in ResourceClass
                },
                videos=video_count,
                video_seconds=float(video_us or 0) / _US_PER_SECOND,
                events={key: number for key, number in session.execute(events)},  # noqa: C416 - rows are no pairs to mypy
            )

    def _detected(self) -> Any:  # noqa: ANN401 - a query
        return (
            select(func.sum(VideoRow.duration_us), func.sum(DetectionRunRow.wall_seconds))
            .select_from(DetectionRunRow)
            .join(VideoRow, VideoRow.id == DetectionRunRow.video_id)
            .where(
                DetectionRunRow.state == JobState.SUCCEEDED,
                DetectionRunRow.wall_seconds.is_not(None),
            )
        )

    def _durations(self, limits_seconds: Sequence[float]) -> Any:  # noqa: ANN401 - a query
        begun, ended = JobAttemptRow.started_at, JobAttemptRow.ended_at
        took: ColumnElement[Any] = (
            (func.julianday(ended) - func.julianday(begun)) * 86_400
            if self._database.is_sqlite
            else func.extract("epoch", ended - begun)
        )
        parts = [
            func.sum(case((took <= limit, 1), else_=0)).label(f"part_{number}")
            for number, limit in enumerate(limits_seconds)
        ]
        return (
            select(JobRow.kind, func.count(), func.sum(took), *parts)
            .join(JobAttemptRow, JobAttemptRow.job_id == JobRow.id)
            .where(JobAttemptRow.state == JobState.SUCCEEDED, ended.is_not(None))
            .group_by(JobRow.kind)
            .order_by(JobRow.kind)
        )
