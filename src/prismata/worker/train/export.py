"""Export again from a checkpoint: to a folder, with the single-file classic if asked for."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from prismata.core.child import ChildReporter
from prismata.core.errors import ConflictError
from prismata.settings import Settings
from prismata.wiring import open_workbench
from prismata.worker.train.publish import write_bundle
from prismata.worker.train.restore import restore


def run_export(request: dict[str, Any], reporter: ChildReporter) -> dict[str, Any]:
    """Write a checked bundle into a new folder, all of it or nothing.

    Request: `prefix` of the checkpoint in storage, `name` for the card, `target` folder, `classic`.

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
