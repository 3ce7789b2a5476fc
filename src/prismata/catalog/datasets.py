"""Dataset versions: annotations frozen with their splits, named by what they contain."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict, Unpack, cast, get_args

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from prismata.catalog.columns import check_label
from prismata.catalog.database import Database, new_id
from prismata.catalog.lookup import check_choice, find_row
from prismata.catalog.records import (
    DatasetVersionRecord,
    FrozenAnnotation,
    ReviewState,
    Split,
)
from prismata.catalog.schema import DatasetVersionRow
from prismata.core.errors import ConflictError, InvalidInputError
from prismata.core.events import Event, check_name
from prismata.core.replays import ReplayPolicy
from prismata.core.time import TimeSpan

_RACES = 5


class NewDatasetVersion(TypedDict):
    """The fields of a `DatasetVersionRecord` that whoever freezes it knows."""

    domain: str
    domain_version: int
    seed: int
    video_splits: Mapping[str, Split]
    groups: Mapping[str, str]
    content: Iterable[FrozenAnnotation]
    author: str
    known: NotRequired[Mapping[str, Sequence[TimeSpan]]]
    """Only of the videos of which not everything is known."""
    replays: NotRequired[ReplayPolicy]
    """By default unstated."""


class DatasetRepository:
    """Dataset versions of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, **fields: Unpack[NewDatasetVersion]) -> DatasetVersionRecord:
        """Freeze a dataset version, or return the one that holds exactly this already.

        The order of `content` does not matter; seed and author do not make another version.

        Raises:
            InvalidInputError: If a video with annotations or known time has no split, splits and
                groups do not name the same videos, or a split, review state or replay policy is
                unknown.
        """
        domain = check_name(fields["domain"], "domain")
        splits, groups = dict(fields["video_splits"]), dict(fields["groups"])
        content = tuple(sorted(fields["content"], key=_order))
        _check_complete(splits, groups, content)
        author = check_label(fields["author"], "author")
        stored: dict[str, Any] = {
            "domain": domain,
            "domain_version": fields["domain_version"],
            "video_splits": splits,
            "groups": groups,
            "content": [_freeze(item) for item in content],
        }
        known = {
            video_id: [[span.start_us, span.end_us] for span in sorted(spans)]
            for video_id, spans in fields.get("known", {}).items()
        }
        _check_known(splits, known)
        replays = fields.get("replays", "unstated")
        check_choice(replays, get_args(ReplayPolicy), "a replay policy")
        # What is known from end to end is not part of the digest, nor is an unstated policy:
        # versions from before either existed keep their digests, and the same labels give them
        # again.
        if known:
            stored["known"] = known
        if replays != "unstated":
            stored["replays"] = replays
        digest = _digest(stored)
        for _ in range(_RACES):
            try:
                with self._database.write() as session:
                    row = _by_digest(session, digest)
                    if row is None:
                        number = _last_number(session, domain) + 1
                        row = DatasetVersionRow(
                            **stored,
                            id=new_id(),
                            name=f"{domain}-{number}",
                            number=number,
                            digest=digest,
                            seed=fields["seed"],
                            author=author,
                            created_at=self._database.now(),
                        )
                        session.add(row)
                        session.flush()
                    return _to_record(row)
            except ConflictError:
                # PostgreSQL: somebody took this number or stored the same content; look again.
                continue
        raise ConflictError(
            f"many dataset versions of {domain!r} are being made at once; try again"
        )

    def get(self, id_or_name: str) -> DatasetVersionRecord:
        """Return the dataset version with this id or name.

        Raises:
            NotFoundError: If there is none; the message names what comes close.
        """
        with self._database.read() as session:
            return _to_record(find_row(session, DatasetVersionRow, id_or_name, "dataset version"))

    def list(self, domain: str | None = None) -> list[DatasetVersionRecord]:
        """Return the dataset versions of a domain (None: all), newest first."""
        query = select(DatasetVersionRow).order_by(
            DatasetVersionRow.created_at.desc(), DatasetVersionRow.number.desc()
        )
        if domain is not None:
            query = query.where(DatasetVersionRow.domain == domain)
        with self._database.read() as session:
            return [_to_record(row) for row in session.scalars(query)]


def _check_complete(
    splits: dict[str, Split], groups: dict[str, str], content: tuple[FrozenAnnotation, ...]
) -> None:
    if set(splits) != set(groups):
        odd = sorted(set(splits) ^ set(groups))[0]
        raise InvalidInputError(
            f"splits and groups must name the same videos, but {odd!r} is in only one of them"
        )
    for split in splits.values():
        check_choice(split, get_args(Split), "a split")
    for video_id, _, review_state in content:
        if video_id not in splits:
            raise InvalidInputError(
                f"an annotation belongs to the video {video_id!r}, which is in no split"
            )
        check_choice(review_state, get_args(ReviewState), "a review state")


def _check_known(splits: dict[str, Split], known: Mapping[str, object]) -> None:
    stray = sorted(set(known) - set(splits))
    if stray:
        raise InvalidInputError(
            f"something is said to be known of the video {stray[0]!r}, which is in no split"
        )


def _order(item: FrozenAnnotation) -> tuple[str, int, int, str, float, str]:
    video_id, event, review_state = item
    score = -1.0 if event.score is None else event.score
    return (video_id, event.start_us, event.end_us, event.event_type, score, review_state)


def _freeze(item: FrozenAnnotation) -> list[Any]:
    video_id, event, review_state = item
    return [
        video_id,
        event.start_us,
        event.end_us,
        event.event_type,
        event.kind,
        event.score,
        review_state,
    ]


def _thaw(item: list[Any]) -> FrozenAnnotation:
    video_id, start_us, end_us, event_type, kind, score, review_state = item
    return (video_id, Event(start_us, end_us, event_type, kind, score), review_state)


def _digest(stored: dict[str, Any]) -> str:
    canonical = json.dumps(stored, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _by_digest(session: Session, digest: str) -> DatasetVersionRow | None:
    query = select(DatasetVersionRow).where(DatasetVersionRow.digest == digest)
    return session.scalars(query).one_or_none()


def _last_number(session: Session, domain: str) -> int:
    query = select(func.max(DatasetVersionRow.number)).where(DatasetVersionRow.domain == domain)
    return session.scalar(query) or 0


def _to_record(row: DatasetVersionRow) -> DatasetVersionRecord:
    return DatasetVersionRecord(
        id=row.id,
        name=row.name,
        domain=row.domain,
        domain_version=row.domain_version,
        digest=row.digest,
        seed=row.seed,
        video_splits=cast("dict[str, Split]", row.video_splits),
        groups=row.groups,
        content=tuple(_thaw(item) for item in row.content),
        created_at=row.created_at,
        author=row.author,
        known={
            video_id: tuple(TimeSpan(start_us, end_us) for start_us, end_us in spans)
            for video_id, spans in (row.known or {}).items()
        },
        replays=cast("ReplayPolicy", row.replays),
    )
