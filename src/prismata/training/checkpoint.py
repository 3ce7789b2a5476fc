"""Checkpoints: everything needed to go on, written so that a kill never leaves half a file."""

from __future__ import annotations

import os
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.training.encoders import build_encoder
from prismata.training.heads import build_head
from prismata.training.model import Detector
from prismata.training.recipe import Recipe

CHECKPOINT_VERSION = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors and plain values only) atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.part")
    with temporary.open("wb") as target:
        torch.save({"checkpoint_version": CHECKPOINT_VERSION, **state}, target)
        target.flush()
        os.fsync(target.fileno())
    temporary.replace(path)


def how_far(path: Path) -> tuple[int, int]:
    """Return the whole epochs and the steps of the next one that a checkpoint holds.

    (-1, 0) if there is none, or it cannot be read: any that can has come further.
    """
    try:
        state = load_checkpoint(path)
    except (NotFoundError, InvalidInputError):
        return -1, 0
    return int(state["epoch"]), len(state.get("losses", []))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; tensors and plain values only, never code.

    Raises:
        NotFoundError: If there is no such file.
        InvalidInputError: If it is damaged or of another version.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no checkpoint {path.name}")
    _check_records(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises anything from EOFError to UnpicklingError here
        raise InvalidInputError(f"the checkpoint {path.name} cannot be read: {error}") from error
    if not isinstance(state, dict) or state.get("checkpoint_version") != CHECKPOINT_VERSION:
        raise InvalidInputError(f"{path.name} is not a checkpoint of this program")
    return state


def _check_records(path: Path) -> None:
    """Compare every record with its CRC-32; torch writes them and does not look at them."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError) as error:
        raise InvalidInputError(f"the checkpoint {path.name} cannot be read: {error}") from error
    if damaged is not None:
        raise InvalidInputError(
            f"the checkpoint {path.name} is damaged ({damaged} is not what was written); use an "
            "earlier one or start a new run"
        )


def describe_model(
    recipe: Recipe, *, feature_size: int, num_classes: int, num_frames: int
) -> dict[str, Any]:
    """Return the plain values from which `build_detector` makes the same architecture."""
    return {
        "recipe": asdict(recipe),
        "feature_size": feature_size,
        "num_classes": num_classes,
        "num_frames": num_frames,
    }


def build_detector(description: dict[str, Any]) -> Detector:
    """Return a detector with random weights, as `describe_model` described it."""
    recipe = Recipe.from_dict(description["recipe"])
    encoder = None if recipe.frozen else build_encoder(recipe.encoder)
    head = build_head(
        recipe.architecture, description["feature_size"], description["num_classes"], recipe.head
    )
    return Detector(encoder, head, description["num_frames"])
