"""Say what an import would do, before anything is done.

Invariant: every row of the file ends up in exactly one place of the plan: an event, a false
positive, an unmatched video, an unknown or ignored label, or a finding that leaves it out.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.time import FrameTimeline, format_time
from prismata.formats.table import EventRow
from prismata.formats.video_names import MatchedBy, NameMatch, match_videos

LAST_FRAME_SLACK_US = 500_000
"""A point at most this far past the end was rounded, not misplaced: it takes the last frame."""

KnownVideos = Mapping[str, tuple[str, FrameTimeline]]
"""Our name or path of a video → its id and timeline."""

FindingCode = Literal[
    "cut_at_end",
    "cut_at_start",
    "moved_to_last_frame",
    "used_onset",
    "past_end",
    "before_start",
    "empty",
    "duplicate",
    "kind_mismatch",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one row that a person should know before importing."""

    code: FindingCode
    video: str
    label: str
    source_line: int
    message: str
    left_out: bool
    """Whether the row will not be imported; otherwise it is imported as the message says."""


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """One event as it would be stored."""

    event: Event
    source_line: int


@dataclass(frozen=True, slots=True)
class PlannedVideo:
    """What one video would get."""

    video_id: str
    name: str
    source_name: str
    matched_by: MatchedBy
    events: tuple[PlannedEvent, ...]
    false_positives: tuple[PlannedEvent, ...]
    """Stretches checked and found to be nothing; segments or points as the file has them."""

    @property
    def is_empty(self) -> bool:
        """Whether the file speaks of this video, but of no event that is asked for."""
        return not (self.events or self.false_positives)


@dataclass(frozen=True, slots=True)
class UnmatchedVideo:
    """A name in the file that means none of our videos, or more than one."""

    name: str
    num_rows: int
    reason: str
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnknownLabel:
    """A label without an event type."""

    label: str
    num_rows: int
    suggestion: str | None
    """The event type whose name looks most like it, if any does."""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would do; nothing has been written."""

    num_rows: int
    videos: tuple[PlannedVideo, ...]
    unmatched: tuple[UnmatchedVideo, ...]
    unknown_labels: tuple[UnknownLabel, ...]
    ignored_labels: dict[str, int]
    """Label that the map sends nowhere → number of rows."""
    findings: tuple[Finding, ...]

    @property
    def num_events(self) -> int:
        """Events that would be stored."""
        return sum(len(video.events) for video in self.videos)

    @property
    def num_false_positives(self) -> int:
        """Hard negatives that would be stored."""
        return sum(len(video.false_positives) for video in self.videos)

    @property
    def num_left_out(self) -> int:
        """Rows that would not be stored."""
        return self.num_rows - self.num_events - self.num_false_positives

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        totals = {
            "num_events": self.num_events,
            "num_false_positives": self.num_false_positives,
            "num_left_out": self.num_left_out,
        }
        return {**asdict(self), **totals}

    def summary_lines(self) -> list[str]:
        """Return what a person needs to decide, most important first."""
        negatives = self.num_false_positives
        empty = [video for video in self.videos if video.is_empty]
        also = f" and {_count(negatives, 'false positive')}" if negatives else ""
        lines = [
            f"{_count(self.num_rows, 'row')}: {_count(self.num_events, 'event')}{also} for "
            f"{_count(len(self.videos) - len(empty), 'video')} would be imported, "
            f"{self.num_left_out} left out."
        ]
        if empty:
            lines.append(
                f"{_count(len(empty), 'video')} would get no event: a complete import takes it "
                f"that nothing of this happens there, for example in {empty[0].name!r}."
            )
        lines += [
            f"Unknown label {item.label!r} ({_count(item.num_rows, 'row')})"
            + (f": did you mean {item.suggestion!r}?" if item.suggestion else ".")
            for item in self.unknown_labels
        ]
        lines += [
            f"Video {item.name!r} ({_count(item.num_rows, 'row')}): {item.reason}."
            for item in self.unmatched
        ]
        lines += [
            f"Ignored as asked: label {label!r} ({_count(count, 'row')})."
            for label, count in self.ignored_labels.items()
        ]
        lines += [
            f"{item.source_name!r} is taken to be {item.name!r} (same {item.matched_by})."
            for item in self.videos
            if item.matched_by != "exact"
        ]
        return lines + [
            f"{item.video}, line {item.source_line}: {item.message}." for item in self.findings
        ]


def plan_import(
    rows: Sequence[EventRow],
    videos: KnownVideos,
    event_types: Sequence[EventType],
    *,
    label_map: Mapping[str, str] | None = None,
    onset: Collection[str] = (),
) -> ImportPlan:
    """Plan how the rows of a file become events of our videos.

    Args:
        rows: From any reader of this room; rows of several files can be joined.
        videos: Our videos.
        event_types: What the domain knows.
        label_map: Label in the file → event type name, or the empty string to ignore the label. A
            label that is not in it matches an event type by name or title, case aside.
        onset: Point event types for which a segment's start is the event ("score its onset").
            Without it a segment labelled as a point type is left out and reported.

    Raises:
        InvalidInputError: If the map or `onset` names an unknown event type.
    """
    planner = _Planner(videos, event_types, dict(label_map or {}), frozenset(onset))
    return planner.plan(rows)


@dataclass(slots=True)
class _Draft:
    match: NameMatch
    events: list[PlannedEvent] = field(default_factory=list)
    false_positives: list[PlannedEvent] = field(default_factory=list)
    seen: set[tuple[Event, bool]] = field(default_factory=set)


class _Planner:
    def __init__(
        self,
        videos: KnownVideos,
        event_types: Sequence[EventType],
        label_map: Mapping[str, str],
        onset: frozenset[str],
    ) -> None:
        self._videos = videos
        self._types = {item.name: item for item in event_types}
        self._map = label_map
        self._onset = onset
        self._by_words = {_words(item.title): item.name for item in event_types}
        self._by_words |= {_words(item.name): item.name for item in event_types}
        self._findings: list[Finding] = []
        for name in sorted({*label_map.values(), *onset} - {"", *self._types}):
            raise InvalidInputError(
                f"there is no event type {name!r} to import into; known are "
                f"{', '.join(self._types) or 'none'}"
            )
        for name in sorted(onset):
            if self._types[name].kind != "point":
                raise InvalidInputError(
                    f"the onset is asked for {name!r}, but that is a segment event; only point "
                    "events are one instant"
                )

    def plan(self, rows: Sequence[EventRow]) -> ImportPlan:
        matches = match_videos(dict.fromkeys(row.video for row in rows), self._videos.keys())
        drafts: dict[str, _Draft] = {}
        unmatched: Counter[str] = Counter()
        unknown: Counter[str] = Counter()
        ignored: Counter[str] = Counter()
        for row in rows:
            match = matches[row.video]
            type_name = self._type_name(row.label)
            if type_name == "":
                ignored[row.label] += 1
                if match.known is not None:
                    # Somebody looked at it, and found nothing of what is asked for here.
                    drafts.setdefault(row.video, _Draft(match))
            elif match.known is None:
                unmatched[row.video] += 1
            elif type_name is None:
                unknown[row.label] += 1
            else:
                draft = drafts.setdefault(row.video, _Draft(match))
                self._add(draft, row, self._types[type_name])
        return ImportPlan(
            num_rows=len(rows),
            videos=tuple(self._planned(draft) for draft in drafts.values()),
            unmatched=tuple(_unmatched(matches[name], count) for name, count in unmatched.items()),
            unknown_labels=tuple(
                UnknownLabel(label, count, self._suggestion(label))
                for label, count in unknown.items()
            ),
            ignored_labels=dict(ignored),
            findings=tuple(self._findings),
        )

    def _type_name(self, label: str) -> str | None:
        if label in self._map:
            return self._map[label]
        return self._by_words.get(_words(label))

    def _suggestion(self, label: str) -> str | None:
        close = difflib.get_close_matches(_words(label), list(self._by_words), n=1, cutoff=0.5)
        return self._by_words[close[0]] if close else None

    def _planned(self, draft: _Draft) -> PlannedVideo:
        known = draft.match.known or ""
        return PlannedVideo(
            video_id=self._videos[known][0],
            name=known,
            source_name=draft.match.name,
            matched_by=draft.match.matched_by or "exact",
            events=tuple(sorted(draft.events, key=lambda item: item.event)),
            false_positives=tuple(sorted(draft.false_positives, key=lambda item: item.event)),
        )

    def _add(self, draft: _Draft, row: EventRow, event_type: EventType) -> None:
        timeline = self._videos[draft.match.known or ""][1]
        # A false positive is a stretch of video whatever kind of event it is not.
        kind = row.kind if row.false_positive else event_type.kind
        start_us, end_us = _times_us(row, timeline)
        if kind != row.kind:
            if kind == "segment" or event_type.name not in self._onset:
                self._leave_out(row, "kind_mismatch", _mismatch(row, event_type))
                return
            self._report(row, "used_onset", f"the start of {row.label!r} is used as the instant")
        if kind == "point":
            event = self._point(row, event_type.name, start_us, timeline)
        else:
            event = self._segment(row, event_type.name, start_us, end_us, timeline)
        if event is None:
            return
        if (event, row.false_positive) in draft.seen:
            self._leave_out(row, "duplicate", f"{row.label!r} is there twice; one is enough")
            return
        draft.seen.add((event, row.false_positive))
        target = draft.false_positives if row.false_positive else draft.events
        target.append(PlannedEvent(event, row.source_line))

    def _point(
        self, row: EventRow, name: str, time_us: int, timeline: FrameTimeline
    ) -> Event | None:
        if time_us < 0:
            message = f"{row.label!r} lies before the video starts ({format_time(time_us)})"
            self._leave_out(row, "before_start", message)
            return None
        over_us = time_us - timeline.duration_us
        if over_us > LAST_FRAME_SLACK_US:
            self._leave_out(row, "past_end", _past_end(row, time_us, timeline))
            return None
        if over_us >= 0:
            time_us = timeline.start_us(len(timeline) - 1)
            self._report(
                row,
                "moved_to_last_frame",
                f"{row.label!r} lies just past the end ({format_time(timeline.duration_us)}) and "
                f"is moved to the last frame ({format_time(time_us)})",
            )
        return Event.point(name, time_us)

    def _segment(
        self, row: EventRow, name: str, start_us: int, end_us: int, timeline: FrameTimeline
    ) -> Event | None:
        duration_us = timeline.duration_us
        if end_us <= start_us:
            message = (
                f"{row.label!r} ends ({format_time(end_us)}) no later than it starts "
                f"({format_time(start_us)})"
            )
            self._leave_out(row, "empty", message)
            return None
        if end_us <= 0:
            self._leave_out(row, "before_start", f"{row.label!r} ends before the video starts")
            return None
        if start_us >= duration_us:
            self._leave_out(row, "past_end", _past_end(row, start_us, timeline))
            return None
        if start_us < 0:
            message = f"{row.label!r} starts before the video and is cut at its start"
            self._report(row, "cut_at_start", message)
        if end_us > duration_us:
            self._report(
                row,
                "cut_at_end",
                f"{row.label!r} ends at {format_time(end_us)}, but the video at "
                f"{format_time(duration_us)}; it is cut there",
            )
        return Event.segment(name, max(0, start_us), min(end_us, duration_us))

    def _report(self, row: EventRow, code: FindingCode, message: str) -> None:
        finding = Finding(code, row.video, row.label, row.source_line, message, left_out=False)
        self._findings.append(finding)

    def _leave_out(self, row: EventRow, code: FindingCode, message: str) -> None:
        text = f"left out: {message}"
        finding = Finding(code, row.video, row.label, row.source_line, text, left_out=True)
        self._findings.append(finding)


def _times_us(row: EventRow, timeline: FrameTimeline) -> tuple[int, int]:
    """Return start and end of a row on the video's clock, possibly outside the video."""
    if row.start_frame is not None:
        start_us = _frame_edge_us(row.start_frame, timeline)
    elif row.start_us is not None:
        start_us = row.start_us
    else:
        raise InvalidInputError(
            f"line {row.source_line} of the event table has neither a time nor a frame"
        )
    if row.end_frame is not None:
        return start_us, _frame_edge_us(row.end_frame + 1, timeline)
    return start_us, start_us if row.end_us is None else row.end_us


def _frame_edge_us(frame_index: int, timeline: FrameTimeline) -> int:
    """Return when a frame appears; for frames that do not exist, about where they would be."""
    if 0 <= frame_index < len(timeline):
        return timeline.start_us(frame_index)
    beyond = frame_index if frame_index < 0 else frame_index - len(timeline)
    # Never stored: it only says on which side, and how far, a row misses the video.
    missed_us = beyond * timeline.duration_us // len(timeline)
    return missed_us if frame_index < 0 else timeline.duration_us + missed_us


def _unmatched(match: NameMatch, num_rows: int) -> UnmatchedVideo:
    if match.rivals:
        rivals = ", ".join(repr(name) for name in match.rivals)
        reason = f"{rivals} would mean the same video, {match.candidates[0]!r}"
    elif match.candidates:
        reason = f"it could mean {' or '.join(repr(name) for name in match.candidates)}"
    else:
        reason = "there is no such video; add it to the library first"
    return UnmatchedVideo(match.name, num_rows, reason, match.candidates)


def _mismatch(row: EventRow, event_type: EventType) -> str:
    if event_type.kind == "point":
        return (
            f"{row.label!r} is a stretch, but {event_type.name!r} is an instant; "
            "choose its onset to import the start"
        )
    return f"{row.label!r} is an instant, but {event_type.name!r} is a stretch with two ends"


def _past_end(row: EventRow, time_us: int, timeline: FrameTimeline) -> str:
    return (
        f"{row.label!r} at {format_time(time_us)} lies past the end of the video "
        f"({format_time(timeline.duration_us)})"
    )


def _words(text: str) -> str:
    return " ".join(text.replace("_", " ").replace("-", " ").casefold().split())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
