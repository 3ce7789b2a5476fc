"""Curves and events of a run over HTTP."""

import numpy as np
import pytest

from prismata.services.access import mint_token
from prismata.services.detect import load_scores

SECRET = b"s" * 32
PARTS = ("", "/tiles/0/0", "/events?flash=0.5")


def token(video_id, **how):
    return {"x-prismata-token": mint_token(SECRET, "video", video_id, **how)}


@pytest.fixture
def run(bench, video, flashes, add_bundle, finished_run):
    return finished_run(video, add_bundle(), flashes)


@pytest.fixture
def get(client, run):
    return lambda part: client.get(f"/api/scores/{run.id}{part}", headers=token(run.video_id))


def test_a_timeline_is_told_what_to_ask_for(get, run, video):
    about = get("").json()
    assert about == {
        "run": run.id,
        "model": "flash-detector",
        "event_types": ["flash"],
        "thresholds": {"flash": about["thresholds"]["flash"]},
        "duration_us": video.duration_us,
        "base_us": about["base_us"],
        "tile_bins": 256,
        "levels": 1,
    }
    assert about["thresholds"]["flash"] == run.settings["rules"]["flash"]["threshold"]


def test_the_tiles_hold_the_scores_of_the_run(get, bench, run):
    about = get("").json()
    answer = get("/tiles/0/0")
    assert "max-age" in answer.headers["cache-control"]
    bins = np.frombuffer(answer.content, np.uint8).reshape(1, 256, 2)
    track = load_scores(bench, run)
    for time_us, score in zip(track.times_us, track.scores[:, 0], strict=True):
        lowest, highest = bins[0, time_us // about["base_us"]]
        assert lowest <= np.rint(score * np.float32(255)) <= highest


def test_the_events_follow_the_thresholds(get, flashes):
    told = get("/events?flash=0.4").json()
    assert told["thresholds"] == {"flash": 0.4}
    assert len(told["events"]) == len(flashes.events)
    assert told["events"][0]["confidence"] is None, "this model never learned what scores mean"
    assert told["events"][0]["kind"] == "point"
    highest = max(event["score"] for event in told["events"])
    fewer = get(f"/events?flash={min(1.0, highest)}").json()["events"]
    assert 0 < len(fewer) <= len(told["events"])
    assert get("/events").json()["thresholds"] == get("").json()["thresholds"]


def test_other_fields_of_a_rule_group_anew_too(get, flashes):
    apart = get("/events?flash=0.4").json()["events"]
    joined = get("/events?flash=0.4&flash.min_gap_seconds=60").json()["events"]
    assert (len(apart), len(joined)) == (len(flashes.events), 1)
    for query, words in (
        ("flash.min_gap_seconds=x", "has to be a number"),
        ("flash.min_gap_seconds=-1", "must lie in 0..3600"),
        ("flash.colour=1", "a grouping rule has no 'colour'"),
    ):
        answer = get(f"/events?{query}")
        assert (answer.status_code, words in answer.json()["error"]) == (400, True), query


@pytest.mark.parametrize("value", ["0", "-1", "1.01", "nan", "inf", "x", ""])
def test_a_threshold_that_is_none_is_refused_in_words(get, value):
    answer = get(f"/events?flash={value}")
    assert answer.status_code == 400
    assert "threshold of 'flash' has to be a number above 0" in answer.json()["error"]


def test_an_unknown_event_type_is_refused_by_name(get):
    answer = get("/events?bang=0.5")
    assert answer.status_code == 400
    assert "no event type 'bang'; it has flash" in answer.json()["error"]


@pytest.mark.parametrize("place", ["1/0", "0/1", "99/0"])
def test_a_tile_that_does_not_exist_is_not_found(get, place):
    answer = get(f"/tiles/{place}")
    assert answer.status_code == 404
    assert "0 to 0" in answer.json()["error"]


@pytest.mark.parametrize("part", PARTS)
def test_an_unknown_run_is_not_found(client, run, part):
    answer = client.get(f"/api/scores/{'0' * 32}{part}", headers=token(run.video_id))
    assert answer.status_code == 404
    assert "detection run" in answer.json()["error"]


@pytest.mark.parametrize("part", PARTS)
def test_a_run_that_is_not_finished_says_so(client, bench, video, add_bundle, part):
    model = add_bundle()
    unfinished = bench.catalog.detections.start(
        video_id=video.id, model_id=model.id, settings={}, job_id=None
    )
    answer = client.get(f"/api/scores/{unfinished.id}{part}", headers=token(video.id))
    assert answer.status_code == 404
    assert "is running and has no scores" in answer.json()["error"]


@pytest.mark.parametrize("part", PARTS)
def test_only_a_permission_for_the_runs_video_opens_it(client, run, part):
    address = f"/api/scores/{run.id}{part}"
    for headers in (
        {},
        token("another"),
        token(run.video_id, lives_seconds=-1),
        {"x-prismata-token": mint_token(SECRET, "model", run.video_id)},
    ):
        answer = client.get(address, headers=headers)
        assert answer.status_code == 403
        assert "reload the page" in answer.json()["error"]
    query = {"token": mint_token(SECRET, "video", run.video_id)}
    assert client.get(address, params=query | {"flash": "0.5"}).status_code == 200
