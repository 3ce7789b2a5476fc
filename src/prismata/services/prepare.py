"""Preparation: what a player needs beside the file, and how far it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from prismata.catalog import JobRecord, VideoRecord
from prismata.core.jobs import JobState
from prismata.media.playable import Playability
from prismata.services.renditions import (
    Renditions,
    Thumbs,
    load_playability,
    load_renditions,
)
from prismata.services.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Preparing:
    """How the latest preparation stands; only told while something is missing."""

    job_id: str
    state: JobState
    progress: float
    note: str
    message: str
    """Why it failed, for a person; empty otherwise."""
    eta_s: float | None


@dataclass(frozen=True, slots=True)
class Material:
    """Everything a player has to know about one video."""

    video: VideoRecord
    source: Playability
    renditions: Renditions | None
    """What was prepared; None: nothing."""
    preparing: Preparing | None

    @property
    def has_proxy(self) -> bool:
        """Whether there is a rendition that every browser plays exactly."""
        return self.renditions is not None and self.renditions.proxy

    @property
    def thumbs(self) -> Thumbs | None:
        """The thumbnails, if they were made."""
        return self.renditions.thumbs if self.renditions else None

    def to_json(self) -> dict[str, Any]:
        """Return it as the route `material` answers it."""
        video, made = self.video, self.renditions
        peaks = made.peaks_per_second if made else None
        return {
            "name": video.name,
            "codec": video.codec,
            "width": video.width,
            "height": video.height,
            "rotation": video.rotation,
            "frame_count": video.frame_count,
            "duration_us": video.duration_us,
            "first_pts_us": video.first_pts_us,
            "notes": list(video.notes),
            "source": asdict(self.source),
            "proxy": self.has_proxy,
            "thumbs": asdict(made.thumbs) if made and made.thumbs else None,
            "waveform": {"peaks_per_second": peaks} if peaks else None,
            "preparing": asdict(self.preparing) if self.preparing else None,
        }


def describe_material(bench: Workbench, video: VideoRecord) -> Material:
    """Return what there is of a video, and how far the rest is.

    Raises:
        NotFoundError: If its file is missing from storage.
        BadVideoError: If it cannot be read any more.
    """
    made = load_renditions(bench, video)
    source = load_playability(bench, video)
    preparing = None if made is not None else _preparing(bench, video)
    return Material(video, source, made, preparing)


def needs_preparation(bench: Workbench, video: VideoRecord) -> bool:
    """Say whether anything that a player needs is still to be made."""
    return load_renditions(bench, video) is None


def dedupe_key(video: VideoRecord) -> str:
    """Return what makes two preparations the same."""
    return f"prepare:{video.id}"


def _preparing(bench: Workbench, video: VideoRecord) -> Preparing | None:
    job = _latest_job(bench, video)
    if job is None or job.state is JobState.SUCCEEDED:
        return None
    return Preparing(
        job.id,
        job.state,
        round(job.progress, 4),
        job.progress_note,
        job.message,
        _seconds_left(job),
    )


def _latest_job(bench: Workbench, video: VideoRecord) -> JobRecord | None:
    def latest() -> JobRecord | None:
        return next(iter(bench.catalog.jobs.list(dedupe_key=dedupe_key(video), limit=1)), None)

    job = latest()
    if job and job.lease_until and job.lease_until < datetime.now(UTC):
        bench.catalog.jobs.reap()  # its supervisor vanished: say so instead of waiting for ever
        job = latest()
    return job


def _seconds_left(job: JobRecord) -> float | None:
    if job.state is not JobState.RUNNING or job.started_at is None or job.progress < 0.01:
        return None
    elapsed = (datetime.now(UTC) - job.started_at).total_seconds()
    return round(elapsed * (1 - job.progress) / job.progress, 1)
