"""A bundle of the classic network with random weights, because speed does not depend on them.

ResNet18, two bidirectional LSTM layers, one event type; 32-bit and 8-bit encoder. The card says
that the 8-bit encoder is accepted, which here means only that it may be timed.

    python benchmarks/speed_bundle.py FOLDER [--clip CLIP] [--sample-fps 5] [--stride 1]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from prismata.core.events import EventType
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import ClipSpec, GroupingRule
from prismata.detection.bundle import (
    CARD_FILE,
    ENCODER_FILE,
    INT8_ENCODER_FILE,
    TEMPORAL_FILE,
    file_digest,
    read_card,
)

NUM_FRAMES = 8
CALIBRATION_FRAMES = 64


def speed_bundle(folder: Path, clip: Path, *, sample_fps: float = 5.0, stride: int = 1) -> None:
    """Make the bundle in a process of its own, so that this one stays without torch."""
    if not (folder / CARD_FILE).is_file():
        subprocess.run(
            [sys.executable, __file__, str(folder), "--clip", str(clip)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
    with_clip(folder, sample_fps=sample_fps, stride=stride)


def with_clip(folder: Path, *, sample_fps: float, stride: int) -> None:
    """Change how the bundle samples a video; the networks stay."""
    card = read_card(folder)
    card = replace(card, clip=replace(card.clip, target_fps=sample_fps, window_stride=stride))
    (folder / CARD_FILE).write_text(card.to_json())


def make_bundle(folder: Path, clip: Path, *, sample_fps: float, stride: int) -> None:
    """Export both networks and quantise the encoder with frames of the clip."""
    import torch

    from prismata.detection.quantization import quantize_encoder
    from prismata.media import open_video
    from prismata.training.encoders import build_encoder
    from prismata.training.export import export_encoder, export_head
    from prismata.training.heads import CnnLstmHead, HeadSpec
    from prismata.training.model import Detector

    torch.manual_seed(0)
    spec = ClipSpec(target_fps=sample_fps, num_frames=NUM_FRAMES, window_stride=stride)
    encoder = build_encoder("resnet18")
    head = CnnLstmHead(encoder.feature_size, 1, HeadSpec(hidden=256, layers=2))
    detector = Detector(encoder, head, NUM_FRAMES).eval()
    folder.mkdir(parents=True, exist_ok=True)
    export_encoder(encoder, folder / ENCODER_FILE, width=spec.width, height=spec.height)
    export_head(detector, folder / TEMPORAL_FILE)
    with open_video(clip) as video:
        last = min(len(video.timeline), 20 * CALIBRATION_FRAMES)
        wanted = np.linspace(0, last - 1, CALIBRATION_FRAMES, dtype=np.int64)
        frames = [frame.pixels for frame in video.read(wanted, size=(spec.width, spec.height))]
    batches = [np.stack(frames[i : i + 8]) for i in range(0, len(frames), 8)]
    quantize_encoder(folder / ENCODER_FILE, folder / INT8_ENCODER_FILE, batches)
    names = (ENCODER_FILE, TEMPORAL_FILE, INT8_ENCODER_FILE)
    card = ModelCard(
        name="speed",
        domain="benchmark",
        domain_version=1,
        event_types=(EventType("event"),),
        clip=spec,
        rules={"event": GroupingRule()},
        architecture="cnn_lstm",
        encoder="resnet18",
        encoder_frozen=False,
        feature_size=encoder.feature_size,
        weights_origin="none (random: only speed is measured)",
        files={name: file_digest(folder / name) for name in names},
        quantization={
            "accepted": True,
            "file": INT8_ENCODER_FILE,
            "reason": "random weights: only speed is measured",
        },
    )
    (folder / CARD_FILE).write_text(card.to_json())


def main() -> None:
    """Make one bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clip", type=Path, required=True, help="video to calibrate on")
    parser.add_argument("--sample-fps", type=float, default=5.0)
    parser.add_argument("--stride", type=int, default=1)
    arguments = parser.parse_args()
    make_bundle(
        arguments.folder,
        arguments.clip,
        sample_fps=arguments.sample_fps,
        stride=arguments.stride,
    )
    print(arguments.folder)


if __name__ == "__main__":
    main()
