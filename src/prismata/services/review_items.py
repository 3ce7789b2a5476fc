"""What is open for review: candidates of a model that nobody judged, and time without any.

Invariant: an item is open as long as no label matches it and nobody watched its middle. Its key
says run, type and time, so it is the same item for everybody who looks.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from prismata.catalog import (
    DetectionRunRecord,
    EventRecord,
    ModelRecord,
    SheetRecord,
    VideoRecord,
)
from prismata.core.coverage import CoverageSpan, known_spans, unknown_spans
from prismata.core.events import Event
from prismata.core.jobs import JobState
from prismata.core.modelcard import ModelCard
from prismata.core.scores import ScoreTrack
from prismata.core.sketches import FeatureSketch
from prismata.core.time import TimeSpan, to_us
from prismata.evaluation.remainder import Stratum
from prismata.evaluation.thresholds import LOWEST_THRESHOLD
from prismata.postprocess import candidate_events
from prismata.services.detect import load_scores
from prismata.services.known_time import known_time
from prismata.services.regroup import used_rules
from prismata.services.review_doubt import (
    Doubt,
    DoubtKind,
    add_up,
    disagreement,
    edge_doubt,
    entropy,
    probability,
)
from prismata.services.review_novelty import LabelledLooks, labelled_looks, load_sketch
from prismata.services.workbench import Workbench

STRETCH_US = 5_000_000
"""A stretch without any candidate is watched in pieces of at most this length."""
SHORTEST_STRETCH_US = 500_000
SAME_TIOU = 0.3
"""As in the label station: segments that overlap so much are the same event."""
KEPT_RUNS = 256

_NO_DOUBT = Doubt(0.0, {})


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """One candidate event, or one stretch in which the model saw nothing."""

    key: str
    video: VideoRecord
    run_id: str
    stratum: Stratum
    span: TimeSpan
    event: Event | None
    """With its score; None for a stretch."""
    threshold: float | None
    probability: float | None
    """How likely it is true, as `review_doubt.probability` says."""
    doubt: Doubt

    @property
    def event_id(self) -> str:
        """The id that a label made of it gets: two who judge the same item make one label."""
        return item_event_id(self.key)

    @property
    def lot(self) -> str:
        """Its place in the order of random controls."""
        return hashlib.sha256(f"control:{self.key}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class LookedAt:
    """One finished run with all its candidates; never changes."""

    run: DetectionRunRecord
    track: ScoreTrack
    candidates: tuple[Event, ...]
    thresholds: dict[str, float]
    calibration: dict[str, dict[str, Any]]
    """Of the model card."""
    sketch: FeatureSketch | None
    """What its video looks like to the model; older runs left none."""


class RunShelf:
    """Scores and candidates of the runs that were read last, and what is open in them."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._looks: dict[str, tuple[object, LabelledLooks | None]] = {}
        self._kept: OrderedDict[str, LookedAt] = OrderedDict()
        self._open: OrderedDict[str, tuple[object, tuple[ReviewItem, ...]]] = OrderedDict()
        self._lock = Lock()

    def open_in(
        self, run_id: str, state: object, make: Callable[[], tuple[ReviewItem, ...]]
    ) -> tuple[ReviewItem, ...]:
        """Return what is open in a run; made anew where `state` is not that of the last time.

        A decision changes one video: the items of all others are as they were.
        """
        with self._lock:
            known = self._open.get(run_id)
            if known is not None and known[0] == state:
                self._open.move_to_end(run_id)
                return known[1]
        made = make()
        with self._lock:
            self._open[run_id] = (state, made)
            while len(self._open) > KEPT_RUNS:
                self._open.popitem(last=False)
        return made

    def looks(
        self, model_id: str, state: object, make: Callable[[], LabelledLooks | None]
    ) -> LabelledLooks | None:
        """Return what labelled time looks like to a model; made anew where `state` is another."""
        with self._lock:
            known = self._looks.get(model_id)
        if known is None or known[0] != state:
            known = state, make()
            with self._lock:
                self._looks[model_id] = known
        return known[1]

    def get(self, run: DetectionRunRecord) -> LookedAt:
        """Return a finished run with its candidates.

        Raises:
            NotFoundError: If it has no scores.
        """
        with self._lock:
            known = self._kept.get(run.id)
            if known is not None:
                self._kept.move_to_end(run.id)
                return known
        bench = self._bench
        card = card_of(bench.catalog.models.get(run.model_id))
        rules = used_rules(bench, run)
        track = load_scores(bench, run)
        duration_us = bench.catalog.videos.get(run.video_id).duration_us
        found = candidate_events(track, card.event_types, rules, duration_us=duration_us)
        kept = tuple(item for item in found if (item.score or 0.0) >= LOWEST_THRESHOLD)
        thresholds = {name: rule.threshold for name, rule in rules.items()}
        sketch = load_sketch(bench, run)
        looked = LookedAt(run, track, kept, thresholds, card.calibration, sketch)
        with self._lock:
            self._kept[run.id] = looked
            while len(self._kept) > KEPT_RUNS:
                self._kept.popitem(last=False)
        return looked


def open_items(bench: Workbench, shelf: RunShelf, model: ModelRecord) -> list[ReviewItem]:
    """Return everything that nobody has judged in the videos that a model has looked at.

    Args:
        bench: The workbench.
        shelf: Where runs are kept.
        model: Whose newest finished runs count, one a video.
    """
    domain = bench.domain(model.domain)
    tolerance_us = to_us(domain.tolerance_seconds)
    labels: dict[str, list[EventRecord]] = {}
    for record in bench.catalog.events.list(domain=model.domain, origin="annotation"):
        labels.setdefault(record.video_id, []).append(record)
    sheets = {sheet.video_id: sheet for sheet in bench.catalog.labels.sheets(model.domain)}
    videos = {video.id: video for video in bench.catalog.videos.list()}
    places = labelled_places(labels, videos)
    others = _newest_of_others(bench, model)
    items: list[ReviewItem] = []
    runs = newest_runs(bench, model)
    looks_state, looks = _labelled_looks(bench, shelf, model, runs, labels, sheets)
    for run in runs:
        video, sheet = videos[run.video_id], sheets.get(run.video_id)
        about = _About(
            bench=bench,
            shelf=shelf,
            model=model,
            video=video,
            run=run,
            labels=labels.get(video.id, []),
            coverage=() if sheet is None else sheet.coverage,
            tolerance_us=tolerance_us,
            tolerances_us=domain.tolerances_us(),
            is_new_place=video.group_name not in places,
            other_run=others.get(video.id),
            looks=looks,
            looks_state=looks_state,
        )
        # Every change of labels or coverage gives the sheet another number.
        items += shelf.open_in(run.id, about.state(0 if sheet is None else sheet.seq), about.items)
    return items


def _labelled_looks(
    bench: Workbench,
    shelf: RunShelf,
    model: ModelRecord,
    runs: Sequence[DetectionRunRecord],
    labels: Mapping[str, Sequence[EventRecord]],
    sheets: Mapping[str, SheetRecord],
) -> tuple[object, LabelledLooks | None]:
    """Return what labelled time looks like to a model, and what that follows from.

    Every decision labels a little more, and hardly changes what is new: it is looked at again when
    other videos have labels, or a fifth more labels are there.
    """
    taught = [run for run in runs if run.video_id in labels]
    count = sum(len(labels[run.video_id]) for run in taught)
    state = tuple(run.id for run in taught), round(math.log(count + 1) / math.log(1.2))

    def make() -> LabelledLooks | None:
        known = []
        for run in taught:
            sketch = shelf.get(run).sketch
            if sketch is not None:
                video = bench.catalog.videos.get(run.video_id)
                sheet = sheets.get(video.id)
                coverage = () if sheet is None else sheet.coverage
                spans = known_time(bench, video, model.domain, coverage, labels[video.id])
                known.append((sketch, spans))
        return labelled_looks(known)

    return state, shelf.looks(model.id, state, make)


def newest_runs(bench: Workbench, model: ModelRecord) -> list[DetectionRunRecord]:
    """Return a model's newest finished run on each video, by the order of the videos' names."""
    newest: dict[str, DetectionRunRecord] = {}
    for run in bench.catalog.detections.list(model_id=model.id):
        if run.state is JobState.SUCCEEDED:
            newest.setdefault(run.video_id, run)
    names = {video.id: video.name for video in bench.catalog.videos.list()}
    return sorted(newest.values(), key=lambda run: names[run.video_id])


def labelled_places(
    labels: Mapping[str, Sequence[EventRecord]], videos: Mapping[str, VideoRecord]
) -> set[str]:
    """Return the groups of videos in which somebody labelled an event."""
    return {
        videos[video_id].group_name
        for video_id, records in labels.items()
        if any(record.review_state not in ("rejected", "unsure") for record in records)
    }


def card_of(model: ModelRecord) -> ModelCard:
    """Return the card of a model."""
    return ModelCard.from_json(json.dumps(model.card))


def item_key(run_id: str, event_type: str, span: TimeSpan) -> str:
    """Return the key of an item; a stretch has no event type."""
    return f"{run_id}:{event_type}:{span.start_us}:{span.end_us}"


def item_event_id(key: str) -> str:
    """Return the id that a label made of an item gets."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def stratum_of(score: float, threshold: float) -> Stratum:
    """Return the stratum of a candidate."""
    if score >= threshold:
        return "shown"
    return "near" if score >= threshold / 2 else "far"


def is_judged(candidate: Event, labels: Iterable[Event], *, tolerance_us: int) -> bool:
    """Say whether a label, of whatever decision, is about this candidate; as in the label station.

    Points within the tolerance; segments that have `SAME_TIOU` in common, or of which the label
    holds more than half.
    """
    for label in labels:
        if label.event_type != candidate.event_type:
            continue
        if "point" in (candidate.kind, label.kind):
            if (
                candidate.start_us <= label.end_us + tolerance_us
                and label.start_us <= candidate.end_us + tolerance_us
            ):
                return True
            continue
        common = candidate.span.intersection_us(label.span)
        if common and (
            candidate.span.tiou(label.span) >= SAME_TIOU or 2 * common > candidate.span.duration_us
        ):
            return True
    return False


@dataclass(frozen=True, slots=True)
class _About:
    """One video while its open items are listed."""

    bench: Workbench
    shelf: RunShelf
    model: ModelRecord
    video: VideoRecord
    run: DetectionRunRecord
    labels: Sequence[EventRecord]
    coverage: Sequence[CoverageSpan]
    tolerance_us: int
    tolerances_us: Mapping[str, int]
    """By event type; `tolerance_us` is that of types that the domain does not declare any more."""
    is_new_place: bool
    other_run: DetectionRunRecord | None
    looks: LabelledLooks | None
    looks_state: object

    @property
    def looked(self) -> LookedAt:
        """The run with its candidates."""
        return self.shelf.get(self.run)

    @property
    def other(self) -> LookedAt | None:
        """The run of another model on the same video."""
        return None if self.other_run is None else self.shelf.get(self.other_run)

    def _own_us(self, event: Event) -> int:
        return self.tolerances_us.get(event.event_type, self.tolerance_us)

    def state(self, seq: int) -> object:
        """Return what the items depend on; `seq` is the number of the last change of labels."""
        other = "" if self.other_run is None else self.other_run.id
        tolerances = (self.tolerance_us, *sorted(self.tolerances_us.items()))
        return seq, len(self.labels), other, self.is_new_place, tolerances, self.looks_state

    def items(self) -> tuple[ReviewItem, ...]:
        """Return everything that is open."""
        return (*self.candidates(), *self.stretches())

    def candidates(self) -> Iterator[ReviewItem]:
        """Yield the candidates that nobody judged."""
        events = [record.event for record in self.labels]
        watched = known_spans(
            self.coverage,
            (),
            duration_us=self.video.duration_us,
            tolerance_us=self.tolerance_us,
        )
        looked, other = self.looked, self.other
        for event in looked.candidates:
            middle = (event.start_us + event.end_us) // 2
            if any(span.contains(middle) for span in watched) or is_judged(
                event, events, tolerance_us=self._own_us(event)
            ):
                continue
            threshold = looked.thresholds[event.event_type]
            share = probability(event, threshold, looked.calibration)
            yield ReviewItem(
                key=item_key(self.run.id, event.event_type, event.span),
                video=self.video,
                run_id=self.run.id,
                stratum=stratum_of(event.score or 0.0, threshold),
                span=event.span,
                event=event,
                threshold=threshold,
                probability=share,
                doubt=self._doubt(event, share, looked, other),
            )

    def _doubt(self, event: Event, share: float, looked: LookedAt, other: LookedAt | None) -> Doubt:
        # Of what is surely nothing, neither edges nor place teach anything.
        parts: dict[DoubtKind, float] = {
            "score": entropy(share),
            "edges": share * edge_doubt(event, looked.track, tolerance_us=self._own_us(event)),
            "place": share * float(self.is_new_place),
        }
        if self.looks is not None:
            parts["novelty"] = share * self.looks.novelty(looked.sketch, event.span)
        if other is not None and event.event_type in other.thresholds:
            parts["models"] = disagreement(
                event,
                share,
                other.track,
                threshold=other.thresholds[event.event_type],
                calibration=other.calibration,
                tolerance_us=self._own_us(event),
            )
        return add_up(parts)

    def stretches(self) -> Iterator[ReviewItem]:
        """Yield pieces of the time that nobody knows anything of and holds no candidate."""
        known = known_time(self.bench, self.video, self.model.domain, self.coverage, self.labels)
        taken = [
            TimeSpan(max(0, event.start_us - margin), event.end_us + margin)
            for event in self.looked.candidates
            for margin in (self._own_us(event),)
        ]
        # What a person is unsure of stays unknown, and is no time in which nothing was seen.
        taken += [record.event.span for record in self.labels if record.review_state == "unsure"]
        free = unknown_spans([*known, *taken], duration_us=self.video.duration_us)
        for span in free:
            pieces = max(1, -(-span.duration_us // STRETCH_US))
            for number in range(pieces):
                piece = TimeSpan(
                    span.start_us + span.duration_us * number // pieces,
                    span.start_us + span.duration_us * (number + 1) // pieces,
                )
                if piece.duration_us < SHORTEST_STRETCH_US:
                    continue
                yield ReviewItem(
                    key=item_key(self.run.id, "", piece),
                    video=self.video,
                    run_id=self.run.id,
                    stratum="unseen",
                    span=piece,
                    event=None,
                    threshold=None,
                    probability=None,
                    doubt=_NO_DOUBT,
                )


def _newest_of_others(bench: Workbench, model: ModelRecord) -> dict[str, DetectionRunRecord]:
    """Return by video the newest finished run of another model of the same domain."""
    same = {item.id for item in bench.catalog.models.list() if item.domain == model.domain}
    newest: dict[str, DetectionRunRecord] = {}
    for run in bench.catalog.detections.list():
        if run.state is JobState.SUCCEEDED and run.model_id in same - {model.id} and run.scores_key:
            newest.setdefault(run.video_id, run)
    return newest
