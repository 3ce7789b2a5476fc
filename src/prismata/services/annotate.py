"""Annotate: edits of labels, checked against domain and video, made durable, then mirrored."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from prismata.catalog import Change, Changes, LoadedLabels, ReviewDecision, VideoRecord
from prismata.core.coverage import CoverageSpan
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.events import Event, check_attributes
from prismata.core.operations import Operation, OperationResult, State, cover_state, to_event
from prismata.core.time import FrameTimeline, TimeSpan, to_seconds
from prismata.domains import Domain
from prismata.services.label_checks import CheckedLabels, check_video
from prismata.services.label_mirror import MirrorWriter
from prismata.services.workbench import Workbench

KEPT_VIDEOS = 8
"""The frame table of two hours at 60 frames a second takes 7 MB."""


@dataclass(frozen=True, slots=True)
class DomainRules:
    """What may be labelled in one video of one domain, and on which frame it lies."""

    domain: Domain
    video: VideoRecord
    timeline: FrameTimeline

    @property
    def domain_version(self) -> int:
        """Version of the domain."""
        return self.domain.version

    def frame_at(self, start_us: int) -> tuple[int | None, int | None]:
        """Return index and source timestamp of the frame on screen at `start_us`.

        Raises:
            OutsideVideoError: If nothing is on screen then.
        """
        index = self.timeline.index_at(start_us)
        return index, self.timeline.source_pts(index)

    def check(self, state: State, standing: State | None) -> None:
        """Check the state of an event; what it was already (`standing`) may stay.

        So a label whose type a newer version of the domain dropped can be kept, moved, reviewed and
        removed, but no new one can be made. A rejected label may be a stretch in which an instant
        surely is not.

        Raises:
            InvalidInputError: If the domain does not declare it, or it lies outside the video.
        """
        event = to_event(state)
        before = None if standing is None else to_event(standing)
        is_rejected = state["review_state"] == "rejected"
        was_rejected = standing is not None and standing["review_state"] == "rejected"
        if before is None or event.event_type != before.event_type:
            self._check_type(event)
        if before is None or event.kind != before.kind or event.event_type != before.event_type:
            self._check_kind(event, is_rejected=is_rejected)
        elif was_rejected and not is_rejected:
            self._check_kind(event, is_rejected=False)
        if before is None or event.span != before.span:
            self._check_span(event)
        self._check_attributes(event, state, standing)

    def _check_attributes(self, event: Event, state: State, standing: State | None) -> None:
        """Check what is new among the attributes; what stood there before may stay."""
        known = {} if standing is None else standing["attributes"]
        new = {
            name: value for name, value in state["attributes"].items() if known.get(name) != value
        }
        for event_type in self.domain.event_types:
            if event_type.name == event.event_type and (why := check_attributes(event_type, new)):
                raise InvalidInputError(why)

    def _check_type(self, event: Event) -> None:
        if event.event_type not in self.domain.event_names:
            raise InvalidInputError(
                f"{self.domain.name!r} has no event type {event.event_type!r}; it has "
                f"{', '.join(self.domain.event_names)}"
            )

    def _check_kind(self, event: Event, *, is_rejected: bool) -> None:
        kinds = {item.name: item.kind for item in self.domain.event_types}
        kind = kinds.get(event.event_type, event.kind)
        if event.kind != kind and not is_rejected:
            raise InvalidInputError(f"{event.event_type!r} is a {kind}, not a {event.kind}")

    def _check_span(self, event: Event) -> None:
        self.timeline.index_at(event.start_us)
        if event.end_us > self.timeline.duration_us:
            raise InvalidInputError(
                f"the event ends at {to_seconds(event.end_us):.3f} s, but {self.video.name!r} "
                f"lasts {to_seconds(self.timeline.duration_us):.3f} s"
            )


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of operations, and what happened since the client last heard."""

    results: tuple[OperationResult, ...]
    changes: Changes


class LabelDesk:
    """Takes edits of labels, from any thread; one for each process that edits.

    It is closed with the workbench: what is not mirrored then is mirrored first.

    Args:
        bench: The workbench.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._mirror = MirrorWriter(bench)
        self._opened: OrderedDict[str, tuple[VideoRecord, FrameTimeline]] = OrderedDict()
        self._lock = threading.Lock()
        bench.at_close(self.close)

    def catch_up(self) -> None:
        """Mirror, in the background, what an earlier process acknowledged and did not mirror."""
        self._mirror.catch_up()

    def close(self) -> None:
        """Write the mirrors that are due."""
        self._mirror.close()

    def load(self, video_id: str, domain_name: str) -> LoadedLabels:
        """Return all labels of a video with their sheet.

        Raises:
            NotFoundError: If the domain does not exist, or the video is gone.
        """
        self._bench.domain(domain_name)
        with _said_in_words(video_id):
            return self._bench.catalog.labels.load(video_id, domain_name)

    def apply(
        self,
        video_id: str,
        domain_name: str,
        operations: Sequence[Operation],
        user: str,
        *,
        since: int | None,
        decisions: Sequence[ReviewDecision] = (),
    ) -> Answer:
        """Apply operations in order and return when they are durable.

        Args:
            video_id: The video.
            domain_name: The domain.
            operations: As the client made them; what was sent before is answered as then.
            user: Who made them.
            since: Number of the last change that the client knows; None = tell only these.
            decisions: What the operations say about a model's candidates, stored with them.

        Raises:
            NotFoundError: If the domain does not exist, or the video is gone.
        """
        rules = self.rules(video_id, domain_name)
        with _said_in_words(video_id):
            results, changes = self._bench.catalog.labels.apply_and_tell(
                video_id,
                domain_name,
                operations,
                user,
                rules,
                since=since,
                decisions=decisions,
            )
        if any(result.status == "applied" for result in results):
            self._mirror.mark(video_id, domain_name)
        return Answer(results, changes)

    def watch(self, video_id: str, domain_name: str, span: TimeSpan, user: str) -> Answer:
        """Say that somebody watched a stretch: where no label stands in it, there is nothing.

        Raises:
            NotFoundError: If the domain does not exist, or the video is gone.
        """
        coverage = self._bench.catalog.labels.sheet(video_id, domain_name).coverage
        operation = cover_operation(uuid.uuid4().hex, span, coverage)
        return self.apply(video_id, domain_name, [operation], user, since=None)

    def restore(
        self,
        video_id: str,
        domain_name: str,
        seq: int,
        operation: Operation,
        user: str,
        *,
        since: int,
    ) -> Answer:
        """Put labels, coverage and sheet back to what they were after change `seq`.

        `operation` lends its id and client; sent again it changes nothing.

        Raises:
            NotFoundError: If the domain does not exist, or the video is gone.
            InvalidInputError: If there is no such change.
        """
        self._bench.domain(domain_name)
        labels = self._bench.catalog.labels
        with _said_in_words(video_id):
            result = labels.restore(video_id, domain_name, seq, operation, user)
            self._mirror.mark(video_id, domain_name)
            return Answer((result,), labels.changes(video_id, domain_name, since))

    def changes(self, video_id: str, domain_name: str, since: int) -> Changes:
        """Return the changes after number `since`.

        Raises:
            NotFoundError: If the video is gone.
        """
        with _said_in_words(video_id):
            return self._bench.catalog.labels.changes(video_id, domain_name, since)

    def check(self, video_id: str, domain_name: str) -> CheckedLabels:
        """Return what is worth a second look in the labels of a video, as they are now.

        Raises:
            NotFoundError: If the domain does not exist, or the video is gone.
        """
        with _said_in_words(video_id):
            video = self._bench.catalog.videos.get(video_id)
        return check_video(self._bench, video, domain_name)

    def history(
        self, video_id: str, domain_name: str, *, before: int | None, limit: int
    ) -> list[Change]:
        """Return changes, newest first.

        Raises:
            NotFoundError: If the video is gone.
        """
        labels = self._bench.catalog.labels
        with _said_in_words(video_id):
            return labels.history(video_id, domain_name, before=before, limit=limit)

    def rules(self, video_id: str, domain_name: str) -> DomainRules:
        """Return what may be labelled in a video, with its timeline; kept for the last videos.

        Raises:
            NotFoundError: If the domain does not exist, or the video is gone.
        """
        domain = self._bench.domain(domain_name)
        with self._lock:
            known = self._opened.get(video_id)
            if known is not None:
                self._opened.move_to_end(video_id)
                return DomainRules(domain, *known)
        with _said_in_words(video_id):
            video = self._bench.catalog.videos.get(video_id)
        timeline = self._bench.timeline(video)
        with self._lock:
            self._opened[video_id] = (video, timeline)
            while len(self._opened) > KEPT_VIDEOS:
                self._opened.popitem(last=False)
        return DomainRules(domain, video, timeline)


def cover_operation(
    operation_id: str, span: TimeSpan, coverage: tuple[CoverageSpan, ...]
) -> Operation:
    """Return the operation that says of a stretch that it was watched.

    Args:
        operation_id: Its id.
        span: The stretch.
        coverage: What the sheet says so far.
    """
    seen = (CoverageSpan(span.start_us, span.end_us, "watched"),)
    before, after = (cover_state(span.start_us, span.end_us, spans) for spans in (coverage, seen))
    return Operation(operation_id, "workbench", 0, "cover", "", before, after)


@contextmanager
def _said_in_words(video_id: str) -> Iterator[None]:
    """Say of a video that is not there what that means for somebody who has it open."""
    try:
        yield
    except NotFoundError as error:
        raise NotFoundError(
            f"the video {video_id!r} is not in the library (any more); somebody may have removed "
            "it, and its labels with it, so nothing can be stored or shown"
        ) from error
