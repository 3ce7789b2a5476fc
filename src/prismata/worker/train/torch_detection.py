"""Detection with PyTorch, for models of which only a checkpoint exists; same pipeline, slower."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from prismata.core.child import ChildReporter
from prismata.detection.bundle import NORMAL_BATCH, LoadedModel, file_digest
from prismata.detection.child import detect_with
from prismata.detection.runtimes import RuntimeInfo
from prismata.detection.scorers import BundleScorer
from prismata.settings import Settings
from prismata.training.model import Detector
from prismata.wiring import open_workbench
from prismata.worker.train.encoder_setup import Encode
from prismata.worker.train.restore import Restored, restore


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
        runtime = RuntimeInfo(
            "pytorch", torch.__version__, device, "fp32", torch.get_num_threads(), NORMAL_BATCH
        )
        encoder = TorchEncoder(
            restored.encode,
            feature_size=card.feature_size,
            width=card.clip.width,
            height=card.clip.height,
        )
        head = TorchHead(restored.detector)
        model = LoadedModel(card, encoder, head, runtime, f"{encoder_digest(restored)}:fp32")
        return detect_with(BundleScorer(model), request, reporter)


def encoder_digest(restored: Restored) -> str:
    """SHA-256 of what encodes: the frozen file, or the trained encoder's weights."""
    if restored.frozen_encoder is not None:
        return file_digest(restored.frozen_encoder)
    assert restored.detector.encoder is not None  # noqa: S101 - trained where not frozen
    digest = hashlib.sha256()
    for name, values in restored.detector.encoder.state_dict().items():
        digest.update(name.encode())
        digest.update(values.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
