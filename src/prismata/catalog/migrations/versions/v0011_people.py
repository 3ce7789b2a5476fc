"""People have roles, and what they do is written down."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "person",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(16), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "role IN ('viewer', 'annotator', 'engineer', 'admin')", name="role_known"
        ),
        sa.PrimaryKeyConstraint("name", name="pk_person"),
    )
    op.create_table(
        "deed",
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.CheckConstraint("outcome IN ('done', 'refused')", name="outcome_known"),
        sa.PrimaryKeyConstraint("seq", name="pk_deed"),
    )
    op.create_index("ix_deed_at", "deed", ["at"])
    op.create_index("ix_deed_action", "deed", ["action"])
    op.create_index("ix_deed_person_seq", "deed", ["person", "seq"])
