"""Column types that behave the same on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, DateTime, Dialect, Double, Enum, String, Text
from sqlalchemy.types import TypeDecorator

from prismata.core.errors import InvalidInputError

_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


def check_text(text: str) -> str:
    """Return `text` if both databases can hold it.

    Raises:
        InvalidInputError: If it has a NUL character or half of a surrogate pair, as file names
            that are not UTF-8 have.
    """
    if _NOT_TEXT.search(text):
        raise InvalidInputError(
            f"the text {text[:80]!r} holds characters that are not text; rename it"
        )
    return text


def check_label(text: str, what: str) -> str:
    """Return a name as it is stored and looked up: trimmed, Unicode normal form C.

    Raises:
        InvalidInputError: If nothing is left, or it holds characters that are not text.
    """
    label = unicodedata.normalize("NFC", check_text(text)).strip()
    if not label:
        raise InvalidInputError(f"a {what} needs a name, but the name given is empty")
    return label


def check_json(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Return a deep copy of `value` as it will come back from the database.

    Raises:
        InvalidInputError: If it holds something that JSON has no word for, as NaN or an object.
    """
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{what} cannot be stored, because JSON has no such value: {error}"
        ) from error
    return copy


class PlainText(TypeDecorator[str]):
    """Text that must be stored exactly or not at all."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Refuse what PostgreSQL would refuse, on SQLite too."""
        del dialect
        return None if value is None else check_text(value)


class LooseText(TypeDecorator[str]):
    """Text from programs: what cannot be stored is replaced, because the rest must arrive.

    A child that dies with garbage on standard error still has to be recorded as dead.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace NUL and lone surrogates."""
        del dialect
        if value is None:
            return None
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes, exact to the microsecond; SQLite keeps them without their zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; a datetime without a zone is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise InvalidInputError(f"the time {value.isoformat()} has no zone; give it UTC")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Attach or convert to UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class RealNumber(TypeDecorator[float]):
    """Finite float64; SQLite turns NaN into NULL and whole numbers, now and then, into int."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Refuse what is not finite."""
        del dialect
        if value is None:
            return None
        if not math.isfinite(value):
            raise InvalidInputError(f"a stored number has to be finite, not {value}")
        return float(value)

    def process_result_value(self, value: float | None, dialect: Dialect) -> float | None:
        """Return a float whatever the driver made of it."""
        del dialect
        return None if value is None else float(value)


def enum_column(members: type[StrEnum]) -> Enum:
    """Return the type of a column that holds a member of `members` as its string."""
    return Enum(
        members,
        native_enum=False,
        create_constraint=False,
        length=16,
        values_callable=lambda kind: [member.value for member in kind],
    )


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """Return the CHECK that `column` holds one of `values`."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")
