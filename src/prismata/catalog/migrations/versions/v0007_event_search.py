"""Events of all videos can be searched quickly, and searches kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_event_created_at_id": ["created_at", "id"],
    "ix_event_score_id": ["score", "id"],
    "ix_event_domain_event_type_created_at_id": ["domain", "event_type", "created_at", "id"],
    "ix_event_domain_event_type_score_id": ["domain", "event_type", "score", "id"],
    "ix_event_review_state_created_at_id": ["review_state", "created_at", "id"],
    "ix_event_reviewer_created_at_id": ["reviewer", "created_at", "id"],
    "ix_event_length_us": ["length_us"],
}


def upgrade() -> None:
    op.create_table(
        "saved_search",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("filter", sa.JSON(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_saved_search"),
    )
    op.add_column(
        "event", sa.Column("length_us", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.execute("UPDATE event SET length_us = end_us - start_us WHERE end_us > start_us")
    op.drop_index("ix_event_domain_event_type", "event")
    for name, columns in _INDEXES.items():
        op.create_index(name, "event", columns)
