"""Bring a trained detector back from its checkpoint in storage."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from prismata.core.errors import NotFoundError
from prismata.core.modelcard import ModelCard
from prismata.detection.bundle import CHECKPOINT_FILE, ENCODER_FILE
from prismata.detection.runtimes import OnnxEncoder
from prismata.services.workbench import Workbench
from prismata.training.checkpoint import build_detector, load_checkpoint
from prismata.training.model import Detector
from prismata.worker.train.encoder_setup import Encode
from prismata.worker.train.parity import CheckClip
from prismata.worker.train.publish import CARD_DRAFT_FILE, CHECK_FILE


@dataclass(frozen=True, slots=True)
class Restored:
    """A trained detector with what belongs to it."""

    detector: Detector
    card: ModelCard
    check: CheckClip
    frozen_encoder: Path | None
    encode: Encode


def restore(bench: Workbench, prefix: str, stack: ExitStack) -> Restored:
    """Load checkpoint, card, check clip and frozen encoder from below a storage prefix.

    Raises:
        NotFoundError: If a part is missing.
        InvalidInputError: If one is damaged.
    """

    def local(name: str) -> Path:
        return stack.enter_context(bench.storage.local_copy(prefix + name))

    try:
        state = load_checkpoint(local(CHECKPOINT_FILE))
        card = ModelCard.from_json(bench.storage.get(prefix + CARD_DRAFT_FILE).decode())
        check = CheckClip.load(local(CHECK_FILE))
    except NotFoundError as error:
        raise NotFoundError(
            f"the checkpoint below {prefix} is incomplete ({error}); its training did not finish: "
            "resume it with `prismata train --resume RUN`"
        ) from error
    detector = build_detector(state["model"])
    detector.load_state_dict(state["best_weights"])
    detector.eval()
    if detector.encoder is not None:
        return Restored(detector, card, check, None, detector.encode)
    path = local(ENCODER_FILE)
    encoder = OnnxEncoder(path, width=card.clip.width, height=card.clip.height)
    return Restored(detector, card, check, path, encoder.encode)
