"""Preparation: what a player needs beside the file, and how far it is."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from prismata.catalog import JobRecord, VideoRecord
from prismata.core.errors import NotFoundError
from prismata.core.jobs import JobState, ResourceClass
from prismata.core.ports import Assignment, ChildLimits, ChildOutcome, MessageHandler
from prismata.media.playable import Playability
from prismata.services.admission import job_need_mb
from prismata.services.ingest_options import ingest_options, needs_proxy
from prismata.services.renditions import (
    Renditions,
    Thumbs,
    load_playability,
    load_renditions,
    remove_renditions,
    remove_unpublished,
)
from prismata.services.workbench import LiveJob, Workbench

_DECLARED_MB = 300.0
"""What a preparation takes before any was seen; a proxy of 1080p is the largest."""

PREPARE_CHILD = (sys.executable, "-m", "prismata.worker.prepare")


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
    prefers_proxy: bool = False
    """Its domain wants the proxy shown where there is one, even if the source plays exactly."""

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
            "prefers_proxy": self.prefers_proxy,
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
    source = load_playability(bench, video)
    # The job first: where it has just ended well, what it made is there when we look.
    preparing = _preparing(bench, video)
    made = load_renditions(bench, video)
    prefers = ingest_options(bench, video.domain).always_proxy
    return Material(video, source, made, None if made else preparing, prefers)


def needs_preparation(bench: Workbench, video: VideoRecord) -> bool:
    """Say whether anything that a player needs is still to be made."""
    return load_renditions(bench, video) is None


def prepare_video(
    bench: Workbench,
    video: VideoRecord,
    *,
    on_message: MessageHandler = lambda _message: None,
) -> ChildOutcome:
    """Make what a player needs in a child process and wait for its end; the outcome tells how.

    Raises:
        BusyError: If this video is being prepared already.
        InvalidInputError: If the storage lives in memory, where no child can reach it.
        NotFoundError: If the video's file is missing from storage.
        BadVideoError: If it cannot be read any more.
    """
    return bench.jobs.run_job(_submit(bench, video).id, on_message=on_message)


def start_preparation(bench: Workbench, video: VideoRecord) -> LiveJob:
    """Do the same in the background; `describe_material` tells how far it is.

    Raises:
        BusyError: If this video is being prepared already.
        InvalidInputError: If the storage lives in memory, where no child can reach it.
        NotFoundError: If the video's file is missing from storage.
        BadVideoError: If it cannot be read any more.
    """
    return bench.jobs.start(_submit(bench, video))


def assign_preparation(bench: Workbench, job: JobRecord) -> Assignment:
    """Return what an attempt at a preparation consists of.

    Raises:
        NotFoundError: If the video was removed meanwhile.
    """
    video = bench.catalog.videos.get(job.params["video_id"])
    request = {
        "settings": bench.settings.to_request(),
        "sha256": video.sha256,
        "storage_key": video.storage_key,
        "timeline_key": video.timeline_key,
        "needs_proxy": job.params["proxy"],
    }
    return Assignment(
        PREPARE_CHILD,
        request,
        _limits(bench),
        on_success=lambda result: _on_success(bench, video, result),
        on_end=lambda _outcome: _on_end(bench, video),
    )


def cancel_preparation(bench: Workbench, video: VideoRecord) -> None:
    """Stop the preparation of a video, if one is waiting or running."""
    job = _latest_job(bench, video)
    if job is not None and not job.state.is_final:
        bench.jobs.cancel(job.id)


def _submit(bench: Workbench, video: VideoRecord) -> JobRecord:
    bench.check_shared_storage("preparing")
    proxy = needs_proxy(bench, video)
    return bench.catalog.jobs.submit(
        "prepare",
        {"video": video.name, "video_id": video.id, "proxy": proxy},
        author=bench.settings.author,
        dedupe_key=dedupe_key(video),
        resource_class=ResourceClass.IO,
        needs_mb=job_need_mb(bench, "prepare", lambda _job: True, _DECLARED_MB),
    )


def _on_success(bench: Workbench, video: VideoRecord, result: dict[str, Any]) -> dict[str, Any]:
    bench.catalog.videos.get(video.id)  # removed while this ran: that is a failure, see below
    return {"renditions": result["renditions"]}


def _on_end(bench: Workbench, video: VideoRecord) -> None:
    """Let nothing stay that a preparation without a good end has stored."""
    try:
        bench.catalog.videos.get(video.id)
    except NotFoundError:
        remove_renditions(bench, video)
    else:
        remove_unpublished(bench, video)


def _limits(bench: Workbench) -> ChildLimits:
    # Checking a long proxy is silent for as long as reading it takes.
    return ChildLimits(stall_seconds=max(600.0, bench.settings.stall_seconds))


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
        bench.catalog.leases.reap()  # its supervisor vanished: say so instead of waiting for ever
        job = latest()
    return job


def _seconds_left(job: JobRecord) -> float | None:
    if job.state is not JobState.RUNNING or job.started_at is None or job.progress < 0.01:
        return None
    elapsed = (datetime.now(UTC) - job.started_at).total_seconds()
    return round(elapsed * (1 - job.progress) / job.progress, 1)
