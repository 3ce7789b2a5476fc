"""The queue and a run that goes on, as a browser asks for them."""

import pytest

from prismata.core.events import Event
from prismata.core.jobs import JobState
from prismata.services.access import mint_token
from prismata.services.detect import DetectRequest, prepare_detection

SECRET = b"s" * 32
TOKEN = {"x-prismata-token": mint_token(SECRET, "queue", "")}


@pytest.fixture
def prepared(bench, video, add_bundle):
    return prepare_detection(bench, DetectRequest(video.id, add_bundle().id))


@pytest.fixture
def watch(client, video):
    token = {"x-prismata-token": mint_token(SECRET, "video", video.id)}

    def ask(run, **query):
        return client.get(f"/api/detections/{run.id}/live", headers=token, params=query)

    return ask


def act(client, action, *jobs):
    return client.post("/api/queue", headers=TOKEN, json={"action": action, "jobs": list(jobs)})


def test_the_queue_tells_its_rows(client, prepared):
    answer = client.get("/api/queue", headers=TOKEN)
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert (told["counts"], told["share"], told["left_s"]) == ({"waiting": 1}, 0.0, None)
    (row,) = told["rows"]
    assert (row["id"], row["video"], row["state"]) == (prepared.job.id, "flashes.mp4", "waiting")
    assert (row["run_id"], row["events"], row["first_us"]) == (prepared.run.id, 0, None)


def test_something_is_done_to_rows_and_what_is_too_late_is_told(client, bench, prepared):
    told = act(client, "pause", prepared.job.id, "nobody").json()
    assert (told["done"], len(told["refused"])) == (1, 1)
    assert told["rows"][0]["state"] == "paused"
    assert bench.catalog.jobs.get(prepared.job.id).held
    assert act(client, "cancel", prepared.job.id).json()["counts"] == {"cancelled": 1}
    told = act(client, "first", prepared.job.id).json()
    assert (told["done"], "only jobs that wait" in told["refused"][0]) == (0, True)


@pytest.mark.parametrize(
    "body", [{}, {"action": "pause"}, {"action": "pause", "jobs": []}, {"action": 1, "jobs": ["a"]}]
)
def test_what_says_nothing_to_do_is_refused(client, body):
    answer = client.post("/api/queue", headers=TOKEN, json=body)
    assert answer.status_code == 400
    assert "with JSON like" in answer.json()["error"]


def test_an_action_that_there_is_not_is_refused(client, prepared):
    answer = act(client, "explode", prepared.job.id)
    assert answer.status_code == 400
    assert "there are cancel, pause" in answer.json()["error"]


def test_without_its_permission_the_queue_is_closed(client, prepared):
    for headers in ({}, {"x-prismata-token": mint_token(SECRET, "upload", "")}):
        assert client.get("/api/queue", headers=headers).status_code == 403
        body = {"action": "cancel", "jobs": [prepared.job.id]}
        assert client.post("/api/queue", headers=headers, json=body).status_code == 403


def test_a_run_tells_what_is_new_since_somebody_looked(bench, prepared, watch):
    run = prepared.run
    bench.catalog.live_scores.add(run.id, [0, 50_000], [[0.25], [0.75]])
    bench.catalog.detections.add_events(run.id, [Event.point("flash", 50_000, 0.75)])
    news = watch(run).json()
    assert (news["times_us"], news["scores"], news["part"]) == ([0, 50_000], [[0.25], [0.75]], 1)
    assert [event["start_us"] for event in news["events"]] == [50_000]
    assert (news["event_count"], news["ended"], news["thresholds"]) == (1, False, {"flash": 0.5})
    bench.catalog.live_scores.add(run.id, [100_000], [[0.5]])
    news = watch(run, part=1, events=1).json()
    assert (news["times_us"], news["part"]) == ([100_000], 2)
    assert "events" not in news, "nothing of what is there already is sent again"


def test_a_reader_of_an_earlier_attempt_gets_the_curve_from_its_beginning(bench, prepared, watch):
    run = prepared.run
    for instant in (0, 50_000):
        bench.catalog.live_scores.add(run.id, [instant], [[0.25]])
    assert not watch(run, part=2).json()["starts_anew"]
    bench.catalog.live_scores.forget(run.id)
    news = watch(run, part=2).json()
    assert (news["starts_anew"], news["part"], news["times_us"]) == (True, 0, [])
    bench.catalog.live_scores.add(run.id, [0], [[0.75]])
    news = watch(run, part=2).json()
    assert (news["starts_anew"], news["part"], news["scores"]) == (True, 1, [[0.75]])


def test_a_run_that_has_ended_says_so(bench, prepared, watch):
    bench.catalog.live_scores.add(prepared.run.id, [0], [[0.25]])
    bench.catalog.jobs.request_cancel(prepared.job.id)
    news = watch(prepared.run).json()
    assert (news["ended"], news["state"], news["times_us"]) == (True, JobState.CANCELLED, [])


def test_a_run_is_only_shown_to_who_may_see_its_video(client, prepared, watch):
    url = f"/api/detections/{prepared.run.id}/live"
    other = {"x-prismata-token": mint_token(SECRET, "video", "another")}
    assert client.get(url, headers=other).status_code == 403
    assert watch(prepared.run, part="x").status_code == 400
    assert client.get("/api/detections/nothing/live", headers=other).status_code == 404
