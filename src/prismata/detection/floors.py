"""How far a run is from its floor: the same decoding alone, the same encoding alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.core.child import current_rss_mb, peak_rss_mb
from prismata.core.machine import usable_cores
from prismata.detection.frames import FrameBatches
from prismata.detection.pipeline import PipelineOutput
from prismata.detection.runtimes import FrameEncoder

KEPT_BATCHES = 32
"""Batches of real frames that encoding alone goes round; all frames of a video would not fit."""

Progress = Callable[[float, float | None, str], None]


class FloorMeter:
    """Watches one run from before its start, then measures its parts alone.

    Args:
        encoder: Of the model; None = a foreign model, whose encoder cannot be run alone.
        batches: Opens the run's frames anew.
        samples: Instants of the sampling grid.
    """

    def __init__(
        self, encoder: FrameEncoder | None, batches: Callable[[], FrameBatches], samples: int
    ) -> None:
        self._encoder, self._batches, self._samples = encoder, batches, samples
        self._rss_before = current_rss_mb()
        self._cpu_before = time.process_time()

    def measure(self, output: PipelineOutput, progress: Progress) -> dict[str, Any]:
        """Return the profile: the run beside decoding alone and encoding alone.

        Args:
            output: Of the run.
            progress: Gets done, all and a note.
        """
        cpu = time.process_time() - self._cpu_before
        # Before the floors: the frames they keep are not the run's.
        peak = max(peak_rss_mb(), output.memory_mb.get("all") or 0.0)  # the kernel counts loosely
        memory = {"model_open": self._rss_before, **output.memory_mb, "peak": peak}
        cores, wall = usable_cores(), output.seconds["total"]
        profile = {
            "cores": cores,
            "wall_s": round(wall, 6),
            "cpu_s": round(cpu, 6),
            "memory_mb": memory,
        }
        decode, kept = self._decode_alone(progress)
        profile["decode_alone"] = decode
        if self._encoder is not None:
            encode = self._encode_alone(self._encoder, kept, output.frames.encoded, progress)
            profile["encode_alone"] = encode
            larger = max(decode["wall_s"], encode["wall_s"])
            profile["times_larger_floor"] = _ratio(wall, larger)
            all_cores = (decode["cpu_s"] + encode["cpu_s"]) / cores
            profile["times_all_cores_floor"] = _ratio(wall, all_cores)
        return profile

    def _decode_alone(self, progress: Progress) -> tuple[dict[str, float], list[NDArray[np.uint8]]]:
        kept: list[NDArray[np.uint8]] = []
        done = 0
        wall, cpu = time.perf_counter(), time.process_time()
        for batch in self._batches():
            if len(kept) < KEPT_BATCHES:
                kept.append(batch.frames.copy())
            done += sum(batch.repeats)
            progress(done, self._samples, "measuring decoding alone")
        return _since(wall, cpu), kept

    def _encode_alone(
        self,
        encoder: FrameEncoder,
        kept: list[NDArray[np.uint8]],
        frames: int,
        progress: Progress,
    ) -> dict[str, float]:
        done, turn = 0, 0
        wall, cpu = time.perf_counter(), time.process_time()
        while done < frames:
            batch = kept[turn % len(kept)][: frames - done]
            encoder.encode(batch)
            done, turn = done + len(batch), turn + 1
            progress(done, frames, "measuring encoding alone")
        return _since(wall, cpu)


def _since(wall: float, cpu: float) -> dict[str, float]:
    return {
        "wall_s": round(time.perf_counter() - wall, 6),
        "cpu_s": round(time.process_time() - cpu, 6),
    }


def _ratio(value: float, floor: float) -> float | None:
    return round(value / floor, 2) if floor > 0 else None
