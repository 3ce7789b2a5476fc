"""The label log: sheets, operations, annotators.

Labels from before coverage existed counted as complete, so each video that has some gets a sheet
that says it was watched to its end.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NEVER_MIRRORED = -1


def upgrade() -> None:
    op.create_table(
        "label_sheet",
        sa.Column("video_id", sa.String(64), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("coverage", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("assignee", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("mirrored_seq", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "status IN ('new', 'in_progress', 'done', 'needs_review')",
            name=op.f("ck_label_sheet_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["video_id"], ["video.id"], name="fk_label_sheet_video_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("video_id", "domain", name="pk_label_sheet"),
    )
    op.create_table(
        "label_operation",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("video_id", sa.String(64), nullable=False),
        sa.Column("domain", sa.String(64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("client_seq", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("undoes", sa.String(64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('create', 'update', 'delete', 'cover', 'sheet')",
            name=op.f("ck_label_operation_kind_known"),
        ),
        sa.CheckConstraint(
            "outcome IN ('applied', 'conflict')", name=op.f("ck_label_operation_outcome_known")
        ),
        sa.CheckConstraint(
            "(outcome = 'applied') = (seq IS NOT NULL)",
            name=op.f("ck_label_operation_applied_has_seq"),
        ),
        sa.ForeignKeyConstraint(
            ["video_id"], ["video.id"], name="fk_label_operation_video_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_label_operation"),
        sa.UniqueConstraint(
            "video_id", "domain", "seq", name="uq_label_operation_video_id_domain_seq"
        ),
    )
    op.create_table(
        "annotator",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("preferences", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_annotator"),
    )
    _give_labelled_videos_a_sheet()


def _give_labelled_videos_a_sheet() -> None:
    connection = op.get_bind()
    labelled = connection.execute(
        sa.text(
            "SELECT DISTINCT event.video_id, event.domain, video.duration_us"
            " FROM event JOIN video ON video.id = event.video_id"
            " WHERE event.origin = 'annotation'"
        )
    ).all()
    sheet = sa.table(
        "label_sheet",
        *(sa.column(name) for name in ("video_id", "domain", "seq", "status")),
        *(sa.column(name) for name in ("assignee", "note", "mirrored_seq")),
        sa.column("coverage", sa.JSON()),
        sa.column("updated_at", sa.DateTime(timezone=True)),
    )
    # SQLite's driver keeps times without their zone, as everywhere in the catalog.
    now = datetime.now(UTC)
    if connection.dialect.name == "sqlite":
        now = now.replace(tzinfo=None)
    rows = [
        {
            "video_id": video_id,
            "domain": domain,
            "seq": 0,
            "coverage": [[0, duration_us, "watched"]] if duration_us > 0 else [],
            "status": "in_progress",
            "assignee": "",
            "note": "",
            "mirrored_seq": _NEVER_MIRRORED,
            "updated_at": now,
        }
        for video_id, domain, duration_us in labelled
    ]
    if rows:
        connection.execute(sheet.insert(), rows)
