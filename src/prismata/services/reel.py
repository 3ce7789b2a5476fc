"""Events as moving pictures: one clip each, or a reel of them all; exact to the frame."""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from pathlib import Path

from prismata.catalog import VideoRecord
from prismata.core.errors import ConflictError, InvalidInputError
from prismata.core.time import TimeSpan, format_time, to_seconds, to_us
from prismata.formats.result_rows import ResultRow
from prismata.media.cuts import MAX_SIDE, Cut, FilmFacts, film_size, frames_of, write_film
from prismata.services.outgoing import FrameTables, Outgoing
from prismata.services.workbench import Workbench

CONTEXT_SECONDS = 1.0
MAX_CONTEXT_SECONDS = 600.0
KEPT_REELS = 8

FilmProgress = Callable[[int, int, str], None]
"""Called with frames done, frames in all, and the name of the video at hand."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """How much of what lies around an event is shown.

    Raises:
        InvalidInputError: If it is negative or longer than `MAX_CONTEXT_SECONDS`.
    """

    before_us: int = to_us(CONTEXT_SECONDS)
    after_us: int = to_us(CONTEXT_SECONDS)

    def __post_init__(self) -> None:
        for length_us in (self.before_us, self.after_us):
            if not 0 <= length_us <= to_us(MAX_CONTEXT_SECONDS):
                raise InvalidInputError(
                    f"{to_seconds(length_us):g} s cannot be shown around an event; use 0 to "
                    f"{MAX_CONTEXT_SECONDS:g} s"
                )

    def around(self, row: ResultRow) -> TimeSpan:
        """Return `[start - before, end + after)`."""
        event = row.event
        return TimeSpan(event.start_us - self.before_us, event.end_us + self.after_us)


@dataclass(frozen=True, slots=True)
class Scene:
    """A stretch of a reel: one event, or several that lie so close that they share frames."""

    video: VideoRecord
    span: TimeSpan
    rows: tuple[ResultRow, ...]


def plan_scenes(outgoing: Sequence[Outgoing], around: Surroundings) -> list[Scene]:
    """Return the scenes of a reel, by video and time; no frame of a video is in two of them."""
    scenes: list[Scene] = []
    ordered = sorted(
        outgoing, key=lambda item: (item.video.name, item.row.event.start_us, item.row.event.end_us)
    )
    for item in ordered:
        span = around.around(item.row)
        last = scenes[-1] if scenes else None
        if last and last.video.id == item.video.id and span.start_us <= last.span.end_us:
            both = TimeSpan(last.span.start_us, max(last.span.end_us, span.end_us))
            scenes[-1] = Scene(last.video, both, (*last.rows, item.row))
        else:
            scenes.append(Scene(item.video, span, (item.row,)))
    return scenes


def within(outgoing: Sequence[Outgoing], seconds: float) -> list[Outgoing]:
    """Return the first events whose scenes last no longer than this together; at least one."""
    chosen: list[Outgoing] = []
    for item in outgoing:
        scenes = plan_scenes([*chosen, item], Surroundings())
        lengths = (scene.span.clamped(scene.video.duration_us).duration_us for scene in scenes)
        if chosen and to_seconds(sum(lengths)) > seconds:
            break
        chosen.append(item)
    return chosen


def kept_reel(
    bench: Workbench,
    outgoing: Sequence[Outgoing],
    *,
    max_side: int,
    on_progress: FilmProgress = lambda _done, _total, _name: None,
) -> Path:
    """Return a captioned reel from the cache folder, made now if nobody made it before.

    The latest `KEPT_REELS` are kept.

    Raises:
        UserError: As `write_reel`.
    """
    path = reel_place(bench, outgoing, max_side)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_reel(bench, outgoing, path, captions=True, max_side=max_side, on_progress=on_progress)
        latest = sorted(path.parent.glob("*.mp4"), key=lambda item: item.stat().st_mtime)
        for old in latest[:-KEPT_REELS]:
            old.unlink(missing_ok=True)
    return path


def reel_place(bench: Workbench, outgoing: Sequence[Outgoing], max_side: int) -> Path:
    """Return where `kept_reel` keeps the reel of these events; it need not be there."""
    told = [
        [item.video.sha256, item.row.video, item.row.title, *astuple(item.row.event)]
        for item in outgoing
    ]
    digest = hashlib.sha256(json.dumps([max_side, told]).encode()).hexdigest()
    return bench.settings.cache_dir / "reels" / f"{digest[:32]}.mp4"


def write_reel(
    bench: Workbench,
    outgoing: Sequence[Outgoing],
    path: Path,
    *,
    around: Surroundings | None = None,
    captions: bool = False,
    max_side: int = MAX_SIDE,
    on_progress: FilmProgress = lambda _done, _total, _name: None,
) -> FilmFacts:
    """Write one MP4 of all events, by video and time; it appears when it is complete.

    Args:
        bench: The workbench.
        outgoing: The events.
        path: Where to; an existing file is replaced at the end.
        around: What is shown around each event; by default a second before and after.
        captions: Burn in what happens, where and when.
        max_side: Of the picture, in pixels; its shape is what most of the scenes have.
        on_progress: Called after each frame; an exception of it ends the work.

    Raises:
        InvalidInputError: If there is no event.
        NotFoundError: If a video is missing from storage.
        BadVideoError: If a frame cannot be decoded.
    """
    scenes = plan_scenes(outgoing, around or Surroundings())
    if not scenes:
        raise InvalidInputError("no event fits, so there is nothing to show; ask for less")
    with ExitStack() as held:
        cuts = _cuts(bench, scenes, held, captions=captions)
        names = _names(cuts, [scene.video.name for scene in scenes])
        return write_film(
            cuts,
            path,
            size=film_size([cut.path for cut in cuts], max_side),
            on_progress=lambda done, total: on_progress(done, total, names(done)),
        )


def write_clips(
    bench: Workbench,
    outgoing: Sequence[Outgoing],
    folder: Path,
    *,
    around: Surroundings | None = None,
    captions: bool = False,
    on_progress: FilmProgress = lambda _done, _total, _name: None,
) -> list[Path]:
    """Write one MP4 for each event and return the files, in the order of the events.

    Each appears when it is complete; what was written before an error stays.

    Args:
        bench: The workbench.
        outgoing: The events.
        folder: A folder that is empty or does not exist yet.
        around: What is shown around each event; by default a second before and after.
        captions: Burn in what happens, where and when.
        on_progress: Called after each frame, with frames of all clips.

    Raises:
        ConflictError: If there is something in the folder.
        InvalidInputError: If there is no event.
        NotFoundError: If a video is missing from storage.
        BadVideoError: If a frame cannot be decoded.
    """
    if not outgoing:
        raise InvalidInputError("no event fits, so there is nothing to cut out; ask for less")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConflictError(f"{folder} is not empty; name a folder that is, or that does not exist")
    around = around or Surroundings()
    scenes = [Scene(item.video, around.around(item.row), (item.row,)) for item in outgoing]
    with ExitStack() as held:
        cuts = _cuts(bench, scenes, held, captions=captions)
        total = sum(len(frames_of(cut.timeline, cut.span)) for cut in cuts)
        folder.mkdir(parents=True, exist_ok=True)
        written: list[Path] = []
        before = 0
        for number, (cut, scene) in enumerate(zip(cuts, scenes, strict=True), start=1):
            path = folder / clip_name(number, len(cuts), scene.video.name, scene.rows[0])
            done_before, name = before, scene.video.name
            made = write_film(
                [cut],
                path,
                on_progress=lambda done, _, done_before=done_before, name=name: on_progress(  # type: ignore[misc]
                    done_before + done, total, name
                ),
            )
            before += made.frames
            written.append(path)
    return written


def clip_name(number: int, count: int, video: str, row: ResultRow) -> str:
    """Return the file name of a clip: number, video, time and event, safe on every system."""
    stem = re.sub(r"[^\w-]+", "-", Path(video).stem).strip("-")[:80] or "video"
    when = format_time(row.event.start_us).replace(":", "m") + "s"
    return f"{number:0{len(str(count))}d}-{stem}-{when}-{row.event.event_type}.mp4"


def caption_of(rows: Sequence[ResultRow]) -> str:
    """Return what is burnt in: what happens, where and when."""
    happened = ", ".join(f"{row.title} {format_time(row.event.start_us)}" for row in rows)
    return f"{happened} - {rows[0].video}"


def _cuts(
    bench: Workbench, scenes: Sequence[Scene], held: ExitStack, *, captions: bool
) -> list[Cut]:
    """Bring the videos to local files that stay until `held` is closed."""
    tables = FrameTables(bench)
    paths: dict[str, Path] = {}
    cuts = []
    for scene in scenes:
        video = scene.video
        if video.id not in paths:
            paths[video.id] = held.enter_context(bench.storage.local_copy(video.storage_key))
        caption = caption_of(scene.rows) if captions else ""
        cuts.append(Cut(paths[video.id], tables.of(video), scene.span, caption))
    return cuts


def _names(cuts: Sequence[Cut], names: Sequence[str]) -> Callable[[int], str]:
    """Return what tells the video of the film's n-th frame, counted from 1."""
    ends: list[int] = []
    for cut in cuts:
        ends.append(len(frames_of(cut.timeline, cut.span)) + (ends[-1] if ends else 0))

    def name(frame: int) -> str:
        return names[bisect_left(ends, frame)]

    return name
