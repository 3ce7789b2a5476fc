"""The tables, as SQLAlchemy sees them; rows never leave this room.

Invariant: `migrations/versions` builds exactly this; a test compares the two on both databases.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, get_args

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from prismata.catalog import people_schema
from prismata.catalog.columns import (
    LooseText,
    PlainText,
    RealNumber,
    UtcDateTime,
    enum_column,
    one_of,
)
from prismata.catalog.label_records import LogOutcome
from prismata.catalog.people_schema import Row
from prismata.catalog.records import (
    Decision,
    EventOrigin,
    Json,
    ModelKind,
    ModelStage,
    ReviewReason,
    ReviewState,
)
from prismata.core.events import EventKind
from prismata.core.jobs import RETRY_RULES, FailureCause, JobState, ResourceClass
from prismata.core.operations import OperationKind, SheetStatus

METADATA = people_schema.METADATA
"""All tables: those of this file and those of people."""

FINAL_CAUSES = tuple(cause for cause in FailureCause if RETRY_RULES[cause].retries is not None)
"""What a job can end with; after the others another attempt always follows."""

_ACTIVE = text("state IN ('queued', 'running')")
_PRODUCTION = text("stage = 'production'")


def _states() -> CheckConstraint:
    return one_of("state", JobState)


def _causes() -> CheckConstraint:
    return one_of("cause", FINAL_CAUSES)


def _failed_says_why() -> CheckConstraint:
    return CheckConstraint("state <> 'failed' OR cause IS NOT NULL", name="failed_says_why")


class VideoRow(Row):
    """One stored video."""

    __tablename__ = "video"

    id: Mapped[str] = mapped_column(PlainText(64), primary_key=True)
    name: Mapped[str] = mapped_column(PlainText, unique=True)
    storage_key: Mapped[str] = mapped_column(PlainText)
    sha256: Mapped[str] = mapped_column(PlainText(64), unique=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    container: Mapped[str] = mapped_column(PlainText)
    codec: Mapped[str] = mapped_column(PlainText)
    width: Mapped[int]
    height: Mapped[int]
    rotation: Mapped[int]
    frame_count: Mapped[int] = mapped_column(BigInteger)
    duration_us: Mapped[int] = mapped_column(BigInteger)
    first_pts_us: Mapped[int] = mapped_column(BigInteger)
    min_step_us: Mapped[int] = mapped_column(BigInteger)
    max_step_us: Mapped[int] = mapped_column(BigInteger)
    timeline_key: Mapped[str] = mapped_column(PlainText)
    group_name: Mapped[str] = mapped_column(PlainText, index=True)
    grouped_by: Mapped[str] = mapped_column(PlainText, server_default=text("''"))
    domain: Mapped[str] = mapped_column(PlainText, index=True)
    notes: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class JobRow(Row):
    """One piece of long work with its lease."""

    __tablename__ = "job"
    __table_args__ = (
        _states(),
        _causes(),
        _failed_says_why(),
        CheckConstraint("progress BETWEEN 0 AND 1", name="progress_range"),
        CheckConstraint(
            "(state = 'running') = (lease_token IS NOT NULL)"
            " AND (lease_token IS NULL) = (lease_until IS NULL)",
            name="running_has_lease",
        ),
        Index(
            "uq_job_active_dedupe_key",
            "dedupe_key",
            unique=True,
            sqlite_where=_ACTIVE,
            postgresql_where=_ACTIVE,
        ),
        Index(None, "state", "rank", "created_at"),
        Index(None, "created_at"),
    )

    id: Mapped[str] = mapped_column(PlainText(64), primary_key=True)
    kind: Mapped[str] = mapped_column(PlainText(64))
    params: Mapped[Json] = mapped_column(JSON)
    resource_class: Mapped[ResourceClass] = mapped_column(
        enum_column(ResourceClass), server_default=ResourceClass.CPU
    )
    rank: Mapped[int] = mapped_column(server_default="0")
    held: Mapped[bool] = mapped_column(server_default=false())
    """Paused: nobody claims it until it is released."""
    needs_mb: Mapped[float | None] = mapped_column(RealNumber)
    state: Mapped[JobState] = mapped_column(enum_column(JobState))
    dedupe_key: Mapped[str | None] = mapped_column(PlainText)
    lease_token: Mapped[str | None] = mapped_column(PlainText(64))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempt: Mapped[int]
    failures: Mapped[dict[str, int] | None] = mapped_column(JSON(none_as_null=True))
    """Cause → how many attempts failed for it; None: none did."""
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)
    blocked_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    blocked_note: Mapped[str | None] = mapped_column(LooseText)
    progress: Mapped[float] = mapped_column(RealNumber)
    progress_note: Mapped[str] = mapped_column(LooseText)
    peak_rss_mb: Mapped[float | None] = mapped_column(RealNumber)
    cause: Mapped[FailureCause | None] = mapped_column(enum_column(FailureCause))
    message: Mapped[str] = mapped_column(LooseText)
    log_tail: Mapped[list[str]] = mapped_column(JSON)
    result: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    author: Mapped[str] = mapped_column(PlainText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cancel_requested: Mapped[bool]


class JobAttemptRow(Row):
    """One attempt at a job: who made it and how it ended."""

    __tablename__ = "job_attempt"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    worker: Mapped[str] = mapped_column(PlainText)
    home: Mapped[str] = mapped_column(PlainText)
    pid: Mapped[int] = mapped_column(BigInteger)
    process_started: Mapped[str] = mapped_column(PlainText)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state: Mapped[JobState] = mapped_column(enum_column(JobState))
    cause: Mapped[FailureCause | None] = mapped_column(enum_column(FailureCause))
    message: Mapped[str] = mapped_column(LooseText)
    exit_code: Mapped[int | None]
    peak_rss_mb: Mapped[float | None] = mapped_column(RealNumber)
    log_tail: Mapped[list[str]] = mapped_column(JSON)


class WorkerRow(Row):
    """One process that takes jobs from the queue."""

    __tablename__ = "worker"

    id: Mapped[str] = mapped_column(PlainText(64), primary_key=True)
    name: Mapped[str] = mapped_column(PlainText)
    home: Mapped[str] = mapped_column(PlainText)
    pid: Mapped[int] = mapped_column(BigInteger)
    process_started: Mapped[str] = mapped_column(PlainText)
    slots: Mapped[dict[str, int]] = mapped_column(JSON)
    """Resource class → how many jobs of it at once."""
    version: Mapped[str] = mapped_column(PlainText)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    draining: Mapped[bool]


class DatasetVersionRow(Row):
    """A frozen list of annotations."""

    __tablename__ = "dataset_version"
    __table_args__ = (UniqueConstraint("domain", "number"),)

    id: Mapped[str] = mapped_column(PlainText(64), primary_key=True)
    name: Mapped[str] = mapped_column(PlainText, unique=True)
    number: Mapped[int]
    domain: Mapped[str] = mapped_column(PlainText(64))
    domain_version: Mapped[int]
    digest: Mapped[str] = mapped_column(PlainText(64), unique=True)
    seed: Mapped[int] = mapped_column(BigInteger)
    video_splits: Mapped[dict[str, str]] = mapped_column(JSON)
    groups: Mapped[dict[str, str]] = mapped_column(JSON)
    content: Mapped[list[list[Any]]] = mapped_column(JSON)
    known: Mapped[dict[str, list[list[int]]] | None] = mapped_column(JSON(none_as_null=True))
    """Video id → stretches; None: everything is known."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    author: Mapped[str] = mapped_column(PlainText)
    replays: Mapped[str] = mapped_column(PlainText(16), server_default="unstated")


class TrainingRunRow(Row):
    """One training execution."""

    __tablename__ = "training_run"
    __table_args__ = (_states(),)

    id: Mapped[str] = mapped_column(PlainText(64), primary_key=True)
    name: Mapped[str] = mapped_column(PlainText, unique=True)
    domain: Mapped[str] = mapped_column(PlainText(64), index=True)
    dataset_version_id: Mapped[str] = mapped_column(ForeignKey("dataset_version.id"))
    job_id: Mapped[str | None] = mapped_column(
        ForeignKey("job.id", ondelete="SET NULL"), index=True
    )
    recipe: Mapped[Json] = mapped_column(JSON)
    state: Mapped[JobState] = mapped_column(enum_column(JobState))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checkpoint_key: Mapped[str] = mapped_column(PlainText)
    metrics: Mapped[Json] = mapped_column(JSON)
    history: Mapped[list[Json]] = mapped_column(JSON)
    error: Mapped[str] = mapped_column(LooseText)


class ModelRow(Row):
    """One model."""

    __tablename__ = "model"
    __table_args__ = (
        one_of("kind", get_args(ModelKind)),
        one_of("stage", get_args(ModelStage)),
        Index(
            "uq_model_domain_production",
            "domain",
            unique=True,
            sqlite_where=_PRODUCTION,
            postgresql_where=_PRODUCTION,
        ),
        Index(None, "domain", "created_at"),
    )

    id: Mapped[str] = mapped_column(PlainText(64), primary_key=True)
    name: Mapped[str] = mapped_column(PlainText, unique=True)
    domain: Mapped[str] = mapped_column(PlainText(64))
    domain_version: Mapped[int]
    training_run_id: Mapped[str | None] = mapped_column(
        ForeignKey("training_run.id", ondelete="SET NULL")
    )
    bundle_key: Mapped[str] = mapped_column(PlainText)
    kind: Mapped[ModelKind] = mapped_column(PlainText(16))
    card: Mapped[Json] = mapped_column(JSON)
    stage: Mapped[ModelStage] = mapped_column(PlainText(16))
    promoted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class DetectionRunRow(Row):
    """One model on one video, once."""

    __tablename__ = "detection_run"
    __table_args__ = (_states(), _causes(), _failed_says_why())

    id: Mapped[str] = mapped_column(PlainText(64), primary_key=True)
    video_id: Mapped[str] = mapped_column(ForeignKey("video.id", ondelete="CASCADE"), index=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"), index=True)
    job_id: Mapped[str | None] = mapped_column(
        ForeignKey("job.id", ondelete="SET NULL"), index=True
    )
    state: Mapped[JobState] = mapped_column(enum_column(JobState))
    settings: Mapped[Json] = mapped_column(JSON)
    runtime: Mapped[str] = mapped_column(PlainText)
    result_key: Mapped[str] = mapped_column(PlainText)
    scores_key: Mapped[str] = mapped_column(PlainText)
    event_count: Mapped[int]
    peak_rss_mb: Mapped[float | None] = mapped_column(RealNumber)
    wall_seconds: Mapped[float | None] = mapped_column(RealNumber)
    cause: Mapped[FailureCause | None] = mapped_column(enum_column(FailureCause))
    message: Mapped[str] = mapped_column(LooseText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LiveScoresRow(Row):
    """Scores of a part of a video while its run goes on; gone when that has ended."""

    __tablename__ = "live_scores"

    detection_run_id: Mapped[str] = mapped_column(
        ForeignKey("detection_run.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    times_us: Mapped[list[int]] = mapped_column(JSON)
    scores: Mapped[list[list[float]]] = mapped_column(JSON)


class EventRow(Row):
    """One event of one video."""

    __tablename__ = "event"
    __table_args__ = (
        one_of("origin", get_args(EventOrigin)),
        one_of("kind", get_args(EventKind)),
        one_of("review_state", get_args(ReviewState)),
        CheckConstraint("score IS NULL OR score BETWEEN 0 AND 1", name="score_range"),
        CheckConstraint(
            "(kind = 'point' AND end_us = start_us) OR (kind = 'segment' AND end_us > start_us)",
            name="times_fit_kind",
        ),
        CheckConstraint(
            "(origin = 'annotation' AND author <> '' AND model_id IS NULL"
            " AND detection_run_id IS NULL) OR (origin = 'detection'"
            " AND model_id IS NOT NULL AND detection_run_id IS NOT NULL)",
            name="origin_is_known",
        ),
        Index(None, "video_id", "domain", "start_us"),
        # Labels of a domain: few beside what models found, and asked for by many pages.
        Index(None, "origin", "domain", "video_id"),
        # Searching all videos: an order by itself, and behind what narrows it down most.
        Index(None, "created_at", "id"),
        Index(None, "score", "id"),
        Index(None, "domain", "event_type", "created_at", "id"),
        Index(None, "domain", "event_type", "score", "id"),
        Index(None, "review_state", "created_at", "id"),
        Index(None, "reviewer", "created_at", "id"),
        Index(None, "length_us"),
    )

    id: Mapped[str] = mapped_column(PlainText(64), primary_key=True)
    video_id: Mapped[str] = mapped_column(ForeignKey("video.id", ondelete="CASCADE"))
    domain: Mapped[str] = mapped_column(PlainText(64))
    domain_version: Mapped[int]
    start_us: Mapped[int] = mapped_column(BigInteger)
    end_us: Mapped[int] = mapped_column(BigInteger)
    length_us: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """`end_us - start_us`: neither database finds a difference quickly."""
    event_type: Mapped[str] = mapped_column(PlainText(64))
    kind: Mapped[EventKind] = mapped_column(PlainText(16))
    score: Mapped[float | None] = mapped_column(RealNumber)
    origin: Mapped[EventOrigin] = mapped_column(PlainText(16))
    author: Mapped[str] = mapped_column(PlainText)
    model_id: Mapped[str | None] = mapped_column(ForeignKey("model.id"), index=True)
    detection_run_id: Mapped[str | None] = mapped_column(
        ForeignKey("detection_run.id", ondelete="CASCADE"), index=True
    )
    review_state: Mapped[ReviewState] = mapped_column(PlainText(16))
    reviewer: Mapped[str] = mapped_column(PlainText)
    provisional: Mapped[bool]
    frame_index: Mapped[int | None] = mapped_column(BigInteger)
    source_pts: Mapped[int | None] = mapped_column(BigInteger)
    attributes: Mapped[Json] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revision: Mapped[int]


class SavedSearchRow(Row):
    """A search for events that somebody gave a name."""

    __tablename__ = "saved_search"

    name: Mapped[str] = mapped_column(PlainText, primary_key=True)
    filter: Mapped[Json] = mapped_column(JSON)
    author: Mapped[str] = mapped_column(PlainText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LabelSheetRow(Row):
    """What is known of one video in one domain beside its events."""

    __tablename__ = "label_sheet"
    __table_args__ = (one_of("status", get_args(SheetStatus)),)

    video_id: Mapped[str] = mapped_column(
        ForeignKey("video.id", ondelete="CASCADE"), primary_key=True
    )
    domain: Mapped[str] = mapped_column(PlainText(64), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    coverage: Mapped[list[list[Any]]] = mapped_column(JSON)
    status: Mapped[SheetStatus] = mapped_column(PlainText(16))
    assignee: Mapped[str] = mapped_column(PlainText)
    note: Mapped[str] = mapped_column(PlainText)
    mirrored_seq: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LabelOperationRow(Row):
    """One operation on the labels of one video in one domain."""

    __tablename__ = "label_operation"
    __table_args__ = (
        one_of("kind", get_args(OperationKind)),
        one_of("outcome", get_args(LogOutcome)),
        CheckConstraint("(outcome = 'applied') = (seq IS NOT NULL)", name="applied_has_seq"),
        UniqueConstraint("video_id", "domain", "seq"),
    )

    id: Mapped[str] = mapped_column(PlainText(64), primary_key=True)
    video_id: Mapped[str] = mapped_column(ForeignKey("video.id", ondelete="CASCADE"))
    domain: Mapped[str] = mapped_column(PlainText(64))
    seq: Mapped[int | None] = mapped_column(BigInteger)
    client: Mapped[str] = mapped_column(PlainText(64))
    client_seq: Mapped[int] = mapped_column(BigInteger)
    author: Mapped[str] = mapped_column(PlainText)
    kind: Mapped[OperationKind] = mapped_column(PlainText(16))
    event_id: Mapped[str] = mapped_column(PlainText(64))
    before: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[Json | None] = mapped_column(JSON(none_as_null=True))
    outcome: Mapped[LogOutcome] = mapped_column(PlainText(16))
    message: Mapped[str] = mapped_column(LooseText)
    undoes: Mapped[str | None] = mapped_column(PlainText(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ReviewDecisionRow(Row):
    """What a person decided about one candidate of a model, or about a stretch without any."""

    __tablename__ = "review_decision"
    __table_args__ = (
        one_of("decision", get_args(Decision)),
        one_of("reason", get_args(ReviewReason)),
        Index(None, "domain", "model_id"),
    )

    id: Mapped[str] = mapped_column(PlainText(64), primary_key=True)
    """That of the operation on the labels that it made."""
    video_id: Mapped[str] = mapped_column(ForeignKey("video.id", ondelete="CASCADE"), index=True)
    domain: Mapped[str] = mapped_column(PlainText(64))
    # No foreign keys: what was decided is still told when run and model are gone.
    run_id: Mapped[str] = mapped_column(PlainText(64))
    model_id: Mapped[str] = mapped_column(PlainText(64))
    model_digest: Mapped[str] = mapped_column(PlainText(64))
    event_id: Mapped[str] = mapped_column(PlainText(64), index=True)
    event_type: Mapped[str] = mapped_column(PlainText(64))
    start_us: Mapped[int] = mapped_column(BigInteger)
    end_us: Mapped[int] = mapped_column(BigInteger)
    score: Mapped[float | None] = mapped_column(RealNumber)
    threshold: Mapped[float | None] = mapped_column(RealNumber)
    stratum: Mapped[str] = mapped_column(PlainText(16))
    reason: Mapped[ReviewReason] = mapped_column(PlainText(16))
    doubt: Mapped[float] = mapped_column(RealNumber)
    decision: Mapped[Decision] = mapped_column(PlainText(16))
    found: Mapped[int]
    reviewer: Mapped[str] = mapped_column(PlainText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    undone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AnnotatorRow(Row):
    """One person who labels, and what they prefer."""

    __tablename__ = "annotator"

    name: Mapped[str] = mapped_column(PlainText, primary_key=True)
    preferences: Mapped[Json] = mapped_column(JSON)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
