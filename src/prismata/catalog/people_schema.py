"""The base of all tables, and those of people: who may do what, and who did what."""

from __future__ import annotations

from datetime import datetime
from typing import get_args

from sqlalchemy import Index, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from prismata.catalog.columns import LooseText, PlainText, UtcDateTime, one_of
from prismata.core.roles import ROLES, DeedOutcome, Role

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class Row(DeclarativeBase):
    """Base of all tables."""

    metadata = METADATA


class PersonRow(Row):
    """One person who may sign in, and what they may do."""

    __tablename__ = "person"
    __table_args__ = (one_of("role", ROLES),)

    name: Mapped[str] = mapped_column(PlainText, primary_key=True)
    """As the identity provider tells it: an e-mail address, or what stands for one."""
    role: Mapped[Role | None] = mapped_column(PlainText(16))
    """None of whom nobody has decided about yet."""
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DeedRow(Row):
    """Something that a person did or was refused; rows are only ever added."""

    __tablename__ = "deed"
    __table_args__ = (one_of("outcome", get_args(DeedOutcome)), Index(None, "person", "seq"))

    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    person: Mapped[str] = mapped_column(PlainText)
    action: Mapped[str] = mapped_column(PlainText(64), index=True)
    subject: Mapped[str] = mapped_column(LooseText)
    outcome: Mapped[DeedOutcome] = mapped_column(PlainText(16))
    detail: Mapped[str] = mapped_column(LooseText)
