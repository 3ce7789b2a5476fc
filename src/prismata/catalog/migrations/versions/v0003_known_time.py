"""Dataset versions keep which time of their videos is known.

Versions from before have no such list: all their time was taken for known.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dataset_version", sa.Column("known", sa.JSON(none_as_null=True), nullable=True))
