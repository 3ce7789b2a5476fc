"""The temporal heads: features of neighbouring samples in, logits out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from prismata.core.architectures import HeadName, ScoreLayout, find_architecture
from prismata.core.errors import InvalidInputError

FIRST_BIAS = -3.0
"""Events are rare: starting near a score of 0.05 spares the first epochs a long descent."""


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """Sizes of a head.

    Raises:
        InvalidInputError: If a size is out of range.
    """

    hidden: int = 128
    """Units per direction of a recurrent head, channels of a convolution."""
    layers: int = 1
    dropout: float = 0.2
    input_dropout: float = 0.0
    """Share of the features hidden in training: keeps a head from knowing videos by heart."""

    def __post_init__(self) -> None:
        sizes_fit = 1 <= self.hidden <= 4096 and 1 <= self.layers <= 8
        if not (sizes_fit and 0 <= self.dropout < 1 and 0 <= self.input_dropout < 1):
            raise InvalidInputError(
                f"head settings out of range: hidden {self.hidden}, layers {self.layers}, dropout "
                f"{self.dropout}, input_dropout {self.input_dropout}"
            )


class TemporalHead(nn.Module):
    """Turns `(N, T, F)` features into logits; the common first layer is here.

    It gives each sample's features and how they changed since the one before: change is what
    carries over to people and places that were not in the training videos.

    Args:
        feature_size: F.
        spec: Sizes.
    """

    scores: ClassVar[ScoreLayout]
    """`centre`: logits are `(N, C)`; `dense`: `(N, T, C)`."""

    def __init__(self, feature_size: int, spec: HeadSpec) -> None:
        super().__init__()
        self.feature_size = feature_size
        self.norm = nn.LayerNorm(feature_size)
        self.hide = nn.Dropout(spec.input_dropout)
        self.project = nn.Linear(feature_size, spec.hidden)

    def movement(self, features: Tensor) -> Tensor:
        """Turn `(N, T, F)` float32 into `(N, T, 2 * hidden)`."""
        hidden = self.project(self.hide(self.norm(features)))
        before = torch.cat([hidden[:, :1], hidden[:, :-1]], dim=1)
        return torch.cat([torch.relu(hidden), hidden - before], dim=2)


def _both_ways(spec: HeadSpec) -> dict[str, Any]:
    """Return the arguments of a recurrent layer that reads `TemporalHead.movement` both ways."""
    return {
        "input_size": 2 * spec.hidden,
        "hidden_size": spec.hidden,
        "num_layers": spec.layers,
        "batch_first": True,
        "bidirectional": True,
        "dropout": spec.dropout if spec.layers > 1 else 0.0,
    }


class CnnLstmHead(TemporalHead):
    """The classic: `(N, T, F)` features → `(N, C)` logits, one window a row.

    The window's score belongs to its centre, so the centre's state goes into the MLP beside the
    mean over the window: the first says when, the second says what.
    """

    scores = "centre"

    def __init__(self, feature_size: int, num_classes: int, spec: HeadSpec) -> None:
        super().__init__(feature_size, spec)
        self.lstm = nn.LSTM(**_both_ways(spec))
        self.mlp = nn.Sequential(
            nn.Dropout(spec.dropout),
            nn.Linear(4 * spec.hidden, spec.hidden),
            nn.ReLU(),
            nn.Dropout(spec.dropout),
            nn.Linear(spec.hidden, num_classes),
        )
        nn.init.constant_(cast(nn.Linear, self.mlp[-1]).bias, FIRST_BIAS)

    def forward(self, windows: Tensor) -> Tensor:
        """Turn `(N, T, F)` float32 into `(N, C)` logits."""
        states, _ = self.lstm(self.movement(windows))
        centre = states[:, windows.shape[1] // 2]
        return cast(Tensor, self.mlp(torch.cat([centre, states.mean(dim=1)], dim=1)))


class BiGruHead(TemporalHead):
    """A logit for every sample: `(N, T, F)` → `(N, T, C)`, by a GRU that reads in both directions.

    The temporal part of E2E-Spot (Hong et al. 2022, arXiv 2207.10213).
    """

    scores = "dense"

    def __init__(self, feature_size: int, num_classes: int, spec: HeadSpec) -> None:
        super().__init__(feature_size, spec)
        self.gru = nn.GRU(**_both_ways(spec))
        self.classify = nn.Sequential(
            nn.Dropout(spec.dropout), nn.Linear(2 * spec.hidden, num_classes)
        )
        nn.init.constant_(cast(nn.Linear, self.classify[-1]).bias, FIRST_BIAS)

    def forward(self, features: Tensor) -> Tensor:
        """Turn `(N, T, F)` float32 into `(N, T, C)` logits."""
        states, _ = self.gru(self.movement(features))
        return cast(Tensor, self.classify(states))


class ConvolutionHead(TemporalHead):
    """A logit for every sample: `(N, T, F)` → `(N, T, C)`, by two convolutions over time.

    It sees eight samples to either side. No recurrence, so an epoch over cached features takes a
    fraction of a second.
    """

    scores = "dense"
    KERNEL: ClassVar[int] = 9

    def __init__(self, feature_size: int, num_classes: int, spec: HeadSpec) -> None:
        super().__init__(feature_size, spec)
        self.mix = nn.Sequential(
            nn.Conv1d(2 * spec.hidden, spec.hidden, self.KERNEL, padding=self.KERNEL // 2),
            nn.ReLU(),
            nn.Dropout(spec.dropout),
            nn.Conv1d(spec.hidden, num_classes, self.KERNEL, padding=self.KERNEL // 2),
        )
        last = cast(nn.Conv1d, self.mix[-1])
        nn.init.constant_(cast(Tensor, last.bias), FIRST_BIAS)

    def forward(self, features: Tensor) -> Tensor:
        """Turn `(N, T, F)` float32 into `(N, T, C)` logits."""
        mixed = self.mix(self.movement(features).transpose(1, 2))
        return cast(Tensor, mixed.transpose(1, 2))


_HEADS: Mapping[HeadName, type[CnnLstmHead | BiGruHead | ConvolutionHead]] = MappingProxyType(
    {"cnn_lstm": CnnLstmHead, "bi_gru": BiGruHead, "convolution": ConvolutionHead}
)


def build_head(
    architecture: str, feature_size: int, num_classes: int, spec: HeadSpec
) -> TemporalHead:
    """Return a new head of a registered architecture, with random weights.

    Raises:
        InvalidInputError: If there is no such architecture.
    """
    return _HEADS[find_architecture(architecture).head](feature_size, num_classes, spec)


class CnnLstm(nn.Module):
    """The classic detector as one module: `(B, T, 3, H, W)` normalised → `(B, C)` logits."""

    def __init__(self, encoder: nn.Module, head: TemporalHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, clips: Tensor) -> Tensor:
        """Encode every frame of every window, then score the windows."""
        batch, frames = clips.shape[0], clips.shape[1]
        features = self.encoder.encode_normalized(clips.flatten(0, 1))  # type: ignore[operator]  # FrameEncoder
        return cast(Tensor, self.head(features.view(batch, frames, -1)))
