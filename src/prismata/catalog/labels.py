"""The label log: edits of a video's labels, in order, with their history and their sheet.

Invariant: what `apply` answered is durable, and each change has a number within its video and
domain. The events themselves stay in their table; the log says how they got there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.orm import Session

from prismata.catalog.database import Database
from prismata.catalog.label_records import (
    LABEL_FIELDS,
    Change,
    Changes,
    LoadedLabels,
    SheetRecord,
)
from prismata.catalog.label_restoring import LabelsThen, labels_after, restore_operations
from prismata.catalog.label_writing import LabelRules, LabelTransaction
from prismata.catalog.lookup import get_row
from prismata.catalog.records import ReviewDecision
from prismata.catalog.reviews import keep_decisions, undo_decisions
from prismata.catalog.schema import EventRow, LabelOperationRow, LabelSheetRow, VideoRow
from prismata.core.coverage import coverage_from_json
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.events import check_name
from prismata.core.operations import Operation, OperationResult

Results = tuple[OperationResult, ...]

MAX_CHANGES = 2000
"""More changes than these are not worth sending one by one."""
MAX_HISTORY = 500
NEVER_MIRRORED = -1

_ROWS_AT_ONCE = 1000


class LabelLogRepository:
    """Label logs of one catalog."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def apply(
        self,
        video_id: str,
        domain: str,
        operations: Sequence[Operation],
        author: str,
        rules: LabelRules,
    ) -> Results:
        """Apply operations in order, in one transaction, and return what became of each.

        When this returns, everything applied is durable. An operation that is in the log already
        is answered as the first time and changes nothing.

        Raises:
            NotFoundError: If there is no such video.
            InvalidInputError: If the author is empty.
        """
        results, _ = self.apply_and_tell(video_id, domain, operations, author, rules, since=None)
        return results

    def apply_and_tell(
        self,
        video_id: str,
        domain: str,
        operations: Sequence[Operation],
        author: str,
        rules: LabelRules,
        *,
        since: int | None,
        decisions: Sequence[ReviewDecision] = (),
    ) -> tuple[Results, Changes]:
        """Do as `apply` and return the changes after number `since` too, one's own among them.

        Args:
            video_id: The video.
            domain: The domain.
            operations: In order.
            author: Who edits.
            rules: What may be labelled.
            since: None: only the changes that these operations made.
            decisions: What the operations with their ids say about a model's candidates; kept where
                the operation was applied.

        Raises:
            NotFoundError: If there is no such video.
            InvalidInputError: If the author is empty.
        """
        with self._writing(video_id, domain, author) as transaction:
            seq = transaction.seq
            results = transaction.apply(operations, rules)
            transaction.finish(rules.domain_version)
            applied = {result.id for result in results if result.status == "applied"}
            keep_decisions(
                transaction.session,
                [item for item in decisions if item.id in applied],
                author,
                self._database.now(),
            )
            undone = [item.undoes for item in operations if item.undoes and item.id in applied]
            undo_decisions(transaction.session, undone, self._database.now())
            if since is None or since == seq:
                own = transaction.changes()
                told = Changes(transaction.seq, own if len(own) <= MAX_CHANGES else None)
            else:
                key = (video_id, domain, transaction.seq)
                told = _read_changes(transaction.session, *key, since, MAX_CHANGES)
        return results, told

    def sheet(self, video_id: str, domain: str) -> SheetRecord:
        """Return the sheet of a video, a fresh one where nothing was stored yet.

        Raises:
            NotFoundError: If there is no such video.
        """
        with self._database.read() as session:
            return _read_sheet(session, video_id, domain)

    def sheets(self, domain: str | None = None) -> list[SheetRecord]:
        """Return every stored sheet, of one domain or of all; videos without one have none."""
        query = select(LabelSheetRow)
        if domain is not None:
            query = query.where(LabelSheetRow.domain == domain)
        with self._database.read() as session:
            records = [_to_sheet(row) for row in session.scalars(query)]
        return sorted(records, key=lambda sheet: (sheet.video_id, sheet.domain))

    def count_by_video(self, domain: str) -> dict[str, int]:
        """Return how many annotations each video has, hard negatives not counted."""
        query = (
            select(EventRow.video_id, func.count())
            .where(
                EventRow.domain == domain,
                EventRow.origin == "annotation",
                EventRow.review_state != "rejected",
            )
            .group_by(EventRow.video_id)
        )
        with self._database.read() as session:
            return dict(session.execute(query).all())

    def load(self, video_id: str, domain: str) -> LoadedLabels:
        """Return all labels of a video with their sheet.

        Raises:
            NotFoundError: If there is no such video.
        """
        columns = [getattr(EventRow, name) for name in LABEL_FIELDS]
        query = (
            select(*columns)
            .where(
                EventRow.video_id == video_id,
                EventRow.domain == domain,
                EventRow.origin == "annotation",
            )
            .order_by(EventRow.start_us, EventRow.id)
        )
        with self._database.read() as session:
            # The sheet first: a change that comes between is then told again, which does no harm.
            sheet = _read_sheet(session, video_id, domain)
            # In pieces, so that 100,000 rows do not keep other threads waiting.
            rows = session.execute(query.execution_options(yield_per=_ROWS_AT_ONCE))
            return LoadedLabels(sheet, [list(row) for row in rows])

    def changes(
        self, video_id: str, domain: str, since: int, *, limit: int = MAX_CHANGES
    ) -> Changes:
        """Return the changes after number `since`, in order.

        Raises:
            NotFoundError: If there is no such video.
        """
        with self._database.read() as session:
            seq = _read_sheet(session, video_id, domain).seq
            return _read_changes(session, video_id, domain, seq, since, limit)

    def history(
        self, video_id: str, domain: str, *, before: int | None = None, limit: int = 100
    ) -> list[Change]:
        """Return changes, newest first, before number `before` (None: from the last one on).

        Raises:
            NotFoundError: If there is no such video.
        """
        query = select(LabelOperationRow).where(
            LabelOperationRow.video_id == video_id,
            LabelOperationRow.domain == domain,
            LabelOperationRow.seq.is_not(None),
        )
        if before is not None:
            query = query.where(LabelOperationRow.seq < before)
        query = query.order_by(LabelOperationRow.seq.desc()).limit(min(limit, MAX_HISTORY))
        with self._database.read() as session:
            get_row(session, VideoRow, video_id, "video")
            return [_to_change(row) for row in session.scalars(query)]

    def change(self, operation_id: str) -> Change:
        """Return what an operation did.

        Raises:
            NotFoundError: If no such operation was applied.
        """
        with self._database.read() as session:
            row = get_row(session, LabelOperationRow, operation_id, "change of labels")
            if row.seq is None:
                raise NotFoundError(f"the operation {operation_id!r} changed nothing")
            return _to_change(row)

    def state_at(self, video_id: str, domain: str, seq: int) -> LabelsThen:
        """Return labels, coverage and sheet as they were after change `seq`; 0: at the beginning.

        Raises:
            NotFoundError: If there is no such video.
            InvalidInputError: If there is no such change.
        """
        with self._database.read() as session:
            sheet = _read_sheet(session, video_id, domain)
            _check_seq(sheet, seq)
            return labels_after(session, sheet, seq)

    def restore(
        self, video_id: str, domain: str, seq: int, operation: Operation, author: str
    ) -> OperationResult:
        """Put labels, coverage and sheet back to what they were after change `seq`.

        Done as new operations, so it can be restored from too. `operation` is a `sheet` operation
        without fields that lends its id and client; sent again, it changes nothing.

        Raises:
            NotFoundError: If there is no such video.
            InvalidInputError: If there is no such change.
        """
        with self._writing(video_id, domain, author) as transaction:
            session = transaction.session
            if session.get(LabelOperationRow, operation.id) is not None:
                return OperationResult(operation.id, "applied")
            sheet = _read_sheet(session, video_id, domain)
            _check_seq(sheet, seq)
            then = labels_after(session, sheet, seq)
            restore_operations(transaction, sheet, then, operation)
            transaction.finish(then.domain_version)
        return OperationResult(operation.id, "applied")

    def set_mirrored(self, video_id: str, domain: str, seq: int) -> int | None:
        """Note which change the JSON mirror holds and return the number of the last one.

        The number is stored as it is, even when a higher one stands there: the mirror holds what
        was written last. None: the sheet is gone.
        """
        with self._database.write() as session:
            return session.scalars(
                update(LabelSheetRow)
                .where(LabelSheetRow.video_id == video_id, LabelSheetRow.domain == domain)
                .values(mirrored_seq=seq)
                .returning(LabelSheetRow.seq)
            ).one_or_none()

    def not_mirrored(self) -> list[tuple[str, str]]:
        """Return video and domain of each sheet whose mirror is behind."""
        query = select(LabelSheetRow.video_id, LabelSheetRow.domain).where(
            LabelSheetRow.mirrored_seq != LabelSheetRow.seq
        )
        with self._database.read() as session:
            return [(video_id, domain) for video_id, domain in session.execute(query)]

    @contextmanager
    def _writing(self, video_id: str, domain: str, author: str) -> Iterator[LabelTransaction]:
        check_name(domain, "domain")
        with self._database.write() as session:
            video = get_row(session, VideoRow, video_id, "video")
            sheet = self._lock_sheet(session, video_id, domain)
            yield LabelTransaction(session, video, sheet, author, self._database.now())

    def _lock_sheet(self, session: Session, video_id: str, domain: str) -> LabelSheetRow:
        key = (video_id, domain)
        found = session.get(LabelSheetRow, key, with_for_update=True)
        if found is not None:
            return found
        make = insert_sqlite if self._database.is_sqlite else insert_postgresql
        # Two who come first at the same time: one makes the sheet, the other waits for it here.
        session.execute(
            make(LabelSheetRow)
            .values(
                video_id=video_id,
                domain=domain,
                seq=0,
                coverage=[],
                status="new",
                assignee="",
                note="",
                mirrored_seq=NEVER_MIRRORED,
                updated_at=self._database.now(),
            )
            .on_conflict_do_nothing()
        )
        return session.get_one(LabelSheetRow, key, with_for_update=True, populate_existing=True)


def _read_sheet(session: Session, video_id: str, domain: str) -> SheetRecord:
    row = session.get(LabelSheetRow, (video_id, domain))
    if row is not None:
        return _to_sheet(row)
    get_row(session, VideoRow, video_id, "video")
    return SheetRecord(video_id, domain, 0, (), "new", "", "", NEVER_MIRRORED, None)


def _read_changes(
    session: Session, video_id: str, domain: str, seq: int, since: int, limit: int
) -> Changes:
    if since > seq or since < 0:
        return Changes(seq, None)
    query = (
        select(LabelOperationRow)
        .where(
            LabelOperationRow.video_id == video_id,
            LabelOperationRow.domain == domain,
            LabelOperationRow.seq > since,
        )
        .order_by(LabelOperationRow.seq)
        .limit(limit + 1)
    )
    found = [_to_change(row) for row in session.scalars(query)]
    if len(found) > limit:
        return Changes(seq, None)
    return Changes(found[-1].seq if found else seq, tuple(found))


def _check_seq(sheet: SheetRecord, seq: int) -> None:
    if not 0 <= seq <= sheet.seq:
        raise InvalidInputError(
            f"these labels have the changes 0 to {sheet.seq}, so there is no state after {seq}"
        )


def _to_sheet(row: LabelSheetRow) -> SheetRecord:
    return SheetRecord(
        video_id=row.video_id,
        domain=row.domain,
        seq=row.seq,
        coverage=coverage_from_json(row.coverage),
        status=row.status,
        assignee=row.assignee,
        note=row.note,
        mirrored_seq=row.mirrored_seq,
        updated_at=row.updated_at,
    )


def _to_change(row: LabelOperationRow) -> Change:
    return Change(
        seq=row.seq or 0,
        op=row.id,
        client=row.client,
        author=row.author,
        kind=row.kind,
        event_id=row.event_id,
        before=row.before,
        after=row.after,
        at=row.created_at,
    )
