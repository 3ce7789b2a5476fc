"""Names in sentences: lists of them, and the one that was meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prismata.core.errors import InvalidInputError


def some_of(names: Sequence[str], most: int = 3) -> str:
    """Return the first names in quotes, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:most])
    rest = len(names) - most
    return f"{shown} and {rest} more" if rest > 0 else shown


def one_of(value: object, choices: tuple[Any, ...], name: str) -> Any:  # noqa: ANN401 - of a Literal
    """Return a word that is one of a few.

    Raises:
        InvalidInputError: If it is none of them; lists those there are.
    """
    if value in choices:
        return value
    raise InvalidInputError(f"{name} is {', '.join(choices)}, not {value!r:.40}")
