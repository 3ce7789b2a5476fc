"""Encoders: uint8 RGB frames in, features out, normalisation inside.

One function per encoder, registered by name. A frozen encoder may also be any `.onnx` found by
the weights provider; that never comes through here, because nothing of it is trained.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models import RegNet, mobilenet_v2, resnet18
from torchvision.models.regnet import BlockParams

from prismata.core.errors import InvalidInputError
from prismata.training.gate_shift import BLOCK, GateShift

# Channel statistics of ImageNet's training images, as torchvision's weights expect them.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class FrameEncoder(nn.Module):
    """Normalise and encode frames.

    Args:
        backbone: `(N, 3, H, W)` float32 normalised → `(N, F)`.
        feature_size: F.
        block: Neighbouring samples that the backbone looks at together; N is then a multiple of it.
            1 = each frame on its own.
    """

    def __init__(self, backbone: nn.Module, feature_size: int, block: int = 1) -> None:
        super().__init__()
        self.backbone = backbone
        self.feature_size = feature_size
        self.block = block
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1) * 255)

    def forward(self, frames: Tensor) -> Tensor:
        """Turn `(N, H, W, 3)` uint8 RGB into `(N, F)` float32."""
        return self.encode_normalized(self.normalize(frames))

    def normalize(self, frames: Tensor) -> Tensor:
        """Turn `(N, H, W, 3)` uint8 RGB into `(N, 3, H, W)` float32, normalised."""
        pixels = frames.permute(0, 3, 1, 2).to(torch.float32)
        return (pixels - cast(Tensor, self.mean)) / cast(Tensor, self.std)

    def encode_normalized(self, pixels: Tensor) -> Tensor:
        """Turn `(N, 3, H, W)` float32, normalised, into `(N, F)`."""
        return cast(Tensor, self.backbone(pixels))

    def encode_stretches(self, frames: Tensor) -> Tensor:
        """Turn stretches `(B, L, H, W, 3)` of neighbouring frames into `(B, L, F)`.

        The last block of a stretch is filled up with its last frame, as at the end of a video.
        """
        batch, samples = frames.shape[0], frames.shape[1]
        if lacking := -samples % self.block:
            last = frames[:, -1:].expand(-1, lacking, -1, -1, -1)
            frames = torch.cat([frames, last], dim=1)
        features: Tensor = self(frames.flatten(0, 1))
        return features.view(batch, samples + lacking, -1)[:, :samples]


class SpatialSoftmax(nn.Module):
    """Where each channel fires and how strongly: `(N, C, H, W)` → `(N, 3C)`.

    The expected position under a softmax over the map (Levine et al. 2016, arXiv 1504.00702),
    beside the largest response. Movement of small things becomes plain numbers that a recurrent
    head can follow, which average pooling would wash out.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Return x and y in [-1, 1] and the maximum of every channel."""
        height, width = maps.shape[2], maps.shape[3]
        flat = maps.flatten(2)
        attention = torch.softmax(flat, dim=2)
        columns = torch.linspace(-1.0, 1.0, width, device=maps.device).repeat(height)
        rows = torch.linspace(-1.0, 1.0, height, device=maps.device).repeat_interleave(width)
        x = (attention * columns).sum(dim=2)
        y = (attention * rows).sum(dim=2)
        return torch.cat([x, y, flat.amax(dim=2)], dim=1)


def _tiny(block: int = 1) -> FrameEncoder:
    """Four small convolutions and a spatial softmax: trains from scratch on a CPU in minutes."""
    layers: list[nn.Module] = []
    channels = 3
    for width, stride in ((16, 2), (32, 2), (48, 1), (48, 1)):
        if block > 1 and channels > 3:
            layers.append(GateShift(channels, block))
        layers += [
            nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        channels = width
    layers[-1] = nn.Identity()  # the softmax wants signed responses
    return FrameEncoder(nn.Sequential(*layers, SpatialSoftmax()), channels * 3, block)


def _tiny_gsm() -> FrameEncoder:
    """The same, with gate shift before every convolution but the first."""
    return _tiny(BLOCK)


def _resnet18() -> FrameEncoder:
    """The classic encoder (He et al. 2016, arXiv 1512.03385), without its classifier."""
    network = resnet18(weights=None)
    network.fc = nn.Identity()
    return FrameEncoder(network, 512)


def _mobilenet_v2() -> FrameEncoder:
    """A light encoder (Sandler et al. 2018, arXiv 1801.04381), without its classifier."""
    network = mobilenet_v2(weights=None)
    network.classifier = nn.Identity()
    return FrameEncoder(network, network.last_channel)


def _regnet_y_200mf() -> FrameEncoder:
    """The smallest RegNetY (Radosavovic et al. 2020, arXiv 2003.13678), without its classifier.

    Its depth and widths are those of the paper's table; torchvision offers the larger ones.
    """
    sizes = BlockParams.from_init_params(
        depth=13, w_0=24, w_a=36.44, w_m=2.49, group_width=8, se_ratio=0.25
    )
    network = RegNet(sizes)
    network.fc = nn.Identity()
    return FrameEncoder(network, int(sizes.widths[-1]))


def _regnet_y_200mf_gsm() -> FrameEncoder:
    """The same with gate shift at the beginning of every residual branch.

    The encoder of E2E-Spot (Hong et al. 2022, arXiv 2207.10213).
    """
    encoder = _regnet_y_200mf()
    for stage in cast(nn.Sequential, encoder.backbone.trunk_output):
        for unit in cast(nn.Sequential, stage):
            branch = cast(nn.Sequential, unit.f)
            first = cast(nn.Conv2d, cast(nn.Sequential, branch.a)[0])
            shift = GateShift(first.in_channels, BLOCK)
            unit.f = nn.Sequential(OrderedDict([(SHIFT, shift), *branch.named_children()]))
    return FrameEncoder(encoder.backbone, encoder.feature_size, BLOCK)


SHIFT = "shift"
"""What gate shift is called within a network that is published without it."""

ENCODERS: dict[str, Callable[[], FrameEncoder]] = {
    "tiny": _tiny,
    "tiny_gsm": _tiny_gsm,
    "resnet18": _resnet18,
    "mobilenet_v2": _mobilenet_v2,
    "regnet_y_200mf": _regnet_y_200mf,
    "regnet_y_200mf_gsm": _regnet_y_200mf_gsm,
}
PUBLISHED_AS = {
    "resnet18": "resnet18",
    "mobilenet_v2": "mobilenet_v2",
    "regnet_y_200mf": "regnet_y_200mf",
    "regnet_y_200mf_gsm": "regnet_y_200mf",
}
"""Encoder → the name under which there are pretrained weights for it."""


def build_encoder(name: str) -> FrameEncoder:
    """Return a new encoder with random weights.

    Raises:
        InvalidInputError: If the name is unknown.
    """
    if name not in ENCODERS:
        raise InvalidInputError(
            f"there is no trainable encoder {name!r}; there is {', '.join(sorted(ENCODERS))}, or "
            "any .onnx encoder of the weights provider as a frozen one"
        )
    return ENCODERS[name]()


def load_pretrained(encoder: FrameEncoder, state: dict[str, Tensor]) -> None:
    """Load published weights, ignoring only their classifier; gate shift keeps what it has.

    They have torchvision's names; those of a RegNetY may be timm's.

    Raises:
        InvalidInputError: If they do not fit.
    """
    classifiers = ("fc.", "classifier.", "head.")
    kept = {
        _torchvision_name(name): value
        for name, value in state.items()
        if not name.startswith(classifiers)
    }
    own = encoder.backbone.state_dict()
    kept |= {name: value for name, value in own.items() if f".{SHIFT}." in name}
    try:
        encoder.backbone.load_state_dict(kept, strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise InvalidInputError(f"these weights do not fit the encoder: {first}") from error


_TIMM_UNIT = re.compile(r"s(\d+)\.b(\d+)\.(conv1|conv2|conv3|se|downsample)\.(.+)")
_TIMM_PARTS = {"conv1": "f.a", "conv2": "f.b", "conv3": "f.c", "se": "f.se", "downsample": "proj"}


def _torchvision_name(name: str) -> str:
    """Return what torchvision calls a tensor of timm's RegNet; other names stay as they are."""
    if name.startswith("stem."):
        return name.replace("stem.conv.", "stem.0.").replace("stem.bn.", "stem.1.")
    if (found := _TIMM_UNIT.fullmatch(name)) is None:
        return name
    stage, unit, part, rest = found.groups()
    rest = re.sub(r"^conv\.", "0.", re.sub(r"^bn\.", "1.", rest))
    return f"trunk_output.block{stage}.block{stage}-{int(unit) - 1}.{_TIMM_PARTS[part]}.{rest}"
