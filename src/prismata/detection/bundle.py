"""A model on disk: a bundle folder (encoder, head, card) or a foreign single-file `.onnx`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.machine import is_small_machine
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import ClipSpec
from prismata.core.runtimes import machine_facts
from prismata.detection.heap import return_freed_memory
from prismata.detection.runtimes import (
    FrameEncoder,
    OnnxEncoder,
    OnnxHead,
    OpenVinoEncoder,
    RuntimeChoice,
    RuntimeInfo,
    TemporalHead,
    choose_runtime,
    onnx_runtime_info,
)

CARD_FILE = "card.json"
ENCODER_FILE = "encoder.onnx"
TEMPORAL_FILE = "temporal.onnx"
INT8_ENCODER_FILE = "encoder_int8.onnx"
CLASSIC_FILE = "classic.onnx"
CHECKPOINT_FILE = "checkpoint.pt"

NORMAL_BATCH, SMALL_BATCH = 8, 4


_digests: dict[tuple[int, ...], str] = {}


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _digest_once(path: Path) -> str:
    """Return the digest, reading an unchanged file only once in this process."""
    stat = path.stat()
    known = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    if known not in _digests:
        _digests[known] = file_digest(path)
    return _digests[known]


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
        if _digest_once(part) != digest:
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
    encoder_key: str
    """SHA-256 of the encoder, ":", precision, and outside fp32 ":", runtime. Features with one key
    may stand in for each other: in fp32 all runtimes agree within rounding, in less they do not."""


def load_bundle(
    folder: Path,
    *,
    threads: int = 0,
    runtime: str = "auto",
    precision: str = "auto",
    profile: str = "auto",
    batch: int = 0,
) -> LoadedModel:
    """Open a bundle.

    Args:
        folder: The bundle.
        threads: 0 = all cores that this process may use.
        runtime: `auto`, `onnxruntime` or `openvino`.
        precision: `auto`, `fp32`, `bf16` or `int8`.
        profile: `small` = least memory, `normal`, or `auto` = small on a small machine.
        batch: Frames that the encoder takes at a time, 0 = what suits the profile.

    Raises:
        NotFoundError: If a file is missing.
        InvalidInputError: If a file is damaged, has another shape than its card says, or the card
            does not allow what was asked for.
        UnavailableError: If this machine does not have what was asked for.
    """
    card = read_card(folder)
    for name in (ENCODER_FILE, TEMPORAL_FILE):
        if not (folder / name).is_file():
            raise NotFoundError(f"model {card.name!r} has no {name}; export it first")
    if profile not in ("auto", "normal", "small"):
        raise InvalidInputError(
            f"profile {profile!r} was asked for; there is auto, normal and small"
        )
    small = profile == "small" or (profile == "auto" and is_small_machine())
    choice = choose_runtime(
        runtime, precision, card, machine_facts(), holds_int8=INT8_ENCODER_FILE in card.files
    )
    # The head first: reading it takes twice its size for a moment, and then there is room for it.
    head = OnnxHead(
        folder / TEMPORAL_FILE,
        num_frames=card.clip.num_frames,
        scores=card.scores,
        threads=threads,
    )
    return_freed_memory()
    encoder_path = folder / (INT8_ENCODER_FILE if choice.precision == "int8" else ENCODER_FILE)
    encoder, info = _open_encoder(
        encoder_path,
        card.clip,
        choice,
        threads=threads,
        batch=_batch(card, batch or (SMALL_BATCH if small else NORMAL_BATCH)),
    )
    if encoder.feature_size != card.feature_size:
        raise InvalidInputError(
            f"{encoder_path.name} gives {encoder.feature_size} features, the card of "
            f"{card.name!r} says {card.feature_size}"
        )
    return_freed_memory()
    key = f"{_digest_once(encoder_path)}:{info.precision}"
    if info.precision != "fp32":
        key += f":{info.name}"
    return LoadedModel(card, encoder, head, info, key)


def _batch(card: ModelCard, wanted: int) -> int:
    """Return how many frames the encoder takes at a time: what is wanted, or one block."""
    return card.encoder_block if card.encoder_block > 1 else wanted


def _open_encoder(
    path: Path, clip: ClipSpec, choice: RuntimeChoice, *, threads: int, batch: int
) -> tuple[FrameEncoder, RuntimeInfo]:
    """Open the encoder with the chosen runtime, and say what came of it."""
    if choice.runtime == "openvino":
        compiled = OpenVinoEncoder(
            path,
            width=clip.width,
            height=clip.height,
            precision=choice.precision,
            threads=threads,
            batch=batch,
        )
        return compiled, compiled.runtime
    encoder = OnnxEncoder(
        path,
        width=clip.width,
        height=clip.height,
        threads=threads,
        batch=batch,
        device=choice.device,
    )
    info = onnx_runtime_info(
        threads, precision=choice.precision, device=encoder.device, batch=batch
    )
    return encoder, info
