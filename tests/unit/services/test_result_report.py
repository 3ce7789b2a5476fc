"""The HTML report of results: whole, offline, and truthful about what is not known."""

import base64
import re

import numpy as np
import pytest

from prismata.core.errors import NotFoundError
from prismata.core.events import Event, EventType
from prismata.core.jobs import FailureCause
from prismata.evaluation.bars_svg import Bar, draw_bars
from prismata.evaluation.results_html import (
    MAX_BARS,
    MAX_LISTED,
    ResultsData,
    ShownEvent,
    VideoFailure,
    VideoResult,
    render_results,
)
from prismata.evaluation.timeline_svg import VideoPicture
from prismata.services import result_report
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.ingest import ingest_file
from prismata.services.regroup import regroup
from prismata.services.result_report import run_report, write_model_report

EVIL = '<img src=x onerror="alert(1)">&'


@pytest.fixture
def model(add_bundle):
    return add_bundle()


def detect(bench, video, model):
    outcome = run_detection(bench, prepare_detection(bench, DetectRequest(video.id, model.id)))
    assert outcome.result is not None
    return bench.catalog.detections.list(video_id=video.id)[0]


def fail(bench, video, model, message="it ran out of memory"):
    run = bench.catalog.detections.start(video_id=video.id, model_id=model.id, settings={})
    bench.catalog.detections.fail(run.id, FailureCause.OUT_OF_MEMORY, message)


def check_offline(page):
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!data:image/jpeg;base64,)', page)
    assert "url(#" in page or "url(" not in page
    assert "default-src 'none'" in page


def test_the_report_tells_what_was_found_where_with_what_and_who_judged(
    bench, video, model, flashes, tmp_path
):
    run = detect(bench, video, model)
    first = bench.catalog.events.list(detection_run_id=run.id)[0]
    bench.catalog.events.set_review_state(first.id, "accepted", "anna", first.revision)
    told = []
    facts = write_model_report(
        bench, model, tmp_path / "r.html", on_progress=lambda *now: told.append(now)
    )
    assert (facts.videos, facts.events, facts.failures) == (1, len(flashes.events), 0)
    page = (tmp_path / "r.html").read_text()
    check_offline(page)
    stills = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    assert len(stills) == len(flashes.events)
    assert all(base64.b64decode(still).startswith(b"\xff\xd8") for still in stills)
    assert page.count("accepted by anna") == 3, "beside the still, in the table, in the sum"
    for digest in model.card["files"].values():
        assert digest in page
    assert "not trained here" in page
    assert "flash 0.50" in page
    assert f"{run.finished_at:%Y-%m-%d}" in page
    assert "no labels to compare with" not in page
    assert told[-1] == (2, 2, video.name)


def test_a_run_that_failed_is_never_a_video_without_events(
    bench, video, uneven_flashes, model, flashes, tmp_path
):
    other = ingest_file(bench, uneven_flashes.path, domain="flashes").video
    fail(bench, other, model, "it needs <1 GB> more")
    with pytest.raises(NotFoundError, match="has not been run on a video with 'x' in its name"):
        write_model_report(bench, model, tmp_path / "r.html", video="x")
    facts = write_model_report(bench, model, tmp_path / "r.html")
    assert (facts.videos, facts.events, facts.failures) == (0, 0, 1)
    page = (tmp_path / "r.html").read_text()
    assert "it needs &lt;1 GB&gt; more" in page
    assert "nothing reached the threshold.</p>" not in page
    assert f"and is not in this report, for example {video.name}" in page
    detect(bench, video, model)
    fail(bench, video, model)
    facts = write_model_report(bench, model, tmp_path / "r.html")
    assert (facts.videos, facts.events, facts.failures) == (1, len(flashes.events), 2)
    assert "what an earlier run found is shown below" in (tmp_path / "r.html").read_text()


def test_thresholds_are_those_asked_for(bench, video, model, tmp_path):
    run = detect(bench, video, model)
    write_model_report(bench, model, tmp_path / "r.html", thresholds={"flash": 0.25})
    assert "flash 0.25" in (tmp_path / "r.html").read_text()
    found = regroup(bench, run, {"flash": 0.75})
    assert "flash 0.75" in run_report(bench, run, found)


def test_stills_are_bounded_and_a_missing_file_is_said(bench, video, model, tmp_path, monkeypatch):
    detect(bench, video, model)
    monkeypatch.setattr(result_report, "MAX_STILLS", 1)
    write_model_report(bench, model, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert page.count("data:image/jpeg") == 1
    assert "Stills are of the surest events of each video, 1 in all at most." in page
    bench.storage.delete(video.storage_key)
    write_model_report(bench, model, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert page.count("data:image/jpeg") == 0
    assert f"There are no stills of {video.name}: " in page


def test_a_report_that_breaks_leaves_what_was_there(bench, video, model, tmp_path, monkeypatch):
    detect(bench, video, model)
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "r.html").write_text("before")

    def stop(done, total, name):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_model_report(bench, model, folder / "r.html", on_progress=stop)
    assert [(item.name, item.read_text()) for item in folder.iterdir()] == [("r.html", "before")]


def picture(title, duration_us=10_000_000):
    return VideoPicture("v", title, duration_us, (), ())


def test_no_name_can_become_html():
    event = ShownEvent(Event.point("goal", 1, 0.5), EVIL, np.zeros(3, np.uint8).tobytes())
    page = render_results(
        ResultsData(
            title=EVIL,
            event_types=(EventType("goal", title=EVIL),),
            videos=(VideoResult(picture(EVIL), (event,), {"goal": 0.5}, EVIL, EVIL),),
            failures=(VideoFailure(EVIL, EVIL, EVIL, EVIL),),
            notes=(EVIL,),
            provenance={EVIL: EVIL},
        )
    )
    assert "<img src=x" not in page
    assert '"alert' not in page
    assert page.count("&lt;img src=x") > 12


def test_many_events_and_videos_stay_a_page_that_opens():
    events = tuple(ShownEvent(Event.point("goal", i * 1000, 0.5)) for i in range(3000))
    videos = tuple(
        VideoResult(picture(f"v{i:03d}"), events if i == 0 else (), {}, "2026-11-27")
        for i in range(MAX_BARS + 5)
    )
    page = render_results(ResultsData("t", (EventType("goal"),), videos))
    assert f"{3000 - MAX_LISTED} more are not shown, export them as CSV." in page
    assert "And 5 more with fewer events." in page
    assert "3000 events" in page
    assert len(page) < 1_000_000
    assert page.count("Looked at to the end; nothing reached the threshold.") == MAX_BARS + 4


def test_bars_are_stacked_by_type_and_as_long_as_their_counts():
    types = (EventType("goal"), EventType("foul"))
    svg = draw_bars([Bar("a", {"goal": 3, "foul": 1}), Bar("b", {"foul": 2})], types, "t")
    assert re.findall(r'x="([\d.]+)%" width="([\d.]+)%"', svg) == [
        ("0.000", "75.000"),
        ("75.000", "25.000"),
        ("0.000", "50.000"),
    ]
    assert "<title>a: 3 Goal</title>" in svg
    assert draw_bars([], types, "t").endswith("</svg>")
