"""Detection through the services, in real children, and what can be said about its results."""

import time

import pytest

from prismata.core.errors import BusyError, InvalidInputError, NotFoundError
from prismata.core.events import Event, EventType
from prismata.core.jobs import FailureCause, JobState
from prismata.services.detect import (
    DetectRequest,
    choose_model,
    load_result,
    load_scores,
    prepare_detection,
    run_detection,
    start_detection,
)
from prismata.services.evaluate import (
    evaluate_model,
    latest_run,
    score_as_ms_tcn,
    score_as_soccernet,
    videos_of_split,
)
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.services.models import ForeignModel, add_foreign_model
from prismata.services.report import evaluation_dict, write_report
from prismata.testing.synth import render_flashes
from prismata.testing.tiny_onnx import write_classic_onnx


def detect(bench, **request):
    prepared = prepare_detection(bench, DetectRequest("flashes.mp4", **request))
    messages = []
    outcome = run_detection(bench, prepared, on_message=messages.append)
    return bench.catalog.detections.get(prepared.run.id), outcome, messages


def test_what_a_child_finds_is_in_the_catalog_and_in_storage(bench, video, flashes, add_bundle):
    model = add_bundle()
    run, outcome, messages = detect(bench, thresholds={"flash": 0.4})
    assert outcome.state is run.state is JobState.SUCCEEDED
    found = bench.catalog.events.list(detection_run_id=run.id, origin="detection")
    assert len(found) == len(flashes.events)
    assert not any(item.provisional for item in found)
    result = load_result(bench, run)
    assert [item.event.start_us for item in found] == [
        event["start_us"] for event in result["events"]
    ]
    assert result["video"]["sha256"] == video.sha256
    assert result["model"]["files"] == model.card["files"]
    assert result["settings"]["rules"]["flash"]["threshold"] == 0.4
    assert run.settings["rules"]["flash"]["threshold"] == 0.4
    assert result["peak_rss_mb"] == run.peak_rss_mb > 20
    assert run.runtime.startswith(result["runtime"]["name"])
    assert load_scores(bench, run).event_types == ("flash",)
    assert bench.catalog.jobs.get(run.job_id).state is JobState.SUCCEEDED
    assert {"started", "progress", "event"} <= {message["type"] for message in messages}


def test_a_run_that_fails_leaves_no_result(bench, video, add_bundle):
    model = add_bundle()
    bench.storage.put(model.bundle_key + "temporal.onnx", b"damaged")
    run, outcome, _ = detect(bench)
    assert (outcome.state, outcome.cause) == (JobState.FAILED, FailureCause.USER_ERROR)
    assert run.state is JobState.FAILED
    assert "temporal.onnx" in run.message
    assert "is damaged or was changed" in run.message
    assert bench.catalog.events.list(detection_run_id=run.id, origin="detection") == []
    with pytest.raises(NotFoundError, match="is failed and has no result"):
        load_result(bench, run)
    with pytest.raises(NotFoundError, match="is failed and has no scores"):
        load_scores(bench, run)
    assert latest_run(bench, model, video) is None


def test_a_model_that_lost_a_file_fails_before_a_child_starts(bench, video, add_bundle):
    model = add_bundle()
    bench.storage.delete(model.bundle_key + "temporal.onnx")
    run, outcome, messages = detect(bench)
    assert (outcome.state, outcome.cause) == (JobState.FAILED, FailureCause.USER_ERROR)
    assert "temporal.onnx" in outcome.message
    assert messages == []
    assert (run.state, run.message) == (JobState.FAILED, outcome.message)
    assert detect(bench)[1].state is JobState.FAILED, "and it can be tried again"


def test_the_same_model_on_the_same_video_runs_once_at_a_time(bench, tmp_path, add_bundle):
    path = render_flashes(tmp_path / "long.mp4", seconds=40, seed=1, size=(64, 48)).path
    ingest_file(bench, path, domain="flashes")
    add_bundle("first")
    add_bundle("second")
    job = start_detection(bench, prepare_detection(bench, DetectRequest("long.mp4", "first")))
    try:
        with pytest.raises(BusyError):
            prepare_detection(bench, DetectRequest("long.mp4", "first"))
        prepare_detection(bench, DetectRequest("long.mp4", "second"))
    finally:
        job.cancel()
        outcome = job.wait(60)
    assert outcome is not None
    assert outcome.state in (JobState.CANCELLED, JobState.SUCCEEDED)
    prepare_detection(bench, DetectRequest("long.mp4", "first"))


def test_a_detection_in_the_background_shows_its_events_while_it_runs(bench, tmp_path, add_bundle):
    synth = render_flashes(tmp_path / "long.mp4", seconds=40, seed=1, size=(64, 48))
    ingest_file(bench, synth.path, domain="flashes")
    add_bundle()
    prepared = prepare_detection(bench, DetectRequest("long.mp4"))
    job = start_detection(bench, prepared)
    provisional = 0
    deadline = time.monotonic() + 60
    while job.outcome is None:
        assert time.monotonic() < deadline
        found = bench.catalog.events.list(detection_run_id=prepared.run.id, origin="detection")
        provisional = max(provisional, sum(item.provisional for item in found))
        time.sleep(0.02)
    assert job.outcome.state is JobState.SUCCEEDED
    found = bench.catalog.events.list(detection_run_id=prepared.run.id, origin="detection")
    assert len(found) == len(synth.events)
    assert not any(item.provisional for item in found)
    assert provisional > 0


def test_a_foreign_model_runs_like_any_other(bench, video, flashes, tmp_path):
    path = write_classic_onnx(tmp_path / "classic.onnx", num_frames=4, width=32, height=32)
    model = add_foreign_model(bench, ForeignModel(path, "flashes", normalization="unit"))
    run, outcome, _ = detect(bench)
    assert outcome.state is JobState.SUCCEEDED, outcome
    assert run.model_id == model.id
    assert len(load_result(bench, run)["events"]) == len(flashes.events)


def test_the_model_is_the_one_in_production_else_the_newest(bench, video, add_bundle):
    old, new = add_bundle("old"), add_bundle("new")
    ask = DetectRequest("flashes.mp4")
    assert choose_model(bench, ask, video).id == new.id
    bench.catalog.models.set_stage(old.id, "production")
    assert choose_model(bench, ask, video).id == old.id
    assert choose_model(bench, DetectRequest("flashes.mp4", "new"), video).id == new.id


def test_without_a_model_the_sentence_says_how_to_get_one(bench, video):
    with pytest.raises(NotFoundError, match=r"no model for 'flashes' yet; .*`prismata train flash"):
        choose_model(bench, DetectRequest("flashes.mp4"), video)


def test_a_video_of_no_domain_takes_the_only_domain_there_is_a_model_for(
    bench, flashes, add_bundle
):
    video = ingest_file(bench, flashes.path).video
    ask = DetectRequest("flashes.mp4")
    with pytest.raises(InvalidInputError, match=r"belongs to no domain.*there is no model yet"):
        choose_model(bench, ask, video)
    model = add_bundle()
    assert choose_model(bench, ask, video).id == model.id


def test_unknown_videos_models_and_thresholds_are_refused_by_name(bench, video, add_bundle):
    add_bundle()
    with pytest.raises(NotFoundError, match=r"gone\.mp4"):
        prepare_detection(bench, DetectRequest("gone.mp4"))
    with pytest.raises(NotFoundError, match="ghost"):
        prepare_detection(bench, DetectRequest("flashes.mp4", "ghost"))
    with pytest.raises(InvalidInputError, match="no event type 'bang'"):
        prepare_detection(bench, DetectRequest("flashes.mp4", thresholds={"bang": 0.3}))
    assert bench.catalog.jobs.list() == [], "nothing was entered"


def test_an_evaluation_needs_a_run_and_says_how_to_make_one(bench, video, add_bundle):
    add_bundle()
    with pytest.raises(NotFoundError) as caught:
        evaluate_model(bench, "flash-detector", [video])
    assert "has not been run on 'flashes.mp4' yet; run `prismata detect" in str(caught.value)
    with pytest.raises(InvalidInputError, match="no video to evaluate on"):
        evaluate_model(bench, "flash-detector", [])


def test_a_perfect_detector_is_measured_to_be_perfect(bench, video, flashes, add_bundle, tmp_path):
    add_bundle()
    run, _, _ = detect(bench)
    for item in bench.catalog.events.list(detection_run_id=run.id, origin="detection"):
        add_label(bench, video, "flashes", Event.point("flash", item.event.start_us))
    evaluation = evaluate_model(bench, "flash-detector", [video])
    assert evaluation.report.points.mean == pytest.approx(1.0)
    assert evaluation_dict(evaluation)["videos"] == ["flashes.mp4"]
    write_report(evaluation, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "flash-detector" in page
    assert run.runtime.split()[0] in page


def test_what_is_detected_where_nobody_watched_is_not_scored(
    bench, video, add_bundle, watch, tmp_path
):
    add_bundle()
    run, _, _ = detect(bench)
    found = bench.catalog.events.list(detection_run_id=run.id, origin="detection")
    assert len(found) > 1
    with pytest.raises(InvalidInputError, match=r"nobody watched flashes\.mp4 and no label lies"):
        evaluate_model(bench, "flash-detector", [video])

    first = found[0].event.start_us
    add_label(bench, video, "flashes", Event.point("flash", first))
    evaluation = evaluate_model(bench, "flash-detector", [video])
    (flash,) = evaluation.report.types
    assert (flash.num_detected, flash.false_alarms, flash.f1) == (1, 0, 1.0)
    # 0.1 s to both sides of the only label.
    assert evaluation.report.hours * 3600 == pytest.approx(0.2)
    assert evaluation.report.notes[0].startswith("Scored on 0.2 s of 4.0 s that somebody watched")
    write_report(evaluation, tmp_path / "report.html")
    assert "Scored on 0.2 s of 4.0 s" in (tmp_path / "report.html").read_text()
    assert evaluation_dict(evaluation)["report"]["notes"] == evaluation.report.notes

    watch(video)
    evaluation = evaluate_model(bench, "flash-detector", [video])
    (flash,) = evaluation.report.types
    assert (flash.num_detected, flash.false_alarms) == (len(found), len(found) - 1)
    assert not [note for note in evaluation.report.notes if "Scored on" in note]


def test_what_was_found_is_scored_as_others_score_it(bench, video, flashes, add_bundle):
    add_bundle()
    detect(bench)
    for event in flashes.events:
        add_label(bench, video, "flashes", event)
    evaluation = evaluate_model(bench, "flash-detector", [video])
    scores = score_as_soccernet(evaluation)
    assert scores.at[5] == scores.tight_by_type["flash"] == scores.tight == 1.0
    with pytest.raises(InvalidInputError, match="finds none; ask for soccernet"):
        score_as_ms_tcn(evaluation)


def test_a_missed_and_a_false_event_make_it_worse(bench, video, flashes, add_bundle):
    add_bundle()
    detect(bench)
    add_label(bench, video, "flashes", Event.point("flash", 50_000))
    assert evaluate_model(bench, "flash-detector", [video]).report.points.mean == 0


def test_labels_that_the_model_does_not_know_are_not_left_out_silently(bench, video, add_bundle):
    model = add_bundle()
    detect(bench)
    events = bench.catalog.events
    events.add_annotations(video.id, "flashes", 1, [Event.point("bang", 5)], "tester")
    with pytest.raises(InvalidInputError, match=r"labels of bang, .* `prismata labels migrate"):
        evaluate_model(bench, "flash-detector", [video])
    bench.domain("flashes").event_types += (EventType("bang"),)
    with pytest.raises(InvalidInputError, match=f"labels bang that model {model.name!r} does not"):
        evaluate_model(bench, "flash-detector", [video])


def test_a_model_from_elsewhere_has_no_splits(bench, add_bundle):
    with pytest.raises(NotFoundError, match="was not trained here, so it has no splits"):
        videos_of_split(bench, add_bundle(), "val")
