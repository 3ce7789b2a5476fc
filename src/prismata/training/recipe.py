"""Everything that decides how a model is trained; stored with the run, unknown keys refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from prismata.core.architectures import (
    CLIP_ENCODERS,
    DEFAULT_ARCHITECTURE,
    find_architecture,
)
from prismata.core.errors import InvalidInputError
from prismata.training.heads import HeadSpec

FROZEN_STEPS = 24
"""Ten labels in three videos of ten seconds make one step; a head that makes thirty of them in
thirty epochs has not begun to learn."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train a detector.

    Raises:
        InvalidInputError: If a value is out of range.
    """

    architecture: str = DEFAULT_ARCHITECTURE
    encoder: str = "resnet18"
    frozen: bool = True
    """Encode once, train the head only: minutes on a CPU."""
    weights: str = "auto"
    """`auto` (the weights provider), `none` (random on purpose) or a file."""
    epochs: int = 30
    patience: int = 8
    """Epochs without a better validation score before stopping."""
    batch_windows: int = 256
    """Windows in a step when the encoder is frozen and the head scores their centres."""
    batch_chunks: int = 4
    chunk_samples: int = 32
    """Stretches in a step, and scored samples in each: when the encoder is trained, or the head
    is dense."""
    epoch_steps: int | None = None
    """Steps in an epoch at least; where there is too little for them it is gone through again.
    None = `FROZEN_STEPS` if the encoder is frozen, else 1, as a step then costs much more."""
    head_lr: float = 1e-3
    encoder_lr: float = 1e-3
    weight_decay: float = 0.01
    ema_decay: float = 0.97
    """Share of the running mean of the weights that stays at each step."""
    positive_limit: float = 5.0
    """Largest loss weight of positives."""
    focal_gamma: float = 0.0
    """Above 0, what is easy weighs less: by (1 - p)^gamma (Lin et al. 2017, arXiv 1708.02002)."""
    mixup: float = 0.0
    """Above 0, stretches are blended in pairs, by a share from Beta(mixup, mixup) (Zhang et al.
    2018, arXiv 1710.09412); for heads that score every sample."""
    dilation: int | None = None
    """Samples to either side of a point event that are positive, too. None = by the head: a score
    for every sample wants 1 where events are rare, else 0; a window's centre wants 1,
    or what the domain's tolerance asks for if that is more."""
    mining_folds: int = 0
    """Above 1, so many models are trained first, each without a part of the training videos; what
    they mistake for events there weighs more (hard negatives). Costs as many trainings."""
    freeze_batch_norm: bool = False
    """Keep the encoder's running statistics, as few frames in a step make poor ones."""
    precision: str = "auto"
    """`auto` (bf16 on a GPU that has it), `fp32` or `bf16`: of the trained networks' arithmetic."""
    flip: bool = True
    """Mirror stretches at random; switch off where left and right mean something."""
    quantize: str = "auto"
    """`auto` (an 8-bit encoder goes along if it passes the gate) or `never`."""
    emphasis: str = ""
    """`points` or `segments`: the average precision that chooses the best epoch, where both kinds
    are validated; empty = their mean."""
    seed: int = 0
    head: HeadSpec = field(default_factory=HeadSpec)

    def __post_init__(self) -> None:
        ranges = {
            "epochs": (1, 10_000),
            "patience": (1, 10_000),
            "batch_windows": (1, 65_536),
            "batch_chunks": (1, 1024),
            "chunk_samples": (1, 4096),
            "focal_gamma": (0, 5),
            "mixup": (0, 10),
            "mining_folds": (0, 20),
        }
        for name, (low, high) in ranges.items():
            if not low <= getattr(self, name) <= high:
                raise InvalidInputError(
                    f"{name} must lie in {low}..{high}, not {getattr(self, name)}"
                )
        self._check_architecture()
        if self.dilation is not None and not 0 <= self.dilation <= 100:
            raise InvalidInputError(f"dilation must lie in 0..100, not {self.dilation}")
        if self.epoch_steps is not None and not 1 <= self.epoch_steps <= 10_000:
            raise InvalidInputError(f"epoch_steps must lie in 1..10000, not {self.epoch_steps}")
        if self.precision not in ("auto", "fp32", "bf16"):
            raise InvalidInputError(f"precision must be auto, fp32 or bf16, not {self.precision!r}")
        for name in ("head_lr", "encoder_lr"):
            if not 0 < getattr(self, name) < 1:
                raise InvalidInputError(f"{name} must lie in (0, 1), not {getattr(self, name)}")
        if self.emphasis not in ("", "points", "segments"):
            raise InvalidInputError(
                f"emphasis must be points or segments, or left out, not {self.emphasis!r}"
            )
        if not 0 <= self.ema_decay < 1:
            raise InvalidInputError(f"ema_decay must lie in [0, 1), not {self.ema_decay}")
        if self.quantize not in ("auto", "never"):
            raise InvalidInputError(f"quantize must be auto or never, not {self.quantize!r}")
        if self.positive_limit < 1:
            raise InvalidInputError(f"positive_limit must be at least 1, not {self.positive_limit}")

    def _check_architecture(self) -> None:
        architecture = find_architecture(self.architecture)
        if self.mixup and architecture.scores != "dense":
            raise InvalidInputError(
                f"mixup blends stretches, which {self.architecture} is not trained on; leave it "
                "out, or choose an architecture that scores every sample"
            )
        if self.encoder in CLIP_ENCODERS and (self.frozen or architecture.scores != "dense"):
            raise InvalidInputError(
                f"encoder {self.encoder!r} looks at neighbouring frames together, which has to be "
                "trained and goes with heads that score every sample: say --train-encoder and "
                "choose such an architecture, spot_rny002 for one"
            )

    def epoch_items(self, there: int, in_step: int) -> int:
        """Return how many items an epoch has where so many are there and a step takes so many.

        All that are there, or enough for the steps that it has at least.
        """
        steps = FROZEN_STEPS if self.frozen else 1
        if self.epoch_steps is not None:
            steps = self.epoch_steps
        return there if -(-there // in_step) >= steps else steps * in_step

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)

    @classmethod
    def resolved(cls, chosen: Mapping[str, Any]) -> Recipe:
        """Return the recipe of what a person chose; the rest is the architecture's.

        Raises:
            InvalidInputError: As `from_dict`.
        """
        architecture = find_architecture(str(chosen.get("architecture", DEFAULT_ARCHITECTURE)))
        own = {"encoder": architecture.encoder, "frozen": architecture.frozen}
        return cls.from_dict({**own, **architecture.recipe, **chosen})

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Recipe:
        """Read what `to_dict` wrote.

        Raises:
            InvalidInputError: If a key is unknown or a value out of range.
        """
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(raw) - known)
        if unknown:
            raise InvalidInputError(
                f"the recipe has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}"
            )
        values = dict(raw)
        try:
            if isinstance(values.get("head"), dict):
                values["head"] = HeadSpec(**values["head"])
            return cls(**values)
        except TypeError as error:
            raise InvalidInputError(f"the recipe cannot be used: {error}") from error
