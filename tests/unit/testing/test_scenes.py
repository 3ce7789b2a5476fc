from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.time import FrameTimeline
from prismata.domains import load_plugin
from prismata.testing.drawing import Canvas, darker, mixed
from prismata.testing.figures import (
    LYING,
    STANDING,
    Figure,
    Outfit,
    between,
    eased,
    walking,
)
from prismata.testing.scenes import (
    CLEAN,
    Camera,
    Happening,
    act_at,
    film,
    film_set,
    load_scene,
    on_frames,
    pictures,
)

SIZE = (64, 36)
DOMAIN = """
from prismata.domains import Domain, EventType, register_domain

@register_domain
class Lamp(Domain):
    name = "lamp"
    event_types = (EventType("flash", hotkey="f", guide="First bright frame."),
                   EventType("glow", "segment", hotkey="g", guide="While it glows."))
"""
SCENE = """
from prismata.testing.scenes import Camera, Happening

EXPECTED = {"point_map_0.5s": 0.5}
CAMERA = Camera(noise=2.0)


class plan:
    def __init__(self, seconds, seed):
        first = 1.0 + seed / 100
        self.events = [Happening("glow", first + 1, first + 2.01), Happening("flash", first)]
        self.distractors = [Happening("moth", first + 0.5)]

    def backdrop(self, canvas):
        canvas.fill((40, 40, 60))

    def paint(self, canvas, time_s):
        if any(item.covers(time_s) for item in self.events):
            canvas.dot((160, 90), 40, (240, 230, 120))
"""


@pytest.fixture
def lamp(tmp_path):
    """Write a domain with a scene and return a way to load it."""
    folder = tmp_path / "lamp"
    folder.mkdir()
    (folder / "domain.py").write_text(DOMAIN)
    (folder / "scene.py").write_text(SCENE)
    return lambda: load_scene(load_plugin(folder)())


def test_truth_lies_on_frames_and_segments_end_with_the_first_frame_without(lamp, tmp_path):
    video = film(lamp(), tmp_path / "lamp.mp4", seconds=5, seed=1, size=SIZE, fps=20)
    said = [(event.event_type, event.start_us, event.end_us) for event in video.events]
    # 1.01 s is first shown by the frame at 1.05 s; 3.02 s is over by the frame at 3.05 s.
    assert said == [("flash", 1_050_000, 1_050_000), ("glow", 2_050_000, 3_050_000)]
    assert [item.event_type for item in video.distractors] == ["moth"]
    assert len(video.timeline) == 100


def test_a_frame_that_was_meant_to_show_it_does(tmp_path):
    timeline = FrameTimeline.from_pts(np.arange(90), time_base=Fraction(1, 30))
    (event,) = on_frames([Happening("flash", 1 / 30)], timeline)
    assert event.start_us == timeline.start_us(1)


def test_a_segment_may_last_to_the_end_of_the_video_and_no_later_one_is_planned():
    timeline = FrameTimeline.from_pts(np.arange(50), time_base=Fraction(1, 25))
    (event,) = on_frames([Happening("glow", 1.0, 9.0)], timeline)
    assert event.end_us == timeline.duration_us == 2_000_000
    with pytest.raises(InvalidInputError, match=r"tells of 'flash' from 2\.000 s, but no frame"):
        on_frames([Happening("flash", 2.0)], timeline)
    with pytest.raises(InvalidInputError, match="tells of 'glow'"):
        on_frames([Happening("glow", 1.001, 1.002)], timeline)


def test_a_set_has_a_seed_for_each_video_and_both_kinds_of_rate(lamp, tmp_path):
    told = []
    filmed = film_set(
        lamp(),
        tmp_path / "set",
        videos=2,
        seconds=4,
        seed=7,
        size=SIZE,
        progress=lambda *item: told.append(item),
    )
    assert [video.path.name for video in filmed] == ["lamp-0007.mp4", "lamp-0008.mp4"]
    assert [video.variable_rate for video in filmed] == [False, True]
    assert told == [(1, 2, "lamp-0007.mp4"), (2, 2, "lamp-0008.mp4")]
    with pytest.raises(InvalidInputError, match="at least one video"):
        film_set(lamp(), tmp_path / "none", videos=0)


def test_the_same_seed_writes_the_same_file(lamp, tmp_path):
    files = []
    for name in ("one.mp4", "two.mp4"):
        film(lamp(), tmp_path / name, seconds=4, seed=3, size=SIZE, variable_rate=True)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]


def test_a_length_that_is_no_video_is_refused(lamp, tmp_path):
    with pytest.raises(InvalidInputError, match="lasts 4 to 3600 seconds, not 2"):
        film(lamp(), tmp_path / "lamp.mp4", seconds=2, seed=1)


def test_a_domain_without_scene_says_so(tmp_path):
    folder = tmp_path / "lamp"
    folder.mkdir()
    (folder / "domain.py").write_text(DOMAIN)
    with pytest.raises(NotFoundError, match=r"'lamp' has no scene\.py"):
        load_scene(load_plugin(folder)())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("class plan", "class plans"), r"has no plan\(seconds, seed\)"),
        (("0.5}", "50}"), "from 0 to 1"),
        (("CAMERA = Camera(noise=2.0)", "CAMERA = 3"), "must be a Camera"),
    ],
)
def test_a_scene_that_lacks_something_says_what(lamp, tmp_path, change, message):
    (tmp_path / "lamp" / "scene.py").write_text(SCENE.replace(*change))
    with pytest.raises(InvalidInputError, match=message):
        lamp()


def test_a_happening_does_not_end_before_it_starts():
    with pytest.raises(InvalidInputError, match="cannot start before"):
        Happening("glow", 2.0, 1.0)
    glow = Happening("glow", 1.0, 3.0)
    assert [glow.share(time) for time in (0.5, 2.0, 9.0)] == [0.0, 0.5, 1.0]
    assert act_at([glow], 3.0) is None
    assert act_at([glow], 1.0) is glow
    assert not Happening("flash", 1.0).covers(1.0)


def test_a_clean_camera_shows_the_canvas_and_another_does_not(lamp):
    scene = lamp().plan(5, 1)
    (clean,) = pictures(scene, [2.5], SIZE, CLEAN)
    assert clean.shape == (36, 64, 3)
    assert clean[18, 32].tolist() == [240, 230, 120]
    assert clean[1, 1].tolist() == [40, 40, 60]
    (noisy,) = pictures(scene, [2.5], SIZE, Camera(noise=4.0, shake=3.0, flicker=0.3), seed=2)
    assert np.abs(noisy.astype(int) - clean).mean() > 1


def test_a_camera_looks_aside_without_leaving_the_canvas():
    canvas = Canvas((320, 180))
    canvas.dot((160, 90), 3, (255, 255, 255))
    assert canvas.view()[90, 160].tolist() == [255, 255, 255]
    assert canvas.view((4, 2))[88, 156].tolist() == [255, 255, 255]
    assert canvas.view((999, -999)).shape == (180, 320, 3)


def test_every_shape_leaves_paint_where_it_belongs():
    canvas = Canvas((320, 180))
    canvas.fill((100, 100, 100))
    canvas.blend(100, 180, (0, 0, 0), (200, 0, 0))
    canvas.box(10, 10, 30, 30, (0, 255, 0))
    canvas.line([(50, 20), (90, 20)], 4, (0, 0, 255))
    canvas.oval((120, 20), (20, 6), (255, 255, 0))
    canvas.polygon([(200, 10), (240, 10), (220, 40)], (255, 0, 255))
    canvas.shade((280, 30), (15, 10), 0.5)
    canvas.word("8", 150, 60, 20, (255, 255, 255))
    image = canvas.view()
    found = [image[y, x].tolist() for x, y in ((20, 20), (70, 20), (130, 20), (220, 20), (280, 30))]
    assert found == [[0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255], [50, 50, 50]]
    assert (image[40:62, 148:170] == 255).any()
    assert image[178, 5, 0] > image[104, 5, 0]
    canvas.fill((100, 100, 100))
    canvas.grain(np.random.default_rng(1), 8)
    assert canvas.view().std() > 4


def test_colours_can_be_darkened_and_mixed():
    assert darker((100, 200, 40), 0.5) == (50, 100, 20)
    assert mixed((0, 0, 0), (100, 50, 10), 0.5) == (50, 25, 5)


def test_a_figure_upright_is_high_and_one_that_lies_is_wide():
    rng = np.random.default_rng(4)
    figure = Figure(100, Outfit.drawn(rng))
    spreads = []
    for pose in (STANDING, LYING, between(STANDING, LYING, 1.0)):
        canvas = Canvas((320, 180))
        canvas.fill((255, 255, 255))
        figure.paint(canvas, (160, 150), pose)
        rows, columns = np.nonzero((canvas.view() < 250).any(-1))
        spreads.append((int(np.ptp(rows)), int(np.ptp(columns))))
    assert 90 < spreads[0][0] < 115
    assert spreads[0][0] > 2 * spreads[0][1]
    assert spreads[1][1] > 2 * spreads[1][0]
    assert spreads[2] == spreads[1]


def test_a_hand_is_where_the_arm_points():
    figure = Figure(100, Outfit.drawn(np.random.default_rng(4)))
    ahead = between(STANDING, STANDING, 0).__class__(near_arm=90, near_hand=90)
    right = figure.hand((160, 150), ahead)
    left = figure.hand((160, 150), ahead, facing=-1)
    assert right[0] - 160 == pytest.approx(34)
    assert 160 - left[0] == pytest.approx(34)
    assert figure.hand((160, 150), ahead, near=False)[0] < 170


def test_walking_legs_swing_against_each_other():
    pose = walking(np.pi / 2)
    assert pose.near_thigh == pytest.approx(-pose.far_thigh)
    assert walking(np.pi / 2, 1.7).near_thigh > pose.near_thigh
    assert [eased(share) for share in (-1, 0.5, 2)] == [0, 0.5, 1]
