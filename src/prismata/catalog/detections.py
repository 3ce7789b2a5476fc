"""Detection runs: provisional events while a model runs, final ones when it has finished.

Invariant: a run that did not succeed owns no events; nothing looks like a result that is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NotRequired, TypedDict, Unpack

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from prismata.catalog.columns import check_json
from prismata.catalog.database import Database, new_id
from prismata.catalog.events import event_columns
from prismata.catalog.fencing import check_lease
from prismata.catalog.live_scores import forget_live_scores
from prismata.catalog.lookup import get_row
from prismata.catalog.records import DetectionRunRecord
from prismata.catalog.schema import DetectionRunRow, EventRow, JobRow, ModelRow, VideoRow
from prismata.core.errors import ConflictError
from prismata.core.events import Event
from prismata.core.jobs import FailureCause, JobLease, JobState, check_transition


class NewDetectionRun(TypedDict):
    """The fields of a `DetectionRunRecord` that whoever starts it knows."""

    video_id: str
    model_id: str
    settings: Mapping[str, Any]
    job_id: NotRequired[str | None]
    runtime: NotRequired[str]


class DetectionOutcome(TypedDict, total=False):
    """What a detection run tells about itself at its end; all optional."""

    runtime: str
    result_key: str
    scores_key: str
    peak_rss_mb: float | None
    wall_seconds: float | None
    message: str
    settings: Mapping[str, Any]
    """What was really used, if that differs from what was asked for."""


class DetectionRepository:
    """Detection runs of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, **fields: Unpack[NewDetectionRun]) -> DetectionRunRecord:
        """Store a detection run as running.

        Raises:
            NotFoundError: If there is no such video, model or job.
        """
        with self._database.write() as session:
            return _to_record(insert_detection(session, fields, self._database.now()))

    def add_events(
        self, run_id: str, events: Sequence[Event], *, provisional: bool = True
    ) -> DetectionRunRecord:
        """Store events of a run that is still going; readers see them at once.

        Provisional ones are replaced when the run finishes.

        Raises:
            NotFoundError: If there is no such run.
            ConflictError: If the run has ended.
        """
        with self._database.write() as session:
            run = get_row(session, DetectionRunRow, run_id, "detection run", lock=True)
            if run.state.is_final:
                raise ConflictError(
                    f"the detection run {run_id!r} is {run.state}; it takes no more events"
                )
            self._insert(session, run, events, provisional=provisional)
            run.event_count += len(events)
            session.flush()
            return _to_record(run)

    def finish(
        self,
        run_id: str,
        events: Sequence[Event],
        *,
        lease: JobLease | None = None,
        **outcome: Unpack[DetectionOutcome],
    ) -> DetectionRunRecord:
        """End a run with its final events; they replace the provisional ones in one step.

        Raises:
            NotFoundError: If there is no such run.
            ConflictError: If it has ended already, for example because its job was lost, or the
                lease belongs to somebody else now.
        """
        changes: dict[str, Any] = {**outcome}
        if "settings" in outcome:
            changes["settings"] = check_json(outcome["settings"], "the settings")
        with self._database.write() as session:
            check_lease(session, lease)
            run = get_row(session, DetectionRunRow, run_id, "detection run", lock=True)
            check_transition(run.state, JobState.SUCCEEDED)
            kept = _count_kept(session, run_id)
            session.execute(
                delete(EventRow).where(
                    EventRow.detection_run_id == run_id, EventRow.provisional.is_(True)
                )
            )
            self._insert(session, run, events, provisional=False)
            for name, value in changes.items():
                setattr(run, name, value)
            run.event_count = kept + len(events)
            run.state = JobState.SUCCEEDED
            forget_live_scores(session, [run_id])
            run.finished_at = self._database.now()
            session.flush()
            return _to_record(run)

    def fail(
        self,
        run_id: str,
        cause: FailureCause,
        message: str,
        *,
        peak_rss_mb: float | None = None,
        wall_seconds: float | None = None,
    ) -> DetectionRunRecord:
        """End a run that failed and remove the events it had found so far.

        Raises:
            NotFoundError: If there is no such run.
            ConflictError: If it has ended already.
        """
        changes = {
            "cause": cause,
            "message": message,
            "peak_rss_mb": peak_rss_mb,
            "wall_seconds": wall_seconds,
        }
        return self._end_without_result(run_id, JobState.FAILED, changes)

    def cancel(self, run_id: str, message: str = "") -> DetectionRunRecord:
        """End a run that somebody stopped and remove the events it had found so far.

        Raises:
            NotFoundError: If there is no such run.
            ConflictError: If it has ended already.
        """
        return self._end_without_result(run_id, JobState.CANCELLED, {"message": message})

    def _end_without_result(
        self, run_id: str, state: JobState, changes: dict[str, Any]
    ) -> DetectionRunRecord:
        with self._database.write() as session:
            run = get_row(session, DetectionRunRow, run_id, "detection run", lock=True)
            check_transition(run.state, state)
            session.execute(delete(EventRow).where(EventRow.detection_run_id == run_id))
            forget_live_scores(session, [run_id])
            for name, value in changes.items():
                setattr(run, name, value)
            run.event_count = 0
            run.state = state
            run.finished_at = self._database.now()
            session.flush()
            return _to_record(run)

    def _insert(
        self,
        session: Session,
        run: DetectionRunRow,
        events: Sequence[Event],
        *,
        provisional: bool,
    ) -> None:
        model = get_row(session, ModelRow, run.model_id, "model")
        now = self._database.now()
        session.add_all(
            EventRow(
                **event_columns(event),
                id=new_id(),
                video_id=run.video_id,
                domain=model.domain,
                domain_version=model.domain_version,
                origin="detection",
                author="",
                model_id=run.model_id,
                detection_run_id=run.id,
                review_state="none",
                reviewer="",
                provisional=provisional,
                attributes={},
                created_at=now,
                updated_at=now,
                revision=1,
            )
            for event in events
        )
        session.flush()

    def get(self, run_id: str) -> DetectionRunRecord:
        """Return the run with this id.

        Raises:
            NotFoundError: If there is none.
        """
        with self._database.read() as session:
            return _to_record(get_row(session, DetectionRunRow, run_id, "detection run"))

    def list(
        self,
        video_id: str | None = None,
        model_id: str | None = None,
        job_id: str | None = None,
    ) -> list[DetectionRunRecord]:
        """Return the runs of a video, a model and a job (None: all), newest first."""
        query = select(DetectionRunRow).order_by(
            DetectionRunRow.created_at.desc(), DetectionRunRow.id
        )
        if video_id is not None:
            query = query.where(DetectionRunRow.video_id == video_id)
        if model_id is not None:
            query = query.where(DetectionRunRow.model_id == model_id)
        if job_id is not None:
            query = query.where(DetectionRunRow.job_id == job_id)
        with self._database.read() as session:
            return [_to_record(row) for row in session.scalars(query)]


def insert_detection(session: Session, fields: NewDetectionRun, now: datetime) -> DetectionRunRow:
    """Enter a run as running, as part of the caller's transaction."""
    settings = check_json(fields["settings"], "the settings")
    job_id = fields.get("job_id")
    get_row(session, VideoRow, fields["video_id"], "video")
    get_row(session, ModelRow, fields["model_id"], "model")
    if job_id is not None:
        get_row(session, JobRow, job_id, "job")
    row = DetectionRunRow(
        id=new_id(),
        video_id=fields["video_id"],
        model_id=fields["model_id"],
        job_id=job_id,
        state=JobState.RUNNING,
        settings=settings,
        runtime=fields.get("runtime", ""),
        result_key="",
        scores_key="",
        event_count=0,
        peak_rss_mb=None,
        wall_seconds=None,
        cause=None,
        message="",
        created_at=now,
        finished_at=None,
    )
    session.add(row)
    session.flush()
    return row


def end_detection_of(
    session: Session, job: JobRow, now: datetime, peak_rss_mb: float | None
) -> None:
    """End the detection run that went down with its job; part of the caller's transaction."""
    check_transition(JobState.RUNNING, job.state)
    run_ids = session.scalars(
        update(DetectionRunRow)
        .where(DetectionRunRow.job_id == job.id, DetectionRunRow.state == JobState.RUNNING)
        .values(
            state=job.state,
            cause=job.cause,
            message=job.message,
            event_count=0,
            peak_rss_mb=peak_rss_mb,
            finished_at=now,
        )
        .returning(DetectionRunRow.id)
    ).all()
    session.execute(delete(EventRow).where(EventRow.detection_run_id.in_(run_ids)))
    forget_live_scores(session, run_ids)


def _count_kept(session: Session, run_id: str) -> int:
    kept = select(func.count()).where(
        EventRow.detection_run_id == run_id, EventRow.provisional.is_(False)
    )
    return session.scalar(kept) or 0


def _to_record(row: DetectionRunRow) -> DetectionRunRecord:
    return DetectionRunRecord(
        id=row.id,
        video_id=row.video_id,
        model_id=row.model_id,
        job_id=row.job_id,
        state=row.state,
        settings=row.settings,
        runtime=row.runtime,
        result_key=row.result_key,
        scores_key=row.scores_key,
        event_count=row.event_count,
        peak_rss_mb=row.peak_rss_mb,
        wall_seconds=row.wall_seconds,
        cause=row.cause,
        message=row.message,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
