"""Evaluation: what people marked against what a model's detection runs found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from prismata.catalog import DetectionRunRecord, ModelRecord, Split, VideoRecord
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.events import Event
from prismata.core.jobs import JobState
from prismata.core.modelcard import ModelCard
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan
from prismata.domains import Domain
from prismata.evaluation import EvaluationReport, evaluate
from prismata.evaluation.ignoring import without_ignored
from prismata.evaluation.matching import EventsByVideo
from prismata.evaluation.segmental import SegmentalScores, segmental_scores
from prismata.evaluation.soccernet import SoccerNetScores, soccernet_scores
from prismata.postprocess import candidate_events
from prismata.services.detect import load_scores
from prismata.services.known_time import unknown_time
from prismata.services.type_migration import check_declared
from prismata.services.workbench import Workbench


@dataclass(frozen=True, slots=True)
class EvaluatedVideo:
    """One video's truth, detections and scores."""

    video: VideoRecord
    run: DetectionRunRecord
    truth: list[Event]
    detections: list[Event]
    track: ScoreTrack
    unknown: tuple[TimeSpan, ...] = ()
    """Stretches that nobody watched and where no label lies: nothing there is scored."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A report with everything it was computed from."""

    model: ModelRecord
    card: ModelCard
    report: EvaluationReport
    videos: tuple[EvaluatedVideo, ...]
    domain: Domain | None = None
    """Of the model; None: its plugin is not here (any more)."""


def videos_of_split(bench: Workbench, model: ModelRecord, split: Split) -> list[VideoRecord]:
    """Return the videos of a split of the dataset version that a model was trained on.

    Raises:
        NotFoundError: If the model names no dataset version, or the split is empty.
    """
    name = str(model.card.get("dataset_version") or "")
    if not name:
        raise NotFoundError(
            f"model {model.name!r} was not trained here, so it has no splits; name videos instead"
        )
    version = bench.catalog.datasets.get(name)
    chosen = [video_id for video_id, part in version.video_splits.items() if part == split]
    if not chosen:
        raise NotFoundError(
            f"dataset version {name!r} has no {split} videos; name videos, or train with a "
            f"{split} share"
        )
    return [bench.catalog.videos.get(video_id) for video_id in chosen]


def evaluate_model(bench: Workbench, model_name: str, videos: Sequence[VideoRecord]) -> Evaluation:
    """Evaluate a model's newest finished detection run on each video.

    Thresholds are those of each run. Candidates for average precision are grouped from the stored
    score tracks, so no model runs here. Time of which nothing is known is not scored.

    Raises:
        NotFoundError: If a video has no finished run of this model; says how to make one.
        InvalidInputError: If no video is given, nothing is known of any of them, or they have
            labels that the model does not know.
    """
    model = bench.catalog.models.find(model_name)
    card = _card(model)
    if not videos:
        raise InvalidInputError("there is no video to evaluate on; name at least one")
    evaluated = tuple(_collect(bench, model, card, video) for video in videos)
    _check_known(evaluated)
    durations = {item.video.name: item.video.duration_us for item in evaluated}
    report = evaluate(
        {item.video.name: item.truth for item in evaluated},
        {item.video.name: _candidates(card, item) for item in evaluated},
        {item.video.name: item.detections for item in evaluated},
        durations,
        card.event_types,
        tracks={item.video.name: item.track for item in evaluated},
        ignored={item.video.name: item.unknown for item in evaluated},
    )
    domain = None
    with suppress(NotFoundError):  # a model outlives its plugin
        domain = bench.domain(card.domain)
    return Evaluation(model, card, report, evaluated, domain)


def candidates_of(evaluation: Evaluation) -> dict[str, list[Event]]:
    """Return all that a model would find at lower thresholds, by video, with scores."""
    return {item.video.name: _candidates(evaluation.card, item) for item in evaluation.videos}


def score_as_soccernet(evaluation: Evaluation) -> SoccerNetScores:
    """Score the point events of an evaluation as SoccerNet's challenges do.

    What lies where nobody watched takes no part, as in our own metric.

    Raises:
        InvalidInputError: If the model has no type of point event.
    """
    names = [item.name for item in evaluation.card.event_types if item.kind == "point"]
    if not names:
        raise InvalidInputError(
            f"SoccerNet's metric is for instants, and {evaluation.model.name!r} finds none; ask "
            "for ms-tcn or the usual metric"
        )
    return soccernet_scores(*_known(evaluation, candidates_of(evaluation)), names)


def score_as_ms_tcn(evaluation: Evaluation) -> SegmentalScores:
    """Score the segments of an evaluation as action segmentation is scored.

    What lies where nobody watched takes no part, as in our own metric.

    Raises:
        InvalidInputError: If the model has no type of segment.
    """
    if all(item.kind != "segment" for item in evaluation.card.event_types):
        raise InvalidInputError(
            f"F1@k and edit score are for segments, and {evaluation.model.name!r} finds none; ask "
            "for soccernet or the usual metric"
        )
    detections = {item.video.name: item.detections for item in evaluation.videos}
    return segmental_scores(*_known(evaluation, detections))


def _known(
    evaluation: Evaluation, found: Mapping[str, Sequence[Event]]
) -> tuple[EventsByVideo, EventsByVideo]:
    ignored = {item.video.name: item.unknown for item in evaluation.videos}
    truth = {item.video.name: item.truth for item in evaluation.videos}
    return without_ignored(truth, ignored), without_ignored(found, ignored)


def latest_run(
    bench: Workbench, model: ModelRecord, video: VideoRecord
) -> DetectionRunRecord | None:
    """Return the newest finished run of a model on a video, if there is one."""
    runs = bench.catalog.detections.list(video_id=video.id, model_id=model.id)
    return next((run for run in runs if run.state is JobState.SUCCEEDED), None)


def _collect(
    bench: Workbench, model: ModelRecord, card: ModelCard, video: VideoRecord
) -> EvaluatedVideo:
    run = latest_run(bench, model, video)
    if run is None:
        raise NotFoundError(
            f"model {model.name!r} has not been run on {video.name!r} yet; run `prismata detect "
            f"{video.name} --model {model.name}` first, or say --detect"
        )
    events = bench.catalog.events
    labels = [
        item
        for item in events.list(video_id=video.id, domain=model.domain, origin="annotation")
        if item.review_state not in ("rejected", "unsure")
    ]
    truth = [item.event for item in labels]
    kinds = {item.name: item.kind for item in card.event_types}
    stray = sorted({item.event_type for item in truth if kinds.get(item.event_type) != item.kind})
    if stray:
        # A model outlives its plugin; then there is nobody to ask what the domain declares.
        with suppress(NotFoundError):
            check_declared(bench.domain(model.domain), labels)
        raise InvalidInputError(
            f"{video.name!r} has labels {', '.join(stray)} that model {model.name!r} does not "
            "know; train a new model, or evaluate on videos without them"
        )
    detections = [
        item.event
        for item in events.list(detection_run_id=run.id, origin="detection")
        if not item.provisional
    ]
    unknown = unknown_time(bench, video, model.domain)
    return EvaluatedVideo(video, run, truth, detections, load_scores(bench, run), unknown)


def _candidates(card: ModelCard, item: EvaluatedVideo) -> list[Event]:
    return candidate_events(
        item.track, card.event_types, card.rules, duration_us=item.video.duration_us
    )


def _check_known(videos: Sequence[EvaluatedVideo]) -> None:
    if any(sum(s.duration_us for s in v.unknown) < v.video.duration_us for v in videos):
        return
    names = ", ".join(item.video.name for item in videos)
    raise InvalidInputError(
        f"nobody watched {names} and no label lies there, so there is nothing to compare with; "
        "watch and label in the label station, or import labels with `prismata labels import`"
    )


def _card(model: ModelRecord) -> ModelCard:
    return ModelCard.from_json(json.dumps(model.card))
