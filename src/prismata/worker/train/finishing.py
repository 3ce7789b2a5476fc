"""What is tried and measured on an exported bundle before it is published.

One pass over stretches of the validation videos serves both: whether an 8-bit encoder may go along,
and what the domain's motion gate costs. Neither ever stops a model that was trained.
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
from prismata.worker.train.rescoring import (
    FeatureSource,
    measure_events,
    score_variants,
    seconds_of,
)
from prismata.worker.train.stretches import (
    Stretch,
    StretchBatch,
    StretchFrames,
    choose_stretches,
)

NOTE = "checking the 8-bit encoder"


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
        quantization = self._judge(trial, card, model) if isinstance(trial, _Trial) else trial
        path = folder / INT8_ENCODER_FILE
        files = dict(card.files)
        if quantization["accepted"]:
            files[INT8_ENCODER_FILE] = file_digest(path)
            quantization["file"] = INT8_ENCODER_FILE
        else:
            path.unlink(missing_ok=True)
        card = replace(card, files=files, quantization=json.loads(json.dumps(quantization)))
        (folder / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
        return card

    def _try_quantizing(
        self, folder: Path, card: ModelCard, model: LoadedModel
    ) -> _Trial | dict[str, Any]:
        """Return an 8-bit encoder to be compared, or the section that says why there is none."""
        if self.recipe.quantize == "never":
            return refused("it was not asked for (--quantize never)")
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
            quantize_encoder(folder / "encoder.onnx", path, [found.frames])
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
                "fp32": round((folder / "encoder.onnx").stat().st_size / 1e6, 2),
                "int8": round(path.stat().st_size / 1e6, 2),
            },
        }
        if reason := too_slow(speed):
            return refused(
                reason, **facts, speed={"fp32_ms": speed.fp32_ms, "int8_ms": speed.int8_ms}
            )
        return _Trial(encoders, speed, facts)

    def _judge(self, trial: _Trial, card: ModelCard, model: LoadedModel) -> dict[str, Any]:
        """Compare on validation video and return the card's section."""
        stretches = choose_stretches(self.data.videos["val"], seed=self.recipe.seed)
        try:
            tracks = self._score(stretches, model, trial.encoders)
        except UserError as error:
            return refused(f"it could not be checked: {error}", **trial.facts)
        figures = {name: measure_events(card, stretches, part) for name, part in tracks.items()}
        comparison = compare_scores(
            figures,
            tracks,
            seconds=seconds_of(stretches),
            videos=len({stretch.video.name for stretch in stretches}),
        )
        accepted, reason = decide(trial.speed, comparison)
        return {
            **describe(trial.speed, comparison, accepted=accepted, reason=reason),
            **trial.facts,
        }

    def _score(
        self, stretches: list[Stretch], model: LoadedModel, encoders: Mapping[str, FrameEncoder]
    ) -> dict[str, list[ScoreTrack]]:
        clip = model.card.clip
        videos = {stretch.video.name: stretch.video for stretch in stretches}
        frozen = all(video.inputs.ndim == 2 for video in videos.values())

        def variants_of(stretch: Stretch) -> Mapping[str, FeatureSource]:
            def fp32(batch: StretchBatch) -> NDArray[np.float32]:
                if frozen:  # training encoded these very frames with this very file
                    return np.array(stretch.video.inputs[batch.rows], np.float32)
                return model.encoder.encode(batch.frames)

            def int8(encoder: FrameEncoder) -> FeatureSource:
                return lambda batch: encoder.encode(batch.frames)

            return {"fp32": fp32, **{name: int8(encoder) for name, encoder in encoders.items()}}

        return score_variants(
            model,
            stretches,
            StretchFrames(self.bench, self.data, clip),
            variants_of,
            on_progress=lambda done, total: self.reporter.progress(done, total, NOTE),
        )


@dataclass(frozen=True, slots=True)
class _Trial:
    """An 8-bit encoder that is worth comparing."""

    encoders: Mapping[str, FrameEncoder]
    """Runtime → encoder."""
    speed: Speed
    facts: dict[str, Any]
    """For the card."""
