"""What the isolated child does: one request in, JSON lines out (`core.protocol`).

Request::

    {"video": path, "timeline": path | null, "reader": "pyav", "threads": 0, "batch": 8,
     "thresholds": {event type: 0.4}, "scores_path": path | null,
     "bundle": folder                                             either a bundle or
     "foreign": {"path": file, "card": card JSON, "normalization": "imagenet"}}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prismata.core.child import ChildReporter
from prismata.core.events import Event
from prismata.core.modelcard import ModelCard
from prismata.core.time import FrameTimeline
from prismata.detection.bundle import load_bundle
from prismata.detection.pipeline import FRAME_BATCH, run_pipeline
from prismata.detection.result import build_result, event_to_dict
from prismata.detection.scorers import BundleScorer, ForeignScorer, Scorer
from prismata.media import scan


def load_scorer(request: dict[str, Any]) -> Scorer:
    """Open the model that a request names, with the thresholds it asks for."""
    threads = int(request.get("threads", 0))
    thresholds = request.get("thresholds") or {}
    foreign = request.get("foreign")
    if foreign:
        card = ModelCard.from_json(foreign["card"]).with_thresholds(thresholds)
        return ForeignScorer(
            Path(foreign["path"]),
            card,
            normalization=foreign.get("normalization", "imagenet"),
            threads=threads,
        )
    model = load_bundle(
        Path(request["bundle"]),
        threads=threads,
        runtime=request.get("runtime", "auto"),
        precision=request.get("precision", "auto"),
        profile=request.get("profile", "auto"),
        batch=int(request.get("batch", 0)),
    )
    scorer = BundleScorer(model)
    scorer.card = scorer.card.with_thresholds(thresholds)
    return scorer


def detect(request: dict[str, Any], reporter: ChildReporter) -> dict[str, Any]:
    """Handle one request with ONNX Runtime and return the DetectionResult."""
    return detect_with(load_scorer(request), request, reporter)


def detect_with(scorer: Scorer, request: dict[str, Any], reporter: ChildReporter) -> dict[str, Any]:
    """Handle one request with a model that is already open."""
    path = Path(request["video"])
    stored = request.get("timeline")
    reader = request.get("reader", "pyav")
    batch = int(request.get("batch", FRAME_BATCH))
    reporter.started(runtime=scorer.runtime.describe(), model=scorer.card.name)
    timeline = FrameTimeline.load(Path(stored)) if stored else scan(path).timeline

    def on_event(event: Event) -> None:
        reporter.event(event_to_dict(event, scorer.card, timeline))

    output = run_pipeline(
        path,
        scorer,
        timeline=timeline,
        reader=reader,
        batch=batch,
        on_progress=lambda done, total: reporter.progress(done, total, "detecting"),
        on_event=on_event,
    )
    if request.get("scores_path"):
        output.track.save(Path(request["scores_path"]))
    return build_result(
        output,
        card=scorer.card,
        timeline=timeline,
        runtime=scorer.runtime,
        reader=reader,
        batch=batch,
    )
