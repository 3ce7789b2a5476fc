"""Dataset versions say what was done with replays; of those from before nobody stated it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "dataset_version",
        sa.Column("replays", sa.String(16), nullable=False, server_default=sa.text("'unstated'")),
    )
