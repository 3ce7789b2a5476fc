"""What people labelled in a domain is found without passing over all that models found."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_event_origin_domain_video_id", "event", ["origin", "domain", "video_id"])
