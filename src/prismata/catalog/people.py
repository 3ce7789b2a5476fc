"""People: who may do what, and what each of them did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from prismata.catalog.columns import check_label
from prismata.catalog.database import Database
from prismata.catalog.people_schema import DeedRow, PersonRow
from prismata.core.errors import ConflictError, NotFoundError
from prismata.core.roles import DeedOutcome, Role


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """One person."""

    name: str
    role: Role | None
    """None of whom nobody has decided about yet."""
    added_at: datetime
    seen_at: datetime | None
    """When they last signed in; None of whom was only added."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a person did, or was refused."""

    seq: int
    at: datetime
    person: str
    action: str
    """A word for what it was, such as `train`; the same one for the same thing, always."""
    subject: str
    """What it was done to: a name for people, not an id, as it may be gone."""
    outcome: DeedOutcome
    detail: str


class PeopleRepository:
    """People of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> PersonRecord | None:
        """Return a person; None if nobody of this name is known."""
        with self._database.read() as session:
            row = session.get(PersonRow, check_label(name, "person"))
            return None if row is None else _to_person(row)

    def list(self) -> list[PersonRecord]:
        """Return everybody, by name."""
        with self._database.read() as session:
            return [_to_person(row) for row in session.scalars(select(PersonRow).order_by("name"))]

    def see(self, name: str) -> PersonRecord:
        """Note that somebody signed in; who is new is added without a role."""
        label = check_label(name, "person")
        with self._database.write() as session:
            now = self._database.now()
            row = session.get(PersonRow, label)
            if row is None:
                row = PersonRow(name=label, role=None, added_at=now)
                session.add(row)
            row.seen_at = now
            session.flush()
            return _to_person(row)

    def set_role(self, name: str, role: Role, *, keep_an_admin: bool) -> PersonRecord:
        """Say what somebody may do; who is new is added.

        Args:
            name: Who.
            role: What they may do from now on.
            keep_an_admin: Refuse to take the role from the last administrator.

        Raises:
            ConflictError: If nobody could say who may do what afterwards.
        """
        label = check_label(name, "person")
        with self._database.write() as session:
            row = session.get(PersonRow, label)
            if row is None:
                row = PersonRow(name=label, role=role, added_at=self._database.now())
                session.add(row)
            was_admin, row.role = row.role == "admin", role
            session.flush()
            if keep_an_admin and was_admin and not session.scalar(_ADMINS):
                raise ConflictError(_last_admin(label))
            return _to_person(row)

    def remove(self, name: str, *, keep_an_admin: bool) -> None:
        """Forget a person; what they did stays.

        Raises:
            NotFoundError: If nobody of this name is known.
            ConflictError: If nobody could say who may do what afterwards.
        """
        label = check_label(name, "person")
        with self._database.write() as session:
            row = session.get(PersonRow, label)
            if row is None:
                raise NotFoundError(f"nobody called {label!r} is known here")
            was_admin = row.role == "admin"
            session.delete(row)
            session.flush()
            if keep_an_admin and was_admin and not session.scalar(_ADMINS):
                raise ConflictError(_last_admin(label))


class DeedRepository:
    """What was done, newest last; nothing here is ever changed or taken out."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, person: str, action: str, subject: str, outcome: DeedOutcome, detail: str = ""
    ) -> None:
        """Write something down."""
        with self._database.write() as session:
            session.add(
                DeedRow(
                    at=self._database.now(),
                    person=check_label(person, "person"),
                    action=check_label(action, "action"),
                    subject=subject,
                    outcome=outcome,
                    detail=detail,
                )
            )

    def list(
        self,
        *,
        person: str = "",
        action: str = "",
        outcome: DeedOutcome | None = None,
        since: datetime | None = None,
        before_seq: int | None = None,
        limit: int = 100,
    ) -> list[Deed]:
        """Return what was done, newest first.

        Args:
            person: Only of this one; empty = of everybody.
            action: Only this; empty = everything.
            outcome: Only what was done, or refused; None = both.
            since: Only from this instant on.
            before_seq: Only what came before this one, to page on.
            limit: At most so many.
        """
        wanted = select(DeedRow).order_by(DeedRow.seq.desc()).limit(limit)
        if person:
            wanted = wanted.where(DeedRow.person == person)
        if action:
            wanted = wanted.where(DeedRow.action == action)
        if outcome is not None:
            wanted = wanted.where(DeedRow.outcome == outcome)
        if since is not None:
            wanted = wanted.where(DeedRow.at >= since)
        if before_seq is not None:
            wanted = wanted.where(DeedRow.seq < before_seq)
        with self._database.read() as session:
            return [_to_deed(row) for row in session.scalars(wanted)]


_ADMINS = select(func.count()).select_from(PersonRow).where(PersonRow.role == "admin")


def _last_admin(name: str) -> str:
    return (
        f"{name!r} is the only administrator, and nobody could say any more who may do what; make "
        "somebody else an administrator first"
    )


def _to_person(row: PersonRow) -> PersonRecord:
    return PersonRecord(row.name, row.role, row.added_at, row.seen_at)


def _to_deed(row: DeedRow) -> Deed:
    return Deed(row.seq, row.at, row.person, row.action, row.subject, row.outcome, row.detail)
