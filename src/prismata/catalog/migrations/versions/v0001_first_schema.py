"""The first schema: videos, events, datasets, training runs, models, detection runs, jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATES = "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')"
_CAUSES = (
    "cause IN ('user_error', 'out_of_memory', 'crashed', 'killed', 'stalled', 'lost', 'storage',"
    " 'bug')"
)
_ACTIVE = sa.text("state IN ('queued', 'running')")
_PRODUCTION = sa.text("stage = 'production'")


def upgrade() -> None:
    _create_dataset_version()
    _create_job()
    _create_video()
    _create_training_run()
    _create_model()
    _create_detection_run()
    _create_event()


def _create_dataset_version() -> None:
    op.create_table(
        "dataset_version",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("domain_version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("video_splits", sa.JSON(), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dataset_version"),
        sa.UniqueConstraint("digest", name="uq_dataset_version_digest"),
        sa.UniqueConstraint("domain", "number", name="uq_dataset_version_domain_number"),
        sa.UniqueConstraint("name", name="uq_dataset_version_name"),
    )


def _create_job() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("params", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("dedupe_key", sa.String(), nullable=True),
        sa.Column("lease_token", sa.String(64), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("progress_note", sa.Text(), nullable=False),
        sa.Column("peak_rss_mb", sa.Double(), nullable=True),
        sa.Column("cause", sa.String(16), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("log_tail", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "(state = 'running') = (lease_token IS NOT NULL)"
            " AND (lease_token IS NULL) = (lease_until IS NULL)",
            name=op.f("ck_job_running_has_lease"),
        ),
        sa.CheckConstraint(_CAUSES, name=op.f("ck_job_cause_known")),
        sa.CheckConstraint(
            "state <> 'failed' OR cause IS NOT NULL", name=op.f("ck_job_failed_says_why")
        ),
        sa.CheckConstraint(_STATES, name=op.f("ck_job_state_known")),
        sa.CheckConstraint("progress BETWEEN 0 AND 1", name=op.f("ck_job_progress_range")),
        sa.PrimaryKeyConstraint("id", name="pk_job"),
    )
    op.create_index("ix_job_created_at", "job", ["created_at"])
    op.create_index("ix_job_state_created_at", "job", ["state", "created_at"])
    op.create_index(
        "uq_job_active_dedupe_key",
        "job",
        ["dedupe_key"],
        unique=True,
        sqlite_where=_ACTIVE,
        postgresql_where=_ACTIVE,
    )


def _create_video() -> None:
    op.create_table(
        "video",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("storage_key", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("container", sa.String(), nullable=False),
        sa.Column("codec", sa.String(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("rotation", sa.Integer(), nullable=False),
        sa.Column("frame_count", sa.BigInteger(), nullable=False),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.Column("first_pts_us", sa.BigInteger(), nullable=False),
        sa.Column("min_step_us", sa.BigInteger(), nullable=False),
        sa.Column("max_step_us", sa.BigInteger(), nullable=False),
        sa.Column("timeline_key", sa.String(), nullable=False),
        sa.Column("group_name", sa.String(), nullable=False),
        sa.Column("domain", sa.String(), nullable=False),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_video"),
        sa.UniqueConstraint("name", name="uq_video_name"),
        sa.UniqueConstraint("sha256", name="uq_video_sha256"),
    )
    op.create_index("ix_video_domain", "video", ["domain"])
    op.create_index("ix_video_group_name", "video", ["group_name"])


def _create_training_run() -> None:
    op.create_table(
        "training_run",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("dataset_version_id", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(64), nullable=True),
        sa.Column("recipe", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checkpoint_key", sa.String(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("history", sa.JSON(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.CheckConstraint(_STATES, name=op.f("ck_training_run_state_known")),
        sa.ForeignKeyConstraint(
            ["dataset_version_id"],
            ["dataset_version.id"],
            name="fk_training_run_dataset_version_id",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["job.id"], name="fk_training_run_job_id", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_training_run"),
        sa.UniqueConstraint("name", name="uq_training_run_name"),
    )
    op.create_index("ix_training_run_domain", "training_run", ["domain"])
    op.create_index("ix_training_run_job_id", "training_run", ["job_id"])


def _create_model() -> None:
    op.create_table(
        "model",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("domain_version", sa.Integer(), nullable=False),
        sa.Column("training_run_id", sa.String(64), nullable=True),
        sa.Column("bundle_key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('bundle', 'foreign_onnx', 'checkpoint')", name=op.f("ck_model_kind_known")
        ),
        sa.CheckConstraint(
            "stage IN ('candidate', 'production', 'retired')", name=op.f("ck_model_stage_known")
        ),
        sa.ForeignKeyConstraint(
            ["training_run_id"],
            ["training_run.id"],
            name="fk_model_training_run_id",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_model"),
        sa.UniqueConstraint("name", name="uq_model_name"),
    )
    op.create_index("ix_model_domain_created_at", "model", ["domain", "created_at"])
    op.create_index(
        "uq_model_domain_production",
        "model",
        ["domain"],
        unique=True,
        sqlite_where=_PRODUCTION,
        postgresql_where=_PRODUCTION,
    )


def _create_detection_run() -> None:
    op.create_table(
        "detection_run",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("video_id", sa.String(64), nullable=False),
        sa.Column("model_id", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(64), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("runtime", sa.String(), nullable=False),
        sa.Column("result_key", sa.String(), nullable=False),
        sa.Column("scores_key", sa.String(), nullable=False),
        sa.Column("event_count", sa.Integer(), nullable=False),
        sa.Column("peak_rss_mb", sa.Double(), nullable=True),
        sa.Column("wall_seconds", sa.Double(), nullable=True),
        sa.Column("cause", sa.String(16), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(_CAUSES, name=op.f("ck_detection_run_cause_known")),
        sa.CheckConstraint(
            "state <> 'failed' OR cause IS NOT NULL", name=op.f("ck_detection_run_failed_says_why")
        ),
        sa.CheckConstraint(_STATES, name=op.f("ck_detection_run_state_known")),
        sa.ForeignKeyConstraint(
            ["job_id"], ["job.id"], name="fk_detection_run_job_id", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name="fk_detection_run_model_id"),
        sa.ForeignKeyConstraint(
            ["video_id"], ["video.id"], name="fk_detection_run_video_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_detection_run"),
    )
    op.create_index("ix_detection_run_job_id", "detection_run", ["job_id"])
    op.create_index("ix_detection_run_model_id", "detection_run", ["model_id"])
    op.create_index("ix_detection_run_video_id", "detection_run", ["video_id"])


def _create_event() -> None:
    op.create_table(
        "event",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("video_id", sa.String(64), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("domain_version", sa.Integer(), nullable=False),
        sa.Column("start_us", sa.BigInteger(), nullable=False),
        sa.Column("end_us", sa.BigInteger(), nullable=False),
        sa.Column("event_type", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("model_id", sa.String(64), nullable=True),
        sa.Column("detection_run_id", sa.String(64), nullable=True),
        sa.Column("review_state", sa.String(16), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("frame_index", sa.BigInteger(), nullable=True),
        sa.Column("source_pts", sa.BigInteger(), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'point' AND end_us = start_us) OR (kind = 'segment' AND end_us > start_us)",
            name=op.f("ck_event_times_fit_kind"),
        ),
        sa.CheckConstraint(
            "(origin = 'annotation' AND author <> '' AND model_id IS NULL"
            " AND detection_run_id IS NULL) OR (origin = 'detection'"
            " AND model_id IS NOT NULL AND detection_run_id IS NOT NULL)",
            name=op.f("ck_event_origin_is_known"),
        ),
        sa.CheckConstraint("kind IN ('point', 'segment')", name=op.f("ck_event_kind_known")),
        sa.CheckConstraint(
            "origin IN ('annotation', 'detection')", name=op.f("ck_event_origin_known")
        ),
        sa.CheckConstraint(
            "review_state IN ('none', 'accepted', 'rejected', 'corrected', 'unsure')",
            name=op.f("ck_event_review_state_known"),
        ),
        sa.CheckConstraint(
            "score IS NULL OR score BETWEEN 0 AND 1", name=op.f("ck_event_score_range")
        ),
        sa.ForeignKeyConstraint(
            ["detection_run_id"],
            ["detection_run.id"],
            name="fk_event_detection_run_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name="fk_event_model_id"),
        sa.ForeignKeyConstraint(
            ["video_id"], ["video.id"], name="fk_event_video_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
    )
    op.create_index("ix_event_detection_run_id", "event", ["detection_run_id"])
    op.create_index("ix_event_domain_event_type", "event", ["domain", "event_type"])
    op.create_index("ix_event_model_id", "event", ["model_id"])
    op.create_index(
        "ix_event_video_id_domain_start_us", "event", ["video_id", "domain", "start_us"]
    )
