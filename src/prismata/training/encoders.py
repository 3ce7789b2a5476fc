"""Frame encoders: uint8 RGB frames in, features out, normalisation inside.

One function per encoder, registered by name. A frozen encoder may also be any `.onnx` found by
the weights provider; that never comes through here, because nothing of it is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v2, resnet18

from prismata.core.errors import InvalidInputError

# Channel statistics of ImageNet's training images, as torchvision's weights expect them.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class FrameEncoder(nn.Module):
    """Normalise and encode frames.

    Args:
        backbone: `(N, 3, H, W)` float32 normalised → `(N, F)`.
        feature_size: F.
    """

    def __init__(self, backbone: nn.Module, feature_size: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.feature_size = feature_size
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


def _tiny() -> FrameEncoder:
    """Four small convolutions and a spatial softmax: trains from scratch on a CPU in minutes."""
    layers: list[nn.Module] = []
    channels = 3
    for width, stride in ((16, 2), (32, 2), (48, 1), (48, 1)):
        layers += [
            nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        channels = width
    layers[-1] = nn.Identity()  # the softmax wants signed responses
    return FrameEncoder(nn.Sequential(*layers, SpatialSoftmax()), channels * 3)


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


ENCODERS: dict[str, Callable[[], FrameEncoder]] = {
    "tiny": _tiny,
    "resnet18": _resnet18,
    "mobilenet_v2": _mobilenet_v2,
}
PRETRAINED_ENCODERS = frozenset({"resnet18", "mobilenet_v2"})
"""Encoders for which published weights exist."""


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
    """Load published torchvision weights, ignoring only their classifier.

    Raises:
        InvalidInputError: If they do not fit.
    """
    classifiers = ("fc.", "classifier.")
    kept = {name: value for name, value in state.items() if not name.startswith(classifiers)}
    try:
        encoder.backbone.load_state_dict(kept, strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise InvalidInputError(f"these weights do not fit the encoder: {first}") from error
