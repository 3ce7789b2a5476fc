"""Our detection child against the classic path, on one ten-minute 720p clip, in one run.

Classic: OpenCV seeks to every frame of every window, PyTorch runs ResNet18 + BiLSTM on windows of
8 frames (stride 8, the cheapest the classic used) in batches of 4. Ours: the same network as a
bundle, in the isolated child, with torch made impossible to import. Weights are random, because
speed does not depend on them. The clip is real footage, looped.

    python benchmarks/detect_vs_classic.py [--minutes 10] [--classic-share 1.0]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from prismata.core.events import EventType
from prismata.core.modelcard import ModelCard
from prismata.core.ports import ChildLimits
from prismata.core.recipes import ClipSpec, GroupingRule
from prismata.detection.bundle import CARD_FILE, ENCODER_FILE, TEMPORAL_FILE, file_digest
from prismata.jobs import ChildSupervisor

PROJECT = Path(__file__).resolve().parents[1]
FPS = 30
TICKS = 90_000
SAMPLE_FPS = 5.0
NUM_FRAMES = 8
CLASSIC_STRIDE = 8
CLASSIC_BATCH = 4

NO_TORCH_CHILD = (
    sys.executable,
    "-c",
    "import sys, runpy\n"
    "for name in ('torch', 'torchvision', 'onnx'): sys.modules[name] = None\n"
    "runpy.run_module('prismata.detection', run_name='__main__')",
)


def main() -> None:
    """Build the clip, run both, print the table and one line of JSON."""
    arguments = _arguments()
    arguments.work.mkdir(parents=True, exist_ok=True)
    clip = arguments.work / f"looped-{arguments.minutes:g}min-720p.mp4"
    if not clip.is_file():
        build_clip(arguments.realdata, clip, minutes=arguments.minutes)
    print(f"clip: {clip.name}, {clip.stat().st_size / 1e6:.0f} MB")
    with tempfile.TemporaryDirectory() as temporary:
        bundle = Path(temporary) / "bundle"
        subprocess.run([sys.executable, __file__, "--make-bundle", str(bundle)], check=True)
        ours = run_ours(clip, bundle)
    print(f"ours:    {ours['wall_s']:8.1f} s  peak {ours['peak_mb']:6.0f} MB  {ours['runtime']}")
    classic = run_classic(clip, share=arguments.classic_share)
    print(f"classic: {classic['wall_s']:8.1f} s  peak {classic['peak_mb']:6.0f} MB  pytorch")
    ratio = classic["wall_s"] / ours["wall_s"]
    print(f"ours is {ratio:.1f} times faster")
    figures = {
        "minutes": arguments.minutes,
        "ours": ours,
        "classic": classic,
        "speedup": round(ratio, 2),
        "sample_fps": SAMPLE_FPS,
        "classic_stride": CLASSIC_STRIDE,
        "our_stride": 1,
    }
    print(json.dumps({"detect_vs_classic": figures}))


def build_clip(realdata: Path, target: Path, *, minutes: float) -> None:
    """Encode the 720p recordings once as H.264 at 30 fps, then repeat the packets.

    The recordings have about 15 frames a second; every frame is shown twice, so that the decoder
    has the work of ordinary 30 fps footage.
    """
    sources = sorted((realdata / "gmdcsa24-falls").rglob("*.mp4"))
    once = target.with_suffix(".once.mp4")
    frames = 0
    with av.open(str(once), "w") as output:
        stream = output.add_stream(
            "libx264",
            rate=FPS,
            options={"preset": "veryfast", "g": "250", "bf": "3", "b": "1400k"},
        )
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.bit_rate = 1_400_000
        for path in sources:
            with av.open(str(path)) as video:
                if video.streams.video[0].height != 720:
                    continue
                for frame in video.decode(video=0):
                    for _ in range(2):
                        picture = frame.reformat(1280, 720, format="yuv420p")
                        picture.pts, picture.time_base = frames, Fraction(1, FPS)
                        output.mux(stream.encode(picture))
                        frames += 1
        output.mux(stream.encode(None))
    if frames == 0:
        sys.exit(f"there is no 720p footage in {realdata}; name it with --realdata DIR")
    _repeat(once, target, length=frames, times=round(minutes * 60 * FPS / frames))
    once.unlink()


def _repeat(source: Path, target: Path, *, length: int, times: int) -> None:
    temporary = target.with_suffix(".part.mp4")
    with av.open(str(temporary), "w") as output:
        stream = None
        for number in range(times):
            with av.open(str(source)) as video:
                track = video.streams.video[0]
                stream = stream or output.add_stream_from_template(track)
                ticks = round(Fraction(length, FPS) / Fraction(track.time_base or 1))
                for packet in video.demux(track):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts += number * ticks
                    packet.dts += number * ticks
                    packet.stream = stream
                    output.mux(packet)
    temporary.replace(target)


def make_bundle(folder: Path) -> None:
    """Export the classic network with random weights; runs in a process of its own with torch."""
    import torch

    from prismata.training.encoders import build_encoder
    from prismata.training.export import export_encoder, export_head
    from prismata.training.heads import CnnLstmHead, HeadSpec
    from prismata.training.model import Detector

    torch.manual_seed(0)
    clip = ClipSpec(target_fps=SAMPLE_FPS, num_frames=NUM_FRAMES, window_stride=1)
    encoder = build_encoder("resnet18")
    head = CnnLstmHead(encoder.feature_size, 1, HeadSpec(hidden=256, layers=2))
    detector = Detector(encoder, head, NUM_FRAMES).eval()
    folder.mkdir(parents=True)
    export_encoder(encoder, folder / ENCODER_FILE, width=clip.width, height=clip.height)
    export_head(detector, folder / TEMPORAL_FILE)
    card = ModelCard(
        name="speed",
        domain="benchmark",
        domain_version=1,
        event_types=(EventType("event"),),
        clip=clip,
        rules={"event": GroupingRule()},
        architecture="cnn_lstm",
        encoder="resnet18",
        encoder_frozen=False,
        feature_size=encoder.feature_size,
        weights_origin="none (random: only speed is measured)",
    )
    files = {name: file_digest(folder / name) for name in (ENCODER_FILE, TEMPORAL_FILE)}
    (folder / CARD_FILE).write_text(replace(card, files=files).to_json())


def run_ours(clip: Path, bundle: Path) -> dict[str, Any]:
    """Run the detection child as production does, torch made impossible to import."""
    stages: dict[str, Any] = {}
    outcome = ChildSupervisor(nice=0).run(
        NO_TORCH_CHILD,
        {"video": str(clip), "bundle": str(bundle)},
        on_message=stages.update,
        limits=ChildLimits(),
    )
    if outcome.result is None:
        sys.exit(f"our child {outcome.state.value}: {outcome.message}")
    return {
        "wall_s": round(outcome.wall_seconds, 1),
        "peak_mb": round(outcome.peak_rss_mb, 1),
        "samples": outcome.result["samples"],
        "windows": outcome.result["windows"],
        "stages_s": outcome.result["timing_s"],
        "runtime": outcome.result["runtime"]["name"],
    }


def run_classic(clip: Path, *, share: float) -> dict[str, Any]:
    """Run the classic path in a process of its own; a share below 1 is extrapolated and says so."""
    started = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, __file__, "--run-classic", str(clip), "--classic-share", str(share)],
        check=True,
        capture_output=True,
        text=True,
    )
    wall = time.perf_counter() - started
    figures: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return {
        **figures,
        "wall_s": round(wall / share, 1),
        "extrapolated_from_share": share if share < 1 else None,
    }


def classic(clip: Path, share: float) -> None:
    """The classic path: seek per frame, window by window, batches of 4."""
    import cv2
    import torch

    from prismata.core.child import peak_rss_mb
    from prismata.detection.scorers import normalize
    from prismata.training.encoders import build_encoder
    from prismata.training.heads import CnnLstm, CnnLstmHead, HeadSpec

    encoder = build_encoder("resnet18")
    model = CnnLstm(encoder, CnnLstmHead(512, 1, HeadSpec(hidden=256, layers=2))).eval()
    capture = cv2.VideoCapture(str(clip))
    frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    rate = capture.get(cv2.CAP_PROP_FPS)
    step = round(rate / SAMPLE_FPS)
    samples = range(0, frames, step)
    starts = range(0, len(samples) - NUM_FRAMES + 1, CLASSIC_STRIDE)
    windows = [[samples[i + k] for k in range(NUM_FRAMES)] for i in starts]
    windows = windows[: max(1, round(len(windows) * share))]
    scores: list[float] = []
    with torch.inference_mode():
        for first in range(0, len(windows), CLASSIC_BATCH):
            batch = []
            for window in windows[first : first + CLASSIC_BATCH]:
                clips = []
                for index in window:
                    capture.set(cv2.CAP_PROP_POS_FRAMES, index)
                    found, picture = capture.read()
                    if not found:
                        break
                    small = cv2.cvtColor(cv2.resize(picture, (224, 224)), cv2.COLOR_BGR2RGB)
                    rgb = np.asarray(small, np.uint8)
                    clips.append(torch.from_numpy(normalize(rgb, "imagenet")).permute(2, 0, 1))
                if len(clips) == NUM_FRAMES:
                    batch.append(torch.stack(clips))
            if batch:
                scores += torch.sigmoid(model(torch.stack(batch)))[:, 0].tolist()
    print(json.dumps({"windows": len(scores), "peak_mb": peak_rss_mb()}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument(
        "--classic-share",
        type=float,
        default=1.0,
        help="run only this share of the classic windows",
    )
    parser.add_argument("--realdata", type=Path, default=PROJECT.parent / "shared" / "realdata")
    parser.add_argument("--work", type=Path, default=PROJECT / "data" / "benchmarks")
    parser.add_argument("--make-bundle", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--run-classic", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.make_bundle:
        make_bundle(arguments.make_bundle)
        sys.exit()
    if arguments.run_classic:
        classic(arguments.run_classic, arguments.classic_share)
        sys.exit()
    return arguments


if __name__ == "__main__":
    main()
