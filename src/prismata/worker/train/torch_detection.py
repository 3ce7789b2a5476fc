"""Detection with PyTorch, for models of which only a checkpoint exists; same pipeline, slower."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from prismata.core.child import ChildReporter
from prismata.core.errors import InvalidInputError
from prismata.detection.bundle import NORMAL_BATCH, LoadedModel, file_digest
from prismata.detection.child import detect_with
from prismata.detection.runtimes import RuntimeInfo
from prismata.settings import Settings
from prismata.training.model import Detector
from prismata.wiring import open_workbench
from prismata.worker.train.encoder_setup import Encode
from prismata.worker.train.restore import Restored, restore


class TorchEncoder:
    """The detection room's `FrameEncoder`, driven by PyTorch.

    Args:
        encode: `(N, H, W, 3)` uint8 → `(N, F)` float32, for N > 0.
        feature_size: F.
        width: Pixels; likewise `height`.
        height: Pixels.
        bf16_on: Kind of device (`cuda`, `cpu`) whose matrix products may be in bf16; "" = fp32.
    """

    def __init__(
        self, encode: Encode, *, feature_size: int, width: int, height: int, bf16_on: str = ""
    ) -> None:
        self._encode = encode
        self.feature_size, self.width, self.height = feature_size, width, height
        self._bf16_on = bf16_on

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn `(N, H, W, 3)` uint8 frames into `(N, F)` float32 features."""
        if len(frames) == 0:
            return np.zeros((0, self.feature_size), np.float32)
        with torch.autocast(
            self._bf16_on or "cpu", dtype=torch.bfloat16, enabled=bool(self._bf16_on)
        ):
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
        model = load_restored(
            restored,
            precision=request.get("precision", "auto"),
            cuda=torch.cuda.is_available(),
            batch=int(request.get("batch", 0)),
        )
        return detect_with(model, request, reporter)


def load_restored(
    restored: Restored, *, precision: str = "auto", cuda: bool = False, batch: int = 0
) -> LoadedModel:
    """Prepare a checkpoint for detection.

    A GPU runs a trained encoder in bf16, channels last, unless fp32 is asked for. A frozen encoder
    is a file that ONNX Runtime runs on the processor, where the small head then stays too.

    Raises:
        InvalidInputError: If a checkpoint cannot run in this precision here.
    """
    card, detector = restored.card, restored.detector
    on_gpu = cuda and detector.encoder is not None
    offered = ("bf16", "fp32") if on_gpu else ("fp32",)
    if precision not in ("auto", *offered):
        raise InvalidInputError(
            f"{precision} was asked for, but model {card.name!r} is a checkpoint without an "
            f"export, which runs here in {' or '.join(offered)}; export it, or ask for auto"
        )
    real = offered[0] if precision == "auto" else precision
    if on_gpu:
        # Frames come as (N, H, W, 3) and are permuted, so they are channels last already.
        detector.to(memory_format=torch.channels_last)
        detector.to("cuda")
        torch.backends.cudnn.allow_tf32 = False  # fp32 is to mean fp32
    encoder = TorchEncoder(
        restored.encode,
        feature_size=card.feature_size,
        width=card.clip.width,
        height=card.clip.height,
        bf16_on="cuda" if real == "bf16" else "",
    )
    runtime = RuntimeInfo(
        name="pytorch",
        version=torch.__version__,
        device="cuda" if on_gpu else "cpu",
        precision=real,
        threads=torch.get_num_threads(),
        batch=batch or NORMAL_BATCH,
    )
    key = f"{encoder_digest(restored)}:{real}"
    return LoadedModel(card, encoder, TorchHead(detector), runtime, key)


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
