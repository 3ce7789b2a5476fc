"""Export, check, store, register: a model becomes visible only when all of it is in place."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from prismata.catalog import ModelRecord
from prismata.core.errors import ExportRefusedError
from prismata.core.jobs import JobLease
from prismata.core.modelcard import ModelCard
from prismata.detection.bundle import (
    CARD_FILE,
    CLASSIC_FILE,
    ENCODER_FILE,
    TEMPORAL_FILE,
    file_digest,
    load_bundle,
)
from prismata.services.workbench import Workbench
from prismata.training.export import export_classic, export_encoder, export_head, opset_of
from prismata.training.model import Detector
from prismata.worker.train.encoder_setup import Encode
from prismata.worker.train.parity import CheckClip, compare, compare_classic, compare_shapes

CHECK_FILE = "check.npz"
CARD_DRAFT_FILE = "card.json"


def write_bundle(
    folder: Path,
    detector: Detector,
    card: ModelCard,
    *,
    encode: Encode,
    check: CheckClip,
    frozen_encoder: Path | None,
    classic: bool = False,
) -> ModelCard:
    """Write a complete bundle into `folder` and return its card; refuse one that disagrees.

    Raises:
        ExportRefusedError: If trained and exported model differ; `folder` must not be published.
        InvalidInputError: If a classic file was asked for and cannot be made.
    """
    detector = detector.to("cpu").eval()
    clip = card.clip
    if frozen_encoder is not None:
        shutil.copyfile(frozen_encoder, folder / ENCODER_FILE)
    elif detector.encoder is not None:
        export_encoder(
            detector.encoder, folder / ENCODER_FILE, width=clip.width, height=clip.height
        )
    else:
        raise ExportRefusedError(
            f"model {card.name!r} has neither a trained nor a frozen encoder to export"
        )
    export_head(detector, folder / TEMPORAL_FILE)
    names = [ENCODER_FILE, TEMPORAL_FILE]
    if classic:
        export_classic(detector, folder / CLASSIC_FILE, width=clip.width, height=clip.height)
        names.append(CLASSIC_FILE)
    card = replace(card, files={name: file_digest(folder / name) for name in names})
    (folder / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
    exported = load_bundle(folder, runtime="onnxruntime", precision="fp32")
    parity = compare(detector, encode, exported, check)
    parity["head_shapes"] = compare_shapes(detector, exported)
    parity["opsets"] = {name: opset_of(folder / name) for name in names}
    if classic:
        parity["classic_max_score_difference"] = compare_classic(
            detector, encode, folder / CLASSIC_FILE, card, check
        )
    card = replace(card, parity=parity)
    (folder / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
    return card


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from."""

    training_run_id: str
    lease: JobLease | None
    """Of the attempt that publishes it."""


def publish(
    bench: Workbench,
    detector: Detector,
    card: ModelCard,
    *,
    encode: Encode,
    check: CheckClip,
    frozen_encoder: Path | None,
    origin: Origin,
    finish: Callable[[Path, ModelCard], ModelCard],
) -> tuple[ModelRecord, ModelCard]:
    """Export into storage and enter the model into the catalog, last.

    `finish` gets the checked bundle's folder and card; it may add files and returns the final card,
    which it has written.

    Raises:
        ExportRefusedError: If trained and exported model differ; nothing is left behind.
        ConflictError: If the name was taken meanwhile, or the lease belongs to somebody else.
    """
    with tempfile.TemporaryDirectory(prefix="prismata-bundle-") as temporary:
        folder = Path(temporary)
        card = write_bundle(
            folder, detector, card, encode=encode, check=check, frozen_encoder=frozen_encoder
        )
        card = finish(folder, card)
        prefix = f"models/{card.name}/"
        for path in sorted(folder.iterdir()):
            bench.storage.put_file(prefix + path.name, path)
    model = bench.catalog.models.add(
        lease=origin.lease,
        name=card.name,
        domain=card.domain,
        domain_version=card.domain_version,
        training_run_id=origin.training_run_id,
        bundle_key=prefix,
        kind="bundle",
        card=json.loads(card.to_json()),
    )
    return model, card
