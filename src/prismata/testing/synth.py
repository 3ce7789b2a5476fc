"""Synthetic videos that know their truth: rendered, encoded as H.264 and labelled to the frame.

Invariant: every truth time is the presentation time of a frame that is in the file, and a seed
always gives the same video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.core.time import MICROSECONDS, FrameTimeline
from prismata.testing.throw_paint import ThrowPainter
from prismata.testing.throw_scene import MIN_SECONDS, VISIBLE_GAP, ThrowScene

Rendered = TypeVar("Rendered")
Image = NDArray[np.uint8]
Progress = Callable[[int, int, str], None]
"""Called with the number of finished videos, the number of all, and the finished one's name."""

_MILLISECOND = Fraction(1, 1000)
_FLASH_LEVEL = 245
_DARK_LEVEL = 50


@dataclass(frozen=True, slots=True)
class SynthVideo:
    """One rendered video and everything that is true about it."""

    path: Path
    events: tuple[Event, ...]
    """In order of time; every time is the start of a frame."""
    timeline: FrameTimeline
    """The presentation times that were written."""
    seed: int
    variable_rate: bool


def render_ball_throw(
    path: Path,
    *,
    seconds: float = 18.0,
    seed: int,
    variable_rate: bool = False,
    fps: int = 30,
    size: tuple[int, int] = (320, 180),
    distractors: bool = True,
    place: str = "",
) -> SynthVideo:
    """Render somebody who throws a ball every few seconds.

    Point event `release`: the first frame in which the ball no longer touches the hand. Segment
    event `flight`: from there to the first frame with the ball on the ground.

    Args:
        path: The `.mp4` to write.
        seconds: Length; at least 5.
        seed: Decides place, colours, throws, distractors and noise.
        variable_rate: Frames 20 to 90 ms apart at random instead of `1 / fps`.
        fps: Frames a second when the rate is constant.
        size: Width and height in pixels, both even; the scene is designed for 16:9.
        distractors: Also swings without release, rolling balls, birds, a hopping light and a
            flickering lamp.
        place: `meadow`, `hall`, `dusk`, `town` or `beach`; empty = the seed decides.

    Raises:
        InvalidInputError: If the length, rate or size cannot be used.
    """
    if not MIN_SECONDS <= seconds <= 3600:
        raise InvalidInputError(
            f"a throwing video lasts {MIN_SECONDS:g} to 3600 seconds, not {seconds:g}"
        )
    ticks, time_base = plan_ticks(seconds, fps, seed, variable_rate=variable_rate)
    timeline = FrameTimeline.from_pts(np.array(ticks), time_base=time_base)
    times = [start / MICROSECONDS for start in timeline.starts_us.tolist()]
    scene = ThrowScene.plan(seconds, seed, distractors=distractors)
    encode_video(path, _painted(scene, times, size, place), ticks, time_base, size)
    events = _throw_events(scene, timeline, times)
    return SynthVideo(path, events, timeline, seed, variable_rate)


def render_flashes(
    path: Path,
    *,
    seconds: float = 10.0,
    seed: int,
    variable_rate: bool = False,
    fps: int = 30,
    size: tuple[int, int] = (160, 90),
    flash_seconds: float = 0.12,
) -> SynthVideo:
    """Render a dark, noisy room with white flashes, the simplest video with events.

    Point event `flash`: the first white frame. A flash stays white for `flash_seconds`, and flashes
    come one to two seconds apart.

    Raises:
        InvalidInputError: If the length, rate or size cannot be used.
    """
    if not 2 <= seconds <= 3600:
        raise InvalidInputError(f"a flashing video lasts 2 to 3600 seconds, not {seconds:g}")
    ticks, time_base = plan_ticks(seconds, fps, seed, variable_rate=variable_rate)
    timeline = FrameTimeline.from_pts(np.array(ticks), time_base=time_base)
    starts = timeline.starts_us
    rng = np.random.default_rng([seed, 21])
    white = np.zeros(len(timeline), dtype=bool)
    events: list[Event] = []
    moment = rng.uniform(0.6, 1.2)
    while moment + flash_seconds < seconds - 0.3:
        first = int(np.searchsorted(starts, moment * MICROSECONDS))
        if first == len(timeline):
            break
        begin = int(starts[first])
        white |= (starts >= begin) & (starts < begin + flash_seconds * MICROSECONDS)
        events.append(Event.point("flash", begin))
        moment = begin / MICROSECONDS + rng.uniform(1.0, 2.0)
    encode_video(path, _flashing(white, size, rng), ticks, time_base, size)
    return SynthVideo(path, tuple(events), timeline, seed, variable_rate)


def render_set(
    folder: Path,
    *,
    train: int,
    val: int,
    test: int,
    seconds: float = 18.0,
    seed: int = 0,
    place: str = "",
    progress: Progress | None = None,
) -> dict[str, list[SynthVideo]]:
    """Render throwing videos for all three splits; every second one of a split has variable rate.

    Args:
        folder: Where `train-01.mp4` and so on are written; made if it is not there.
        train: Number of training videos; `val` and `test` likewise.
        val: Number of validation videos.
        test: Number of test videos.
        seconds: Length of each.
        seed: First seed; no two videos share one.
        place: One place for all, as seen by one camera on many days; empty = each its own.
        progress: Told after each video.
    """

    def render(path: Path, _split: str, index: int, number: int) -> SynthVideo:
        return render_ball_throw(
            path,
            seconds=seconds,
            seed=seed + number,
            variable_rate=index % 2 == 1,
            place=place,
        )

    return render_splits(folder, {"train": train, "val": val, "test": test}, render, progress)


def render_splits(
    folder: Path,
    counts: Mapping[str, int],
    render: Callable[[Path, str, int, int], Rendered],
    progress: Progress | None,
) -> dict[str, list[Rendered]]:
    """Render so many videos of each split.

    Args:
        folder: Where `train-01.mp4` and so on are written; made if it is not there.
        counts: Split → number of videos.
        render: Gets path, split, number within the split and number of all, both from 0.
        progress: Told after each video.
    """
    folder.mkdir(parents=True, exist_ok=True)
    videos: dict[str, list[Rendered]] = {split: [] for split in counts}
    done = 0
    for split, count in counts.items():
        for index in range(count):
            path = folder / f"{split}-{index + 1:02d}.mp4"
            videos[split].append(render(path, split, index, done))
            done += 1
            if progress is not None:
                progress(done, sum(counts.values()), path.name)
    return videos


def truth_csv(videos: Iterable[SynthVideo]) -> str:
    """Return the truth in the plain CSV format, times in seconds with six decimals."""
    lines = ["video,label,kind,start_s,end_s"]
    lines += [
        f"{video.path.name},{event.event_type},{event.kind},"
        f"{_decimal(event.start_us)},{_decimal(event.end_us)}"
        for video in videos
        for event in video.events
    ]
    return "\n".join(lines) + "\n"


def _decimal(time_us: int) -> str:
    return f"{time_us // MICROSECONDS}.{time_us % MICROSECONDS:06d}"


def plan_ticks(
    seconds: float, fps: int, seed: int, *, variable_rate: bool
) -> tuple[list[int], Fraction]:
    """Return the presentation ticks of all frames, and the tick.

    Raises:
        InvalidInputError: If the rate cannot be used.
    """
    if not 1 <= fps <= 240:
        raise InvalidInputError(f"fps must lie in 1..240, not {fps}")
    if not variable_rate:
        return list(range(round(seconds * fps))), Fraction(1, fps)
    rng = np.random.default_rng([seed, 4])
    ticks = [0]
    while True:
        # A camera that mostly keeps its pace, with jitter, and loses a frame every now and then.
        step = rng.integers(47, 91) if rng.random() < 0.25 else rng.integers(20, 47)
        if ticks[-1] + step >= seconds * 1000:
            return ticks, _MILLISECOND
        ticks.append(ticks[-1] + int(step))


def _throw_events(
    scene: ThrowScene, timeline: FrameTimeline, times: Sequence[float]
) -> tuple[Event, ...]:
    starts = timeline.starts_us
    events: list[Event] = []
    for flight in scene.flights:
        first = next(
            index
            for index, time in enumerate(times)
            if time >= flight.start_s and scene.gap_to_hand(flight, time) >= VISIBLE_GAP
        )
        landed = next(index for index, time in enumerate(times) if time >= flight.landing_s)
        events.append(Event.point("release", int(starts[first])))
        events.append(Event.segment("flight", int(starts[first]), int(starts[landed])))
    return tuple(events)


def _painted(
    scene: ThrowScene, times: Sequence[float], size: tuple[int, int], place: str
) -> Iterator[Image]:
    painter = ThrowPainter(scene, size, place)
    return (painter.paint(time) for time in times)


def _flashing(
    white: NDArray[np.bool_], size: tuple[int, int], rng: np.random.Generator
) -> Iterator[Image]:
    width, height = size
    texture = rng.integers(-12, 13, (height, width, 3))
    for is_white in white.tolist():
        noise = rng.integers(-4, 5, (height, width, 1))
        level = _FLASH_LEVEL if is_white else _DARK_LEVEL
        yield np.clip(level + texture + noise, 0, 255).astype(np.uint8)


def encode_video(
    path: Path,
    frames: Iterable[Image],
    ticks: Sequence[int],
    time_base: Fraction,
    size: tuple[int, int],
    *,
    kbps: int | None = None,
) -> None:
    """Write frames at exactly these ticks; the file appears complete or not at all.

    Args:
        path: The `.mp4` to write.
        frames: `(H, W, 3)` uint8 RGB each.
        ticks: Presentation time of each, in ticks.
        time_base: Seconds per tick.
        size: Width and height in pixels, both even.
        kbps: Bit rate to keep; None = good quality, whatever it takes.

    Raises:
        InvalidInputError: If the size or bit rate cannot be used.
    """
    import av

    width, height = size
    if not (16 <= width <= 4096 and 16 <= height <= 4096) or width % 2 or height % 2:
        raise InvalidInputError(
            f"the size must be even and lie in 16..4096 pixels, not {width}x{height}"
        )
    if kbps is not None and not 10 <= kbps <= 100_000:
        raise InvalidInputError(f"the bit rate must lie in 10..100000 kb/s, not {kbps}")
    rate = {"crf": "25"} if kbps is None else _rate_options(kbps)
    temporary = path.with_name(f".{path.stem}.part.mp4")
    try:
        with av.open(str(temporary), "w") as container:
            # The rate is a hint to the rate control; the ticks below are what is stored.
            stream = container.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.time_base = stream.codec_context.time_base = time_base
            # Where the rate is bounded, x264 looks at what its other threads have written so far:
            # then only a single thread makes the same file each time.
            threads = "2" if kbps is None else "1"
            stream.options = {"preset": "veryfast", **rate, "g": "60", "threads": threads}
            for image, tick in zip(frames, ticks, strict=True):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = tick, time_base
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _rate_options(kbps: int) -> dict[str, str]:
    """Aim at a mean rate and let no two seconds hold more than twice their share."""
    return {"b": f"{kbps}k", "maxrate": f"{kbps}k", "bufsize": f"{2 * kbps}k"}
