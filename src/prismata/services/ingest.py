"""Ingest: from a file to a stored, scanned, deduplicated video."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

from prismata.catalog import VideoRecord
from prismata.core.errors import BadVideoError, ConflictError, NotFoundError
from prismata.core.time import FrameTimeline, format_time
from prismata.media import probe, scan
from prismata.media.playable import judge
from prismata.services.ingest_options import check_length
from prismata.services.prepare import cancel_preparation
from prismata.services.renditions import remove_renditions, store_playability
from prismata.services.workbench import Workbench

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov"}
    | {".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv"}
)
"""What a folder is searched for; a file named directly is tried whatever its suffix."""

HASH_CHUNK = 1024 * 1024

ByteProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of one file."""

    path: Path
    status: Literal["added", "already_there", "refused"]
    message: str
    """One sentence for a person."""
    video: VideoRecord | None = None
    reason: str = ""
    """Stable code of a refusal, see `BadVideoError`."""


def find_video_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files named, and the videos below the folders named, sorted.

    Raises:
        NotFoundError: If a path does not exist.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(
                file
                for file in path.rglob("*")
                if file.is_file() and file.suffix.lower() in VIDEO_SUFFIXES
            )
        elif path.exists():
            files.append(path)
        else:
            raise NotFoundError(f"there is no file or folder {str(path)!r}")
    return files


def ingest_files(
    bench: Workbench,
    paths: Iterable[Path],
    *,
    base: Path | None = None,
    group: str = "",
    domain: str = "",
    on_progress: ByteProgress = lambda _done, _total: None,
) -> Iterator[IngestResult]:
    """Ingest files one after the other; a refused one does not stop the others.

    Args:
        bench: The workbench.
        paths: Files, as `find_video_files` returns them.
        base: Folder whose relative paths become the videos' names; by default the file name alone.
        group: Recording, camera or subject that all of them belong to; by default each its own.
        domain: Domain they belong to; may be empty.
        on_progress: Gets bytes done and bytes in all of the file at hand.
    """
    if domain:
        bench.domain(domain)
    for path in paths:
        name = path.relative_to(base).as_posix() if base else path.name
        try:
            yield ingest_file(
                bench, path, name=name, group=group, domain=domain, on_progress=on_progress
            )
        except BadVideoError as error:
            yield IngestResult(path, "refused", str(error), reason=error.reason)
        except ConflictError as error:
            yield IngestResult(path, "refused", str(error), reason="name_taken")


def ingest_file(
    bench: Workbench,
    path: Path,
    *,
    name: str = "",
    group: str = "",
    domain: str = "",
    on_progress: ByteProgress = lambda _done, _total: None,
    store: Callable[[str, str], object] | None = None,
) -> IngestResult:
    """Scan one file, store it and its timeline, and enter it into the catalog.

    The catalog row is written last: an interrupted ingest leaves at most unreferenced objects,
    never a video without its content.

    Args:
        bench: The workbench.
        path: The file.
        name: What the video will be called; by default as the file.
        group: Recording, camera or subject that it belongs to; by default its own.
        domain: Domain it belongs to; may be empty.
        on_progress: Gets bytes done and bytes in all.
        store: Puts the same content under a key, with its digest, where the storage has it
            already; by default the file is put there.

    Raises:
        BadVideoError: If it is not a video that can be used, or longer than its domain takes.
        ConflictError: If another video has this name.
    """
    if not path.is_file():
        raise BadVideoError(
            f"{path.name!r} was to be ingested, but there is no such file", reason="missing_file"
        )
    facts = probe(path)
    digest = _digest(path, on_progress)
    known = bench.catalog.videos.find_by_digest(digest)
    if known is not None:
        return IngestResult(
            path, "already_there", f"{path.name!r} is already here as {known.name!r}", known
        )
    scanned = scan(path)
    timeline = scanned.timeline
    name = name or path.name
    check_length(bench, path.name, timeline, domain)
    _check_name_free(bench, name)
    storage_key = f"videos/{digest[:12]}/{_safe_file_name(path.name)}"
    timeline_key = f"timelines/{digest}.npz"
    if store is None:
        bench.storage.put_file(storage_key, path, progress=on_progress)
    else:
        store(storage_key, digest)
    bench.storage.put(timeline_key, _timeline_bytes(timeline))
    store_playability(bench, digest, judge(path, facts, scanned))
    low, high = timeline.step_range_us
    video, created = bench.catalog.videos.add(
        name=name,
        storage_key=storage_key,
        sha256=digest,
        size_bytes=path.stat().st_size,
        container=facts.container,
        codec=facts.codec,
        width=facts.width,
        height=facts.height,
        rotation=facts.rotation,
        frame_count=len(timeline),
        duration_us=timeline.duration_us,
        first_pts_us=timeline.first_pts_us,
        min_step_us=low,
        max_step_us=high,
        timeline_key=timeline_key,
        group_name=group,
        domain=domain,
        notes=scanned.notes,
    )
    if not created:
        return IngestResult(
            path, "already_there", f"{path.name!r} is already here as {video.name!r}", video
        )
    rate = "variable rate" if timeline.is_variable_rate else "constant rate"
    return IngestResult(
        path,
        "added",
        f"{name}: {len(timeline)} frames, {format_time(timeline.duration_us)}, "
        f"{facts.width}x{facts.height} {facts.codec}, {rate}",
        video,
    )


def remove_video(bench: Workbench, name_or_id: str) -> str:
    """Remove a video with its labels, detections and renditions; say in one sentence what went.

    Raises:
        NotFoundError: If there is none.
    """
    video = bench.catalog.videos.find(name_or_id)
    cancel_preparation(bench, video)
    removal = bench.catalog.videos.remove(video.id)
    for key in (video.storage_key, video.timeline_key):
        bench.storage.delete(key)
    remove_renditions(bench, video)
    return (
        f"removed {video.name!r} with {removal.annotations} labels, {removal.detections} detected "
        f"events and {removal.detection_runs} detection runs"
    )


def _digest(path: Path, on_progress: ByteProgress) -> str:
    digest = hashlib.sha256()
    total, done = path.stat().st_size, 0
    with path.open("rb") as source:
        while chunk := source.read(HASH_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            on_progress(done, total)
    return digest.hexdigest()


def _check_name_free(bench: Workbench, name: str) -> None:
    try:
        other = bench.catalog.videos.find(name)
    except NotFoundError:
        return
    raise ConflictError(
        f"another video is called {name!r} already ({format_time(other.duration_us)}, added "
        f"{other.created_at:%Y-%m-%d}); rename the file or give its folder as --base"
    )


def _safe_file_name(name: str) -> str:
    """Return the file name with what some stores or shells stumble over replaced."""
    cleaned = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[-120:].lstrip(".-")
    return cleaned or "video"


def _timeline_bytes(timeline: FrameTimeline) -> bytes:
    buffer = BytesIO()
    timeline.save(buffer)
    return buffer.getvalue()
