"""Videos keep who put them into their group; of groups from before nobody knows it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "video", sa.Column("grouped_by", sa.String(), nullable=False, server_default=sa.text("''"))
    )
