"""The classic way to detect, replicated: seek to every frame of every window, PyTorch in 32 bits.

OpenCV seeks by frame number for each frame of each window of 8; four windows go through ResNet18 +
BiLSTM at a time. Only a share of the windows may be run, spread evenly over the video; the time per
window is then scaled to all of them, and the result says so.

    python benchmarks/classic_path.py CLIP [--stride 4] [--share 0.03] [--sample-fps 5]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

NUM_FRAMES = 8
BATCH = 4


def run_classic(
    clip: Path, *, stride: int, share: float, sample_fps: float = 5.0
) -> dict[str, Any]:
    """Run it in a process of its own and return its figures."""
    ended = subprocess.run(
        [
            *(sys.executable, __file__, str(clip), "--stride", str(stride)),
            *("--share", str(share), "--sample-fps", str(sample_fps)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    figures: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return figures


def classic(clip: Path, *, stride: int, share: float, sample_fps: float) -> dict[str, Any]:
    """Detect the classic way; `wall_s` is for all windows, set-up included."""
    began = time.perf_counter()
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
    step = round(capture.get(cv2.CAP_PROP_FPS) / sample_fps)
    samples = range(0, frames, step)
    starts = range(0, len(samples) - NUM_FRAMES + 1, stride)
    chosen = _spread(len(starts), share)
    started = time.perf_counter()
    scores: list[float] = []
    with torch.inference_mode():
        for first in range(0, len(chosen), BATCH):
            batch = []
            for number in chosen[first : first + BATCH]:
                pictures = []
                for place in range(NUM_FRAMES):
                    capture.set(cv2.CAP_PROP_POS_FRAMES, samples[starts[number] + place])
                    found, picture = capture.read()
                    if not found:
                        break
                    small = cv2.cvtColor(cv2.resize(picture, (224, 224)), cv2.COLOR_BGR2RGB)
                    pixels = normalize(np.asarray(small, np.uint8), "imagenet")
                    pictures.append(torch.from_numpy(pixels).permute(2, 0, 1))
                if len(pictures) == NUM_FRAMES:
                    batch.append(torch.stack(pictures))
            if batch:
                scores += torch.sigmoid(model(torch.stack(batch)))[:, 0].tolist()
    ended = time.perf_counter()
    scale = len(starts) / len(chosen)
    return {
        "stride": stride,
        "windows": len(starts),
        "windows_run": len(chosen),
        "wall_s": round(started - began + (ended - started) * scale, 1),
        "peak_mb": peak_rss_mb(),
        "scaled": len(chosen) < len(starts),
    }


def _spread(count: int, share: float) -> list[int]:
    """Return whole batches of window numbers, spread evenly: a batch is neighbours, as in a run."""
    batches = max(1, round(count * share / BATCH))
    if batches * BATCH >= count:
        return list(range(count))
    firsts = np.linspace(0, count - BATCH, batches).astype(int).tolist()
    return [first + place for first in firsts for place in range(BATCH)]


def main() -> None:
    """Run and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--stride", type=int, default=4)
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--sample-fps", type=float, default=5.0)
    given = parser.parse_args()
    figures = classic(
        given.clip, stride=given.stride, share=given.share, sample_fps=given.sample_fps
    )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
