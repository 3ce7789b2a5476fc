"""The gate of the 8-bit encoder: it goes along only if nothing is lost that can be measured."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.core.recipes import ClipSpec
from prismata.core.runtimes import machine_facts
from prismata.core.scores import ScoreTrack
from prismata.detection.quantization import METHOD
from prismata.detection.runtimes import FrameEncoder, OnnxEncoder, OpenVinoEncoder
from prismata.worker.train.rescoring import EventFigures, score_differences

CHEAP_MS = 2.0
"""An encoder that takes less for a frame is not what a detection waits for: decoding is."""

MIN_SPEEDUP = 1.3
"""Less is not worth a second file and a second set of numbers."""

ALLOWED_DROP_POINTS = 0.5
"""Average precision and F1 in percent; seeds of one training differ by more."""

ALLOWED_DIFFERENCE = 0.25
"""Of any single score. Runs end at half the threshold, so a score that strong enough to start a run
of the default threshold 0.5 cannot fall out of it."""

ALLOWED_DIFFERENCE_P999 = 0.10
"""Of 999 in 1000 scores."""

BATCH = 8
_ROUNDS = 7


@dataclass(frozen=True, slots=True)
class Speed:
    """Best of several rounds, in which both encoders take turns, so that both see the same load."""

    fp32_ms: float
    """For a frame, in batches of `batch`."""
    int8_ms: float | None
    """`None` if only fp32 was timed."""
    batch: int
    threads: int
    fast_int8: bool
    """Whether this machine has the instructions (VNNI, AMX or ARM dot products) that count."""

    @property
    def speedup(self) -> float:
        """How many times faster 8 bits are; 1 if not timed."""
        return self.fp32_ms / self.int8_ms if self.int8_ms else 1.0


def measure_speed(
    fp32: FrameEncoder, int8: FrameEncoder | None, frames: NDArray[np.uint8], *, threads: int
) -> Speed:
    """Time one or two encoders on the same frames."""
    encoders = [fp32] if int8 is None else [fp32, int8]
    batch = frames[:BATCH]
    best = [float("inf")] * len(encoders)
    for number in range(_ROUNDS + 1):
        for place, encoder in enumerate(encoders):
            started = time.perf_counter()
            encoder.encode(batch)
            if number:  # the first round prepares memory
                best[place] = min(best[place], time.perf_counter() - started)
    each = [round(1000 * seconds / len(batch), 3) for seconds in best]
    fast = machine_facts().fast_int8
    return Speed(each[0], each[1] if int8 is not None else None, len(batch), threads, fast)


def open_int8(path: Path, clip: ClipSpec) -> dict[str, FrameEncoder]:
    """Open the 8-bit encoder with every runtime that this machine would run it with."""
    encoders: dict[str, FrameEncoder] = {
        "onnxruntime": OnnxEncoder(path, width=clip.width, height=clip.height, batch=BATCH)
    }
    facts = machine_facts()
    if not facts.why_not("openvino", "int8"):
        encoders["openvino"] = OpenVinoEncoder(
            path, width=clip.width, height=clip.height, precision="int8", batch=BATCH
        )
    return encoders


@dataclass(frozen=True, slots=True)
class Comparison:
    """The 8-bit encoder beside the one in fp32, on the same stretches of validation video."""

    fp32: EventFigures
    int8: dict[str, EventFigures]
    """Runtime → figures; likewise the differences of all scores."""
    differences: dict[str, NDArray[np.float64]]
    seconds: float
    videos: int

    @property
    def max_drop_points(self) -> float:
        """Largest loss of any figure with any runtime, in points; 0 if none fell."""
        drops = [drop for figures in self.int8.values() for drop in _drops(self.fp32, figures)]
        return max(drops)

    def difference(self, quantile: float = 1.0) -> float:
        """Largest difference of scores, or the one that a share of them stays within."""
        return max(float(np.quantile(part, quantile)) for part in self.differences.values())


def compare_scores(
    figures: Mapping[str, EventFigures],
    tracks: Mapping[str, Sequence[ScoreTrack]],
    *,
    seconds: float,
    videos: int,
) -> Comparison:
    """Set everything but `fp32` against it."""
    runtimes = [name for name in figures if name != "fp32"]
    return Comparison(
        figures["fp32"],
        {name: figures[name] for name in runtimes},
        {name: score_differences(tracks["fp32"], tracks[name]) for name in runtimes},
        seconds,
        videos,
    )


def decide(speed: Speed, comparison: Comparison) -> tuple[bool, str]:
    """Return whether the 8-bit encoder is accepted, and why in one sentence."""
    if reason := too_slow(speed):
        return False, reason
    if comparison.fp32.events == 0:
        return False, "the checked validation video holds no labelled event to judge it by"
    if not comparison.fp32.finds_any:
        return False, (
            "in fp32 the model finds none of the labelled events of the validation videos, so a "
            "check would prove nothing"
        )
    drop = comparison.max_drop_points
    if drop > ALLOWED_DROP_POINTS:
        return False, (
            f"event metrics on the validation videos drop by up to {drop:.1f} points, allowed is "
            f"{ALLOWED_DROP_POINTS}"
        )
    largest, usual = comparison.difference(), comparison.difference(0.999)
    if largest > ALLOWED_DIFFERENCE:
        return False, (
            f"a score changes by {largest:.2f} on the validation videos, allowed is "
            f"{ALLOWED_DIFFERENCE}"
        )
    if usual > ALLOWED_DIFFERENCE_P999:
        return False, (
            f"one score in 1000 changes by more than {usual:.2f} on the validation videos, allowed "
            f"is {ALLOWED_DIFFERENCE_P999}"
        )
    gain = (
        f"{speed.speedup:.1f} times faster here"
        if speed.fast_int8
        else "how fast it is cannot be judged here: no VNNI, AMX or ARM dot products"
    )
    lost = f"it loses {drop:.2f} points of event metrics" if drop > 0 else "no event metric drops"
    return True, f"{lost} on the validation videos; {gain}"


def too_slow(speed: Speed) -> str:
    """Return why the speed refuses an 8-bit encoder, "" if it does not."""
    if speed.int8_ms is None:
        if speed.fp32_ms < CHEAP_MS:
            return (
                f"already cheap: the encoder takes {speed.fp32_ms:.2f} ms for a frame, so decoding "
                "is what a detection waits for"
            )
    elif speed.fast_int8 and speed.speedup < MIN_SPEEDUP:
        return (
            f"it is only {speed.speedup:.1f} times as fast here, and below {MIN_SPEEDUP} it is not "
            "worth it"
        )
    return ""


def refused(reason: str, **facts: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
    """Return the card's section for an 8-bit encoder that was not even compared."""
    return {"accepted": False, "reason": reason, **facts}


def describe(
    speed: Speed, comparison: Comparison, *, accepted: bool, reason: str
) -> dict[str, Any]:
    """Return the card's section for an encoder that was compared."""
    return {
        "accepted": accepted,
        "reason": reason,
        "method": METHOD,
        "needs": "VNNI, AMX or ARM dot products; other machines use fp32",
        "split": "val",
        "checked_seconds": round(comparison.seconds, 1),
        "checked_videos": comparison.videos,
        "checked_events": comparison.fp32.events,
        "max_score_difference": round(comparison.difference(), 4),
        "allowed_score_difference": ALLOWED_DIFFERENCE,
        "p999_score_difference": round(comparison.difference(0.999), 4),
        "allowed_p999_score_difference": ALLOWED_DIFFERENCE_P999,
        "score_difference_by_runtime": {
            name: round(float(part.max(initial=0.0)), 4)
            for name, part in comparison.differences.items()
        },
        "metrics": {
            "fp32": comparison.fp32.to_dict(),
            "int8": {name: figures.to_dict() for name, figures in comparison.int8.items()},
            "max_drop_points": round(comparison.max_drop_points, 2),
        },
        "allowed_drop_points": ALLOWED_DROP_POINTS,
        "speed": asdict(speed),
    }


def _drops(before: EventFigures, after: EventFigures) -> list[float]:
    """Return the losses of all figures in points; what cannot be measured is no loss."""
    drops = [0.0]
    for old, new in (
        (before.mean_ap, after.mean_ap),
        (before.ap, after.ap),
        (before.f1, after.f1),
    ):
        for name, value in old.items():
            other = new.get(name)
            if value is not None:
                # A figure that is gone is lost wholly.
                drops.append(100 * (value - (other if other is not None else 0.0)))
    return drops
