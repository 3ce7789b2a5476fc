"""Labels over HTTP: edits of one person on one video, answered when they are durable."""

from urllib.parse import quote

import pytest

from prismata.services.access import mint_token

SECRET = b"s" * 32
CLIENT = "c" * 16


def number(value):
    return f"{value:032x}"


def headers(video_id, *, domain="flashes", user="Zoë", signed_for=None, scope="labels"):
    subject = f"{video_id}/{domain}/{signed_for or user}"
    return {
        "x-prismata-token": mint_token(SECRET, scope, subject),
        "x-prismata-user": quote(user),
    }


def flash(start_us, **more):
    state = {"start_us": start_us, "end_us": start_us, "event_type": "flash", "kind": "point"}
    return state | {"review_state": "none", "attributes": {}} | more


def operation(value, **fields):
    usual = {"id": number(value), "client": CLIENT, "seq": value, "kind": "create"}
    usual |= {"event_id": number(value), "before": None, "after": flash(1_000_000)}
    return usual | {"undoes": None} | fields


@pytest.fixture
def send(client, video):
    def post(*operations, since=0, **who):
        return client.post(
            f"/api/labels/{video.id}/flashes/ops",
            json={"since": since, "ops": list(operations)},
            headers=headers(video.id, **who),
        )

    return post


@pytest.fixture
def load(client, video):
    def get():
        answer = client.get(f"/api/labels/{video.id}/flashes", headers=headers(video.id))
        assert answer.status_code == 200
        told = answer.json()
        rows = [dict(zip(told["fields"], row, strict=True)) for row in told["rows"]]
        return told | {"events": rows}

    return get


def test_a_label_is_answered_with_its_change_and_comes_back_when_loaded(send, load, flashes):
    answer = send(operation(1))
    assert answer.status_code == 200
    told = answer.json()
    assert told["seq"] == 1
    assert told["results"] == [
        {"id": number(1), "status": "applied", "message": "", "current": None}
    ]
    (change,) = told["changes"]
    assert (change["seq"], change["op"], change["client"]) == (1, number(1), CLIENT)
    assert (change["author"], change["before"]) == ("Zoë", None)
    frame = flashes.timeline.index_at(1_000_000)
    assert change["after"]["frame_index"] == frame
    loaded = load()
    (event,) = loaded["events"]
    assert event == {"id": number(1)} | change["after"]
    assert loaded["seq"] == 1
