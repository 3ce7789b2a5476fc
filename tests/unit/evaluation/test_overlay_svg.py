"""Two curves in one picture: told apart without colour, and the right stretch of the video."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from prismata.core.events import Event, EventType
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan
from prismata.evaluation.overlay_svg import (
    ModelLine,
    Overlay,
    draw_overlay,
    marked,
    window_around,
)

WINDOW = TimeSpan(10_000_000, 20_000_000)


def line(name, threshold, events=(), types=("flash",)):
    times = np.arange(250_000, 60_000_000, 500_000, dtype=np.int64)
    scores = np.full((times.size, 1), 0.2, np.float32)
    return ModelLine(name, ScoreTrack(times, scores, types), threshold, tuple(events))


def draw(kind="point", **changed):
    models = changed.pop("models", (line("old <1>", 0.3), line("new", 0.7)))
    chosen = changed.pop("chosen", TimeSpan(15_000_000, 15_000_000))
    picture = Overlay("Scores", EventType("flash", kind), WINDOW, chosen, models, **changed)
    svg = draw_overlay(picture, "o")
    ElementTree.fromstring(svg)  # noqa: S314 - our own picture, made a line above
    return svg


def test_names_styles_and_both_thresholds_are_in_words():
    svg = draw()
    for words in (
        "first: old &lt;1&gt; (dashed)",
        "second: new (solid)",
        "first 0.30",
        "second 0.70",
    ):
        assert words in svg
    heights = [float(y) for y in re.findall(r'class="level" x1="0" x2="100%" y1="([\d.]+)"', svg)]
    # The second one is drawn first.
    assert heights[1] - heights[0] == pytest.approx(0.4 * 96, abs=0.2)


def test_curves_are_of_the_stretch_and_reach_its_borders():
    curves = re.findall(r'<polyline class="curve" points="([^"]+)"', draw())
    assert len(curves) == 2
    places = [float(point.split(",")[0]) for point in curves[0].split()]
    assert places[0] < 0 < places[1]
    assert places[-2] < 1000 <= places[-1]
    assert {point.split(",")[1] for point in curves[0].split()} == {"80.0"}


def test_the_dashed_curve_lies_over_the_solid_one():
    svg = draw()
    assert svg.index('<g class="second">') < svg.index('<g class="first">')


def test_the_axis_tells_times_of_the_video():
    assert re.findall(r'class="tick" [^>]*anchor="(?:start|middle|end)">(0:\d\d)<', draw()) == [
        f"0:{second}" for second in (10, 12, 14, 16, 18, 20)
    ]


@pytest.mark.parametrize(
    ("verdict", "shape"),
    [
        ("true", 'class="fill edge" r='),
        ("false", 'class="cross"'),
        ("unjudged", 'class="hollow" r'),
    ],
)
def test_a_mark_says_by_its_shape_what_labels_say(verdict, shape):
    event = Event.point("flash", 12_500_000, 0.9)
    svg = draw(models=(line("one", 0.5, [(event, verdict)]), line("other", 0.5)))
    first = svg[svg.index('<g class="first">') : svg.index('<g class="labels">')]
    assert '<svg x="25.000%"' in first
    assert shape in first
    assert shape not in svg.replace(first, "")


def test_what_lies_outside_is_not_drawn_and_a_segment_is_cut_at_the_border():
    events = [
        (Event.segment("flash", 5_000_000, 12_000_000, 0.9), "false"),
        (Event.segment("flash", 30_000_000, 31_000_000, 0.9), "true"),
    ]
    truth = (Event.segment("flash", 14_000_000, 16_000_000),)
    chosen = TimeSpan(14_000_000, 15_000_000)
    models = (line("one", 0.5, events), line("other", 0.5))
    svg = draw("segment", models=models, truth=truth, chosen=chosen)
    assert "max(3px, 20.000%)" in svg
    assert "0:05.000 to 0:12.000" in svg
    assert "0:30" not in svg
    assert "0:14.000 to 0:16.000: labelled" in svg
    assert 'class="chosen" x="40.000%"' in svg


def test_a_model_whose_scores_lack_the_event_has_no_curve():
    svg = draw(models=(line("one", 0.5, types=("bang",)), line("other", 0.5)))
    assert svg.count("<polyline") == 1


@pytest.mark.parametrize(
    ("span", "duration", "window"),
    [
        ((50, 50), 100, (40, 60)),
        ((3, 3), 100, (0, 20)),
        ((99, 99), 100, (80, 100)),
        ((40, 50), 100, (30, 60)),
        ((5, 5), 8, (0, 8)),
    ],
)
def test_the_window_keeps_its_length_at_the_ends_of_the_video(span, duration, window):
    assert window_around(TimeSpan(*span), duration, margin_us=10) == TimeSpan(*window)


def test_only_events_of_the_type_that_a_model_found_are_marked():
    flash, bang = Event.point("flash", 1, 0.9), Event.point("bang", 2, 0.9)
    pairs = [(flash, "true"), (None, "unjudged"), (bang, "false")]
    assert marked(pairs, EventType("flash")) == ((flash, "true"),)
