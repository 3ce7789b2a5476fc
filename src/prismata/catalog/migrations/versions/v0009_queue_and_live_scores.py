"""Queued jobs can be paused; a detection that runs shows its scores so far."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("held", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "live_scores",
        sa.Column("detection_run_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("times_us", sa.JSON(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["detection_run_id"],
            ["detection_run.id"],
            name="fk_live_scores_detection_run_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("detection_run_id", "number", name="pk_live_scores"),
    )
