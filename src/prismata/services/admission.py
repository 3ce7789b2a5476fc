"""Admission: whether a detection fits into the memory that is free, and how small it must be.

What it needs is learned from runs of the same model where there are any, and declared otherwise.
Both are estimates for the child alone, in MB of 2^20 bytes; whoever is admitted may still run out
of memory, which costs one job and is answered with one smaller attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from prismata.catalog import DetectionRunRecord, JobRecord, ModelRecord, VideoRecord
from prismata.core.errors import UnavailableError
from prismata.core.jobs import JobState
from prismata.core.machine import available_memory_mb, is_small_machine
from prismata.core.runtimes import MachineFacts, machine_facts
from prismata.services.workbench import Workbench

Profile = Literal["normal", "small", "smallest"]
"""`small` holds fewer frames at once; `smallest` is the second attempt after lost memory."""

PROFILE_FIELDS: dict[Profile, dict[str, Any]] = {
    "normal": {"profile": "normal"},
    "small": {"profile": "small"},
    "smallest": {"profile": "small", "batch": 2, "threads": 1},
}
"""What a profile means in a child's request."""

_BYTES_PER_MB = 1024 * 1024
_PICTURES_HELD = 12
_BYTES_PER_PIXEL = 1.5  # 4:2:0, what decoders hold
_WEIGHTS_HELD = 3
"""A runtime holds the file, the weights and a copy in the order its kernels like."""

# A ResNet18 (45 MB, 11 MB in int8) on 720p took at most 310, 208, 255 and 900 MB, whichever
# runtime; less its weights and pictures, this is what program, decoder and batches take.
_BASE_MB = {"fp32": 160.0, "int8": 160.0, "bf16": 105.0, "pytorch": 750.0}
_SMALL_SHARE = 0.95
"""Of the base: measured 203 instead of 208 MB in int8, 275 instead of 292 in fp32."""
_LEARNED_MARGIN = 1.10
_JOBS_LEARNED_FROM = 50


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """How much a detection is expected to take."""

    mb: float
    source: Literal["learned", "declared"]


@dataclass(frozen=True, slots=True)
class Admission:
    """How a detection may run."""

    profile: Profile
    need: MemoryNeed


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What a person or a setting asks for: `auto` or a name of each."""

    runtime: str
    precision: str


def admit(
    bench: Workbench,
    model: ModelRecord,
    video: VideoRecord,
    wanted: Arithmetic,
    *,
    profile: Profile,
    held_mb: float = 0.0,
    available: Callable[[], float | None] = available_memory_mb,
) -> Admission:
    """Say how a detection may run in the memory that is free now.

    Args:
        bench: The workbench.
        model: What is to run.
        video: What it is to run on.
        wanted: Runtime and precision that were asked for.
        profile: The largest profile that is wished for.
        held_mb: What a warm child holds already, which it need not be given again.
        available: Tells the free memory in MB; None = nobody can tell, then all is admitted.

    Raises:
        UnavailableError: If not even the small profile fits; nothing has been started.
    """
    left = available()
    free = float("inf") if left is None else left + held_mb
    need = memory_need(bench, model, video, wanted, profile)
    if need.mb <= free:
        return Admission(profile, need)
    if profile == "normal":
        need = memory_need(bench, model, video, wanted, "small")
        if need.mb <= free:
            return Admission("small", need)
    origin = "as earlier runs took" if need.source == "learned" else "by the size of its model"
    raise UnavailableError(
        f"detection on {video.name!r} needs about {need.mb:.0f} MB of memory ({origin}), and "
        f"{free:.0f} MB are free; close other programs, or use a smaller model"
    )


def wished_profile(machine_profile: str) -> Profile:
    """Return the profile that `PRISMATA_MACHINE_PROFILE` means on this machine."""
    if machine_profile == "auto":
        return "small" if is_small_machine() else "normal"
    return "small" if machine_profile == "small" else "normal"


def memory_need(
    bench: Workbench, model: ModelRecord, video: VideoRecord, wanted: Arithmetic, profile: Profile
) -> MemoryNeed:
    """Return what a run is expected to take: learned if there is something to learn from."""
    runs = bench.catalog.detections.list(model_id=model.id)
    learned = learned_mb(runs, wanted, profile, _pictures_mb(video), _pictures_of(bench))
    if learned is not None:
        return MemoryNeed(learned, "learned")
    name = "encoder_int8.onnx" if _is_int8(model, wanted) else "encoder.onnx"
    size = _encoder_bytes(bench, model, name)
    return MemoryNeed(declared_mb(model, wanted, profile, video, size), "declared")


def job_need_mb(
    bench: Workbench, kind: str, is_like: Callable[[JobRecord], bool], declared_mb: float
) -> float:
    """Return what a job other than a detection is expected to take, in MB.

    The largest peak of late jobs like it that ended well, and a margin; `declared_mb` where there
    was none.

    Args:
        bench: The workbench.
        kind: Of the job.
        is_like: Says which jobs of the kind are like it.
        declared_mb: What one takes by what it holds.
    """
    done = bench.catalog.jobs.list(kind, JobState.SUCCEEDED, limit=_JOBS_LEARNED_FROM)
    peaks = [job.peak_rss_mb for job in done if job.peak_rss_mb and is_like(job)]
    return max(peaks) * _LEARNED_MARGIN if peaks else declared_mb


def declared_mb(
    model: ModelRecord,
    wanted: Arithmetic,
    profile: Profile,
    video: VideoRecord,
    encoder_bytes: int,
    facts: MachineFacts | None = None,
) -> float:
    """Return what a run takes by what it holds: program and batches, weights, pictures."""
    if model.kind == "checkpoint":
        base = _BASE_MB["pytorch"]
    elif _is_int8(model, wanted, facts):
        base = _BASE_MB["int8"]
    else:
        base = _BASE_MB["bf16" if wanted.precision == "bf16" else "fp32"]
    share = 1.0 if profile == "normal" else _SMALL_SHARE
    return base * share + _WEIGHTS_HELD * encoder_bytes / _BYTES_PER_MB + _pictures_mb(video)


def learned_mb(
    runs: Iterable[DetectionRunRecord],
    wanted: Arithmetic,
    profile: Profile,
    pictures_mb: float,
    pictures_of: Callable[[DetectionRunRecord], float],
) -> float | None:
    """Return the largest peak of runs like this one, and a margin; None if there is none.

    A larger picture takes more, so what runs held in pictures is exchanged for what this one will.
    Runs that took their features from the cache held no encoder, and profiles held frames for their
    floors: both teach nothing.
    """
    peaks = [
        run.peak_rss_mb - pictures_of(run) + pictures_mb
        for run in runs
        if run.state is JobState.SUCCEEDED
        and run.peak_rss_mb
        and _ran_like(run.settings.get("asked", {}), wanted, profile)
    ]
    return max(peaks) * _LEARNED_MARGIN if peaks else None


def _ran_like(asked: dict[str, Any], wanted: Arithmetic, profile: Profile) -> bool:
    is_plain = not (asked.get("from_cache") or asked.get("measure_floors"))
    return is_plain and (
        asked.get("runtime"),
        asked.get("precision"),
        asked.get("profile"),
    ) == (wanted.runtime, wanted.precision, profile)


def _is_int8(model: ModelRecord, wanted: Arithmetic, facts: MachineFacts | None = None) -> bool:
    """Whether the child will choose int8, as `detection.runtimes.choice` says it does."""
    if model.kind != "bundle" or wanted.precision not in ("auto", "int8"):
        return False
    accepted = model.card.get("quantization", {}).get("accepted") is True
    return wanted.precision == "int8" or (accepted and (facts or machine_facts()).fast_int8)


def _encoder_bytes(bench: Workbench, model: ModelRecord, name: str) -> int:
    files = {"foreign_onnx": ("model.onnx",), "bundle": (name, "encoder.onnx")}
    for candidate in files.get(model.kind, ("checkpoint.pt",)):
        key = model.bundle_key + candidate
        if bench.storage.exists(key):
            return bench.storage.stat(key).size
    return 0


def _pictures_mb(video: VideoRecord) -> float:
    return _PICTURES_HELD * video.width * video.height * _BYTES_PER_PIXEL / _BYTES_PER_MB


def _pictures_of(bench: Workbench) -> Callable[[DetectionRunRecord], float]:
    videos = {video.id: _pictures_mb(video) for video in bench.catalog.videos.list()}
    return lambda run: videos.get(run.video_id, 0.0)
