"""The detectors that can be trained, by name: what each consists of, and what it starts from.

Declared here, without torch, so that pages and commands can offer them; `training` builds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from prismata.core.errors import InvalidInputError

ScoreLayout = Literal["centre", "dense"]
"""`centre`: a window has one score for each event type, which belongs to its centre.
`dense`: it has one for every sample, and the middle `window_stride` of them are kept."""

HeadName = Literal["cnn_lstm", "bi_gru", "convolution"]

DENSE_CLIP: Mapping[str, Any] = MappingProxyType({"num_frames": 64, "window_stride": 16})
"""Sees 24 samples to either side of everything it says, and looks at each sample four times."""

DENSE_RECIPE: Mapping[str, Any] = MappingProxyType({"chunk_samples": 64, "batch_chunks": 8})


@dataclass(frozen=True, slots=True)
class Architecture:
    """One detector that can be trained."""

    name: str
    summary: str
    """One sentence to choose by."""
    head: HeadName
    scores: ScoreLayout
    encoder: str = "resnet18"
    """What it starts from; any other encoder goes, too."""
    frozen: bool = True
    clip: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Settings of `ClipSpec` in which it differs from the domain's."""
    recipe: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """Settings of the training recipe in which it differs from the common ones."""


ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        item.name: item
        for item in (
            Architecture(
                "cnn_lstm",
                "The classic: BiLSTM over windows of 8 frames, one score for each window.",
                head="cnn_lstm",
                scores="centre",
            ),
            Architecture(
                "linear_probe",
                "A small convolution over cached features: the quickest first result.",
                head="convolution",
                scores="dense",
                clip=DENSE_CLIP,
                recipe=DENSE_RECIPE,
            ),
            Architecture(
                "spot_r18",
                "ResNet-18 and a BiGRU that scores every frame: exact in time.",
                head="bi_gru",
                scores="dense",
                clip=DENSE_CLIP,
                recipe=DENSE_RECIPE,
            ),
            Architecture(
                "spot_mnv2",
                "The same on MobileNetV2, a sixth of the arithmetic: for small machines.",
                head="bi_gru",
                scores="dense",
                encoder="mobilenet_v2",
                clip=DENSE_CLIP,
                recipe=DENSE_RECIPE,
            ),
            Architecture(
                "spot_rny002",
                "RegNetY-200MF whose frames see their neighbours, and a BiGRU; for a GPU.",
                head="bi_gru",
                scores="dense",
                encoder="regnet_y_200mf_gsm",
                frozen=False,
                clip=DENSE_CLIP,
                recipe=DENSE_RECIPE,
            ),
        )
    }
)


CLIP_ENCODERS = frozenset({"tiny_gsm", "regnet_y_200mf_gsm"})
"""Encoders that look at neighbouring frames together: they are trained, and want a dense head."""

DEFAULT_ARCHITECTURE = "cnn_lstm"


def find_architecture(name: str) -> Architecture:
    """Return a registered architecture.

    Raises:
        InvalidInputError: If there is none of this name; lists those there are.
    """
    if name not in ARCHITECTURES:
        raise InvalidInputError(
            f"there is no architecture {name!r}; there is {', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[name]
