"""Review: what a model found is accepted, corrected or rejected, and becomes labels.

Invariant: a prediction is no label until a person decided. Each decision is stored with model,
threshold, reviewer and time in the transaction that changes the labels, and can be taken back.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace

from prismata.catalog import (
    Change,
    Decision,
    ModelRecord,
    ReviewDecision,
    ReviewReason,
    VideoRecord,
)
from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError
from prismata.core.events import Event
from prismata.core.operations import Operation, State, inverse, own_fields
from prismata.core.time import FrameTimeline, TimeSpan
from prismata.services.annotate import LabelDesk, cover_operation
from prismata.services.review_context import (
    context_operation,
    context_taken_back,
    still_open,
)
from prismata.services.review_items import (
    ReviewItem,
    RunShelf,
    card_of,
    item_event_id,
    item_key,
    newest_runs,
    open_items,
    stratum_of,
)
from prismata.services.review_queue import ReviewCard, ReviewOrder, choose_cards
from prismata.services.review_rest import Rest, judge_rest
from prismata.services.workbench import Workbench

_STATES: dict[Decision, str] = {
    "accepted": "accepted",
    "corrected": "corrected",
    "rejected": "rejected",
    "unsure": "unsure",
}


@dataclass(frozen=True, slots=True)
class ReviewQueue:
    """The next cards of a model, and how good the rest is."""

    model: ModelRecord
    cards: tuple[ReviewCard, ...]
    rest: Rest
    decided: int
    """Decisions about this model's candidates that stand."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person says about one item."""

    id: str
    """32 hexadecimal digits, new for each verdict; sent twice it counts once."""
    run_id: str
    event_type: str
    """As the model said; empty for a stretch."""
    span: TimeSpan
    """As the model said."""
    decision: Decision
    reason: ReviewReason
    doubt: float = 0.0
    corrected: Event | None = None
    """What it really is, for `corrected`."""
    found: tuple[Event, ...] = ()
    """What a person saw in a stretch."""
    seen: tuple[TimeSpan, ...] = ()
    """What was really played of the video while the item was looked at. But for labels there is
    nothing in it: that is how a model learns what lies around an event. Empty = nothing is said."""


class ReviewDesk:
    """Queues and decisions; one for each process that reviews.

    Args:
        bench: The workbench.
        labels: Where decisions become labels.
    """

    def __init__(self, bench: Workbench, labels: LabelDesk) -> None:
        self._bench = bench
        self._labels = labels
        self._shelf = RunShelf(bench)

    def queue(
        self,
        domain: str,
        model_name: str = "",
        *,
        order: ReviewOrder = "doubt",
        event_type: str = "",
        limit: int = 20,
        skip: Collection[str] = (),
    ) -> ReviewQueue:
        """Return what to look at next.

        Args:
            domain: Name of the domain.
            model_name: Name or id; empty = the one in production, else the newest.
            order: How cards are chosen.
            event_type: Only candidates of this type, beside the random controls; empty = all.
            limit: So many cards at most.
            skip: Keys of items that somebody has on screen already.

        Raises:
            NotFoundError: If there is no such domain or model, or the model has looked at nothing.
        """
        model = self.model(domain, model_name)
        items = open_items(self._bench, self._shelf, model)
        decisions = self._bench.catalog.reviews.list(domain, model_id=model.id)
        left = [item for item in items if item.key not in skip]
        wanted = [
            item
            for item in left
            if item.event is not None and event_type in ("", item.event.event_type)
        ]
        cards = choose_cards(wanted, left, decisions, order=order, limit=limit)
        return ReviewQueue(model, tuple(cards), judge_rest(items, decisions), len(decisions))

    def model(self, domain: str, name: str = "") -> ModelRecord:
        """Return the model whose findings are reviewed.

        Raises:
            NotFoundError: If there is none, or it has looked at no video; says what to do.
        """
        self._bench.domain(domain)
        models = self._bench.catalog.models
        model = models.find(name) if name else models.latest(domain)
        if model is None:
            raise NotFoundError(
                f"there is no model for {domain!r} yet; train one with `prismata train {domain}`"
            )
        if model.domain != domain:
            raise NotFoundError(
                f"model {model.name!r} belongs to {model.domain!r}, not to {domain!r}"
            )
        if not newest_runs(self._bench, model):
            raise NotFoundError(
                f"model {model.name!r} has looked at no video yet; run `prismata detect VIDEO "
                f"--model {model.name}`, or Detect in the browser"
            )
        return model

    def item(self, key: str) -> ReviewItem:
        """Return what is open under this key.

        Raises:
            NotFoundError: If nothing is: somebody judged it, or it never was there.
        """
        run = self._bench.catalog.detections.get(key.partition(":")[0])
        model = self._bench.catalog.models.get(run.model_id)
        for item in open_items(self._bench, self._shelf, model):
            if item.key == key:
                return item
        raise NotFoundError(
            f"nothing is open under the key {key!r}; somebody may have judged it, look at the "
            "queue again"
        )

    def curve(self, item: ReviewItem, span: TimeSpan) -> list[tuple[int, float]]:
        """Return `(time in microseconds, score)` of an item's event type inside a stretch."""
        if item.event is None:
            return []
        looked = self._shelf.get(self._bench.catalog.detections.get(item.run_id))
        inside = (looked.track.times_us >= span.start_us) & (looked.track.times_us < span.end_us)
        column = looked.track.column(item.event.event_type)[inside]
        times = looked.track.times_us[inside]
        return [(int(us), round(float(score), 4)) for us, score in zip(times, column, strict=True)]

    def decide(self, verdict: Verdict, reviewer: str, *, domain: str = "") -> ReviewDecision:
        """Make a decision durable, and a label of it.

        Args:
            verdict: What a person says.
            reviewer: Who says it.
            domain: The only one that may be decided about; empty = any.

        Raises:
            NotFoundError: If run, video or domain are gone, or the run belongs to another domain.
            InvalidInputError: If the item is none of that run, or what it was corrected to cannot
                be; nothing was changed.
            ConflictError: If somebody else decided otherwise meanwhile; nothing was changed.
        """
        run = self._bench.catalog.detections.get(verdict.run_id)
        model = self._bench.catalog.models.get(run.model_id)
        if domain not in ("", model.domain):
            raise NotFoundError(f"the run {run.id!r} belongs to another domain than {domain!r}")
        video = self._bench.catalog.videos.get(run.video_id)
        if verdict.decision == "watched":
            operations = self._watch(verdict, video, model.domain)
            decision = _decision(verdict, model, video.id, None)
        else:
            candidate = self._candidate(verdict)
            decision = _decision(verdict, model, video.id, candidate)
            operations = [self._label(verdict, decision, video, candidate[0])]
        answer = self._labels.apply(
            video.id, model.domain, operations, reviewer, since=None, decisions=[decision]
        )
        for result in answer.results:
            if result.status == "conflict":
                raise ConflictError(
                    f"somebody else decided about this {decision.event_type or 'stretch'} in "
                    f"{video.name!r} meanwhile; their decision stands"
                )
            if result.status == "refused":
                raise InvalidInputError(result.message)
        # After the label, and only with it: lost in between, less is known, and nothing is wrong.
        context = self._context(verdict, video, model.domain)
        if context:
            self._labels.apply(video.id, model.domain, context, reviewer, since=None)
        return decision

    def undo(self, decision_id: str, reviewer: str, *, domain: str = "") -> None:
        """Take a decision back, and the label that it made.

        Args:
            decision_id: Its id.
            reviewer: Who takes it back.
            domain: The only one in which something may be taken back; empty = any.

        Raises:
            NotFoundError: If there is no such decision.
            ConflictError: If somebody changed the label since; nothing was changed.
        """
        decision = self._bench.catalog.reviews.get(decision_id)
        if domain not in ("", decision.domain):
            raise NotFoundError(f"there is no decision {decision_id!r} in {domain!r}")
        labels = self._bench.catalog.labels
        ids = [decision_id, *(_part_id(decision_id, i) for i in range(decision.found))]
        changes = [labels.change(part) for part in ids]
        changed = ConflictError(
            "somebody changed this label since, so the decision stays; look at it in the label "
            "station"
        )
        if any(self._is_changed(change) for change in changes):
            raise changed
        operations = [
            inverse(
                Operation(
                    done.op,
                    done.client,
                    0,
                    done.kind,
                    done.event_id,
                    _own(done.before),
                    _own(done.after),
                ),
                _part_id(f"undo:{done.op}", number),
                0,
            )
            for number, done in enumerate(changes)
        ]
        operations += self._context_taken_back(decision)
        answer = self._labels.apply(
            decision.video_id, decision.domain, operations, reviewer, since=None
        )
        if any(result.status == "conflict" for result in answer.results):
            raise changed

    def _is_changed(self, change: Change) -> bool:
        """Say whether the label that a change made is another one now; one that is gone is not."""
        if change.kind != "create" or change.after is None:
            return False
        with suppress(NotFoundError):
            standing = self._bench.catalog.events.get(change.event_id)
            return standing.revision != int(change.after["revision"])
        return False

    def accept_above(
        self, domain: str, model_name: str, event_type: str, score: float, reviewer: str
    ) -> list[ReviewDecision]:
        """Accept every open event of a type from a score on, without anybody looking.

        Raises:
            NotFoundError: As `queue`.
            InvalidInputError: If the score lies below the threshold: nobody is shown those.
        """
        model = self.model(domain, model_name)
        items = [
            item
            for item in open_items(self._bench, self._shelf, model)
            if item.event is not None and item.event.event_type == event_type
        ]
        lowest = max((item.threshold or 0.0 for item in items), default=0.0)
        if score < lowest:
            raise InvalidInputError(
                f"a score of {score:.2f} lies below the threshold {lowest:.2f} of {event_type!r}, "
                "so most of what would be accepted is not shown; choose a higher one"
            )
        return [
            self.decide(
                Verdict(
                    id=uuid.uuid4().hex,
                    run_id=item.run_id,
                    event_type=event_type,
                    span=item.span,
                    decision="accepted",
                    reason="bulk",
                    doubt=item.doubt.value,
                ),
                reviewer,
            )
            for item in items
            if item.event is not None and (item.event.score or 0.0) >= score
        ]

    def _candidate(self, verdict: Verdict) -> tuple[Event, float]:
        looked = self._shelf.get(self._bench.catalog.detections.get(verdict.run_id))
        for event in looked.candidates:
            if (event.event_type, event.span) == (verdict.event_type, verdict.span):
                return event, looked.thresholds[event.event_type]
        raise InvalidInputError(
            f"this run found no {verdict.event_type!r} from {verdict.span.start_us} to "
            f"{verdict.span.end_us} us; load the queue again"
        )

    def _label(
        self, verdict: Verdict, decision: ReviewDecision, video: VideoRecord, event: Event
    ) -> Operation:
        rules = self._labels.rules(video.id, decision.domain)
        meant = verdict.corrected if verdict.decision == "corrected" else event
        if meant is None:
            raise InvalidInputError("a correction says what the event really is; nothing was said")
        state = _state(on_frames(meant, rules.timeline), _STATES[verdict.decision])
        state["attributes"] = {
            "source": {
                "run": decision.run_id,
                "model": self._bench.catalog.models.get(decision.model_id).name,
                "digest": decision.model_digest,
                "score": event.score,
                "threshold": decision.threshold,
            }
        }
        return Operation(verdict.id, "review", 0, "create", decision.event_id, None, state)

    def _context(self, verdict: Verdict, video: VideoRecord, domain: str) -> list[Operation]:
        """Return what says that the time around an item was watched; nothing of doubtful items."""
        if verdict.decision in ("unsure", "watched") or not verdict.seen:
            return []
        looked = self._shelf.get(self._bench.catalog.detections.get(verdict.run_id))
        catalog = self._bench.catalog
        labels = catalog.events.list(video_id=video.id, domain=domain, origin="annotation")
        judged = [label.event for label in labels]
        judged += [] if verdict.corrected is None else [verdict.corrected]
        own = (verdict.event_type, verdict.span)
        operation = context_operation(
            _context_id(verdict.id),
            verdict.seen,
            still_open(
                [event for event in looked.candidates if (event.event_type, event.span) != own],
                judged,
                [label.event for label in labels if label.review_state == "unsure"],
                self._bench.domain(domain).tolerances_us(),
            ),
            catalog.labels.sheet(video.id, domain).coverage,
            duration_us=video.duration_us,
        )
        return [] if operation is None else [operation]

    def _context_taken_back(self, decision: ReviewDecision) -> list[Operation]:
        labels = self._bench.catalog.labels
        try:
            made = labels.change(_context_id(decision.id))
        except NotFoundError:
            return []
        sheet = labels.sheet(decision.video_id, decision.domain)
        return [
            context_taken_back(
                _part_id(f"undo:{made.op}", 0),
                made.op,
                made.before or {},
                made.after or {},
                sheet.coverage,
            )
        ]

    def _watch(self, verdict: Verdict, video: VideoRecord, domain: str) -> list[Operation]:
        rules = self._labels.rules(video.id, domain)
        states = [
            {**_state(on_frames(event, rules.timeline), "none"), "attributes": {}}
            for event in verdict.found
        ]
        for state in states:  # before the stretch counts as watched: all of it or nothing
            rules.check(state, None)
        coverage = self._bench.catalog.labels.sheet(video.id, domain).coverage
        cover = cover_operation(verdict.id, verdict.span, coverage)
        made = [
            Operation(
                _part_id(verdict.id, number),
                "review",
                0,
                "create",
                _part_id(f"event:{verdict.id}", number),
                None,
                state,
            )
            for number, state in enumerate(states)
        ]
        return [cover, *made]


def on_frames(event: Event, timeline: FrameTimeline) -> Event:
    """Return an event whose edges lie on those of frames, as in the label station.

    Raises:
        OutsideVideoError: If it begins after the video.
    """
    first = timeline.index_at(event.start_us)
    start_us = timeline.start_us(first)
    if event.kind == "point":
        return replace(event, start_us=start_us, end_us=start_us)
    edges = [
        timeline.span(index)
        for index in (first, timeline.index_at(min(event.end_us, timeline.duration_us) - 1))
    ]
    start_us = min(edges[0].start_us, edges[0].end_us, key=lambda us: abs(us - event.start_us))
    end_us = min(edges[1].start_us, edges[1].end_us, key=lambda us: abs(us - event.end_us))
    if end_us <= start_us:
        start_us, end_us = edges[0].start_us, edges[0].end_us
    return replace(event, start_us=start_us, end_us=end_us)


def _decision(
    verdict: Verdict, model: ModelRecord, video_id: str, candidate: tuple[Event, float] | None
) -> ReviewDecision:
    """Return what is stored of a verdict.

    Args:
        verdict: What a person said.
        model: Whose candidate it is.
        video_id: Where.
        candidate: With the threshold of its type; None for a stretch.
    """
    event, threshold = candidate if candidate is not None else (None, None)
    score = None if event is None else event.score
    key = item_key(verdict.run_id, verdict.event_type, verdict.span)
    return ReviewDecision(
        id=verdict.id,
        video_id=video_id,
        domain=model.domain,
        run_id=verdict.run_id,
        model_id=model.id,
        model_digest=card_of(model).digest,
        event_id="" if event is None else item_event_id(key),
        event_type="" if event is None else event.event_type,
        start_us=verdict.span.start_us,
        end_us=verdict.span.end_us,
        score=score,
        threshold=threshold,
        stratum="unseen" if threshold is None else stratum_of(score or 0.0, threshold),
        reason=verdict.reason,
        doubt=verdict.doubt,
        decision=verdict.decision,
        found=len(verdict.found),
    )


def _state(event: Event, review_state: str) -> State:
    return {
        "start_us": event.start_us,
        "end_us": event.end_us,
        "event_type": event.event_type,
        "kind": event.kind,
        "review_state": review_state,
    }


def _own(state: State | None) -> State | None:
    """Return the part of an event's state that a person decides; other states as they are."""
    if state is None or "event_type" not in state:
        return state
    return own_fields(state)


def _context_id(decision_id: str) -> str:
    return _part_id(f"context:{decision_id}", 0)


def _part_id(owner: str, number: int) -> str:
    return hashlib.sha256(f"{owner}:{number}".encode()).hexdigest()[:32]
