"""The report of one model on one set of videos, with chance beside every mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventKind, EventType
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan, format_time, to_seconds
from prismata.evaluation.bootstrap import bootstrap_interval
from prismata.evaluation.chance import cadence_guesses
from prismata.evaluation.counting import EventCounts, count_events
from prismata.evaluation.frames import FrameQuality, frame_auc
from prismata.evaluation.ignoring import clipped_union_us, without_ignored
from prismata.evaluation.matching import Criterion, EventsByVideo
from prismata.evaluation.means import Rankings, mean_over, rank_types
from prismata.evaluation.points import POINT_TOLERANCES_US, PointTolerance
from prismata.evaluation.ranking import RankedHits, average_precision
from prismata.evaluation.segments import SEGMENT_TIOUS, MinTiou
from prismata.evaluation.thresholds import PRODUCT_TIOU, PRODUCT_TOLERANCE_US

US_PER_HOUR = 3_600_000_000
_MINUTE_US = 60_000_000
NO_VALUE = "\N{EM DASH}"


@dataclass(frozen=True, slots=True)
class EvaluationProtocol:
    """What is measured, and how strictly; stored with every report."""

    tolerances_us: tuple[int, ...] = POINT_TOLERANCES_US
    tious: tuple[float, ...] = SEGMENT_TIOUS
    product_tolerance_us: int = PRODUCT_TOLERANCE_US
    """Half width for precision, recall, F1 and false alarms of point events."""
    product_tiou: float = PRODUCT_TIOU
    resamples: int = 1000
    seed: int = 0

    def criteria(self, kind: EventKind) -> list[Criterion]:
        """Return the criteria whose average precisions are reported."""
        if kind == "point":
            return [PointTolerance(value) for value in self.tolerances_us]
        return [MinTiou(value) for value in self.tious]

    def product(self, kind: EventKind) -> Criterion:
        """Return the criterion of the product."""
        if kind == "point":
            return PointTolerance(self.product_tolerance_us)
        return MinTiou(self.product_tiou)


@dataclass(frozen=True, slots=True)
class TypeReport:
    """One event type's numbers. None means that there is nothing to measure, never zero."""

    event_type: str
    title: str
    kind: EventKind
    num_truth: int
    num_detected: int
    num_candidates: int
    ap: dict[str, float | None]
    """Half width in seconds (points) or tIoU (segments) → average precision of the candidates."""
    criterion: str
    """What counts as found below, for example `±0.5 s`."""
    precision: float | None
    recall: float | None
    f1: float | None
    false_alarms: int
    false_alarms_per_hour: float | None
    mean_abs_error_us: float | None
    """Of the found events: distance of the instants, or mean distance of both edges."""
    frames: FrameQuality | None
    """Quality of the single instants; None if no score tracks were given."""


@dataclass(frozen=True, slots=True)
class MeanPrecision:
    """Mean average precision over the types of one kind that occur in the truth."""

    kind: EventKind
    by_criterion: dict[str, float | None]
    mean: float | None
    """Mean over types, then over criteria."""
    interval: tuple[float, float] | None
    """95 % bootstrap interval of `mean` over videos; None with fewer than 3 videos."""
    chance: float | None
    """The same mean for as many guesses at a fixed cadence."""


@dataclass(frozen=True, slots=True)
class EvaluationReport:
    """What a model is worth on a set of videos."""

    protocol: EvaluationProtocol
    videos: tuple[str, ...]
    hours: float
    """Time that was scored; ignored stretches are not in it."""
    total_hours: float
    """Length of the videos."""
    types: tuple[TypeReport, ...]
    points: MeanPrecision | None
    """None if no point event type was asked for."""
    segments: MeanPrecision | None
    """None if no segment event type was asked for."""
    notes: tuple[str, ...] = ()
    """What a reader must know before believing the numbers."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    def to_table(self) -> list[dict[str, str]]:
        """Return one row per event type for people; a dash where there is nothing to measure.

        Tolerances and overlaps have columns of their own: a point has no tIoU and a segment no ±δ.
        """
        columns = [
            criterion.title
            for kind in ("point", "segment")
            if any(item.kind == kind for item in self.types)
            for criterion in self.protocol.criteria(kind)
        ]
        return [self._row(item, columns) for item in self.types]

    def _row(self, item: TypeReport, columns: Sequence[str]) -> dict[str, str]:
        titles = {
            criterion.title: item.ap[criterion.key]
            for criterion in self.protocol.criteria(item.kind)
        }
        row = {
            "Event": item.title,
            "Kind": item.kind,
            "Labelled": str(item.num_truth),
            "Found": str(item.num_detected),
        }
        row |= {f"AP {title}": format_percent(titles.get(title)) for title in columns}
        hourly = item.false_alarms_per_hour
        error = item.mean_abs_error_us
        row |= {
            "Counts as found": item.criterion,
            "F1": format_percent(item.f1),
            "Precision": format_percent(item.precision),
            "Recall": format_percent(item.recall),
            "False alarms per hour": NO_VALUE if hourly is None else f"{hourly:.1f}",
            "Mean timing error": NO_VALUE if error is None else f"{to_seconds(round(error)):.2f} s",
        }
        return row


def format_percent(value: float | None) -> str:
    """Return a share as a percentage with one decimal, a dash for None."""
    return NO_VALUE if value is None else f"{100 * value:.1f} %"


def evaluate(
    truth: EventsByVideo,
    candidates: EventsByVideo,
    detections: EventsByVideo,
    durations_us: Mapping[str, int],
    event_types: Sequence[EventType],
    *,
    tracks: Mapping[str, ScoreTrack] | None = None,
    ignored: Mapping[str, Sequence[TimeSpan]] | None = None,
    protocol: EvaluationProtocol | None = None,
) -> EvaluationReport:
    """Measure detections against what people marked.

    Args:
        truth: Video id → true events. A video without events is a video where nothing happens.
        candidates: Events grouped at a low threshold, with scores: average precision needs the
            whole ranking.
        detections: Events at the threshold that the product uses: precision, recall, false alarms.
        durations_us: Length of every video that takes part.
        event_types: What the model knows.
        tracks: Score tracks, for the quality of single instants.
        ignored: Stretches of which nothing is known; events whose middle lies there and their time
            are left out, because unseen is not background.
        protocol: Tolerances, overlaps, bootstrap.

    Raises:
        InvalidInputError: If there is no video, an event belongs to a video without a duration or
            to an unknown type, has the wrong kind, or a detection has no score.
    """
    used = protocol or EvaluationProtocol()
    videos = tuple(sorted(durations_us))
    if not videos:
        raise InvalidInputError("there is no video to evaluate on; choose at least one")
    skipped = ignored or {}
    for what, events in (("truth", truth), ("candidates", candidates), ("detections", detections)):
        _check(what, events, durations_us, event_types)
    true_events = without_ignored(truth, skipped)
    ranked_events = without_ignored(candidates, skipped)
    shown = without_ignored(detections, skipped)
    total_us = sum(durations_us[name] for name in videos)
    scored_us = total_us - sum(
        clipped_union_us(skipped.get(name, ()), durations_us[name]) for name in videos
    )
    hours = scored_us / US_PER_HOUR
    types = []
    means: dict[EventKind, MeanPrecision | None] = {"point": None, "segment": None}
    for kind in means:
        chosen = [item for item in event_types if item.kind == kind]
        if not chosen:
            continue
        rankings = rank_types(true_events, ranked_events, chosen, used.criteria(kind), videos)
        guesses = _guesses(true_events, durations_us, chosen, skipped)
        chance = rank_types(true_events, guesses, chosen, used.criteria(kind), videos)
        means[kind] = _mean_precision(kind, rankings, chance, used, len(videos))
        for item in chosen:
            criterion = used.product(kind)
            counts = count_events(true_events, shown, item.name, criterion, videos=videos)
            frames = None
            if tracks is not None:
                frames = frame_auc(
                    tracks,
                    true_events,
                    item,
                    tolerance_us=used.product_tolerance_us,
                    ignored=skipped,
                )
            types.append(_type_report(item, rankings[item.name], counts, criterion, hours, frames))
    types.sort(key=lambda item: [known.name for known in event_types].index(item.event_type))
    return EvaluationReport(
        used,
        videos,
        hours,
        total_us / US_PER_HOUR,
        tuple(types),
        means["point"],
        means["segment"],
        (*_known_note(scored_us, total_us), *_notes(types, len(videos))),
    )


def _guesses(
    truth: EventsByVideo,
    durations_us: Mapping[str, int],
    event_types: Sequence[EventType],
    ignored: Mapping[str, Sequence[TimeSpan]],
) -> EventsByVideo:
    guesses: dict[str, list[Event]] = {video_id: [] for video_id in durations_us}
    for item in event_types:
        for video_id, events in cadence_guesses(truth, durations_us, item, ignored).items():
            guesses[video_id] += events
    return guesses


def _mean_precision(
    kind: EventKind,
    rankings: Rankings,
    chance: Rankings,
    protocol: EvaluationProtocol,
    num_videos: int,
) -> MeanPrecision:
    keys = [criterion.key for criterion in protocol.criteria(kind)]
    interval = bootstrap_interval(
        lambda counts: mean_over(rankings, keys, counts),
        num_videos,
        resamples=protocol.resamples,
        seed=protocol.seed,
    )
    return MeanPrecision(
        kind,
        {key: mean_over(rankings, [key]) for key in keys},
        mean_over(rankings, keys),
        interval,
        mean_over(chance, keys),
    )


def _type_report(
    event_type: EventType,
    by_key: Mapping[str, RankedHits],
    counts: EventCounts,
    criterion: Criterion,
    hours: float,
    frames: FrameQuality | None,
) -> TypeReport:
    return TypeReport(
        event_type=event_type.name,
        title=event_type.title,
        kind=event_type.kind,
        num_truth=counts.hits + counts.misses,
        num_detected=counts.hits + counts.false_alarms,
        num_candidates=max((int(item.scores.size) for item in by_key.values()), default=0),
        ap={key: average_precision(item) for key, item in by_key.items()},
        criterion=criterion.title,
        precision=counts.precision,
        recall=counts.recall,
        f1=counts.f1,
        false_alarms=counts.false_alarms,
        false_alarms_per_hour=counts.false_alarms / hours if hours > 0 else None,
        mean_abs_error_us=counts.mean_abs_error_us,
        frames=frames,
    )


def _known_note(scored_us: int, total_us: int) -> list[str]:
    if scored_us >= total_us:
        return []
    scored, total = (
        format_time(time_us).split(".")[0]
        if total_us >= _MINUTE_US
        else f"{to_seconds(time_us):.1f} s"
        for time_us in (scored_us, total_us)
    )
    return [
        f"Scored on {scored} of {total} that somebody watched or labelled; "
        "what was detected in the rest counts as neither right nor wrong."
    ]


def _notes(types: Sequence[TypeReport], num_videos: int) -> list[str]:
    notes = []
    absent = [item.title for item in types if item.num_truth == 0]
    if absent:
        notes.append(
            f"Nobody marked {', '.join(absent)} in these videos, so there is no average precision "
            "for it and the mean leaves it out."
        )
    if num_videos < 3:
        notes.append(
            f"Measured on {num_videos} video{'s' if num_videos > 1 else ''}: too few for an "
            "interval, so another video may give quite different numbers."
        )
    few = [f"{item.title} ({item.num_truth})" for item in types if 0 < item.num_truth < 10]
    if few:
        notes.append(f"Few labelled events, so each one weighs a lot: {', '.join(few)}.")
    return notes


def _check(
    what: str,
    events: EventsByVideo,
    durations_us: Mapping[str, int],
    event_types: Sequence[EventType],
) -> None:
    kinds = {item.name: item.kind for item in event_types}
    for video_id, found in events.items():
        if video_id not in durations_us:
            raise InvalidInputError(
                f"the {what} mention video {video_id!r}, whose duration is not given; "
                "false alarms per hour need it"
            )
        for event in found:
            if event.event_type not in kinds:
                raise InvalidInputError(
                    f"the {what} of {video_id!r} hold {event.event_type!r}, which is not "
                    f"evaluated; known are {', '.join(kinds)}"
                )
            if event.kind != kinds[event.event_type]:
                raise InvalidInputError(
                    f"{event.event_type!r} is a {kinds[event.event_type]} event, but the {what} "
                    f"of {video_id!r} hold it as a {event.kind}"
                )
