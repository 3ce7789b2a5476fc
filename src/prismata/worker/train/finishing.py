"""What is tried and measured on an exported bundle before it is published.

One pass over stretches of the validation videos serves all: whether an 8-bit encoder may go along,
what the domain's motion gate costs, and what motion alone would find. None of it ever stops a model
that was trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.core.child import ChildReporter
from prismata.core.errors import UserError
from prismata.core.machine import usable_cores
from prismata.core.modelcard import ModelCard
from prismata.core.scores import ScoreTrack
from prismata.detection.bundle import (
    CARD_FILE,
    ENCODER_FILE,
    INT8_ENCODER_FILE,
    LoadedModel,
    file_digest,
    load_bundle,
)
from prismata.detection.quantization import quantize_encoder
from prismata.detection.runtimes import FrameEncoder
from prismata.services.workbench import Workbench
from prismata.training.recipe import Recipe
from prismata.worker.train.calibration import read_calibration_frames
from prismata.worker.train.eight_bit import (
    Speed,
    compare_scores,
    decide,
    describe,
    measure_speed,
    open_int8,
    refused,
    too_slow,
)
from prismata.worker.train.gather import GatheredData
from prismata.worker.train.motion_baseline import MotionWatch, no_baseline
from prismata.worker.train.motion_cost import (
    GateCount,
    GatedFeatures,
    describe_motion_cost,
    unmeasured,
)
from prismata.worker.train.rescoring import (
    EventFigures,
    FeatureSource,
    measure_events,
    score_variants,
    seconds_of,
)
from prismata.worker.train.stretches import (
    MAX_CHECKED_SECONDS,
    Stretch,
    StretchBatch,
    StretchFrames,
    choose_stretches,
)

NOTE = "checking the 8-bit encoder"
GATED = "behind the motion gate"
MOTION_SECONDS = 300.0
"""Video that is decoded at most for the motion baseline alone, when nothing else needs frames."""


@dataclass(frozen=True, slots=True)
class Finishing:
    """What the steps need of a training run."""

    bench: Workbench
    data: GatheredData
    recipe: Recipe
    reporter: ChildReporter

    def finish(self, folder: Path, card: ModelCard) -> ModelCard:
        """Add what was measured to the bundle's card, and the 8-bit encoder if it is accepted.

        Args:
            folder: A complete bundle; its card is written anew.
            card: Of that bundle.
        """
        model = load_bundle(folder, runtime="onnxruntime", precision="fp32")
        trial = self._try_quantizing(folder, card, model)
        encoders = trial.encoders if isinstance(trial, _Trial) else {}
        quantization = {} if isinstance(trial, _Trial) else trial
        seen, problem = None, "there are no validation videos"
        if self.data.videos["val"]:
            try:
                seen = self._look_again(model, encoders)
            except UserError as error:
                problem = str(error)
        if seen is None:
            quantization = quantization or refused(f"it could not be checked: {problem}")
            motion_cost = unmeasured(problem) if card.motion_gate else {}
            motion = no_baseline(problem)
        else:
            if isinstance(trial, _Trial):
                quantization = _judge(trial, seen)
            motion_cost, motion = _motion_cost(seen), seen.motion
        card = _with_int8(folder, card, quantization)
        card = replace(
            card, motion_gate_cost=_plain(motion_cost), metrics=_beside(card.metrics, motion)
        )
        (folder / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
        return card

    def _try_quantizing(
        self, folder: Path, card: ModelCard, model: LoadedModel
    ) -> _Trial | dict[str, Any]:
        """Return an 8-bit encoder to be compared, or the section that says why there is none."""
        if self.recipe.quantize == "never":
            return refused("it was not asked for (--quantize never)")
        if card.encoder_block > 1:
            return refused(
                f"the encoder looks at {card.encoder_block} frames together, of which there is no "
                "8-bit version"
            )
        if not self.data.videos["val"]:
            return refused("there are no validation videos to check it on")
        self.reporter.progress(0, 1, NOTE)
        clip, threads = card.clip, usable_cores()
        try:
            pixels = np.zeros((8, clip.height, clip.width, 3), np.uint8)
            speed = measure_speed(model.encoder, None, pixels, threads=threads)
            if reason := too_slow(speed):
                return refused(reason, speed=asdict(speed))
            found = read_calibration_frames(self.bench, self.data, clip, seed=self.recipe.seed)
            path = folder / INT8_ENCODER_FILE
            quantize_encoder(folder / ENCODER_FILE, path, [found.frames])
            encoders = open_int8(path, clip)
            speed = measure_speed(
                model.encoder, encoders["onnxruntime"], found.frames, threads=threads
            )
        except UserError as error:
            return refused(str(error))
        facts = {
            "calibration_frames": len(found.frames),
            "calibration_videos": found.videos,
            "calibration_near_events": found.near_events,
            "size_mb": {
                "fp32": round((folder / ENCODER_FILE).stat().st_size / 1e6, 2),
                "int8": round(path.stat().st_size / 1e6, 2),
            },
        }
        if reason := too_slow(speed):
            return refused(
                reason, **facts, speed={"fp32_ms": speed.fp32_ms, "int8_ms": speed.int8_ms}
            )
        return _Trial(encoders, speed, facts)

    def _look_again(self, model: LoadedModel, encoders: Mapping[str, FrameEncoder]) -> _Seen:
        """Score validation video with each encoder and behind the motion gate; see how it moves.

        Raises:
            BadVideoError: If a video cannot be decoded any more.
        """
        card, videos = model.card, self.data.videos["val"]
        is_scored = bool(encoders) or card.motion_gate is not None
        has_frames = all(video.inputs.ndim == 4 for video in videos)
        bound = MAX_CHECKED_SECONDS if is_scored or has_frames else MOTION_SECONDS
        stretches = choose_stretches(videos, max_seconds=bound, seed=self.recipe.seed)
        note = "measuring the motion gate" if card.motion_gate else "measuring motion"
        note = NOTE if encoders else note
        count, watch = GateCount(), MotionWatch()

        def variants_of(stretch: Stretch) -> Mapping[str, FeatureSource]:
            if not is_scored:
                return {}
            fp32 = _full_precision(stretch, model)
            variants = {"fp32": fp32, **{name: _encoded_by(encoders[name]) for name in encoders}}
            if card.motion_gate is not None:
                variants[GATED] = GatedFeatures(card.motion_gate, fp32, count)
            return variants

        tracks = score_variants(
            model,
            stretches,
            StretchFrames(self.bench, self.data, card.clip),
            variants_of,
            on_batch=watch.look,
            on_progress=lambda done, total: self.reporter.progress(done, total, note),
        )
        figures = {name: measure_events(card, stretches, part) for name, part in tracks.items()}
        whole = sum(stretch.last - stretch.first for stretch in stretches) == sum(
            video.times_us.size for video in videos
        )
        motion = watch.measure(card, whole=whole)
        named = len({stretch.video.name for stretch in stretches})
        return _Seen(tracks, figures, count, seconds_of(stretches), named, motion)


@dataclass(frozen=True, slots=True)
class _Trial:
    """An 8-bit encoder that is worth comparing."""

    encoders: Mapping[str, FrameEncoder]
    """Runtime → encoder."""
    speed: Speed
    facts: dict[str, Any]
    """For the card."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a second look at validation video gave.

    Keys are `fp32`, the runtimes of the 8-bit encoder, and `GATED`.
    """

    tracks: Mapping[str, list[ScoreTrack]]
    figures: Mapping[str, EventFigures]
    count: GateCount
    seconds: float
    videos: int
    motion: dict[str, Any]
    """What motion alone would find."""


def _full_precision(stretch: Stretch, model: LoadedModel) -> FeatureSource:
    def fp32(batch: StretchBatch) -> NDArray[np.float32]:
        if stretch.video.inputs.ndim == 2:  # training encoded these frames with this very file
            return np.array(stretch.video.inputs[batch.rows], np.float32)
        return model.encoder.encode(batch.frames)

    return fp32


def _encoded_by(encoder: FrameEncoder) -> FeatureSource:
    return lambda batch: encoder.encode(batch.frames)


def _judge(trial: _Trial, seen: _Seen) -> dict[str, Any]:
    """Return the card's section about the 8-bit encoder."""
    kept = ["fp32", *trial.encoders]
    comparison = compare_scores(
        {name: seen.figures[name] for name in kept},
        {name: seen.tracks[name] for name in kept},
        seconds=seen.seconds,
        videos=seen.videos,
    )
    accepted, reason = decide(trial.speed, comparison)
    section = describe(trial.speed, comparison, accepted=accepted, reason=reason)
    return {**section, **trial.facts}


def _motion_cost(seen: _Seen) -> dict[str, Any]:
    if GATED not in seen.figures:
        return {}
    return describe_motion_cost(
        seen.figures["fp32"],
        seen.figures[GATED],
        seen.count,
        seconds=seen.seconds,
        videos=seen.videos,
    )


def _beside(metrics: dict[str, Any], motion: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics with the motion baseline in the report of the split it was seen on."""
    if "val" not in metrics:
        return metrics
    return {**metrics, "val": {**metrics["val"], "motion": _plain(motion)}}


def _with_int8(folder: Path, card: ModelCard, quantization: dict[str, Any]) -> ModelCard:
    """Keep the 8-bit encoder only if it is accepted; return the card that says so."""
    path = folder / INT8_ENCODER_FILE
    if not quantization["accepted"]:
        path.unlink(missing_ok=True)
        return replace(card, quantization=_plain(quantization))
    return replace(
        card,
        files={**card.files, INT8_ENCODER_FILE: file_digest(path)},
        quantization=_plain({**quantization, "file": INT8_ENCODER_FILE}),
    )


def _plain(section: dict[str, Any]) -> dict[str, Any]:
    """Return the section as it comes back from a card's JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(section))
    return plain
