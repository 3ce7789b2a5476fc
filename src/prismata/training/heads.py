"""The temporal head of the classic detector: BiLSTM over a window, then an MLP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from prismata.core.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """Sizes of the classic head.

    Raises:
        InvalidInputError: If a size is out of range.
    """

    hidden: int = 128
    """LSTM units per direction."""
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


class CnnLstmHead(nn.Module):
    """`(N, T, F)` features → `(N, C)` logits, one window a row.

    The LSTM sees each sample's features and how they changed since the one before: change is what
    carries over to people and places that were not in the training videos.

    The window's score belongs to its centre, so the centre's state goes into the MLP beside the
    mean over the window: the first says when, the second says what.
    """

    def __init__(self, feature_size: int, num_classes: int, spec: HeadSpec) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(feature_size)
        self.hide = nn.Dropout(spec.input_dropout)
        self.project = nn.Linear(feature_size, spec.hidden)
        self.lstm = nn.LSTM(
            2 * spec.hidden,
            spec.hidden,
            num_layers=spec.layers,
            batch_first=True,
            bidirectional=True,
            dropout=spec.dropout if spec.layers > 1 else 0.0,
        )
        self.mlp = nn.Sequential(
            nn.Dropout(spec.dropout),
            nn.Linear(4 * spec.hidden, spec.hidden),
            nn.ReLU(),
            nn.Dropout(spec.dropout),
            nn.Linear(spec.hidden, num_classes),
        )
        # Events are rare: starting near a score of 0.05 spares the first epochs a long descent.
        nn.init.constant_(cast(nn.Linear, self.mlp[-1]).bias, -3.0)

    def forward(self, windows: Tensor) -> Tensor:
        """Turn `(N, T, F)` float32 into `(N, C)` logits."""
        hidden = self.project(self.hide(self.norm(windows)))
        before = torch.cat([hidden[:, :1], hidden[:, :-1]], dim=1)
        states, _ = self.lstm(torch.cat([torch.relu(hidden), hidden - before], dim=2))
        centre = states[:, windows.shape[1] // 2]
        return cast(Tensor, self.mlp(torch.cat([centre, states.mean(dim=1)], dim=1)))


class CnnLstm(nn.Module):
    """The classic detector as one module: `(B, T, 3, H, W)` normalised → `(B, C)` logits."""

    def __init__(self, encoder: nn.Module, head: CnnLstmHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, clips: Tensor) -> Tensor:
        """Encode every frame of every window, then score the windows."""
        batch, frames = clips.shape[0], clips.shape[1]
        features = self.encoder.encode_normalized(clips.flatten(0, 1))  # type: ignore[operator]  # FrameEncoder
        return cast(Tensor, self.head(features.view(batch, frames, -1)))
