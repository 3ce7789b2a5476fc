"""What changes with another model: events that two models both found, lost and gained, by video.

Nothing runs here: the newest finished runs are grouped from their stored scores, each at the
thresholds that it was made with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prismata.catalog import DetectionRunRecord, ModelRecord, VideoRecord
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.events import Event, EventType
from prismata.core.time import TimeSpan
from prismata.evaluation import product_criterion
from prismata.evaluation.pairing import Change, EventPair, Verdict, count_verdicts, pair_events
from prismata.services.compare import Comparison, compare_models
from prismata.services.known_time import tolerance_of, unknown_time
from prismata.services.regroup import Regrouped, regroup
from prismata.services.review_items import card_of, newest_runs
from prismata.services.workbench import Workbench

CHANGES: tuple[Change, ...] = ("both", "lost", "gained")
CHANGE_WORDS: dict[Change, str] = {
    "both": "found by both",
    "lost": "lost",
    "gained": "gained",
}
VERDICT_WORDS: dict[Verdict, str] = {
    "true": "right",
    "false": "wrong",
    "differs": "right in one only",
    "unjudged": "unjudged",
}


@dataclass(frozen=True, slots=True)
class VideoDifference:
    """One video that both models have looked at."""

    video: VideoRecord
    runs: tuple[DetectionRunRecord, DetectionRunRecord]
    """Of the first and of the second model."""
    pairs: tuple[EventPair, ...]
    """By time."""


@dataclass(frozen=True, slots=True)
class ModelDifference:
    """Two models on the same videos, event by event."""

    first: ModelRecord
    second: ModelRecord
    event_types: tuple[EventType, ...]
    """Those that both know; only these are compared."""
    known_by_one: tuple[tuple[ModelRecord, str], ...]
    """Names of event types that only one of them knows."""
    videos: tuple[VideoDifference, ...]
    """By name."""
    seen_by_one: tuple[tuple[ModelRecord, VideoRecord], ...]
    """Videos that only this one of the two has looked at."""
    criterion: str
    """What counts as the same event and as found, for people."""
    comparison: Comparison | None
    """Metrics of both on the videos of which something is known."""
    unmeasured: str
    """Why there are no metrics; empty if there are."""

    @property
    def pairs(self) -> list[tuple[VideoDifference, EventPair]]:
        """All events with their video."""
        return [(item, pair) for item in self.videos for pair in item.pairs]

    def counts(self, change: Change) -> dict[Verdict, int]:
        """Return how many events changed so, by what labels say of them."""
        return count_verdicts((pair for _, pair in self.pairs), change)

    def missing(self) -> list[str]:
        """Say for each video that only one model has looked at how to have the other one look."""
        return [
            f"{video.name} was only looked at by {seen.name}; run `prismata detect {video.name} "
            f"--model {(self.second if seen.id == self.first.id else self.first).name}`, or press "
            "Run detection on the page Analyze"
            for seen, video in self.seen_by_one
        ]

    def without_scores(self) -> ModelDifference:
        """Return the same without the scores that metrics were computed from: light to keep."""
        if self.comparison is None:
            return self
        first, second = (
            replace(evaluation, videos=())
            for evaluation in (self.comparison.first, self.comparison.second)
        )
        return replace(self, comparison=replace(self.comparison, first=first, second=second))

    def ignored(self) -> list[str]:
        """Say which event types only one of the models knows."""
        return [
            f"only {model.name} knows {name}, so its events are not compared"
            for model, name in self.known_by_one
        ]


def compare_findings(
    bench: Workbench,
    first: str,
    second: str,
    videos: Sequence[VideoRecord] | None = None,
) -> ModelDifference:
    """Compare what the newest finished runs of two models found, event by event.

    Args:
        bench: The workbench.
        first: Name or id of the model that is there.
        second: Name or id of the one that may come: what only it finds is gained.
        videos: Only these, and both must have looked at each; by default all that both have.

    Raises:
        NotFoundError: If there is no such model, no video that both have looked at, or one of the
            given ones that a model has not.
        InvalidInputError: If they are the same model, of two domains, or know no event type in
            common.
    """
    one, other = (bench.catalog.models.find(name) for name in (first, second))
    _check_pair(one, other)
    shared, known_by_one = _event_types(one, other)
    runs = [{run.video_id: run for run in newest_runs(bench, model)} for model in (one, other)]
    for model, looked in zip((one, other), runs, strict=True):
        _check_looked(model, looked, videos or ())
    chosen = bench.catalog.videos.list() if videos is None else videos
    chosen = sorted(chosen, key=lambda video: video.name)
    both = [video for video in chosen if all(video.id in of_model for of_model in runs)]
    if not both:
        raise NotFoundError(
            f"there is no video on which both {one.name!r} and {other.name!r} were run; run "
            f"`prismata detect VIDEO --model {one.name}` and `prismata detect VIDEO --model "
            f"{other.name}` first"
        )
    compared = tuple(
        _compare_video(bench, one.domain, shared, video, (runs[0][video.id], runs[1][video.id]))
        for video in both
    )
    comparison, unmeasured = _measure(bench, one, other, both)
    return ModelDifference(
        first=one,
        second=other,
        event_types=shared,
        known_by_one=known_by_one,
        videos=compared,
        seen_by_one=tuple(
            (one if video.id in runs[0] else other, video)
            for video in chosen
            if (video.id in runs[0]) != (video.id in runs[1])
        ),
        criterion=_criterion_words(bench, one.domain, shared),
        comparison=comparison,
        unmeasured=unmeasured,
    )


def found_of(bench: Workbench, item: VideoDifference) -> tuple[Regrouped, Regrouped]:
    """Return events, scores and thresholds of both runs on a video."""
    first, second = (regroup(bench, run, {}) for run in item.runs)
    return first, second


def truth_of(
    bench: Workbench, video: VideoRecord, domain: str, event_types: Sequence[EventType]
) -> list[Event]:
    """Return what people marked in a video, of these event types; doubtful and rejected not."""
    kinds = {item.name: item.kind for item in event_types}
    labels = bench.catalog.events.list(video_id=video.id, domain=domain, origin="annotation")
    return [
        item.event
        for item in labels
        if item.review_state not in ("rejected", "unsure")
        and kinds.get(item.event.event_type) == item.event.kind
    ]


def count_sentence(counts: Mapping[Verdict, int]) -> str:
    """Return a number of events with what labels say of them, as "4 (3 right, 1 wrong)"."""
    parts = [f"{number} {VERDICT_WORDS[name]}" for name, number in counts.items() if number]
    total = sum(counts.values())
    return f"{total} ({', '.join(parts)})" if parts else f"{total}"


def difference_dict(difference: ModelDifference, *, with_events: bool) -> dict[str, Any]:
    """Return counts, and the events themselves if asked for, as plain JSON values."""
    told: dict[str, Any] = {
        "criterion": difference.criterion,
        "videos": [item.video.name for item in difference.videos],
        "seen_by_one": [
            {"video": video.name, "model": model.name} for model, video in difference.seen_by_one
        ],
        "known_by_one": [
            {"event_type": name, "model": model.name} for model, name in difference.known_by_one
        ],
        **{change: difference.counts(change) for change in CHANGES},
    }
    if with_events:
        told["events"] = [_pair_dict(item.video, pair) for item, pair in difference.pairs]
    return told


def _pair_dict(video: VideoRecord, pair: EventPair) -> dict[str, Any]:
    def side(event: Event | None, verdict: Verdict) -> dict[str, Any] | None:
        if event is None:
            return None
        return {
            "start_us": event.start_us,
            "end_us": event.end_us,
            "score": event.score,
            "verdict": verdict,
        }

    return {
        "video": video.name,
        "event_type": pair.event.event_type,
        "kind": pair.event.kind,
        "change": pair.change,
        "verdict": pair.verdict,
        "first": side(pair.first, pair.first_verdict),
        "second": side(pair.second, pair.second_verdict),
        "score_change": pair.score_change,
        "start_change_us": pair.start_change_us,
        "end_change_us": pair.end_change_us,
    }


def _check_pair(one: ModelRecord, other: ModelRecord) -> None:
    if one.id == other.id:
        raise InvalidInputError(f"{one.name!r} cannot be compared with itself; name another model")
    if one.domain != other.domain:
        raise InvalidInputError(
            f"{one.name!r} is a model of {one.domain!r} and {other.name!r} one of "
            f"{other.domain!r}; only models of one domain can be compared"
        )


def _check_looked(
    model: ModelRecord, looked: Mapping[str, object], videos: Iterable[VideoRecord]
) -> None:
    for video in videos:
        if video.id not in looked:
            raise NotFoundError(
                f"model {model.name!r} has not been run on {video.name!r} yet; run `prismata "
                f"detect {video.name} --model {model.name}` first, or say --detect"
            )


def _event_types(
    one: ModelRecord, other: ModelRecord
) -> tuple[tuple[EventType, ...], tuple[tuple[ModelRecord, str], ...]]:
    """Return what both know, and what only one of them knows."""
    mine, others = (card_of(model).event_types for model in (one, other))
    keys = [{(item.name, item.kind) for item in types} for types in (mine, others)]
    shared = tuple(item for item in mine if (item.name, item.kind) in keys[1])
    if not shared:
        raise InvalidInputError(
            f"{one.name!r} finds {', '.join(item.name for item in mine)} and {other.name!r} finds "
            f"{', '.join(item.name for item in others)}; only models that know an event type in "
            "common can be compared"
        )
    single = [(one, item.name) for item in mine if (item.name, item.kind) not in keys[1]]
    single += [(other, item.name) for item in others if (item.name, item.kind) not in keys[0]]
    return shared, tuple(single)


def _compare_video(
    bench: Workbench,
    domain: str,
    event_types: Sequence[EventType],
    video: VideoRecord,
    runs: tuple[DetectionRunRecord, DetectionRunRecord],
) -> VideoDifference:
    found = [regroup(bench, run, {}).events for run in runs]
    truth = truth_of(bench, video, domain, event_types)
    unknown = unknown_time(bench, video, domain)
    tolerance_us = tolerance_of(bench, domain)
    pairs: list[EventPair] = []
    for item in event_types:
        first, second, labels = (
            [event for event in events if event.event_type == item.name]
            for events in (*found, truth)
        )
        criterion = product_criterion(item, tolerance_us=tolerance_us)
        pairs += pair_events(first, second, criterion, truth=labels, unknown=unknown)
    pairs.sort(key=lambda pair: pair.event.start_us)
    return VideoDifference(video, runs, tuple(pairs))


def _measure(
    bench: Workbench, one: ModelRecord, other: ModelRecord, videos: Sequence[VideoRecord]
) -> tuple[Comparison | None, str]:
    """Return the metrics of both, or why there are none."""
    known = [video for video in videos if _is_known(video, unknown_time(bench, video, one.domain))]
    if not known:
        return None, (
            "nobody watched or labelled anything in these videos, so nothing is judged; label "
            "some on the page Label, or import labels with `prismata labels import`"
        )
    try:
        return compare_models(bench, one.id, other.id, known), ""
    except InvalidInputError as error:
        # Labels or event types that do not fit the metrics leave what was found as it is.
        return None, str(error)


def _is_known(video: VideoRecord, unknown: Sequence[TimeSpan]) -> bool:
    return sum(span.duration_us for span in unknown) < video.duration_us


def _criterion_words(bench: Workbench, domain: str, event_types: Sequence[EventType]) -> str:
    tolerance_us = tolerance_of(bench, domain)
    titles = [product_criterion(item, tolerance_us=tolerance_us).title for item in event_types]
    return " and ".join(dict.fromkeys(titles))
