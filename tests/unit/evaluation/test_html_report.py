import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan
from prismata.evaluation import PointTolerance, evaluate
from prismata.evaluation.html_report import ReportData, render_html, render_report
from prismata.evaluation.timeline_svg import VideoPicture, draw_timeline, plan_lanes

GOAL = EventType("goal")
FALL = EventType("fall", kind="segment", color="#123456")
TYPES = (GOAL, FALL)
SECOND = 1_000_000
TRUTH = (
    Event.point("goal", 2 * SECOND),
    Event.point("goal", 8 * SECOND),
    Event.segment("fall", 3 * SECOND, 5 * SECOND),
    Event.segment("fall", 8 * SECOND, 9 * SECOND),
)
FOUND = (
    Event.point("goal", 2_100_000, 0.9),
    Event.point("goal", 5 * SECOND, 0.8),
    Event.segment("fall", 3 * SECOND, 5 * SECOND, 0.7),
    Event.segment("fall", 6 * SECOND, 7 * SECOND, 0.6),
)


def track(count=100, duration_us=10 * SECOND):
    times = np.arange(count, dtype=np.int64) * duration_us // count
    scores = np.full((count, 2), 0.1, dtype=np.float32)
    scores[count // 3, 0] = 0.97
    return ScoreTrack(times, scores, ("goal", "fall"))


def data(title="Report", name="v.mp4", **picture):
    drawn = VideoPicture("v", name, 10 * SECOND, TRUTH, FOUND, track())
    report = evaluate(
        {"v": TRUTH}, {"v": FOUND}, {"v": FOUND}, {"v": 10 * SECOND}, TYPES, tracks={"v": track()}
    )
    return ReportData(
        title,
        report,
        TYPES,
        (replace(drawn, **picture),),
        {"goal": 0.4},
        {"Model": "m-1 <&>", "Machine": "2 cores"},
    )


def parse(svg):
    return ElementTree.fromstring(svg)  # noqa: S314 - our own picture, made a line above


def svg_of(page):
    """Parse the timeline as XML, so that a tag left open is an error."""
    text = page[page.index('<svg class="timeline"') : page.index("</div><details>")]
    return parse(text)


class Collector(HTMLParser):
    """Collect tags, attributes and text."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words.append(data)


def parsed(page):
    collector = Collector()
    collector.feed(page)
    return collector


def test_the_page_loads_nothing():
    page = render_html(data())
    found = parsed(page)
    assert not {"script", "link", "img", "iframe", "object", "base"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name in ("src", "href", "srcset")]
    assert not re.search(r"https?:|@import|url\((?!#)", page)
    assert "default-src 'none'; style-src 'unsafe-inline'" in page


def test_names_from_outside_cannot_become_markup():
    nasty = '<script>alert("x")</script>'
    page = render_html(data(title=nasty, name=nasty))
    assert "<script>" not in page
    assert parsed(page).tags.count("script") == 0
    assert "m-1 &lt;&amp;&gt;" in page


def test_the_page_says_the_numbers_and_what_they_rest_on():
    text = " ".join(parsed(render_html(data())).words)
    assert "1 video, 0.2 minutes, 4 labelled events." in text
    assert "counting ±0.5 s as found" in text
    assert "counting tIoU 0.5 as found" in text
    assert "too few for an interval" in text
    assert "2 cores" in text
    # Two false alarms in ten seconds.
    assert "720.0" in text


def test_every_mark_has_its_shape_and_its_words():
    svg = svg_of(render_html(data()))
    titles = [item.text for item in svg.iter("title")]
    assert titles[0] == "Timeline of v.mp4"
    for expected in (
        "labelled and found: 0:02.000",
        "labelled but missed: 0:08.000",
        "detected, right: 0:02.100, score 0.90",
        "detected, false alarm: 0:05.000, score 0.80",
        "labelled and found: 0:03.000 to 0:05.000",
        "labelled but missed: 0:08.000 to 0:09.000",
        "detected, false alarm: 0:06.000 to 0:07.000, score 0.60",
        "threshold 0.40",
    ):
        assert titles.count(expected) == 1, expected
    description = next(iter(svg.iter("desc"))).text
    assert description == "Goal: 1 of 2 found, 1 false alarm; Fall: 1 of 2 found, 1 false alarm"


def test_marks_stand_at_their_share_of_the_width():
    svg = svg_of(render_html(data()))
    crosses = [item for item in svg.iter("path") if item.get("class") == "cross"]
    positions = [item.get("x") for item in svg.iter("svg") if list(item)[-1] in crosses]
    assert positions == ["50.000%", "65.000%"]
    bars = [item for item in svg.iter("rect") if "dashed" in (item.get("class") or "")]
    assert [(bar.get("x"), bar.get("style")) for bar in bars] == [
        ("80.000%", "width:max(3px, 10.000%)")
    ]


def test_only_a_known_threshold_is_drawn_and_at_its_height():
    svg = svg_of(render_html(data()))
    (line,) = [item for item in svg.iter("line") if item.get("class") == "threshold"]
    # Title 24 + row 20, then 60 % of the 44 pixels of the curve.
    assert line.get("y1") == f"{44 + 0.6 * 44:.1f}"


def test_a_long_curve_is_thinned_without_losing_its_peak():
    page = render_html(data(track=track(count=50_000)))
    curves = [item.get("points").split() for item in svg_of(page).iter("polyline")]
    assert [len(points) for points in curves] == [1000, 1000]
    assert min(float(point.split(",")[1]) for point in curves[0]) == 3.0


def test_without_a_track_there_is_no_curve():
    assert not list(svg_of(render_html(data(track=None))).iter("polyline"))


def test_the_axis_has_a_few_round_times():
    for duration_us, expected in (
        (10 * SECOND, ["0:00", "0:02", "0:04", "0:06", "0:08", "0:10"]),
        (1_200_000, ["0:00.000", "0:00.500", "0:01.000"]),
        (3600 * SECOND, ["0:00", "10:00", "20:00", "30:00", "40:00", "50:00", "60:00"]),
    ):
        picture = VideoPicture("v", "v", duration_us, (), ())
        lanes = plan_lanes(picture, [GOAL], {"goal": PointTolerance(1)}, {})
        svg = parse(draw_timeline(picture, lanes, "x"))
        assert [t.text for t in svg.iter("text") if t.get("class") == "tick"] == expected


def test_a_crowded_picture_gets_wider_and_not_endless():
    def width(count):
        truth = tuple(Event.point("goal", index * 1000) for index in range(count))
        picture = VideoPicture("v", "v", SECOND, truth, ())
        lanes = plan_lanes(picture, [GOAL], {"goal": PointTolerance(1)}, {})
        svg = parse(draw_timeline(picture, lanes, "x"))
        return int(re.search(r"\d+", svg.get("style")).group())

    assert width(100) == 900
    assert width(900) == 4000


def test_detections_that_nobody_can_judge_are_shown_and_not_called_wrong():
    unknown = (TimeSpan(int(4.5 * SECOND), int(5.5 * SECOND)),)
    page = render_html(data(unknown=unknown))
    titles = [item.text for item in svg_of(page).iter("title")]
    assert titles.count("nobody watched 0:04.500 to 0:05.500") == 2, "once in each lane"
    assert titles.count("detected: 0:05.000, score 0.80") == 1
    assert not [text for text in titles if text.startswith("detected, false alarm: 0:05")]
    description = next(iter(svg_of(page).iter("desc"))).text
    assert description.startswith("Goal: 1 of 2 found, 0 false alarms, 1 where nobody watched; ")
    assert '<th scope="row">Nobody watched</th>' in page
    assert "neither right nor wrong" in page
    shaded = [item for item in svg_of(page).iter("rect") if item.get("class") == "unseen"]
    assert [(item.get("x"), item.get("width")) for item in shaded] == 2 * [("45.000%", "10.000%")]


def test_a_report_on_watched_videos_says_nothing_of_unwatched_time():
    page = render_html(data())
    assert "watched" not in page[page.index("<body>") :]


def test_the_page_says_how_much_of_the_time_was_scored():
    ignored = {"v": [TimeSpan(4 * SECOND, 7 * SECOND)]}
    report = evaluate(
        {"v": TRUTH}, {"v": FOUND}, {"v": FOUND}, {"v": 10 * SECOND}, TYPES, ignored=ignored
    )
    page = render_html(replace(data(), report=report))
    assert "Scored on 7.0 s of 10.0 s that somebody watched or labelled" in page


def test_the_event_list_is_by_time_with_result_and_difference():
    page = render_html(data())
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>', page[page.index("<details>") :])
    assert rows == [
        "● Found",
        "● Found",
        "✕ False alarm",
        "✕ False alarm",
        "▽ Missed",
        "▽ Missed",
    ]
    assert "+0.10 s" in page


def test_a_video_in_which_nothing_happens_says_so():
    page = render_html(data(truth=(), detections=()))
    assert "Nothing was labelled and nothing was detected here." in page


def test_the_file_is_complete_or_not_there(tmp_path):
    path = tmp_path / "report.html"
    render_report(data(), path)
    before = path.read_text(encoding="utf-8")
    assert before.endswith("</html>\n")
    with pytest.raises(InvalidInputError, match="has no duration"):
        render_report(data(duration_us=0), path)
    # A directory in the way makes the last step fail.
    blocked = tmp_path / "folder"
    blocked.mkdir()
    with pytest.raises(OSError, match="folder"):
        render_report(data(), blocked)
    assert path.read_text(encoding="utf-8") == before
    assert sorted(item.name for item in tmp_path.iterdir()) == ["folder", "report.html"]


def test_events_of_a_type_that_is_not_reported_are_refused():
    with pytest.raises(InvalidInputError, match="'save', which is not reported; known are fall"):
        render_html(data(truth=(Event.point("save", 0),)))


def meaning(**changed):
    """What a card keeps of one event type, with three bins measured on the test split."""
    shares = ((0.05, 0.02, 40), (0.2, 0.3, 40), (0.85, 0.5, 38))
    bins = [
        {
            "from": said - 0.05,
            "to": said + 0.05,
            "events": events,
            "mean_confidence": said,
            "share_true": true,
        }
        for said, true, events in shares
    ]
    return {
        "a": 0.5,
        "b": -0.25,
        "method": "platt",
        "events": 120,
        "true_events": 38,
        "videos": 6,
        "measured_on": "test",
        "ece_before": 0.15,
        "ece_after": 0.04,
        "ece_if_perfect": 0.035,
        "bins": bins,
        "note": "",
    } | changed


class TestReliability:
    def diagram(self, page):
        start = page.index('<svg class="timeline" id="reliability-1"')
        return parse(page[start : page.index("</svg>", start) + 6])

    def test_each_bar_stands_where_it_was_said_and_is_as_high_as_it_was_true(self):
        svg = self.diagram(render_html(replace(data(), calibration={"goal": meaning()})))
        bars = [item for item in svg.iter("rect") if item.get("class") == "fill edge"]
        heights = [float(bar.get("height")) for bar in bars]
        assert heights == pytest.approx([0.02 * 240, 0.3 * 240, 0.5 * 240], abs=0.1)
        middles = [float(bar.get("x")) + float(bar.get("width")) / 2 for bar in bars]
        assert middles == pytest.approx([50 + 240 * x for x in (0.05, 0.2, 0.85)], abs=0.1)
        gaps = [item for item in svg.iter("rect") if item.get("class") == "gap"]
        assert float(gaps[2].get("height")) == pytest.approx(0.35 * 240, abs=0.1)
        (diagonal,) = [item for item in svg.iter("line") if item.get("class") == "threshold"]
        corners = [float(diagonal.get(name)) for name in ("x1", "y1", "x2", "y2")]
        assert corners == [50, 280, 290, 40]

    def test_it_can_be_read_without_being_seen(self):
        page = render_html(replace(data(), calibration={"goal": meaning()}))
        svg = self.diagram(page)
        assert svg.get("role") == "img"
        assert svg.get("aria-labelledby") == "reliability-1-t reliability-1-d"
        titles = [item.text for item in svg.iter("title")]
        assert titles[0] == "How often Goal was true, by confidence"
        assert "said 0.80 to 0.90, true 50 % of 38" in titles
        assert "said 0.85, true 0.50 (38 events)" in next(iter(svg.iter("desc"))).text
        counts = [item.text for item in svg.iter("text") if (item.text or "").isdigit()]
        assert counts == ["40", "40", "38"]
        words = " ".join(parsed(page).words)
        assert "Confidence is sigmoid(0.50 · logit(score) -0.25)." in words
        assert "120 candidate events of 6 validation videos were looked at, 38 of them true." in (
            words
        )
        assert "0.040 with confidences, 0.150 with scores; measured on test." in words
        assert "So few events would show about 0.035 even if all were right." in words
        assert "0.80 to 0.90 38 85.0 % 50.0 %" in " ".join(words.split())

    def test_bars_that_crowd_are_all_there_and_not_all_counted(self):
        crowd = [
            {"from": x, "to": x, "events": 7, "mean_confidence": x, "share_true": 0.0}
            for x in (0.0, 0.01, 0.02, 1.0)
        ]
        svg = self.diagram(render_html(replace(data(), calibration={"goal": meaning(bins=crowd)})))
        bars = [item for item in svg.iter("rect") if item.get("class") == "fill edge"]
        assert len(bars) == 4
        for bar in bars:
            assert float(bar.get("x")) >= 50
            assert float(bar.get("x")) + float(bar.get("width")) <= 290.01
            assert float(bar.get("width")) == 6
        assert [item.text for item in svg.iter("text")].count("7") == 2

    def test_what_was_not_fitted_is_said_and_nothing_is_drawn(self):
        few = meaning(
            method="none",
            bins=[],
            ece_before=None,
            ece_after=None,
            events=1,
            true_events=1,
            videos=1,
            note="there are 1 true and 0 false candidate events",
        )
        page = render_html(replace(data(), calibration={"goal": few}))
        assert 'id="reliability' not in page
        words = " ".join(parsed(page).words)
        assert "Nothing was fitted, so scores stand for themselves." in words
        assert "There are 1 true and 0 false candidate events." in words

    def test_a_model_that_never_learned_it_has_no_section(self):
        assert "What a score means" not in render_html(data())


def test_what_motion_reaches_stands_on_the_page():
    page = render_html(replace(data(), baselines=("Motion alone reaches <21> %.",)))
    assert "<p>Motion alone reaches &lt;21&gt; %.</p>" in page
