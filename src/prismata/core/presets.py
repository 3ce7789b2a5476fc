"""Ready-made trainings to choose from: what pages and commands offer, and domains name.

Declared here, without torch, beside the architectures that they use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from prismata.core.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Preset:
    """One way to train."""

    name: str
    """Stable id."""
    title: str
    summary: str
    """What it means, in a sentence to choose by."""
    recipe: Mapping[str, Any]
    """Settings of the training recipe that differ from its defaults."""


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        item.name: item
        for item in (
            Preset(
                "first",
                "First result",
                "A ready-made picture encoder stays as it is, a small head learns: seconds once "
                "the videos are encoded.",
                MappingProxyType({"architecture": "linear_probe"}),
            ),
            Preset(
                "exact",
                "Exact in time, on a CPU",
                "The same encoder, and a larger head that scores every frame: minutes.",
                MappingProxyType({"architecture": "spot_r18"}),
            ),
            Preset(
                "tiny",
                "Train the encoder too",
                "A tiny encoder that sees neighbouring frames learns with the head, from nothing: "
                "exact in time, for pictures unlike photographs too.",
                MappingProxyType(
                    {
                        "architecture": "spot_rny002",
                        "encoder": "tiny_gsm",
                        "frozen": False,
                        "weights": "none",
                        "batch_chunks": 2,
                        "encoder_lr": 1e-3,
                    }
                ),
            ),
            Preset(
                "gpu",
                "On a GPU",
                "ResNet-18 and the head learn together from published weights; hours on a CPU.",
                MappingProxyType({"architecture": "spot_r18", "frozen": False, "encoder_lr": 1e-4}),
            ),
            Preset(
                "classic",
                "The classic",
                "A score for every window of eight frames, the encoder as it is; what older models "
                "were.",
                MappingProxyType({"architecture": "cnn_lstm"}),
            ),
        )
    }
)


def find_preset(name: str) -> Preset:
    """Return a preset.

    Raises:
        InvalidInputError: If there is none of this name; lists those there are.
    """
    if name not in PRESETS:
        raise InvalidInputError(f"there is no preset {name!r}; there is {', '.join(PRESETS)}")
    return PRESETS[name]
