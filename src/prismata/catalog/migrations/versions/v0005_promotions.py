"""Models keep when they went into production, so that there is a way back.

The one that is in production now counts as promoted when it was made; nobody knows of others.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model", sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE model SET promoted_at = created_at WHERE stage = 'production'")
