"""The library at a glance: all videos with how far each is labelled in one domain.

A list of thousands is asked for at each keystroke of a search, so it is read as plain columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, select

from prismata.catalog.database import Database
from prismata.catalog.schema import LabelSheetRow, VideoRow
from prismata.core.operations import SheetStatus

IDS_AT_ONCE = 500
"""Databases bound the number of parameters of a query."""

Overviews = list["VideoOverview"]


@dataclass(frozen=True, slots=True)
class VideoOverview:
    """One video and its sheet in one domain."""

    id: str
    name: str
    group_name: str
    domain: str
    duration_us: int
    status: SheetStatus | None
    """None: nothing was ever stored of it in this domain."""
    assignee: str | None


class LibraryRepository:
    """Overviews of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, domain: str) -> Overviews:
        """Return all videos, by name, with what the sheets of a domain say."""
        query = select(
            VideoRow.id,
            VideoRow.name,
            VideoRow.group_name,
            VideoRow.domain,
            VideoRow.duration_us,
            LabelSheetRow.status,
            LabelSheetRow.assignee,
        ).outerjoin(
            LabelSheetRow,
            and_(LabelSheetRow.video_id == VideoRow.id, LabelSheetRow.domain == domain),
        )
        with self._database.read() as session:
            rows = session.execute(query).all()
        # Sorted here, because the two databases collate text differently.
        return sorted((VideoOverview(*row) for row in rows), key=lambda video: video.name)

    def covered(self, domain: str, video_ids: Sequence[str]) -> dict[str, int]:
        """Return how many microseconds of each video somebody saw or skipped on purpose."""
        found: dict[str, int] = {}
        for first in range(0, len(video_ids), IDS_AT_ONCE):
            query = select(LabelSheetRow.video_id, LabelSheetRow.coverage).where(
                LabelSheetRow.domain == domain,
                LabelSheetRow.video_id.in_(video_ids[first : first + IDS_AT_ONCE]),
            )
            with self._database.read() as session:
                for video_id, coverage in session.execute(query):
                    # Stored spans are disjoint, see `SheetRecord`.
                    found[video_id] = sum(end_us - start_us for start_us, end_us, _ in coverage)
        return found
