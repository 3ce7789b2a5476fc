"""Decide where the encoder comes from before any video is read; never silently random."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.core.recipes import ClipSpec
from prismata.detection.bundle import ENCODER_FILE, file_digest
from prismata.detection.runtimes import open_session
from prismata.services.workbench import Workbench
from prismata.training.encoders import (
    ENCODERS,
    PUBLISHED_AS,
    FrameEncoder,
    build_encoder,
    load_pretrained,
)
from prismata.training.export import export_encoder, wrap_frozen_encoder
from prismata.training.recipe import Recipe
from prismata.training.weights import FoundWeights, WeightsProvider, load_state

Encode = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class EncoderSetup:
    """The encoder of one training run."""

    trainable: FrameEncoder | None
    """Trained together with the head; `None` when frozen."""
    frozen_path: Path | None
    """`encoder.onnx` when frozen."""
    frozen_sha256: str
    feature_size: int | None
    """Known beforehand only for trainable encoders."""
    origin: str
    """Where its weights came from, for the card."""
    reference: Encode | None
    """For a frozen encoder: the published network itself, run without our wrapping or export."""


def set_up_encoder(
    bench: Workbench, recipe: Recipe, clip: ClipSpec, folder: Path, stack: ExitStack
) -> EncoderSetup:
    """Find, verify and prepare the encoder.

    Raises:
        UnavailableError: If pretrained weights are needed and nowhere.
        InvalidInputError: If the recipe contradicts itself or a file cannot be used.
    """
    torch.manual_seed(recipe.seed)
    wants_weights = recipe.weights != "none"
    if recipe.frozen:
        if not wants_weights or recipe.encoder == "tiny":
            raise InvalidInputError(
                f"encoder {recipe.encoder!r} cannot be frozen: without pretrained weights it "
                "knows nothing; train it too (--train-encoder), or choose another encoder"
            )
        found = _find(bench, recipe, stack)
        return _frozen(recipe, clip, folder, found)
    encoder = build_encoder(recipe.encoder)
    origin = "none (random initialisation, asked for with --weights none)"
    if wants_weights and (recipe.encoder in PUBLISHED_AS or recipe.weights != "auto"):
        found = _find(bench, recipe, stack)
        if found.is_onnx:
            raise InvalidInputError(
                f"{found.path.name} is an ONNX encoder, which can only be used frozen; leave out "
                "--train-encoder, or name torch weights"
            )
        load_pretrained(encoder, load_state(found))
        origin = found.origin
    elif wants_weights:
        origin = f"none (random initialisation; nobody publishes weights for {recipe.encoder!r})"
    return EncoderSetup(encoder, None, "", encoder.feature_size, origin, None)


def _find(bench: Workbench, recipe: Recipe, stack: ExitStack) -> FoundWeights:
    if recipe.weights not in ("auto", "none"):
        path = Path(recipe.weights)
        if not path.is_file():
            raise InvalidInputError(f"there is no weights file {recipe.weights!r}")
        digest = file_digest(path)
        return FoundWeights(path, f"file {path.name}, sha256 {digest}", digest)
    provider = WeightsProvider(bench.storage, bench.settings.weights_dir, stack)
    return provider.find(PUBLISHED_AS.get(recipe.encoder, recipe.encoder))


def _frozen(recipe: Recipe, clip: ClipSpec, folder: Path, found: FoundWeights) -> EncoderSetup:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / ENCODER_FILE
    if found.is_onnx:
        size = wrap_frozen_encoder(found.path, target, width=clip.width, height=clip.height)
        reference = _published_onnx(found.path)
    elif recipe.encoder in ENCODERS:
        encoder = build_encoder(recipe.encoder)
        load_pretrained(encoder, load_state(found))
        encoder.eval()
        export_encoder(encoder, target, width=clip.width, height=clip.height)
        size = encoder.feature_size
        reference = _torch_reference(encoder)
    else:
        raise InvalidInputError(
            f"{found.path.name} holds torch weights for an encoder {recipe.encoder!r} that this "
            f"program does not know; it knows {', '.join(sorted(ENCODERS))}"
        )
    return EncoderSetup(None, target, file_digest(target), size, found.origin, reference)


def _published_onnx(path: Path) -> Encode:
    """Run the published file as it is: float32 `(N, 3, H, W)` in 0..255."""
    session = open_session(path)
    name = session.get_inputs()[0].name
    outputs = [item.name for item in session.get_outputs()]
    wanted = "features" if "features" in outputs else outputs[0]

    def encode(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = np.ascontiguousarray(frames.transpose(0, 3, 1, 2)).astype(np.float32)
        features: NDArray[np.float32] = session.run([wanted], {name: pixels})[0]
        return features

    return encode


def _torch_reference(encoder: FrameEncoder) -> Encode:
    def encode(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            features: NDArray[np.float32] = encoder(torch.from_numpy(frames)).numpy()
        return features

    return encode
