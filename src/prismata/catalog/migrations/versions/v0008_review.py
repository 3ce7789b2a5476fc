"""What people decided about what models found, with the model, threshold, reviewer and time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "review_decision",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("video_id", sa.String(64), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("model_id", sa.String(64), nullable=False),
        sa.Column("model_digest", sa.String(64), nullable=False),
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("event_type", sa.String(64), nullable=False),
        sa.Column("start_us", sa.BigInteger(), nullable=False),
        sa.Column("end_us", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("stratum", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("doubt", sa.Double(), nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("reviewer", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_review_decision"),
        sa.ForeignKeyConstraint(
            ["video_id"],
            ["video.id"],
            name="fk_review_decision_video_id",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint(
            "decision IN ('accepted', 'corrected', 'rejected', 'unsure', 'watched')",
            name=op.f("ck_review_decision_decision_known"),
        ),
        sa.CheckConstraint(
            "reason IN ('control', 'doubt', 'score', 'time', 'bulk')",
            name=op.f("ck_review_decision_reason_known"),
        ),
    )
    op.create_index("ix_review_decision_domain_model_id", "review_decision", ["domain", "model_id"])
    op.create_index("ix_review_decision_video_id", "review_decision", ["video_id"])
    op.create_index("ix_review_decision_event_id", "review_decision", ["event_id"])
