"""The hard synthetic benchmark (S-hard): throws as an unkind broadcast shows them.

Two people act at once; only a throw whose ball leaves the hand is an event, and aborted run-ups,
practice swings and balls thrown back are none. Things pass before the throwers, cameras switch,
colours are faint, the bit rate is low, every second video has a variable frame rate, and the test
videos show places that no other video shows. Labels of training videos are up to one frame off,
as people's are; those of the others are true.

A replay is not labelled, and what a model says of it is neither right nor wrong:
`HardVideo.replays` lists these stretches, to be stored as passed over (coverage `skipped`), so that
they are unknown to training and evaluation alike. A red square in the corner tells the viewer.

Invariant: every event time is the presentation time of a frame that is in the file, and a seed
always gives the same video.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event
from prismata.core.time import MICROSECONDS, FrameTimeline, TimeSpan
from prismata.testing.hard_paint import HardPainter
from prismata.testing.hard_scene import HardScene
from prismata.testing.synth import (
    Image,
    Progress,
    SynthVideo,
    encode_video,
    plan_ticks,
    render_splits,
    truth_csv,
)
from prismata.testing.throw_scene import VISIBLE_GAP

SEEN_PLACES = ("meadow", "hall", "dusk")
UNSEEN_PLACES = ("town", "beach")
"""Only test videos show these."""
MIN_SECONDS = 8.0
HARDNESS = (0.0, 0.5, 1.0)
"""Of the videos of a split in turn. A model that sees nothing but the hardest learns nothing from
so few of them, and a set on which everybody scores 0 tells no two models apart."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a file is like, whatever it shows."""

    size: tuple[int, int] = (256, 144)
    """Width and height in pixels, both even; the scene is designed for 16:9."""
    fps: int = 25
    """Frames a second where the rate is constant."""
    kbps: int = 200
    """Bit rate of the H.264 stream in kb/s."""


BROADCAST = Look()


@dataclass(frozen=True, slots=True)
class HardVideo:
    """One rendered video, what is true about it and what its labels say."""

    truth: SynthVideo
    labels: tuple[Event, ...]
    """The events as they are labelled: true, or up to one frame off in a training video."""
    replays: tuple[TimeSpan, ...]
    """Stretches that show again what was shown; nothing there is labelled."""
    cuts_us: tuple[int, ...]
    """First frames of another camera's picture."""
    confusers: tuple[tuple[int, str], ...]
    """When something that looks like a throw happens, and what: `aborted`, `practice` or `thrown
    back`."""
    places: tuple[str, ...]
    """What the cameras show."""


def render_hard_throws(
    path: Path,
    *,
    seconds: float = 40.0,
    seed: int,
    variable_rate: bool = False,
    places: Sequence[str] = SEEN_PLACES,
    jitter: bool = False,
    hardness: float = 1.0,
    look: Look = BROADCAST,
) -> HardVideo:
    """Render one hard video with the events `release` and `flight` of the easy ones.

    Releases are 0.5 to 6 s apart. None is hidden: around each one no passer-by covers hand or ball,
    and no camera switches.

    Args:
        path: The `.mp4` to write.
        seconds: Length; at least 8.
        seed: Decides everything that is drawn.
        variable_rate: Frames 20 to 90 ms apart at random instead of `1 / fps`.
        places: The first camera shows the first, the second camera one of the others.
        jitter: Move every label by up to one frame.
        hardness: 0 to 1: how much passes before the throwers, and how faint the colours are; with 0
            both cameras show one place, and nothing moves there but the throwers.
        look: Size and rates of the file.

    Raises:
        InvalidInputError: If the length, rate, size or bit rate cannot be used.
    """
    if not MIN_SECONDS <= seconds <= 3600:
        raise InvalidInputError(
            f"a hard throwing video lasts {MIN_SECONDS:g} to 3600 seconds, not {seconds:g}"
        )
    ticks, time_base = plan_ticks(seconds, look.fps, seed, variable_rate=variable_rate)
    timeline = FrameTimeline.from_pts(np.array(ticks), time_base=time_base)
    scene = HardScene.plan(seconds, seed, hardness=hardness)
    painter = HardPainter(scene, look.size, places)
    times = [start / MICROSECONDS for start in timeline.starts_us.tolist()]
    frames: Iterator[Image] = (painter.paint(time) for time in times)
    encode_video(path, frames, ticks, time_base, look.size, kbps=look.kbps)
    events = _events(scene, timeline, times)
    return HardVideo(
        SynthVideo(path, events, timeline, seed, variable_rate),
        _jittered(events, timeline, seed) if jitter else events,
        _replays(scene, timeline, times),
        _cuts(scene, timeline, times),
        tuple((round(scene.video_time(c.scene_s) * MICROSECONDS), c.kind) for c in scene.confusers),
        painter.places,
    )


def render_hard_set(
    folder: Path,
    *,
    train: int = 10,
    val: int = 3,
    test: int = 6,
    seconds: float = 40.0,
    seed: int = 0,
    look: Look = BROADCAST,
    progress: Progress | None = None,
) -> dict[str, list[HardVideo]]:
    """Render hard videos for all three splits; every second one of a split has variable rate.

    Args:
        folder: Where `train-01.mp4` and so on are written; made if it is not there.
        train: Number of training videos, whose labels are up to one frame off.
        val: Number of validation videos.
        test: Number of test videos, in places that the others do not show.
        seconds: Length of each.
        seed: First seed; no two videos share one.
        look: Size and rates of each file.
        progress: Told after each video.
    """

    def render(path: Path, split: str, index: int, number: int) -> HardVideo:
        return render_hard_throws(
            path,
            seconds=seconds,
            seed=seed + number,
            variable_rate=index % 2 == 1,
            places=_places(split, index),
            jitter=split == "train",
            hardness=HARDNESS[index % len(HARDNESS)],
            look=look,
        )

    return render_splits(folder, {"train": train, "val": val, "test": test}, render, progress)


def _places(split: str, index: int) -> tuple[str, ...]:
    """Training sees one ground most of the time, as from one camera; testing sees others."""
    if split != "test":
        return SEEN_PLACES
    home = index // len(HARDNESS) % len(UNSEEN_PLACES)
    return UNSEEN_PLACES[home:] + UNSEEN_PLACES[:home]


def labels_csv(videos: Sequence[HardVideo]) -> str:
    """Return the labels in the plain CSV format, times in seconds with six decimals."""
    return truth_csv(replace(video.truth, events=video.labels) for video in videos)


def _events(scene: HardScene, timeline: FrameTimeline, times: Sequence[float]) -> tuple[Event, ...]:
    shots = [scene.shot_at(time) for time in times]
    live = [
        (index, shot.scene_time(time))
        for index, (shot, time) in enumerate(zip(shots, times, strict=True))
        if not shot.is_replay
    ]
    starts = timeline.starts_us
    events: list[Event] = []
    for thrower in scene.throwers:
        for flight in thrower.scene.flights:
            first = next(
                index
                for index, time in live
                if time >= flight.start_s and thrower.scene.gap_to_hand(flight, time) >= VISIBLE_GAP
            )
            landed = next(index for index, time in live if time >= flight.landing_s)
            events.append(Event.point("release", int(starts[first])))
            events.append(Event.segment("flight", int(starts[first]), int(starts[landed])))
    return tuple(sorted(events, key=lambda event: (event.start_us, event.kind)))


def _jittered(events: Sequence[Event], timeline: FrameTimeline, seed: int) -> tuple[Event, ...]:
    """Move every release by -1, 0 or 1 frame, its flight with it, and every landing likewise."""
    rng = np.random.default_rng([seed, 33])
    starts = timeline.starts_us
    moved: list[Event] = []
    begin = 0
    for event in events:
        if event.kind == "point":
            begin = _beside(rng, timeline, event.start_us)
            moved.append(replace(event, start_us=int(starts[begin]), end_us=int(starts[begin])))
        else:
            end = _beside(rng, timeline, event.end_us)
            moved.append(replace(event, start_us=int(starts[begin]), end_us=int(starts[end])))
    return tuple(moved)


def _beside(rng: np.random.Generator, timeline: FrameTimeline, time_us: int) -> int:
    index = timeline.index_at(time_us) + int(rng.integers(-1, 2))
    return min(max(index, 0), len(timeline) - 1)


def _replays(
    scene: HardScene, timeline: FrameTimeline, times: Sequence[float]
) -> tuple[TimeSpan, ...]:
    edges = [*timeline.starts_us.tolist(), timeline.duration_us]
    spans = []
    for shot in scene.shots:
        shown = [i for i, time in enumerate(times) if shot.start_s <= time < shot.end_s]
        if shot.is_replay and shown:
            spans.append(TimeSpan(edges[shown[0]], edges[shown[-1] + 1]))
    return tuple(spans)


def _cuts(scene: HardScene, timeline: FrameTimeline, times: Sequence[float]) -> tuple[int, ...]:
    cameras = [scene.shot_at(time).camera for time in times]
    starts = timeline.starts_us.tolist()
    return tuple(
        starts[index] for index in range(1, len(cameras)) if cameras[index] != cameras[index - 1]
    )
