"""The model side of a detection: its files on disk, and the child that can run it."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prismata.catalog import ModelRecord
from prismata.services.workbench import Workbench

DETECT_CHILD: tuple[str, ...] = (sys.executable, "-m", "prismata.detection")
TORCH_CHILD: tuple[str, ...] = (sys.executable, "-m", "prismata.worker.train")
BUNDLE_FILES = ("card.json", "encoder.onnx", "temporal.onnx")


@dataclass(frozen=True, slots=True)
class ModelOnDisk:
    """A model that a child can open, as long as the resources it came with are held."""

    argv: tuple[str, ...]
    fields: dict[str, Any]
    """What the child's request says of it."""


def bring_model(bench: Workbench, model: ModelRecord, resources: ExitStack) -> ModelOnDisk:
    """Bring a model to local files that stay until `resources` are closed.

    Several requests that name the same copy let a warm child see that it has the model open.

    Raises:
        NotFoundError: If a file of it is missing from storage.
    """
    storage = bench.storage
    if model.kind == "checkpoint":
        fields = {
            "task": "detect",
            "settings": bench.settings.to_request(),
            "prefix": model.bundle_key,
        }
        return ModelOnDisk(TORCH_CHILD, fields)
    if model.kind == "foreign_onnx":
        copy = resources.enter_context(storage.local_copy(f"{model.bundle_key}model.onnx"))
        foreign = {
            "path": str(copy),
            "card": json.dumps(model.card),
            "normalization": model.card["training"].get("normalization", "imagenet"),
        }
        return ModelOnDisk(DETECT_CHILD, {"foreign": foreign})
    folder = resources.enter_context(tempfile.TemporaryDirectory(prefix="prismata-model-"))
    for name in dict.fromkeys((*BUNDLE_FILES, *model.card.get("files", {}))):
        # Links, so that one folder holds what the storage keeps wherever its cache is.
        copy = resources.enter_context(storage.local_copy(model.bundle_key + name))
        (Path(folder) / name).symlink_to(copy.resolve())
    return ModelOnDisk(DETECT_CHILD, {"bundle": folder})
