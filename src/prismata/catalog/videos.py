"""Videos: what was ingested, by name, by digest, by group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict, Unpack

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from prismata.catalog.columns import check_label, check_text
from prismata.catalog.database import Database, new_id
from prismata.catalog.lookup import find_row, get_row
from prismata.catalog.records import VideoRecord, VideoRemoval
from prismata.catalog.schema import DetectionRunRow, EventRow, VideoRow
from prismata.core.errors import ConflictError


class NewVideo(TypedDict):
    """The fields of a `VideoRecord` that whoever ingests knows."""

    name: str
    storage_key: str
    sha256: str
    size_bytes: int
    container: str
    codec: str
    width: int
    height: int
    rotation: int
    frame_count: int
    duration_us: int
    first_pts_us: int
    min_step_us: int
    max_step_us: int
    timeline_key: str
    group_name: NotRequired[str]
    """By default the name: a group of its own."""
    grouped_by: NotRequired[str]
    domain: NotRequired[str]
    notes: NotRequired[Sequence[str]]


class VideoRepository:
    """Videos of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, **fields: Unpack[NewVideo]) -> tuple[VideoRecord, bool]:
        """Store a video and return it with True, or the one with the same bytes with False.

        Raises:
            ConflictError: If another video has this name.
            InvalidInputError: If the name is empty or not text.
        """
        name = check_label(fields["name"], "video")
        try:
            with self._database.write() as session:
                known = _by_digest(session, fields["sha256"])
                if known is not None:
                    return _to_record(known), False
                if session.scalar(select(VideoRow.id).where(VideoRow.name == name)) is not None:
                    raise _name_taken(name)
                row = VideoRow(
                    **{**fields, "name": name, "notes": list(fields.get("notes", ()))},
                    id=new_id(),
                    created_at=self._database.now(),
                )
                row.group_name = check_text(fields.get("group_name", "")).strip() or name
                row.grouped_by = fields.get("grouped_by", "")
                row.domain = fields.get("domain", "")
                session.add(row)
                session.flush()
                return _to_record(row), True
        except ConflictError as error:
            # On PostgreSQL somebody may store the same bytes between our look and our insert.
            known_now = self.find_by_digest(fields["sha256"])
            if known_now is not None:
                return known_now, False
            raise _name_taken(name) from error

    def get(self, video_id: str) -> VideoRecord:
        """Return the video with this id.

        Raises:
            NotFoundError: If there is none.
        """
        with self._database.read() as session:
            return _to_record(get_row(session, VideoRow, video_id, "video"))

    def find(self, name_or_id: str) -> VideoRecord:
        """Return the video with this name or id.

        Raises:
            NotFoundError: If there is none; the message names what comes close.
        """
        with self._database.read() as session:
            return _to_record(find_row(session, VideoRow, name_or_id, "video"))

    def find_by_digest(self, sha256: str) -> VideoRecord | None:
        """Return the video with these bytes, if there is one."""
        with self._database.read() as session:
            row = _by_digest(session, sha256)
            return None if row is None else _to_record(row)

    def list(self, domain: str | None = None, group: str | None = None) -> list[VideoRecord]:
        """Return the videos of a domain and a group (None: all), by name."""
        query = select(VideoRow)
        if domain is not None:
            query = query.where(VideoRow.domain == domain)
        if group is not None:
            query = query.where(VideoRow.group_name == group)
        with self._database.read() as session:
            records = [_to_record(row) for row in session.scalars(query)]
        # Sorted here, because the two databases collate text differently.
        return sorted(records, key=lambda video: video.name)

    def set_group(self, video_id: str, group_name: str, *, author: str = "") -> VideoRecord:
        """Put a video into a group; an empty name makes it a group of its own.

        Raises:
            NotFoundError: If there is no such video.
        """
        with self._database.write() as session:
            row = get_row(session, VideoRow, video_id, "video", lock=True)
            row.group_name = check_text(group_name).strip() or row.name
            row.grouped_by = author
            return _to_record(row)

    def regroup(self, changes: Mapping[str, tuple[str, str]], *, author: str) -> None:
        """Put many videos into other groups, all or none.

        Args:
            changes: Video id → the group it is thought to be in, and the one it is to be in.
            author: Who wants that.

        Raises:
            NotFoundError: If one of the videos is gone.
            ConflictError: If one is in another group than it is thought to be.
        """
        with self._database.write() as session:
            # In one order for all who do this, so that two of them never wait for each other.
            for video_id in sorted(changes):
                before, after = changes[video_id]
                row = get_row(session, VideoRow, video_id, "video", lock=True)
                if row.group_name != before:
                    raise ConflictError(
                        f"{row.name!r} is in group {row.group_name!r} now and no longer in "
                        f"{before!r}; nothing was changed, look at the groups again"
                    )
                row.group_name = check_text(after).strip() or row.name
                row.grouped_by = author

    def remove(self, video_id: str) -> VideoRemoval:
        """Remove a video with its annotations, detections and detection runs; tell how many.

        Dataset versions are frozen and keep what they hold. Files in storage are the caller's.

        Raises:
            NotFoundError: If there is no such video.
        """
        with self._database.write() as session:
            row = get_row(session, VideoRow, video_id, "video", lock=True)
            counts = dict(
                session.execute(
                    select(EventRow.origin, func.count())
                    .where(EventRow.video_id == video_id)
                    .group_by(EventRow.origin)
                ).all()
            )
            runs = session.scalar(select(func.count()).where(DetectionRunRow.video_id == video_id))
            removal = VideoRemoval(
                video=_to_record(row),
                annotations=counts.get("annotation", 0),
                detections=counts.get("detection", 0),
                detection_runs=runs or 0,
            )
            session.delete(row)
        return removal


def _by_digest(session: Session, sha256: str) -> VideoRow | None:
    return session.scalars(select(VideoRow).where(VideoRow.sha256 == sha256)).one_or_none()


def _name_taken(name: str) -> ConflictError:
    return ConflictError(
        f"another video is already named {name!r}, with other content; choose another name"
    )


def _to_record(row: VideoRow) -> VideoRecord:
    return VideoRecord(
        id=row.id,
        name=row.name,
        storage_key=row.storage_key,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        container=row.container,
        codec=row.codec,
        width=row.width,
        height=row.height,
        rotation=row.rotation,
        frame_count=row.frame_count,
        duration_us=row.duration_us,
        first_pts_us=row.first_pts_us,
        min_step_us=row.min_step_us,
        max_step_us=row.max_step_us,
        timeline_key=row.timeline_key,
        group_name=row.group_name,
        domain=row.domain,
        notes=tuple(row.notes),
        created_at=row.created_at,
        grouped_by=row.grouped_by,
    )
