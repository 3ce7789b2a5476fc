"""Export again from a checkpoint: to a folder, with the single-file classic if asked for."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from prismata.core.child import ChildReporter
from prismata.core.errors import ConflictError
from prismata.core.modelcard import ModelCard
from prismata.detection.bundle import CARD_FILE, ENCODER_FILE, INT8_ENCODER_FILE
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.wiring import open_workbench
from prismata.worker.train.eight_bit import refused
from prismata.worker.train.publish import write_bundle
from prismata.worker.train.restore import restore


def run_export(request: dict[str, Any], reporter: ChildReporter) -> dict[str, Any]:
    """Write a checked bundle into a new folder, all of it or nothing.

    Request: `prefix` of the checkpoint in storage, `target` folder, `classic`, and `published`, the
    prefix of the model that was made from this checkpoint (or empty), whose 8-bit encoder and
    measurements go along.

    Raises:
        ConflictError: If the target exists.
        ExportRefusedError: If trained and exported model differ.
    """
    target = Path(request["target"])
    if target.exists():
        raise ConflictError(f"{target} exists already; name a folder that does not")
    reporter.progress(0, 1, "exporting and checking")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
    temporary.mkdir()
    try:
        with open_workbench(Settings(**request["settings"])) as bench, ExitStack() as stack:
            restored = restore(bench, request["prefix"], stack)
            card = write_bundle(
                temporary,
                restored.detector,
                restored.card,
                encode=restored.encode,
                check=restored.check,
                frozen_encoder=restored.frozen_encoder,
                classic=bool(request.get("classic")),
            )
            if request.get("published"):
                card = carry_over(bench, str(request["published"]), temporary, card)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    reporter.progress(1, 1, "exporting and checking")
    return {
        "folder": str(target),
        "files": [*sorted(card.files), "card.json"],
        "parity": card.parity,
        "model": card.name,
    }


def carry_over(bench: Workbench, published: str, folder: Path, card: ModelCard) -> ModelCard:
    """Take the 8-bit encoder and what was measured along from a published model.

    The check on validation video is not repeated, so it holds only for the very encoder it was made
    with: if the new export's is another file, there is no 8-bit one, and the card says why.
    """
    old = ModelCard.from_json(bench.storage.get(published + CARD_FILE).decode())
    quantization, files = old.quantization, dict(card.files)
    if quantization.get("accepted"):
        if old.files.get(ENCODER_FILE) == card.files[ENCODER_FILE]:
            with bench.storage.local_copy(published + INT8_ENCODER_FILE) as path:
                shutil.copyfile(path, folder / INT8_ENCODER_FILE)
            files[INT8_ENCODER_FILE] = old.files[INT8_ENCODER_FILE]
        else:
            quantization = refused(
                "this export's encoder is not the file that the 8-bit one was made from and "
                "checked with; export without --classic to get both"
            )
    card = replace(
        card,
        files=files,
        metrics=old.metrics,
        quantization=quantization,
        motion_gate_cost=old.motion_gate_cost,
    )
    (folder / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
    return card
