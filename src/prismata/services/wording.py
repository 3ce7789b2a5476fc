"""Lists of names in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def some_of(names: Sequence[str], most: int = 3) -> str:
    """Return the first names in quotes, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:most])
    rest = len(names) - most
    return f"{shown} and {rest} more" if rest > 0 else shown
