"""Analyze: a run is started, followed, shown, and its threshold moved."""

import numpy as np
import pytest

from prismata.core.errors import NotFoundError
from prismata.core.jobs import JobState
from prismata.core.scores import ScoreTrack
from prismata.core.time import format_time
from prismata.media.scanning import scan
from prismata.services import detect_model
from prismata.services.detect import (
    DetectRequest,
    load_scores,
    prepare_detection,
    run_detection,
)
from prismata.services.regroup import regroup, used_rules
from prismata.services.renditions import Renditions, rendition_key
from prismata.services.workbench import Workbench


@pytest.fixture
def model(add_bundle):
    return add_bundle()


def detect(bench, video, model, **settings):
    prepared = prepare_detection(bench, DetectRequest(video.id, model.id, **settings))
    outcome = run_detection(bench, prepared)
    assert outcome.state is JobState.SUCCEEDED, outcome.message
    return bench.catalog.detections.get(prepared.run.id)


def wait_for_end(bench):
    (job, *_) = bench.catalog.jobs.list(kind="detect")
    assert bench.jobs.follow(job.id).wait(60) is not None
    return bench.catalog.jobs.get(job.id)


def test_without_a_video_it_takes_one_in(open_page):
    page = open_page("analyze")
    assert "No video yet" in page.words
    assert page.has("upload")
    assert page.buttons() == []


def test_without_a_model_it_says_how_to_get_one(open_page, video):
    page = open_page("analyze")
    assert "No model yet" in page.words
    assert page.has("player")
    assert "Run detection" not in page.buttons()


def test_before_the_first_run_nothing_is_claimed(open_page, video, model):
    page = open_page("analyze")
    assert "has not looked at this video yet" in page.words
    assert not page.test.dataframe
    assert not page.has("timeline")


def test_a_run_finds_the_flashes_and_shows_them(open_page, bench, video, model, flashes):
    page = open_page("analyze")
    page.press("Run detection")
    assert wait_for_end(bench).state is JobState.SUCCEEDED
    page.run()
    table = page.test.dataframe[0].value
    assert len(table) == len(flashes.events)
    assert f"{len(flashes.events)} event" in page.words
    (run,) = bench.catalog.detections.list(video_id=video.id)
    assert run.runtime.split()[0] in ("onnxruntime", "openvino")
    assert run.runtime in page.words
    assert "peak" in page.words
    assert not page.has("timeline"), "without labels there is no verdict"
    _, told = page.component("label_station", "prismata.")
    assert told["result"]["run"] == run.id
    assert told["result"]["rules"]["flash"]["threshold"] == pytest.approx(0.5)
    assert told["domain"]["name"] == "flashes"
    assert page.box("Video").value == video.id


def test_what_a_score_has_meant_stands_beside_it(open_page, bench, video, add_bundle, flashes):
    entry = {"a": 1.0, "b": -1.0, "method": "platt"}
    plain = add_bundle()
    told = bench.catalog.models.add(
        name="told",
        domain="flashes",
        domain_version=1,
        bundle_key=plain.bundle_key,
        kind="bundle",
        card=plain.card | {"name": "told", "calibration": {"flash": entry}},
    )
    bench.catalog.models.set_stage(plain.id, "production")
    detect(bench, video, plain)
    assert "Confidence" not in open_page("analyze").test.dataframe[0].value
    bench.catalog.models.set_stage(told.id, "production")
    detect(bench, video, told)
    table = open_page("analyze").test.dataframe[0].value
    odds = table["Score"] / (1 - table["Score"])
    expected = odds / (odds + np.e)
    assert np.allclose(table["Confidence"], expected, atol=1e-3)
    assert (table["Confidence"] < table["Score"]).all()


def test_labels_make_the_picture_a_verdict(open_page, bench, video, model, flashes):
    for event in flashes.events:
        bench.catalog.events.add_annotations(video.id, "flashes", 1, [event], "ada")
    detect(bench, video, model)
    _, drawn = open_page("analyze").component("timeline")
    assert drawn["svg"].count("<title>detected, right: ") == len(flashes.events)


def test_moving_the_threshold_groups_anew_without_a_model(
    open_page, bench, video, model, flashes, tmp_path
):
    run = detect(bench, video, model)
    # The model is sure of everything; scores of at most 0.7 are what a threshold can divide.
    track = load_scores(bench, run)
    weaker = ScoreTrack(track.times_us, track.scores * np.float32(0.7), track.event_types)
    weaker.save(tmp_path / "weaker.npz")
    bench.storage.put_file(run.scores_key, tmp_path / "weaker.npz")
    page = open_page("analyze")
    assert len(page.test.dataframe[0].value) == len(flashes.events)
    page.test.slider[0].set_value(0.8)
    page.run()
    assert "**0 events**" in page.words
    assert "Nothing reached the threshold" in page.words
    assert len(bench.catalog.jobs.list(kind="detect")) == 1, "no second run was needed"


def test_a_moved_threshold_is_what_the_next_run_uses(open_page, bench, video, model):
    page = open_page("analyze")
    page.test.slider[0].set_value(0.9)
    page.run()
    page.press("Run detection")
    wait_for_end(bench)
    (run,) = bench.catalog.detections.list(video_id=video.id)
    assert used_rules(bench, run)["flash"].threshold == pytest.approx(0.9)


def test_a_second_start_is_refused_politely(open_page, bench, video, model):
    prepared = prepare_detection(bench, DetectRequest(video.id, model.id))
    page = open_page("analyze")
    assert page.test.button, "the page can be used while a run waits"
    page.press("Run detection")
    assert "already" in page.test.info[0].value
    assert not page.test.error
    assert bench.catalog.jobs.list(kind="detect") == [prepared.job]


def test_a_failed_run_says_its_cause_and_the_last_result_stays(
    open_page, bench, video, model, monkeypatch
):
    detect(bench, video, model)
    prepared = prepare_detection(bench, DetectRequest(video.id, model.id))
    monkeypatch.setattr(detect_model, "DETECT_CHILD", ("sh", "-c", "kill -9 $$"))
    run_detection(bench, prepared)
    page = open_page("analyze")
    assert page.test.error[0].value.startswith("Killed")
    assert "Below is the result of" in page.words
    assert page.test.dataframe
    assert "Run detection" in page.buttons()


def test_a_running_job_can_be_cancelled(open_page, bench, video, model):
    prepared = prepare_detection(bench, DetectRequest(video.id, model.id))
    page = open_page("analyze")
    page.press("Cancel")
    job = bench.catalog.jobs.get(prepared.job.id)
    assert job.state is JobState.CANCELLED
    assert "ancelled before it finished" in page.words


def test_a_selected_event_is_shown_by_the_player(open_page, bench, video, model):
    run = detect(bench, video, model)
    page = open_page("analyze")
    page.select_rows(0, [1])
    seek = page.component("label_station", "prismata.")[1]["result"]["seek"]
    event = regroup(bench, run, {}).events[1]
    assert abs(seek["us"] - event.start_us) < 40_000
    assert f"Why A · Flash at {format_time(event.start_us)}" in page.words
    assert "The score reached" in page.words
    assert "filmstrip?first=" in page.test.get("html")[0].proto.body


def test_an_event_chosen_in_the_station_is_explained(open_page, bench, video, model):
    run = detect(bench, video, model)
    first, second = regroup(bench, run, {}).events[:2]
    page = open_page("analyze")
    page.select_rows(0, [0])
    assert f"at {format_time(first.start_us)}**" in page.words
    chosen = {"event_type": "flash", "start_us": second.start_us, "end_us": second.end_us}
    page.tell("label_station", {"ghost": chosen}, "prismata.")
    assert f"at {format_time(second.start_us)}**" in page.words


def test_a_threshold_dragged_on_the_curve_moves_the_slider(open_page, bench, video, model):
    detect(bench, video, model)
    page = open_page("analyze")
    page.tell("label_station", {"threshold": {"event_type": "flash", "value": 0.8312}}, "prismata.")
    assert page.test.slider[0].value == pytest.approx(0.83)
    rules = page.component("label_station", "prismata.")[1]["result"]["rules"]
    assert rules["flash"]["threshold"] == pytest.approx(0.83)


def test_grouping_is_changed_without_a_model(open_page, bench, video, model, flashes):
    detect(bench, video, model)
    page = open_page("analyze")
    gap = next(item for item in page.test.number_input if "join closer than" in item.label)
    gap.set_value(60.0)
    page.run()
    assert len(flashes.events) > 1
    assert "**1 event**" in page.words
    rules = page.component("label_station", "prismata.")[1]["result"]["rules"]
    assert rules["flash"]["min_gap_seconds"] == 60
    assert len(bench.catalog.jobs.list(kind="detect")) == 1


def test_without_the_plugin_a_result_is_still_shown_and_judged_where_somebody_watched(
    open_page, bench, video, model, flashes, monkeypatch
):
    bench.catalog.events.add_annotations(video.id, "flashes", 1, [flashes.events[0]], "ada")
    detect(bench, video, model)

    def gone(_bench, name):
        raise NotFoundError(f"no domain {name!r}")

    monkeypatch.setattr(Workbench, "domain", gone)
    page = open_page("analyze")
    assert page.has("player")
    _, drawn = page.component("timeline")
    assert drawn["svg"].count("<title>detected, right: ") == 1
    assert "false alarm" not in drawn["svg"].replace("0 false alarms", "")


def test_results_can_be_taken_along(open_page, bench, video, model):
    detect(bench, video, model)
    labels = [item.proto.label for item in open_page("analyze").test.get("download_button")]
    assert labels == [
        "Result as JSON",
        "Events as CSV",
        "Events as JSON",
        "Captions as WebVTT",
        "Report (HTML)",
    ]


def test_a_reel_is_made_when_somebody_asks_for_it(open_page, bench, video, model, flashes):
    detect(bench, video, model)
    page = open_page("analyze")
    page.press("Make a highlight reel")
    labels = [item.proto.label for item in page.test.get("download_button")]
    assert labels[-1].endswith(" kB")
    (path,) = (bench.settings.cache_dir / "reels").iterdir()
    made = scan(path).timeline
    assert 2_000_000 <= made.duration_us <= video.duration_us
    before = path.stat().st_mtime_ns
    assert "Highlight reel" in page.run().test.get("download_button")[-1].proto.label
    assert path.stat().st_mtime_ns == before, "it is made once"
    page.test.slider[0].set_value(0.99)
    page.run()
    assert "Make a highlight reel" in page.buttons()


def test_a_video_that_arrives_by_upload_is_chosen(open_page, bench, video, model, uneven_flashes):
    from prismata.services.ingest import ingest_file

    page = open_page("analyze")
    other = ingest_file(bench, uneven_flashes.path).video
    arrived = {"video_id": other.id, "status": "added", "message": "uneven is here", "count": 1}
    page.tell("upload", {"arrived": arrived})
    assert page.box("Video").value == other.id
    assert "Uneven is here" in page.words


def test_the_player_shows_the_proxy_where_there_is_one(open_page, bench, video):
    assert "rendition" not in open_page("analyze").component("player")[1]["url"]
    bench.storage.put(rendition_key(video, "material.json"), Renditions(proxy=True).to_json())
    url = open_page("analyze").component("player")[1]["url"]
    assert url.endswith("&rendition=proxy")
