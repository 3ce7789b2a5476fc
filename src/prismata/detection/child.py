"""What the isolated child does: one request in, JSON lines out (`core.protocol`).

Request, all but the first and one of the last two optional::

    {"video": path, "video_sha256": hex, "timeline": path | null, "reader": "pyav",
     "threads": 0, "batch": 0, "runtime": "auto", "precision": "auto", "profile": "auto",
     "thresholds": {event type: 0.4}, "scores_path": path | null, "coarse": false,
     "sketch_path": path | null,
     "cache": {"folder": path, "max_bytes": n} | null, "measure_floors": false,
     "bundle": folder                                             either a bundle or
     "foreign": {"path": file, "card": card JSON, "normalization": "imagenet"}}

The child may get several requests, one after the other; a model that is open stays open.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.core.child import ChildReporter
from prismata.core.modelcard import ModelCard
from prismata.core.sketches import SketchBuilder
from prismata.core.time import FrameTimeline
from prismata.detection.bundle import CARD_FILE, LoadedModel, load_bundle
from prismata.detection.feature_cache import FeatureCache, FeatureKey
from prismata.detection.floors import FloorMeter
from prismata.detection.frames import FrameBatches
from prismata.detection.pipeline import (
    Listeners,
    PipelineOutput,
    run_on_features,
    run_pipeline,
    sampling_plan,
)
from prismata.detection.result import build_result, event_to_dict
from prismata.detection.runtimes import RuntimeInfo
from prismata.detection.score_feed import ScoreFeed
from prismata.detection.scorers import BundleScorer, ForeignScorer, Scorer
from prismata.media import scan
from prismata.postprocess import Run

SKETCHED_AT_ONCE = 1024
"""Rows of kept features; they are mapped, and a whole film of them is not to be in memory."""
OPTIONS_OF_A_MODEL = ("threads", "runtime", "precision", "profile", "batch")


class DetectionChild:
    """Answers requests; keeps the last bundle open for the next one."""

    def __init__(self) -> None:
        self._opened: tuple[str, LoadedModel] | None = None

    def __call__(self, request: dict[str, Any], reporter: ChildReporter) -> dict[str, Any]:
        """Handle one request and return the DetectionResult.

        Raises:
            UserError: If the video or the model cannot be used.
        """
        if request.get("foreign"):
            return detect_foreign(request, reporter)
        return detect_with(self._bundle(request), request, reporter)

    def _bundle(self, request: dict[str, Any]) -> LoadedModel:
        folder = Path(request["bundle"])
        options = {name: request[name] for name in OPTIONS_OF_A_MODEL if name in request}
        card_file = folder / CARD_FILE
        # The card names the digest of every file, so another model never has the same text.
        text = card_file.read_text(encoding="utf-8") if card_file.is_file() else ""
        key = json.dumps([text, options], sort_keys=True)
        if self._opened is None or self._opened[0] != key:
            self._opened = None  # two models at once would need twice the memory
            self._opened = key, load_bundle(folder, **options)
        return self._opened[1]


def detect_foreign(request: dict[str, Any], reporter: ChildReporter) -> dict[str, Any]:
    """Handle a request for a classic single-file model."""
    foreign = request["foreign"]
    card = ModelCard.from_json(foreign["card"]).with_thresholds(request.get("thresholds") or {})
    scorer = ForeignScorer(
        Path(foreign["path"]),
        card,
        normalization=foreign.get("normalization", "imagenet"),
        threads=int(request.get("threads", 0)),
    )
    return _Detection(request, reporter, card, scorer.runtime).run(scorer)


def detect_with(
    model: LoadedModel, request: dict[str, Any], reporter: ChildReporter
) -> dict[str, Any]:
    """Handle a request with a model that is already open, whatever runtime drives it."""
    card = model.card.with_thresholds(request.get("thresholds") or {})
    detection = _Detection(request, reporter, card, model.runtime)
    sketch = SketchBuilder(detection.plan.times_us, card.feature_size, model.encoder_key)
    cache = _open_cache(request)
    if cache is None:
        scorer = BundleScorer(model, card, gate=card.motion_gate, tap=sketch.append)
        return detection.run(scorer, model, sketch)
    clip = card.clip
    key = FeatureKey(
        request["video_sha256"],
        model.encoder_key,
        clip.target_fps,
        clip.width,
        clip.height,
        card.motion_gate,
        str(request.get("reader", "pyav")),
    )
    shape = (len(detection.plan), card.feature_size)
    features = cache.open(key, shape)
    if features is not None:
        return detection.run_cached(BundleScorer(model, card), features, sketch)
    with cache.writer(key, shape, optional=True) as writer:

        def keep(rows: NDArray[np.float32]) -> None:
            writer.append(rows)
            sketch.append(rows)

        scorer = BundleScorer(model, card, gate=card.motion_gate, tap=keep)
        return detection.run(scorer, model, sketch)


def _open_cache(request: dict[str, Any]) -> FeatureCache | None:
    """Return the cache if the request has one; a coarse look is not worth keeping."""
    wanted = request.get("cache")
    if not wanted or not request.get("video_sha256") or request.get("coarse"):
        return None
    return FeatureCache(Path(wanted["folder"]), int(wanted["max_bytes"]))


class _Detection:
    """One video and one model."""

    def __init__(
        self,
        request: dict[str, Any],
        reporter: ChildReporter,
        card: ModelCard,
        runtime: RuntimeInfo,
    ) -> None:
        self._request, self._reporter = request, reporter
        self._card, self._runtime = card, runtime
        self._path = Path(request["video"])
        self._settings = {
            "reader": str(request.get("reader", "pyav")),
            "coarse": bool(request.get("coarse")),
        }
        stored = request.get("timeline")
        self._timeline = FrameTimeline.load(Path(stored)) if stored else scan(self._path).timeline
        self.plan = sampling_plan(
            self._path,
            self._timeline,
            card.clip.target_fps,
            coarse=bool(self._settings["coarse"]),
        )

    def run(
        self,
        scorer: Scorer,
        model: LoadedModel | None = None,
        sketch: SketchBuilder | None = None,
    ) -> dict[str, Any]:
        """Decode, encode and score; measure the floors if asked to."""
        meter = None
        if self._request.get("measure_floors"):
            encoder = model.encoder if model is not None else None
            meter = FloorMeter(encoder, self._batches, len(self.plan))
        self._start(from_cache=False)
        output = run_pipeline(
            self._batches(),
            self.plan,
            scorer,
            duration_us=self._timeline.duration_us,
            listeners=self._listeners(),
        )
        result = self._result(output, sketch)
        if meter is not None:
            result["profile"] = meter.measure(output, self._reporter.progress)
        return result

    def run_cached(
        self, scorer: BundleScorer, features: NDArray[np.float32], sketch: SketchBuilder
    ) -> dict[str, Any]:
        """Score features that an earlier run has kept."""
        self._start(from_cache=True)
        output = run_on_features(
            features,
            self.plan,
            scorer,
            duration_us=self._timeline.duration_us,
            listeners=self._listeners(),
        )
        for start in range(0, len(features), SKETCHED_AT_ONCE):
            sketch.append(features[start : start + SKETCHED_AT_ONCE])
        return self._result(output, sketch)

    def _batches(self) -> FrameBatches:
        clip = self._card.clip
        return FrameBatches(
            self._path,
            self.plan,
            timeline=self._timeline,
            size=(clip.width, clip.height),
            batch=self._runtime.batch,
            reader=str(self._settings["reader"]),
            only_key_frames=bool(self._settings["coarse"]),
        )

    def _start(self, *, from_cache: bool) -> None:
        self._reporter.started(
            runtime=self._runtime.describe(), model=self._card.name, from_cache=from_cache
        )

    def _listeners(self) -> Listeners:
        card, timeline, reporter = self._card, self._timeline, self._reporter

        def values(run: Run) -> dict[str, Any]:
            return event_to_dict(run.event, card, timeline)

        return Listeners(
            on_progress=lambda done, total: reporter.progress(done, total, "detecting"),
            on_run=lambda run: reporter.event(values(run), run.id),
            on_open_run=lambda run: reporter.open_event(values(run), run.id),
            on_scores=ScoreFeed(reporter.scores).push,
        )

    def _result(self, output: PipelineOutput, sketch: SketchBuilder | None) -> dict[str, Any]:
        if self._request.get("scores_path"):
            output.track.save(Path(self._request["scores_path"]))
        if sketch is not None and self._request.get("sketch_path"):
            sketch.finish().save(Path(self._request["sketch_path"]))
        return build_result(
            output,
            card=self._card,
            timeline=self._timeline,
            runtime=self._runtime,
            settings=self._settings,
        )
