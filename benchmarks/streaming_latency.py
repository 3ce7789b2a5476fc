"""How soon an event is told after the window that shows it was complete.

Real footage, read at full speed and then at the pace of a camera (a frame is there when it would
have been filmed). The model is the benchmark's random ResNet18 bundle; a run is what lies above the
90th percentile of its own scores, so that there are runs to announce. For each: from the arrival
of the last frame of the first window in it to the announcement. Ends with one line of JSON.

    python benchmarks/streaming_latency.py [--seconds 60]
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from detect_vs_classic import CLIPS, PROJECT
from footage import build_clip
from numpy.typing import NDArray
from speed_bundle import speed_bundle

from prismata.core.recipes import GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.core.time import FrameTimeline, SamplePlan
from prismata.detection.bundle import LoadedModel, load_bundle
from prismata.detection.frames import FrameBatch, FrameBatches
from prismata.detection.pipeline import Listeners, run_pipeline
from prismata.detection.scorers import BundleScorer
from prismata.media import scan
from prismata.postprocess import Run


class PacedBatches(FrameBatches):
    """Frames at the pace of a camera; notes when each batch's frames were there."""

    def __init__(self, batches: FrameBatches, plan: SamplePlan, *, paced: bool) -> None:
        self._source, self._plan, self._paced = batches, plan, paced
        self._started = time.monotonic()
        self.arrived: dict[int, float] = {}

    @property
    def seconds(self) -> dict[str, float]:
        """See `FrameBatches`."""
        return self._source.seconds

    @property
    def decoded_frames(self) -> int:
        """See `FrameBatches`."""
        return self._source.decoded_frames

    def __next__(self) -> FrameBatch:
        batch = next(self._source)
        for first, count in zip(batch.first_samples, batch.repeats, strict=True):
            due = self._started + int(self._plan.times_us[first]) / 1e6
            if self._paced:
                time.sleep(max(0.0, due - time.monotonic()))
            for sample in range(first, first + count):
                self.arrived[sample] = time.monotonic()
        return batch


def main() -> None:
    """Measure both paces."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--work", type=Path, default=PROJECT / "data" / "benchmarks")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    clip = given.work / f"720p-{given.seconds:g}s.mp4"
    if not clip.is_file():
        size, params = CLIPS["720p"]
        build_clip(clip, minutes=given.seconds / 60, size=size, x264_params=params)
    with tempfile.TemporaryDirectory() as temporary:
        bundle = Path(temporary) / "bundle"
        speed_bundle(bundle, clip)
        model = load_bundle(bundle)
        timeline = scan(clip).timeline
        plan = timeline.sample(model.card.clip.target_fps)

        def frames() -> FrameBatches:
            return FrameBatches(
                clip, plan, timeline=timeline, size=(224, 224), batch=model.runtime.batch
            )

        scores = watch(frames, plan, timeline, model, paced=False)["track"].scores
        name = model.card.event_names[0]
        threshold = float(np.percentile(scores, 90))
        rule = GroupingRule(threshold=threshold, leave_ratio=1.0, min_gap_seconds=0.0)
        model = replace(model, card=replace(model.card, rules={name: rule}))
        figures: dict[str, Any] = {"runtime": model.runtime.describe(), "load": os.getloadavg()}
        for paced in (False, True):
            found = watch(frames, plan, timeline, model, paced=paced)
            delays = latencies(found, plan, threshold, model.card.clip.num_frames)
            figures["camera pace" if paced else "full speed"] = summary(delays)
            print("camera pace" if paced else "full speed", summary(delays))
    print(json.dumps({"streaming_latency": figures}))


def watch(
    frames: Callable[[], FrameBatches],
    plan: SamplePlan,
    timeline: FrameTimeline,
    model: LoadedModel,
    *,
    paced: bool,
) -> dict[str, Any]:
    """Run once; return the track, when frames arrived and when runs were first told."""
    batches = PacedBatches(frames(), plan, paced=paced)
    told: dict[str, float] = {}

    def hear(run: Run) -> None:
        told.setdefault(run.id, time.monotonic())

    output = run_pipeline(
        batches,
        plan,
        BundleScorer(model),
        duration_us=timeline.duration_us,
        listeners=Listeners(on_run=hear, on_open_run=hear),
    )
    return {"track": output.track, "arrived": batches.arrived, "told": told}


def latencies(
    found: dict[str, Any], plan: SamplePlan, threshold: float, num_frames: int
) -> NDArray[np.float64]:
    """Return seconds from the last frame of the deciding window to the first word of its run."""
    track: ScoreTrack = found["track"]
    after = num_frames - 1 - num_frames // 2
    delays = []
    for run_id, when in found["told"].items():
        start_us = int(run_id.rsplit(":", 1)[1])
        decisive = np.flatnonzero((track.times_us >= start_us) & (track.scores[:, 0] >= threshold))
        centre = int(np.searchsorted(plan.times_us, track.times_us[decisive[0]]))
        last = min(centre + after, len(plan) - 1)
        delays.append(when - found["arrived"][last])
    return np.array(delays)


def summary(delays: NDArray[np.float64]) -> dict[str, float]:
    """Return how many runs there were and how long they took to be told, in seconds."""
    return {
        "runs": len(delays),
        "p50_s": round(float(np.percentile(delays, 50)), 3),
        "p95_s": round(float(np.percentile(delays, 95)), 3),
        "max_s": round(float(delays.max()), 3),
    }


if __name__ == "__main__":
    main()
