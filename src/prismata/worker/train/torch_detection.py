"""Detection with PyTorch, for models of which only a checkpoint exists; same pipeline, slower."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from prismata.core.child import ChildReporter
from prismata.detection.bundle import LoadedModel
from prismata.detection.child import detect_with
from prismata.detection.engines import RuntimeInfo
from prismata.detection.scorers import BundleScorer
from prismata.settings import Settings
from prismata.training.model import Detector
from prismata.wiring import open_workbench
from prismata.worker.train.encoder_setup import Encode
from prismata.worker.train.restore import restore


class TorchEncoder:
    """The detection room's `FrameEncoder`, driven by PyTorch."""

    def __init__(self, encode: Encode, *, feature_size: int, width: int, height: int) -> None:
        self._encode = encode
        self.feature_size, self.width, self.height = feature_size, width, height

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn `(N, H, W, 3)` uint8 frames into `(N, F)` float32 features."""
        return self._encode(frames)


class TorchHead:
    """The detection room's `TemporalHead`, driven by PyTorch."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self.num_frames = detector.num_frames

    def score(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn `(N, T, F)` windows into `(N, C)` scores."""
        return self._detector.score(windows)


def run_torch_detection(request: dict[str, Any], reporter: ChildReporter) -> dict[str, Any]:
    """Handle a detection request whose model is a checkpoint (`prefix` in storage)."""
    with open_workbench(Settings(**request["settings"])) as bench, ExitStack() as stack:
        restored = restore(bench, request["prefix"], stack)
        card = restored.card.with_thresholds(request.get("thresholds") or {})
        device = "cuda" if torch.cuda.is_available() else "cpu"
        restored.detector.to(device)
        runtime = RuntimeInfo("pytorch", torch.__version__, device, "fp32", torch.get_num_threads())
        encoder = TorchEncoder(
            restored.encode,
            feature_size=card.feature_size,
            width=card.clip.width,
            height=card.clip.height,
        )
        model = LoadedModel(card, encoder, TorchHead(restored.detector), runtime)
        return detect_with(BundleScorer(model), request, reporter)
