"""Running what a domain brings as code: a failure is told with its origin and stops nothing.

Invariant: nothing that a hook does or returns raises here; what it changes is a copy.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from prismata.core.events import Event
from prismata.domains.relations import Remark, check_length
from prismata.domains.reporting import DerivedEvent, ReportSection, ReportVideo

if TYPE_CHECKING:
    from prismata.core.scores import ScoreTrack
    from prismata.domains.spec import Domain

Result = TypeVar("Result")

MAX_REMARKS = 1000
MAX_DERIVED = 20_000
"""Of one video. A hook that never stops yielding must not fill the memory."""


@dataclass(frozen=True, slots=True)
class HookFailure:
    """A hook that raised, or returned what it must not, and where."""

    domain: str
    hook: str
    message: str
    """What was raised, or what is wrong with what came back."""
    file: str
    """Of the plugin; may be empty."""
    line: int
    """Where in that file; 0: not known."""

    def __str__(self) -> str:
        where = f" ({self.file}{f', line {self.line}' if self.line else ''})" if self.file else ""
        return f"the {self.hook} hook of domain {self.domain!r} failed: {self.message}{where}"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What rules and the review hook of a domain say about the labels of one video."""

    remarks: tuple[Remark, ...]
    """Those about the video as a whole first, then by time."""
    failure: HookFailure | None = None


@dataclass(frozen=True, slots=True)
class Derived:
    """What follows from the events of one video."""

    events: tuple[DerivedEvent, ...] = ()
    """By time."""
    failure: HookFailure | None = None


def check_labels(domain: Domain, events: Sequence[Event]) -> Reviewed:
    """Return everything that looks wrong in one video's labels.

    Lengths, rules between events and the review hook speak alike.

    Args:
        domain: Whose rules.
        events: The labels, in any order; rejected ones left out.
    """
    ordered = _by_time(events)
    types = {item.name: item for item in domain.event_types}
    remarks = [
        remark
        for event in ordered
        if event.event_type in types
        and (remark := check_length(event, types[event.event_type])) is not None
    ]
    for relation in domain.relations:
        remarks += relation.check(ordered, types)

    def ask() -> list[Remark]:
        said: Iterable[object] = islice(domain.review(ordered), MAX_REMARKS)
        return [_remark(item) for item in said]

    own, failure = _run(domain, "review", ask)
    remarks += own or []
    remarks.sort(key=lambda item: -1 if item.event is None else item.event.start_us)
    return Reviewed(tuple(remarks), failure)


def derive_events(domain: Domain, events: Sequence[Event], scores: ScoreTrack | None) -> Derived:
    """Return what follows from the events of one video; nothing where nothing is declared.

    Args:
        domain: Whose hook.
        events: What was found or labelled, in any order.
        scores: What the model thought of every instant; None if no model did.
    """
    if not domain.derived_types:
        return Derived()
    types = {item.name: item for item in domain.derived_types}

    def ask() -> list[DerivedEvent]:
        said: Iterable[object] = domain.derive(_by_time(events), scores)
        made = []
        for item in islice(said, MAX_DERIVED):
            derived = item if isinstance(item, DerivedEvent) else DerivedEvent(_event(item))
            kind = types.get(_event(derived.event).event_type)
            if kind is None:
                raise _UnfitError(
                    f"it made {derived.event.event_type!r}, which is none of its derived types "
                    f"({', '.join(types)})"
                )
            if kind.kind != derived.event.kind:
                raise _UnfitError(f"it made a {derived.event.kind} of {kind.name!r}")
            if not isinstance(derived.title, str):
                raise _UnfitError(f"the title of a derived event is text, not {derived.title!r}")
            made.append(DerivedEvent(derived.event, derived.title or kind.title))
        return sorted(made, key=lambda item: _when(item.event))

    made, failure = _run(domain, "derive", ask)
    return Derived(tuple(made or ()), failure)


def ask_section(
    domain: Domain, videos: Sequence[ReportVideo]
) -> tuple[ReportSection | None, HookFailure | None]:
    """Return the domain's own section of a report, or why there is none although it has one."""

    def ask() -> ReportSection | None:
        section: object = domain.report_section(tuple(videos))
        if section is not None and not isinstance(section, ReportSection):
            raise _UnfitError(f"it returned {section!r:.80}; return a ReportSection or None")
        return section

    return _run(domain, "report_section", ask)


def _by_time(events: Sequence[Event]) -> tuple[Event, ...]:
    # Not by the events' own order: one with a score and one without are both welcome.
    return tuple(sorted(events, key=_when))


def _when(event: Event) -> tuple[int, int, str]:
    return event.start_us, event.end_us, event.event_type


class _UnfitError(Exception):
    """What a hook returned cannot be used; the text says why."""


def _run(
    domain: Domain, hook: str, ask: Callable[[], Result]
) -> tuple[Result | None, HookFailure | None]:
    # Hooks are foreign code: whatever one raises is told where its result would stand, and must
    # not take the page or report with it.
    try:
        return ask(), None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - told as a failure
        return None, _failure(domain, hook, error)


def _failure(domain: Domain, hook: str, error: BaseException) -> HookFailure:
    text = " ".join(str(error).split())[:300]
    if isinstance(error, _UnfitError):
        message = text
    else:
        message = f"{type(error).__name__}: {text}" if text else type(error).__name__
    code = getattr(getattr(type(domain), hook), "__code__", None)
    file, line = (code.co_filename, code.co_firstlineno) if code else ("", 0)
    # The last line of the plugin's own files: what it called into says less to its author.
    folder = domain.folder
    for frame in traceback.extract_tb(error.__traceback__):
        if folder is not None and frame.filename.startswith(str(folder)):
            file, line = frame.filename, frame.lineno or 0
    if folder is not None and file.startswith(str(folder)):
        file = f"{folder.name}{file.removeprefix(str(folder))}"
    return HookFailure(domain.name, hook, message, file, line)


def _remark(item: object) -> Remark:
    remark = Remark(item) if isinstance(item, str) else item
    if not isinstance(remark, Remark):
        raise _UnfitError(f"it yielded {item!r:.80}; yield a sentence, or a Remark with its event")
    sentence: Any = remark.sentence
    if not isinstance(sentence, str) or not sentence.strip():
        raise _UnfitError("it yielded an empty sentence")
    if remark.event is not None:
        _event(remark.event)
    return remark


def _event(item: object) -> Event:
    if not isinstance(item, Event):
        raise _UnfitError(f"it made {item!r:.80}; make an Event or a DerivedEvent")
    return item
