from __future__ import annotations

import math
from fractions import Fraction

import av
import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.time import FrameTimeline
from prismata.testing import synth
from prismata.testing.synth import render_ball_throw, render_flashes, render_set, truth_csv
from prismata.testing.throw_paint import ThrowPainter
from prismata.testing.throw_scene import HAND_RADIUS, VISIBLE_GAP, WORLD_WIDTH, ThrowScene

BOTH_RATES = pytest.mark.parametrize("variable_rate", [False, True], ids=["cfr", "vfr"])


def decode(path):
    """Return all frames as RGB and the timeline of the timestamps in the file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame for packet in container.demux(stream) for frame in packet.decode()]
        ticks = np.array([frame.pts for frame in frames])
        timeline = FrameTimeline.from_pts(ticks, time_base=Fraction(stream.time_base))
    return [frame.to_ndarray(format="rgb24") for frame in frames], timeline


@pytest.fixture(scope="module")
def throws(tmp_path_factory):
    folder = tmp_path_factory.mktemp("throws")
    return [
        render_ball_throw(folder / f"{seed}.mp4", seconds=8, seed=seed, variable_rate=seed % 2 == 1)
        for seed in range(4)
    ]


@BOTH_RATES
def test_flashes_are_white_exactly_where_the_truth_says(tmp_path, variable_rate):
    video = render_flashes(tmp_path / "f.mp4", seconds=8, seed=3, variable_rate=variable_rate)
    frames, timeline = decode(video.path)
    assert np.array_equal(timeline.starts_us, video.timeline.starts_us)
    white = np.array([frame.mean() > 150 for frame in frames])
    starts = timeline.starts_us[1:][white[1:] & ~white[:-1]]
    assert starts.tolist() == [event.start_us for event in video.events]
    assert len(video.events) >= 3
    ends = timeline.starts_us[1:][~white[1:] & white[:-1]]
    assert (ends - starts).min() >= 120_000
    assert {event.event_type for event in video.events} == {"flash"}


def test_throw_events_lie_on_frames_that_are_in_the_file(throws):
    for video in throws:
        frames, timeline = decode(video.path)
        assert len(frames) == len(video.timeline)
        assert np.array_equal(timeline.starts_us, video.timeline.starts_us)
        starts = set(timeline.starts_us.tolist())
        assert {event.start_us for event in video.events} <= starts
        assert {event.end_us for event in video.events} <= starts
        assert max(event.end_us for event in video.events) < timeline.duration_us


def test_every_release_opens_a_flight_of_plausible_length(throws):
    for video in throws:
        releases = [e.start_us for e in video.events if e.event_type == "release"]
        flights = [e for e in video.events if e.event_type == "flight"]
        assert releases == [event.start_us for event in flights]
        assert releases
        for event in flights:
            # The first free frame comes up to 0.1 s after the hand opens, the landing frame up to
            # one frame step after the ground is touched.
            assert 400_000 <= event.span.duration_us <= 1_500_000


def test_release_is_the_first_frame_with_the_ball_free_of_the_hand(throws):
    for video in throws:
        scene = ThrowScene.plan(8, video.seed, distractors=True)
        starts = video.timeline.starts_us
        releases = [e for e in video.events if e.event_type == "release"]
        assert len(releases) == len(scene.flights)
        for event, flight in zip(releases, scene.flights, strict=True):
            index = video.timeline.index_at(event.start_us)
            before, at = starts[index - 1] / 1e6, starts[index] / 1e6
            assert scene.gap_to_hand(flight, at) >= VISIBLE_GAP
            held, flying = scene.ball(before)
            touching = math.dist(held, scene.pose(before).hand) - scene.ball_radius - HAND_RADIUS
            assert touching < VISIBLE_GAP
            assert flying is None or before >= flight.start_s


def test_a_flight_ends_with_the_first_frame_that_shows_the_ball_on_the_ground(throws):
    for video in throws:
        scene = ThrowScene.plan(8, video.seed, distractors=True)
        on_ground = pytest.approx(scene.ground - scene.ball_radius, abs=1e-6)
        ends = [e.end_us for e in video.events if e.event_type == "flight"]
        for end_us, flight in zip(ends, scene.flights, strict=True):
            index = video.timeline.index_at(end_us)
            before = int(video.timeline.starts_us[index - 1]) / 1e6
            assert scene.ball(end_us / 1e6) == ((flight.ball(end_us / 1e6)[0], on_ground), flight)
            assert scene.ball(before)[0][1] != on_ground


@pytest.mark.parametrize("seed", range(25))
def test_a_thrown_ball_never_touches_the_hand_again_and_stays_in_the_picture(seed):
    scene = ThrowScene.plan(18, seed, distractors=True)
    for flight in scene.flights:
        gaps = [
            scene.gap_to_hand(flight, time) >= VISIBLE_GAP
            for time in np.arange(flight.start_s, flight.vanish_s, 0.01)
        ]
        assert gaps == sorted(gaps)
        assert gaps.count(False) <= 10
        for time in np.arange(flight.start_s, flight.vanish_s, 0.05):
            x, y = flight.ball(time)
            assert scene.ball_radius <= x <= WORLD_WIDTH - scene.ball_radius
            assert 0 <= y <= scene.ground - scene.ball_radius + 1e-6
        assert flight.ball(flight.landing_s)[1] == pytest.approx(scene.ground - scene.ball_radius)


def test_the_ball_is_painted_where_the_scene_says():
    scene = ThrowScene.plan(8, 1, distractors=False)
    flight = scene.flights[0]
    time = (flight.start_s + flight.landing_s) / 2
    painter = ThrowPainter(scene, (320, 180))
    x, y = flight.ball(time)
    picture = painter.paint(time).astype(int)
    rows, columns = np.mgrid[0:180, 0:320]
    inside = (rows - y) ** 2 + (columns - x) ** 2 < (scene.ball_radius - 3) ** 2
    ring = (rows - y) ** 2 + (columns - x) ** 2
    around = (ring > (scene.ball_radius + 3) ** 2) & (ring < (scene.ball_radius + 7) ** 2)
    difference = np.abs(np.median(picture[inside], axis=0) - np.median(picture[around], axis=0))
    assert difference.max() > 40


def test_some_swings_keep_the_ball_and_without_distractors_all_throw():
    scenes = [ThrowScene.plan(18, seed, distractors=True) for seed in range(10)]
    kept = [swing for scene in scenes for swing in scene.swings if swing.flight is None]
    assert len(kept) >= 5
    assert {swing.turns_back for swing in kept} == {True, False}
    assert {swing.facing for scene in scenes for swing in scene.swings} == {1, -1}
    plain = ThrowScene.plan(18, 0, distractors=False)
    assert all(swing.flight for swing in plain.swings)
    assert plain.birds == plain.rolling == plain.hops == plain.lamp_switches_s == ()


def test_throws_come_every_two_to_five_seconds_or_so():
    for seed in range(10):
        starts = [f.start_s for f in ThrowScene.plan(18, seed, distractors=False).flights]
        gaps = np.diff(starts)
        assert len(gaps) >= 2
        assert gaps.min() >= 1.3
        assert gaps.max() <= 5.5


def test_variable_rate_varies_within_its_bounds_and_constant_rate_does_not(tmp_path):
    steady = render_flashes(tmp_path / "c.mp4", seconds=6, seed=1)
    shaky = render_flashes(tmp_path / "v.mp4", seconds=6, seed=1, variable_rate=True)
    assert not steady.timeline.is_variable_rate
    assert shaky.timeline.is_variable_rate
    low, high = shaky.timeline.step_range_us
    assert 20_000 <= low < 30_000
    assert 70_000 < high <= 90_000


@BOTH_RATES
def test_a_seed_gives_the_same_pixels_and_another_seed_does_not(tmp_path, variable_rate):
    def render(name, seed):
        return render_ball_throw(
            tmp_path / name, seconds=5, seed=seed, variable_rate=variable_rate, size=(160, 90)
        )

    first, again, other = render("a.mp4", 7), render("b.mp4", 7), render("c.mp4", 8)
    assert first.events == again.events
    assert first.timeline == again.timeline
    assert np.array_equal(decode(first.path)[0], decode(again.path)[0])
    assert first.events != other.events


def test_files_are_small_and_nothing_is_left_beside_them(throws):
    for video in throws:
        assert video.path.stat().st_size < 8 / 18 * 500_000
    folder = throws[0].path.parent
    assert sorted(item.name for item in folder.iterdir()) == ["0.mp4", "1.mp4", "2.mp4", "3.mp4"]


def test_an_interrupted_rendering_leaves_the_old_file_and_nothing_else(tmp_path):
    def frames():
        # More than the encoder keeps back, so that something has been written.
        yield from [np.zeros((32, 32, 3), np.uint8)] * 90
        raise KeyboardInterrupt

    path = tmp_path / "throw.mp4"
    path.write_bytes(b"older")
    with pytest.raises(KeyboardInterrupt):
        synth.encode_video(path, frames(), range(91), Fraction(1, 30), (32, 32))
    assert [(item.name, item.read_bytes()) for item in tmp_path.iterdir()] == [
        ("throw.mp4", b"older")
    ]


def test_a_set_mixes_rates_in_every_split_and_reports_progress(tmp_path):
    told = []
    videos = render_set(
        tmp_path / "set",
        train=3,
        val=2,
        test=2,
        seconds=5,
        seed=40,
        progress=lambda done, total, name: told.append((done, total, name)),
    )
    assert [video.path.name for video in videos["train"]] == [
        "train-01.mp4", "train-02.mp4", "train-03.mp4",
    ]  # fmt: skip
    for split in videos.values():
        assert {video.variable_rate for video in split} == {True, False}
    seeds = [video.seed for split in videos.values() for video in split]
    assert seeds == list(range(40, 47))
    assert told[0] == (1, 7, "train-01.mp4")
    assert told[-1] == (7, 7, "test-02.mp4")


def test_the_truth_is_written_to_the_microsecond(tmp_path):
    video = render_ball_throw(tmp_path / "throw.mp4", seconds=6, seed=2)
    header, *lines = truth_csv([video]).splitlines()
    assert header == "video,label,kind,start_s,end_s"
    rows = [line.split(",") for line in lines]
    assert [(row[0], row[1], row[2]) for row in rows] == [
        ("throw.mp4", event.event_type, event.kind) for event in video.events
    ]
    for row, event in zip(rows, video.events, strict=True):
        assert Fraction(row[3]) * 1_000_000 == event.start_us
        assert Fraction(row[4]) * 1_000_000 == event.end_us


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": 4}, "lasts 5 to 3600 seconds, not 4"),
        ({"fps": 0}, r"fps must lie in 1\.\.240"),
        ({"size": (321, 180)}, "even"),
        ({"size": (8, 8)}, "16..4096"),
    ],
)
def test_what_cannot_be_rendered_is_refused_before_anything_is_written(tmp_path, options, message):
    with pytest.raises(InvalidInputError, match=message):
        render_ball_throw(tmp_path / "throw.mp4", **{"seconds": 5, "seed": 0, **options})
    with pytest.raises(InvalidInputError, match="2 to 3600"):
        render_flashes(tmp_path / "flash.mp4", seconds=1, seed=0)
    assert list(tmp_path.iterdir()) == []
