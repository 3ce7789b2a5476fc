"""Do all runtimes find the same events? Torch, ONNX Runtime and OpenVINO on all real clips.

Two models. ResNet18 + BiLSTM with the random weights of one seed, where PyTorch itself is the
reference; and MobileNetV2 with its published weights, where the reference is the published file,
run unwrapped, and the PyTorch head. Heads have random weights too, made 30 times as steep so that
scores spread out: differences between runtimes grow by as much. A threshold lies near the 90th
percentile of the reference's scores, in the middle of a gap, and runs end below it.

    python benchmarks/runtime_equality.py [--clips 0] [--realdata DIR]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from prismata.core.errors import UserError
from prismata.core.events import Event, EventType
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import ClipSpec, GroupingRule
from prismata.core.time import SamplePlan
from prismata.detection.bundle import (
    CARD_FILE,
    ENCODER_FILE,
    INT8_ENCODER_FILE,
    TEMPORAL_FILE,
    LoadedModel,
    file_digest,
    load_bundle,
)
from prismata.detection.runtimes import RuntimeInfo, open_session
from prismata.media import open_video
from prismata.postprocess import build_track, group_events, window_centres, window_indices
from prismata.training.encoders import build_encoder
from prismata.training.export import export_encoder, export_head, wrap_frozen_encoder
from prismata.training.heads import CnnLstmHead, HeadSpec
from prismata.training.model import Detector
from prismata.worker.train.encoder_setup import Encode
from prismata.worker.train.torch_detection import TorchEncoder, TorchHead

PROJECT = Path(__file__).resolve().parents[1]
FOOTAGE = ("gmdcsa24-falls", "surv-fights")
MOBILENET = "weights/mobilenet_v2_1.0_224/mobilenet_v2_1.0_224.dequant.onnx"
SAMPLE_FPS, NUM_FRAMES = 10.0, 8
STEEPNESS = 30.0
EVENT_TYPES = (EventType("moment", "point"), EventType("stretch", "segment"))
WITHIN_US = 1000
RUNTIMES = (
    ("onnxruntime", "fp32"),
    ("openvino", "fp32"),
    ("openvino", "bf16"),
    ("onnxruntime", "int8"),
    ("openvino", "int8"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """One video, decoded once for all runtimes."""

    name: str
    plan: SamplePlan
    duration_us: int
    frames: NDArray[np.uint8]
    """`(N, H, W, 3)`, one a sample."""


@dataclass(slots=True)
class Seen:
    """What one runtime said about all clips."""

    model: LoadedModel
    scores: list[NDArray[np.float32]] = field(default_factory=list)
    feature_difference: float = 0.0
    """Largest, as a share of the reference's largest feature."""


def main() -> None:
    """Compare, print the tables and one line of JSON."""
    given = _arguments()
    paths = [path for name in FOOTAGE for path in sorted((given.realdata / name).rglob("*.mp4"))]
    if not paths:
        sys.exit(f"there is no real footage in {given.realdata}; name it with --realdata DIR")
    paths = paths[:: max(1, len(paths) // given.clips)] if given.clips else paths
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name, make in (("resnet18", resnet18), ("mobilenet_v2", mobilenet(given.realdata))):
            folder = Path(temporary) / name
            reference = make(folder, calibration_frames(paths, (224, 224)))
            figures[name] = compare(folder, reference, read_clips(paths, reference.card.clip))
            print_table(name, figures[name])
    print(json.dumps({"runtime_equality": figures}))


def resnet18(
    folder: Path,
    calibration: Iterable[NDArray[np.uint8]] | None,
    *,
    encoder_name: str = "resnet18",
    size: tuple[int, int] = (224, 224),
) -> LoadedModel:
    """Write a bundle with random weights; return it as PyTorch runs it."""
    torch.manual_seed(0)
    encoder = build_encoder(encoder_name).eval()
    width, height = size
    folder.mkdir(parents=True)
    export_encoder(encoder, folder / ENCODER_FILE, width=width, height=height)
    head = steep_head(encoder.feature_size)
    detector = Detector(encoder, head, NUM_FRAMES).eval()
    return finish_bundle(folder, detector, detector.encode, calibration, size=size)


def mobilenet(
    realdata: Path,
) -> Callable[[Path, Iterable[NDArray[np.uint8]]], LoadedModel]:
    """Return what writes a bundle around the published weights."""

    def make(folder: Path, calibration: Iterable[NDArray[np.uint8]]) -> LoadedModel:
        source = realdata / MOBILENET
        folder.mkdir(parents=True)
        features = wrap_frozen_encoder(source, folder / ENCODER_FILE, width=224, height=224)
        torch.manual_seed(0)
        detector = Detector(None, steep_head(features), NUM_FRAMES).eval()
        encode = published_onnx(source)
        return finish_bundle(
            folder, detector, encode, calibration, size=(224, 224), features=features
        )

    return make


def published_onnx(path: Path) -> Encode:
    """Run the published file as it is: float32 `(N, 3, H, W)` in 0..255."""
    session = open_session(path)

    def encode(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(frames), 8):
            pixels = frames[start : start + 8].transpose(0, 3, 1, 2).astype(np.float32)
            pixels = np.ascontiguousarray(pixels)
            parts.append(session.run(["features"], {session.get_inputs()[0].name: pixels})[0])
        return np.concatenate(parts)

    return encode


def steep_head(features: int) -> CnnLstmHead:
    """Return a random head whose scores spread out."""
    head = CnnLstmHead(features, len(EVENT_TYPES), HeadSpec(hidden=128, layers=1))
    last = head.mlp[-1]
    with torch.no_grad():
        last.weight.mul_(STEEPNESS)  # type: ignore[operator]  # nn.Linear
        last.bias.zero_()  # type: ignore[operator]  # nn.Linear
    return head


def finish_bundle(
    folder: Path,
    detector: Detector,
    encode: Encode,
    calibration: Iterable[NDArray[np.uint8]] | None,
    *,
    size: tuple[int, int],
    features: int = 0,
) -> LoadedModel:
    """Write head, 8-bit encoder and card; return the reference."""
    export_head(detector, folder / TEMPORAL_FILE)
    names = [ENCODER_FILE, TEMPORAL_FILE]
    if calibration is not None:
        from prismata.detection.quantization import quantize_encoder

        quantize_encoder(folder / ENCODER_FILE, folder / INT8_ENCODER_FILE, calibration)
        names.append(INT8_ENCODER_FILE)
    card = ModelCard(
        name=folder.name,
        domain="benchmark",
        domain_version=1,
        event_types=EVENT_TYPES,
        clip=ClipSpec(target_fps=SAMPLE_FPS, num_frames=NUM_FRAMES, width=size[0], height=size[1]),
        rules={kind.name: GroupingRule(leave_ratio=1.0) for kind in EVENT_TYPES},
        architecture="cnn_lstm",
        encoder=folder.name,
        encoder_frozen=detector.encoder is None,
        feature_size=features or detector.encoder.feature_size,  # type: ignore[union-attr]  # trained
        weights_origin="none",
        files={name: file_digest(folder / name) for name in names},
        quantization={"accepted": True, "reason": "to be compared"} if calibration else {},
    )
    (folder / CARD_FILE).write_text(card.to_json(), encoding="utf-8")
    encoder = TorchEncoder(encode, feature_size=card.feature_size, width=size[0], height=size[1])
    info = RuntimeInfo("reference", torch.__version__, "cpu", "fp32", torch.get_num_threads(), 8)
    return LoadedModel(card, encoder, TorchHead(detector), info, "")


def read_clips(paths: list[Path], clip: ClipSpec) -> Iterator[Clip]:
    """Decode the samples of each video."""
    for path in paths:
        with open_video(path) as video:
            plan = video.timeline.sample(clip.target_fps)
            wanted = np.unique(plan.frame_indices)
            frames = [f.pixels for f in video.read(wanted, size=(clip.width, clip.height))]
            order = np.searchsorted(wanted, plan.frame_indices)
            yield Clip(path.name, plan, video.timeline.duration_us, np.stack(frames)[order])


def calibration_frames(paths: list[Path], size: tuple[int, int]) -> list[NDArray[np.uint8]]:
    """Return batches for calibration: the middle frames of clips spread over the footage."""
    batches = []
    for path in paths[:: max(1, len(paths) // 8)][:8]:
        with open_video(path) as video:
            wanted = np.linspace(0, len(video.timeline) - 1, 8).astype(np.int64)
            batches.append(np.stack([frame.pixels for frame in video.read(wanted, size=size)]))
    return batches


def compare(folder: Path, reference: LoadedModel, clips: Iterable[Clip]) -> dict[str, Any]:
    """Score all clips with every runtime that can be had here, and group with one threshold."""
    seen = {"reference": Seen(reference)}
    missing = {}
    for runtime, precision in RUNTIMES:
        try:
            model = load_bundle(folder, runtime=runtime, precision=precision)
        except UserError as error:
            missing[f"{runtime} {precision}"] = str(error)
        else:
            seen[f"{runtime} {precision}"] = Seen(model)
    kept = []
    for clip in clips:
        kept.append(replace(clip, frames=clip.frames[:0]))
        expected = reference.encoder.encode(clip.frames)
        for name, one in seen.items():
            features = expected if name == "reference" else one.model.encoder.encode(clip.frames)
            difference = np.abs(features - expected).max() / np.abs(expected).max()
            one.feature_difference = max(one.feature_difference, float(difference))
            windows = features[window_indices(len(features), NUM_FRAMES, 1)]
            one.scores.append(one.model.head.score(windows))
    base = np.concatenate(seen["reference"].scores)
    thresholds = [widest_gap(column) for column in base.T]
    card = reference.card.with_thresholds(
        {kind.name: float(value) for kind, value in zip(EVENT_TYPES, thresholds, strict=True)}
    )
    true_events = events_of(seen["reference"], kept, card)
    rows = {
        name: {
            "runtime": one.model.runtime.describe(),
            "feature_difference": one.feature_difference,
            "score_difference": float(np.abs(np.concatenate(one.scores) - base).max()),
            **differing(true_events, events_of(one, kept, card)),
        }
        for name, one in seen.items()
    }
    return {
        "clips": len(kept),
        "samples": len(base),
        "score_quantiles": np.percentile(base, [0, 50, 90, 100]).round(4).tolist(),
        "nearest_score_to_threshold": float(np.abs(base - thresholds).min()),
        "rows": rows,
        "missing": missing,
    }


def widest_gap(scores: NDArray[np.float32]) -> float:
    """Return the middle of the widest gap between the 85th and the 95th percentile.

    Scores of pictures that hardly change lie closer together than rounding reaches; a threshold
    among them would compare rounding.
    """
    ranked = np.sort(scores)[int(0.85 * len(scores)) - 1 : int(0.95 * len(scores)) + 1]
    widest = int(np.argmax(np.diff(ranked)))
    return float(ranked[widest] + ranked[widest + 1]) / 2


def events_of(seen: Seen, clips: list[Clip], card: ModelCard) -> list[list[Event]]:
    """Group the scores of every clip."""
    found = []
    for clip, scores in zip(clips, seen.scores, strict=True):
        centres = window_centres(len(clip.plan), 1)
        track = build_track(clip.plan.times_us, centres, scores, card.event_names)
        found.append(
            group_events(track, card.event_types, card.rules, duration_us=clip.duration_us)
        )
    return found


def differing(true: list[list[Event]], found: list[list[Event]]) -> dict[str, Any]:
    """Count events, and those that only one list has, within a millisecond and within a sample."""
    counts: dict[str, Any] = {"events": sum(map(len, found))}
    for name, within_us in (("", WITHIN_US), ("_by_sample", round(1e6 / SAMPLE_FPS))):
        counts[f"lost{name}"] = _without_partner(true, found, within_us)
        counts[f"new{name}"] = _without_partner(found, true, within_us)
    return {**counts, "equal": counts["lost"] == counts["new"] == 0}


def _without_partner(some: list[list[Event]], others: list[list[Event]], within_us: int) -> int:
    return sum(
        not any(
            other.event_type == event.event_type
            and abs(other.start_us - event.start_us) <= within_us
            and abs(other.end_us - event.end_us) <= within_us
            for other in there
        )
        for here, there in zip(some, others, strict=True)
        for event in here
    )


def print_table(name: str, figures: dict[str, Any]) -> None:
    """Print what one model gave."""
    print(f"\n{name}: {figures['clips']} clips, {figures['samples']} samples")
    print(f"{'':20}{'features':>10}{'scores':>10}{'events':>8}  lost, new: 1 ms / a sample  equal")
    for runtime, row in figures["rows"].items():
        print(
            f"{runtime:20}{row['feature_difference']:10.1e}{row['score_difference']:10.1e}"
            f"{row['events']:8}{row['lost']:8}, {row['new']} / {row['lost_by_sample']}, "
            f"{row['new_by_sample']}  {'yes' if row['equal'] else 'no'}"
        )
    for runtime, reason in figures["missing"].items():
        print(f"{runtime:20}{reason}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=0, help="about this many clips, 0 = all")
    parser.add_argument("--realdata", type=Path, default=PROJECT.parent / "shared" / "realdata")
    return parser.parse_args()


if __name__ == "__main__":
    main()
