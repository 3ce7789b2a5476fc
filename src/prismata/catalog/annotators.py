"""Annotators: what each person prefers in the label station."""

from __future__ import annotations

from typing import Any

from prismata.catalog.columns import check_json, check_label
from prismata.catalog.database import Database
from prismata.catalog.label_records import AnnotatorRecord
from prismata.catalog.schema import AnnotatorRow


class AnnotatorRepository:
    """Annotators of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> AnnotatorRecord | None:
        """Return what is stored about a person; None where nothing is."""
        with self._database.read() as session:
            row = session.get(AnnotatorRow, check_label(name, "person"))
            return None if row is None else _to_record(row)

    def set_preferences(self, name: str, preferences: dict[str, Any]) -> AnnotatorRecord:
        """Put preferences in place of those that are stored.

        Raises:
            InvalidInputError: If the name is empty or JSON has no word for a value.
        """
        label = check_label(name, "person")
        stored = check_json(preferences, f"the preferences of {label!r}")
        with self._database.write() as session:
            row = session.merge(
                AnnotatorRow(name=label, preferences=stored, updated_at=self._database.now())
            )
            session.flush()
            return _to_record(row)


def _to_record(row: AnnotatorRow) -> AnnotatorRecord:
    return AnnotatorRecord(row.name, row.preferences, row.updated_at)
