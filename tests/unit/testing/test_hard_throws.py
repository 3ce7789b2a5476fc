from __future__ import annotations

import csv
import io
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.time import FrameTimeline
from prismata.testing.hard_paint import HardPainter
from prismata.testing.hard_scene import GAP_S, REPLAY_RATE, HardScene
from prismata.testing.hard_throws import (
    SEEN_PLACES,
    UNSEEN_PLACES,
    Look,
    labels_csv,
    render_hard_set,
    render_hard_throws,
)
from prismata.testing.throw_scene import PERSON_HEIGHT, WORLD_WIDTH
from prismata.testing.throw_scenery import PLACE_NAMES

SMALL = Look(size=(96, 54), kbps=60)
SCENES = pytest.mark.parametrize("seed", range(12))


def decode(path):
    """Return all frames as RGB and the timeline of the timestamps in the file."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        time_base = Fraction(container.streams.video[0].time_base)
    ticks = np.array([frame.pts for frame in frames])
    timeline = FrameTimeline.from_pts(ticks, time_base=time_base)
    return [frame.to_ndarray(format="rgb24") for frame in frames], timeline


def releases(events):
    return [event.start_us for event in events if event.event_type == "release"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hard")
    return render_hard_set(folder, train=2, val=1, test=2, seconds=14, seed=3, look=SMALL)


@pytest.fixture(scope="module")
def every(videos):
    return [video for part in videos.values() for video in part]


def test_events_and_labels_lie_on_frames_that_are_in_the_file(every):
    for video in every:
        _, timeline = decode(video.truth.path)
        starts = timeline.starts_us
        assert np.array_equal(starts, video.truth.timeline.starts_us)
        for event in (*video.truth.events, *video.labels):
            assert {event.start_us, event.end_us} <= set(starts.tolist())
            assert event.end_us < timeline.duration_us
        assert len(releases(video.truth.events)) >= 3


@SCENES
def test_releases_come_half_a_second_to_six_seconds_apart(seed):
    scene = HardScene.plan(60, seed)
    times = sorted(
        scene.video_time(flight.start_s)
        for thrower in scene.throwers
        for flight in thrower.scene.flights
    )
    gaps = np.diff(times)
    assert len(gaps) >= 8
    # The first frame without touch comes up to 0.1 s later.
    assert gaps.min() >= GAP_S[0] + 0.09
    assert gaps.max() <= GAP_S[1] - 0.09


def test_the_labelled_truth_keeps_the_distances_too(every):
    for video in every:
        gaps = np.diff(releases(video.truth.events)) / 1e6
        assert gaps.min() >= GAP_S[0]
        assert gaps.max() <= GAP_S[1]


def test_only_training_labels_are_moved_and_by_one_frame_at_most(videos):
    for video in (*videos["val"], *videos["test"]):
        assert video.labels == video.truth.events
    moved = []
    for video in videos["train"]:
        index_at = video.truth.timeline.index_at
        assert len(video.labels) == len(video.truth.events)
        for label, event in zip(video.labels, video.truth.events, strict=True):
            assert (label.event_type, label.kind) == (event.event_type, event.kind)
            moved.append(index_at(label.start_us) - index_at(event.start_us))
            moved.append(index_at(label.end_us) - index_at(event.end_us))
        flights = [e.start_us for e in video.labels if e.event_type == "flight"]
        assert releases(video.labels) == flights
    assert set(moved) == {-1, 0, 1}


def test_every_second_video_of_a_split_has_a_variable_rate(videos):
    for part in videos.values():
        for index, video in enumerate(part):
            timeline = decode(video.truth.path)[1]
            low, high = timeline.step_range_us
            if index % 2:
                assert (low < 30_000, high > 60_000) == (True, True)
            else:
                assert (low, high) == (40_000, 40_000)


def test_test_videos_show_places_that_no_other_video_shows(videos):
    shown = {split: {p for v in part for p in v.places} for split, part in videos.items()}
    assert shown["test"] <= set(UNSEEN_PLACES)
    assert shown["train"] | shown["val"] <= set(SEEN_PLACES)
    assert not set(SEEN_PLACES) & set(UNSEEN_PLACES)
    assert {*SEEN_PLACES, *UNSEEN_PLACES} == set(PLACE_NAMES)
    for part in videos.values():
        assert [len(set(video.places)) for video in part] == [1, 2][: len(part)]


def test_the_easiest_scene_has_nobody_passing_and_nothing_else_that_moves():
    easy, hard = (HardScene.plan(30, 2, hardness=value) for value in (0.0, 1.0))
    assert easy.passers == ()
    assert easy.throwers[0].scene.birds == easy.throwers[0].scene.rolling == ()
    assert len(hard.passers) >= 8
    assert hard.throwers[0].scene.birds
    assert easy.shots == hard.shots
    assert [t.scene.swings for t in easy.throwers] == [t.scene.swings for t in hard.throwers]


@pytest.mark.parametrize("kbps", [100, 200])
def test_the_bit_rate_is_what_was_asked_for(tmp_path, kbps):
    look = Look(size=(192, 108), kbps=kbps)
    video = render_hard_throws(tmp_path / "v.mp4", seconds=16, seed=1, look=look)
    spent = video.truth.path.stat().st_size * 8 / 16 / 1000
    assert 0.7 * kbps <= spent <= 1.25 * kbps


@SCENES
def test_a_replay_shows_the_last_release_again_at_half_speed(seed):
    scene = HardScene.plan(60, seed)
    flights = [f.start_s for thrower in scene.throwers for f in thrower.scene.flights]
    replays = [shot for shot in scene.shots if shot.is_replay]
    for shot in replays:
        first, last = shot.scene_time(shot.start_s), shot.scene_time(shot.end_s)
        assert last - first == pytest.approx(REPLAY_RATE * (shot.end_s - shot.start_s))
        live = max(time for time in flights if scene.video_time(time) < shot.start_s)
        assert first < live < last
    shown = [(shot.start_s, shot.end_s) for shot in scene.shots]
    assert [start for start, _ in shown[1:]] == [end for _, end in shown[:-1]]
    assert all(start < end for start, end in shown)
    assert shown[-1][1] == 60


def test_no_label_lies_in_a_replay_and_replays_are_marked_in_the_picture(every):
    marked = 0
    for video in every:
        frames, timeline = decode(video.truth.path)
        for span in video.replays:
            for event in (*video.truth.events, *video.labels):
                assert not span.contains(event.start_us)
        for frame, start_us in zip(frames, timeline.starts_us.tolist(), strict=True):
            red, green, blue = frame[3:5, 3:5].reshape(-1, 3).mean(axis=0)
            is_marked = red > 150 and green < 120 and blue < 120
            assert is_marked == any(span.contains(start_us) for span in video.replays)
            marked += is_marked
    assert marked > 50


@SCENES
def test_around_a_release_no_camera_switches_and_nobody_passes_before_the_ball(seed):
    scene = HardScene.plan(60, seed)
    borders = [shot.start_s for shot in scene.shots[1:]]
    for thrower in scene.throwers:
        for flight in thrower.scene.flights:
            release = scene.video_time(flight.start_s)
            assert all(not release - 0.55 < border < release + 0.3 for border in borders)
            for time in (flight.start_s - 0.08, flight.start_s, flight.start_s + 0.16):
                x, y = thrower.ball(time)[0]
                for passer in scene.passers:
                    top = thrower.scene.ground - passer.height
                    is_person = passer.height >= PERSON_HEIGHT
                    is_beside = abs(passer.x(time) - x) > passer.size + thrower.scene.ball_radius
                    assert is_beside or (not is_person and y < top)


def test_two_people_throw_practise_break_off_and_get_balls_back():
    scenes = [HardScene.plan(60, seed) for seed in range(6)]
    for scene in scenes:
        assert all(thrower.scene.flights for thrower in scene.throwers)
    kinds = [confuser.kind for scene in scenes for confuser in scene.confusers]
    assert min(kinds.count(kind) for kind in ("aborted", "practice", "thrown back")) >= 6
    assert set(kinds) == {"aborted", "practice", "thrown back"}
    assert sum(shot.camera == 1 for scene in scenes for shot in scene.shots) >= 6
    assert any(swing.run for scene in scenes for t in scene.throwers for swing in t.scene.swings)


@SCENES
def test_a_ball_thrown_back_comes_from_outside_and_is_caught(seed):
    scene = HardScene.plan(60, seed)
    for thrower in scene.throwers:
        for item in thrower.returns:
            assert thrower.ball(item.absent_s) is None or item.absent_s == item.start_s
            (x, _), flight = thrower.ball(item.start_s)
            assert flight is None
            assert not 0 <= x <= WORLD_WIDTH
            before, after = thrower.ball(item.end_s - 1e-6)[0], thrower.ball(item.end_s)[0]
            assert before == pytest.approx(after, abs=0.01)


def test_something_passes_before_the_throwers_and_hides_part_of_them():
    scene = HardScene.plan(60, 1)
    painter = HardPainter(scene, (160, 90), SEEN_PLACES)
    alone = HardPainter(replace(scene, passers=()), (160, 90), SEEN_PLACES)
    shares = []
    for time in np.arange(1, 59, 2.0).tolist():
        difference = np.abs(painter.paint(time).astype(int) - alone.paint(time)).max(axis=2)
        shares.append((difference > 20).mean())
    assert sum(share > 0.005 for share in shares) >= 5
    assert max(shares) < 0.35


def test_the_ball_can_be_told_from_what_is_behind_it():
    for seed in range(4):
        scene = HardScene.plan(30, seed)
        without = tuple(
            replace(t, scene=replace(t.scene, ball_radius=0.01)) for t in scene.throwers
        )
        places = UNSEEN_PLACES if seed % 2 else SEEN_PLACES
        shown = HardPainter(scene, (256, 144), places)
        hidden = HardPainter(replace(scene, throwers=without), (256, 144), places)
        for thrower in scene.throwers:
            for flight in thrower.scene.flights:
                time = scene.video_time(flight.start_s + 0.1)
                difference = shown.paint(time).astype(int) - hidden.paint(time)
                assert np.linalg.norm(difference, axis=2).max() > 30


def test_a_seed_gives_the_same_video_and_another_seed_does_not(tmp_path):
    """At the size of the benchmark: below it, x264's macroblock tree varies with AVX-512."""

    def render(name, seed):
        path = tmp_path / name
        return render_hard_throws(path, seconds=8, seed=seed, jitter=True)

    first, again, other = render("a.mp4", 5), render("b.mp4", 5), render("c.mp4", 6)
    assert replace(first, truth=first.truth) == replace(
        again, truth=replace(again.truth, path=first.truth.path)
    )
    assert np.array_equal(decode(first.truth.path)[0], decode(again.truth.path)[0])
    assert first.truth.events != other.truth.events


def test_the_labels_are_written_as_they_were_given_to_each_split(videos):
    every = [*videos["train"], *videos["test"]]
    rows = list(csv.DictReader(io.StringIO(labels_csv(every))))
    wanted = [(video.truth.path.name, event) for video in every for event in video.labels]
    assert len(rows) == len(wanted)
    for row, (name, event) in zip(rows, wanted, strict=True):
        assert (row["video"], row["label"], row["kind"]) == (name, event.event_type, event.kind)
        assert round(float(row["start_s"]) * 1e6) == event.start_us
        assert round(float(row["end_s"]) * 1e6) == event.end_us


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": 5}, "lasts 8 to 3600 seconds, not 5"),
        ({"look": Look(fps=0)}, r"fps must lie in 1\.\.240"),
        ({"look": Look(size=(97, 54))}, "even"),
        ({"look": Look(kbps=2)}, "bit rate must lie in 10..100000"),
        ({"places": ("moon",)}, "no place 'moon'"),
    ],
)
def test_what_cannot_be_rendered_is_refused_before_anything_is_written(tmp_path, options, message):
    with pytest.raises(InvalidInputError, match=message):
        render_hard_throws(tmp_path / "v.mp4", **{"seconds": 8, "seed": 0, **options})
    assert list(tmp_path.iterdir()) == []
