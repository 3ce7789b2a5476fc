"""Records: what the catalog takes and returns, frozen, with no database behind them.

Invariant: every timestamp is an aware UTC datetime, every `*_us` an integer number of
microseconds, every id an opaque string that the catalog made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from prismata.core.events import Event, EventKind
from prismata.core.jobs import FailureCause, JobState, ResourceClass
from prismata.core.processes import ProcessIdentity
from prismata.core.replays import ReplayPolicy
from prismata.core.time import TimeSpan

EventOrigin = Literal["annotation", "detection"]
"""An annotation was asserted by a person, a detection by a model."""

ReviewState = Literal["none", "accepted", "rejected", "corrected", "unsure"]
"""What a person decided; a rejected annotation is a hard negative: surely *not* an event."""

Decision = Literal["accepted", "corrected", "rejected", "unsure", "watched"]
"""`watched`: of a stretch in which the model saw nothing; `found` says what a person saw there."""

ReviewReason = Literal["control", "doubt", "score", "time", "bulk"]
"""Why it was looked at: drawn at random, most doubtful, next by score or by time; or, `bulk`, not
at all: one of many that were accepted at once."""

Split = Literal["train", "val", "test"]

ModelKind = Literal["bundle", "foreign_onnx", "checkpoint"]

ModelStage = Literal["candidate", "production", "retired"]
"""At most one model of a domain is in production."""

Json = dict[str, Any]
"""A JSON object: string keys; finite numbers, text, booleans, lists, objects or null inside."""


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """One stored video."""

    id: str
    name: str
    """Unique; what people type. Unicode normal form C."""
    storage_key: str
    sha256: str
    """Of the stored bytes, 64 lower-case hexadecimal digits; unique."""
    size_bytes: int
    container: str
    codec: str
    width: int
    """As displayed before `rotation`, in pixels."""
    height: int
    rotation: int
    """Clockwise degrees a player turns the picture by: 0, 90, 180 or 270."""
    frame_count: int
    duration_us: int
    first_pts_us: int
    """Presentation time of the first displayed frame in the container; may be negative."""
    min_step_us: int
    max_step_us: int
    timeline_key: str
    """Storage key of the frame table."""
    group_name: str
    """Recording, camera or subject; videos of one group never land in different splits."""
    domain: str
    """Empty when the video belongs to no domain in particular."""
    notes: tuple[str, ...]
    """What the scan found worth telling a person."""
    created_at: datetime
    grouped_by: str = ""
    """Who moved it into this group; empty: it has been in it since it was taken in."""


@dataclass(frozen=True, slots=True)
class VideoRemoval:
    """What vanished with a video."""

    video: VideoRecord
    annotations: int
    detections: int
    detection_runs: int


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An annotation about to be stored, with what is known beyond the event itself."""

    event: Event
    frame_index: int | None = None
    source_pts: int | None = None
    """Presentation timestamp of that frame in ticks of the source's own time base."""
    attributes: Json = field(default_factory=dict)
    review_state: ReviewState | None = None
    """None: what the call says for all."""
    event_id: str = ""
    """An id chosen by the caller (so that a repeated create or an undone delete keeps it), or
    empty: the catalog makes one."""


@dataclass(frozen=True, slots=True, order=True)
class LabelCount:
    """How many annotations of one event type and kind a domain has, in all videos."""

    domain: str
    event_type: str
    kind: EventKind
    labels: int
    rejected: int
    """Hard negatives; not among the labels."""


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event of one video, with who asserted it and what people decided about it."""

    id: str
    video_id: str
    domain: str
    domain_version: int
    event: Event
    origin: EventOrigin
    author: str
    """The person who asserted or last changed it; empty for models."""
    model_id: str | None
    detection_run_id: str | None
    review_state: ReviewState
    frame_index: int | None
    """Frame the label was made on (0-based, display order), so that it survives proxies."""
    source_pts: int | None
    attributes: Json
    created_at: datetime
    updated_at: datetime
    revision: int
    """Starts at 1 and grows by one with each change; a change names the revision it saw."""
    reviewer: str = ""
    """Who set the review state; empty when nobody did."""
    provisional: bool = False
    """True while the detection run that found it is still going: it may yet change or vanish."""


FrozenAnnotation = tuple[str, Event, ReviewState]
"""Video id, event, review state, as they were when the dataset version was made."""


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """One decision, as it is stored."""

    id: str
    """That of the operation on the labels which it made."""
    video_id: str
    domain: str
    run_id: str
    model_id: str
    model_digest: str
    """`ModelCard.digest`."""
    event_id: str
    """The annotation that came of it; empty if none did."""
    event_type: str
    """As the model said; empty for a stretch, like `score` and `threshold`."""
    start_us: int
    end_us: int
    score: float | None
    threshold: float | None
    """What was in force when the person saw it."""
    stratum: str
    """As in `prismata.evaluation.remainder`."""
    reason: ReviewReason
    doubt: float
    """By which it was ranked, in [0, 1]."""
    decision: Decision
    found: int = 0
    """Events that a person marked in a stretch."""
    reviewer: str = ""
    """Set when it is stored, like the times."""
    created_at: datetime | None = None
    undone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DatasetVersionRecord:
    """A frozen list of annotations with its splits."""

    id: str
    name: str
    """`<domain>-<n>`, counted by the catalog."""
    domain: str
    domain_version: int
    digest: str
    """SHA-256 of the canonical content: domain, its version, splits, groups, annotations, and what
    is known where that is not everything."""
    seed: int
    video_splits: dict[str, Split]
    """Video id → split."""
    groups: dict[str, str]
    """Video id → group name."""
    content: tuple[FrozenAnnotation, ...]
    """Sorted by video id, then event."""
    created_at: datetime
    author: str
    known: dict[str, tuple[TimeSpan, ...]] = field(default_factory=dict)
    """Video id → stretches of which something is known: watched, or a label lies there. Sorted and
    disjoint. A video that is not in it is known from end to end."""
    replays: ReplayPolicy = "unstated"
    """What the domain said of replays when these labels were frozen."""


@dataclass(frozen=True, slots=True)
class TrainingRunRecord:
    """One training execution."""

    id: str
    name: str
    domain: str
    dataset_version_id: str
    job_id: str | None
    recipe: Json
    state: JobState
    started_at: datetime
    finished_at: datetime | None
    checkpoint_key: str
    """Storage key; empty until there is one."""
    metrics: Json
    history: list[Json]
    """One object an epoch, in order."""
    error: str


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One model that detection can run, or a checkpoint that training can resume."""

    id: str
    name: str
    domain: str
    domain_version: int
    training_run_id: str | None
    bundle_key: str
    """Storage prefix of its files."""
    kind: ModelKind
    card: Json
    """The model card as JSON."""
    stage: ModelStage
    promoted_at: datetime | None
    """When it went into production last; None: never, or it was rolled back."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DetectionRunRecord:
    """One model on one video, once."""

    id: str
    video_id: str
    model_id: str
    job_id: str | None
    state: JobState
    settings: Json
    """What was really used: thresholds, threads, model hash."""
    runtime: str
    result_key: str
    scores_key: str
    """Storage key of the score track; empty until there is one."""
    event_count: int
    peak_rss_mb: float | None
    """None: not measured."""
    wall_seconds: float | None
    cause: FailureCause | None
    message: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One piece of long work."""

    id: str
    kind: str
    """`ingest`, `train`, `detect`, `export`, …"""
    params: Json
    resource_class: ResourceClass
    rank: int
    """Lower goes first; then the oldest."""
    held: bool
    """Somebody paused it: nobody claims it until it is resumed."""
    needs_mb: float | None
    """Memory an attempt is expected to take; None: nobody said."""
    state: JobState
    dedupe_key: str | None
    """No two queued or running jobs share it."""
    lease_token: str | None
    """Fencing token of the attempt that runs it; None when nobody does."""
    lease_until: datetime | None
    attempt: int
    """How often it was claimed."""
    failures: dict[str, int]
    """Cause → how many attempts failed for it."""
    not_before: datetime | None
    """When the next attempt may begin; None: at once."""
    blocked_since: datetime | None
    blocked_note: str
    """Why a queued job was passed over, for a person: what it needs and what is free."""
    progress: float
    """Share done, in [0, 1]."""
    progress_note: str
    peak_rss_mb: float | None
    cause: FailureCause | None
    """There when the state is `failed`."""
    message: str
    log_tail: tuple[str, ...]
    """Last lines of the child's standard error, at most 100."""
    result: Json | None
    author: str
    created_at: datetime
    started_at: datetime | None
    """When the last attempt began."""
    finished_at: datetime | None
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt at a job."""

    job_id: str
    number: int
    """From 1."""
    worker: str
    """What people call the process that made it."""
    process: ProcessIdentity
    started_at: datetime
    ended_at: datetime | None
    state: JobState
    """`running`, or how this attempt ended; `failed` also where another one followed."""
    cause: FailureCause | None
    message: str
    exit_code: int | None
    """Of the child; negative: the number of the signal that ended it."""
    peak_rss_mb: float | None
    log_tail: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """One process that takes jobs from the queue."""

    id: str
    """New with every start."""
    name: str
    process: ProcessIdentity
    slots: dict[ResourceClass, int]
    version: str
    started_at: datetime
    last_seen: datetime
    draining: bool
    """It takes no more jobs, because its machine is about to stop."""
