"""Finding what a person means by a name, and saying what is near when nothing fits."""

from __future__ import annotations

import unicodedata
from difflib import get_close_matches
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from prismata.catalog.people_schema import Row
from prismata.catalog.schema import DatasetVersionRow, ModelRow, TrainingRunRow, VideoRow
from prismata.core.errors import InvalidInputError, NotFoundError

AnyRow = TypeVar("AnyRow", bound=Row)
NamedRow = TypeVar("NamedRow", VideoRow, DatasetVersionRow, TrainingRunRow, ModelRow)


def get_row(
    session: Session, row_type: type[AnyRow], row_id: str, what: str, *, lock: bool = False
) -> AnyRow:
    """Return the row with this id; with `lock`, nobody else changes it until we are done.

    Raises:
        NotFoundError: If there is none.
    """
    row = session.get(row_type, row_id, with_for_update=True if lock else None)
    if row is None:
        raise NotFoundError(f"there is no {what} with the id {row_id!r}")
    return row


def find_row(session: Session, row_type: type[NamedRow], name_or_id: str, what: str) -> NamedRow:
    """Return the row with this name or, failing that, this id.

    Raises:
        NotFoundError: If there is none; the message names what comes close.
    """
    wanted = unicodedata.normalize("NFC", name_or_id).strip()
    row = session.scalars(select(row_type).where(row_type.name == wanted)).one_or_none()
    if row is None:
        row = session.get(row_type, wanted)
    if row is None:
        names = sorted(session.scalars(select(row_type.name)))
        raise NotFoundError(f"there is no {what} {name_or_id!r}; {_suggest(wanted, names, what)}")
    return row


def next_name(session: Session, row_type: type[NamedRow], prefix: str) -> str:
    """Return `<prefix>-<n>` with the smallest n above all that are taken."""
    start = f"{prefix}-"
    taken = session.scalars(
        select(row_type.name).where(row_type.name.startswith(start, autoescape=True))
    )
    numbers = [int(name[len(start) :]) for name in taken if name[len(start) :].isdecimal()]
    return f"{start}{max(numbers, default=0) + 1}"


def check_choice(value: str, allowed: tuple[str, ...], what: str) -> None:
    """Check that `value` is one that the schema knows.

    Raises:
        InvalidInputError: If it is not.
    """
    if value not in allowed:
        raise InvalidInputError(f"{what} cannot be {value!r}; it can be {', '.join(allowed)}")


def _suggest(wanted: str, names: list[str], what: str) -> str:
    if not names:
        return f"the catalog holds no {what} yet"
    by_folded = {name.casefold(): name for name in names}
    close = get_close_matches(wanted.casefold(), by_folded, n=3, cutoff=0.5)
    near = [by_folded[name] for name in close]
    near += [name for name in names if wanted.casefold() in name.casefold() and name not in near]
    if near:
        return f"did you mean {' or '.join(repr(name) for name in near[:3])}?"
    shown = ", ".join(repr(name) for name in names[:3])
    return f"there is {shown}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")
