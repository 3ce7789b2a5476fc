"""A model on disk: a bundle folder (encoder, head, card) or a foreign single-file `.onnx`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.modelcard import ModelCard
from prismata.detection.engines import (
    FrameEncoder,
    OnnxEncoder,
    OnnxHead,
    RuntimeInfo,
    TemporalHead,
    onnx_runtime_info,
)

CARD_FILE = "card.json"
ENCODER_FILE = "encoder.onnx"
TEMPORAL_FILE = "temporal.onnx"
INT8_ENCODER_FILE = "encoder_int8.onnx"
CLASSIC_FILE = "classic.onnx"
CHECKPOINT_FILE = "checkpoint.pt"


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def read_card(folder: Path) -> ModelCard:
    """Read and check a bundle's card.

    Raises:
        NotFoundError: If there is no card.
        InvalidInputError: If the card is unreadable or a file differs from its digest.
    """
    path = folder / CARD_FILE
    if not path.is_file():
        raise NotFoundError(f"{folder.name} is not a model bundle: it has no {CARD_FILE}")
    card = ModelCard.from_json(path.read_text(encoding="utf-8"))
    for name, digest in card.files.items():
        part = folder / name
        if not part.is_file():
            raise NotFoundError(f"model {card.name!r} lacks {name}, which its card lists")
        if file_digest(part) != digest:
            raise InvalidInputError(
                f"{name} of model {card.name!r} is damaged or was changed: its SHA-256 is not the "
                "one on the card; export the model again"
            )
    return card


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to run, whatever runtime drives it."""

    card: ModelCard
    encoder: FrameEncoder
    head: TemporalHead
    runtime: RuntimeInfo


def load_bundle(folder: Path, *, threads: int = 0) -> LoadedModel:
    """Open a bundle with ONNX Runtime.

    Raises:
        NotFoundError: If a file is missing.
        InvalidInputError: If a file is damaged or has another shape than its card says.
    """
    card = read_card(folder)
    for name in (ENCODER_FILE, TEMPORAL_FILE):
        if not (folder / name).is_file():
            raise NotFoundError(f"model {card.name!r} has no {name}; export it first")
    encoder = OnnxEncoder(
        folder / ENCODER_FILE, width=card.clip.width, height=card.clip.height, threads=threads
    )
    if encoder.feature_size != card.feature_size:
        raise InvalidInputError(
            f"{ENCODER_FILE} gives {encoder.feature_size} features, the card of {card.name!r} says "
            f"{card.feature_size}"
        )
    head = OnnxHead(folder / TEMPORAL_FILE, num_frames=card.clip.num_frames, threads=threads)
    return LoadedModel(card, encoder, head, onnx_runtime_info(threads))
