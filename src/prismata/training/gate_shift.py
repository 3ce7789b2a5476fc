"""Gate shift: a frame's maps take something over from the frames before and after it.

Sudhakaran et al. 2020, "Gate-Shift Networks for Video Action Recognition" (arXiv 1912.00381). What
moves is learned, so a network that starts as an image classifier starts unchanged.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

BLOCK = 32
"""Samples that are looked at together: a compromise between the edges of blocks, where a neighbour
is missing on one side, and the memory that a block of activations takes."""


class GateShift(nn.Module):
    """Mixes the first channels of neighbouring samples: `(N, C, H, W)` → the same shape.

    The N samples are blocks of `block` neighbours; nothing passes from one block to another. Of the
    first `share` of the channels one half gives to the next sample and the other half to the one
    before, each pixel as much as its gate says.

    Args:
        channels: C.
        block: Samples in a block.
        share: Of the channels, that take part.
    """

    def __init__(self, channels: int, block: int, share: float = 0.25) -> None:
        super().__init__()
        self.block = block
        self.giving = max(1, round(channels * share / 2))
        self.norm = nn.BatchNorm3d(2 * self.giving)
        self.gate = nn.Conv3d(2 * self.giving, 2, kernel_size=3, padding=1, groups=2)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(cast(Tensor, self.gate.bias))

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps with what their neighbours gave."""
        count, _, height, width = maps.shape
        taking_part = maps[:, : 2 * self.giving]
        clips = taking_part.reshape(-1, self.block, 2 * self.giving, height, width).transpose(1, 2)
        gates = torch.tanh(self.gate(torch.relu(self.norm(clips))))
        forward = gates[:, :1] * clips[:, : self.giving]
        backward = gates[:, 1:] * clips[:, self.giving :]
        nothing = torch.zeros_like(forward[:, :, :1])
        from_before = torch.cat([nothing, forward[:, :, :-1]], dim=2)
        from_after = torch.cat([backward[:, :, 1:], nothing], dim=2)
        given = torch.cat([from_before - forward, from_after - backward], dim=1)
        mixed = (clips + given).transpose(1, 2).reshape(count, 2 * self.giving, height, width)
        return torch.cat([mixed, maps[:, 2 * self.giving :]], dim=1)
