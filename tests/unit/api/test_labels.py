"""Labels over HTTP: edits of one person on one video, answered when they are durable."""

import json
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


def address(video_id, path="", domain="flashes"):
    return f"/api/labels/{video_id}/{domain}{path}"


WRONG = [
    {"x-prismata-token": "", "x-prismata-user": "ada"},
    {"x-prismata-user": "ada"},
    {"x-prismata-token": mint_token(SECRET, "labels", "VIDEO/flashes/ada")},
    {"x-prismata-token": mint_token(SECRET, "labels", "VIDEO/flashes/"), "x-prismata-user": ""},
    {
        "x-prismata-token": mint_token(SECRET, "labels", "VIDEO/flashes/ada"),
        "x-prismata-user": "bob",
    },
    {
        "x-prismata-token": mint_token(SECRET, "labels", "VIDEO/falls/ada"),
        "x-prismata-user": "ada",
    },
    {
        "x-prismata-token": mint_token(SECRET, "labels", "another/flashes/ada"),
        "x-prismata-user": "ada",
    },
    {"x-prismata-token": mint_token(SECRET, "video", "VIDEO"), "x-prismata-user": "ada"},
    {
        "x-prismata-token": mint_token(SECRET, "labels", "VIDEO/flashes/ada", lives_seconds=-1),
        "x-prismata-user": "ada",
    },
    {
        "x-prismata-token": mint_token(b"t" * 32, "labels", "VIDEO/flashes/ada"),
        "x-prismata-user": "ada",
    },
]


@pytest.mark.parametrize("wrong", WRONG)
def test_without_a_permission_for_video_domain_and_person_nothing_is_told_or_stored(
    client, bench, wrong
):
    body = {"since": 0, "ops": [operation(1)], "seq": 0, "id": number(1), "client": CLIENT}
    answers = [
        client.get(address("VIDEO"), headers=wrong),
        client.get(address("VIDEO", "/changes?since=0"), headers=wrong),
        client.get(address("VIDEO", "/history"), headers=wrong),
        client.post(address("VIDEO", "/ops"), headers=wrong, json=body),
        client.post(address("VIDEO", "/restore"), headers=wrong, json=body),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5
    assert {answer.json()["error"] for answer in answers} == {
        "this address is not or no longer valid; reload the page"
    }
    assert bench.catalog.labels.sheets() == []


def test_the_same_headers_with_the_right_token_are_let_in(client):
    right = {
        "x-prismata-token": mint_token(SECRET, "labels", "VIDEO/flashes/ada"),
        "x-prismata-user": "ada",
    }
    answer = client.get(address("VIDEO"), headers=right)
    assert answer.status_code == 404
    assert "'VIDEO' is not in the library" in answer.json()["error"]


def test_a_video_that_was_removed_is_said_to_be_so(client, bench, video, send):
    bench.catalog.videos.remove(video.id)
    answer = send(operation(1))
    assert answer.status_code == 404
    assert "somebody may have removed it" in answer.json()["error"]


def test_one_bad_operation_is_refused_alone_and_in_its_place(send, load):
    answer = send(
        operation(1, after=flash(4_000_000)),
        operation(2, after=flash(0, event_type="bang")),
        operation(3),
        operation(4, kind="update", before={"start_us": 1}, after={"end_us": 1}),
        operation(5, kind="explode"),
        operation(6, after=flash(1.5)),
    )
    results = answer.json()["results"]
    assert [(item["id"], item["status"]) for item in results] == [
        (number(value), "applied" if value == 3 else "refused") for value in range(1, 7)
    ]
    for result, words in zip(
        results,
        ("lasts 0:04.000", "it has flash", "", "one only", "'explode'", "start_us is a whole"),
        strict=True,
    ):
        assert words in result["message"]
    assert [event["id"] for event in load()["events"]] == [number(3)]


def test_a_conflict_brings_the_state_that_stands(send):
    send(operation(1), user="bob")
    move = {"start_us": 1_000_000, "end_us": 1_000_000}
    there = {"start_us": 5, "end_us": 5}
    send(operation(2, kind="update", event_id=number(1), before=move, after=there), user="bob")
    mine = operation(
        3,
        kind="update",
        event_id=number(1),
        before=move,
        after={"start_us": 9, "end_us": 9},
    )
    (result,) = send(mine, since=2).json()["results"]
    assert result["status"] == "conflict"
    assert (result["current"]["start_us"], result["current"]["author"]) == (5, "bob")


def test_an_operation_sent_twice_counts_once(send, load):
    first, again = send(operation(1)).json(), send(operation(1)).json()
    assert again == first
    assert len(load()["events"]) == 1


def test_others_changes_come_with_the_answer_and_on_their_own(client, video, send):
    send(operation(1), user="bob")
    told = send(operation(2), since=0).json()
    assert [change["author"] for change in told["changes"]] == ["bob", "Zoë"]
    assert send(operation(3), since=2).json()["changes"][0]["op"] == number(3)
    asked = client.get(address(video.id, "/changes?since=1"), headers=headers(video.id)).json()
    assert (asked["seq"], [change["seq"] for change in asked["changes"]]) == (3, [2, 3])
    ahead = client.get(address(video.id, "/changes?since=9"), headers=headers(video.id)).json()
    assert ahead == {"seq": 3, "reload": True}


def test_history_and_restore(client, video, send, load):
    send(operation(1), operation(2))
    delete = operation(3, kind="delete", event_id=number(1), before=flash(1_000_000), after=None)
    send(delete, user="bob")
    who = headers(video.id)
    entries = client.get(address(video.id, "/history?limit=2"), headers=who).json()["entries"]
    assert [(item["seq"], item["kind"], item["author"]) for item in entries] == [
        (3, "delete", "bob"),
        (2, "create", "Zoë"),
    ]
    assert entries[0]["after"] is None
    earlier = client.get(address(video.id, "/history?before=2"), headers=who).json()["entries"]
    assert [item["seq"] for item in earlier] == [1]
    body = {"seq": 2, "id": number(99), "client": CLIENT, "since": 3}
    told = client.post(address(video.id, "/restore"), headers=who, json=body).json()
    assert [(item["id"], item["status"]) for item in told["results"]] == [(number(99), "applied")]
    assert {event["id"] for event in load()["events"]} == {number(1), number(2)}
    assert told["seq"] == load()["seq"]
    assert number(1) in [change["event_id"] for change in told["changes"]]
    again = client.post(address(video.id, "/restore"), headers=who, json=body).json()
    assert again == told
    body["seq"], body["id"] = 77, number(98)
    answer = client.post(address(video.id, "/restore"), headers=who, json=body)
    assert answer.status_code == 400
    assert "no state after 77" in answer.json()["error"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "object"),
        (b'{"since": 0}', "as a list"),
        (b'{"since": 0, "ops": {}}', "as a list"),
        (b'{"ops": []}', "since has to be a whole number"),
        (b'{"since": -1, "ops": []}', "since has to be a whole number"),
        (b'{"since": true, "ops": []}', "since has to be a whole number"),
        (b'{"since": 0, "ops": [7]}', "32 lower-case hexadecimal digits"),
        (b'{"since": 0, "ops": [{"id": "short"}]}', "32 lower-case hexadecimal digits"),
        (b'{"since": 0, "ops": [{"x": NaN}]}', "not JSON"),
        (b'{"since": 0, "ops": [], "x": "' + b"x" * 2**20 + b'"}', "at most 1024 kB"),
    ],
)
def test_a_malformed_body_is_answered_in_one_sentence(client, bench, video, content, words):
    answer = client.post(address(video.id, "/ops"), headers=headers(video.id), content=content)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert bench.catalog.labels.sheets() == []


def test_more_than_five_hundred_operations_at_once_are_too_many(send, load):
    many = [operation(value, after=flash(value)) for value in range(501)]
    answer = send(*many)
    assert answer.status_code == 400
    assert "501 operations came at once, but at most 500 may" in answer.json()["error"]
    assert load()["events"] == []
    told = send(*many[:500]).json()
    assert {result["status"] for result in told["results"]} == {"applied"}
    assert len(load()["events"]) == 500


def test_two_operations_with_one_id_are_a_mistake_of_the_page(send, load):
    answer = send(operation(1), operation(1, after=flash(5)))
    assert answer.status_code == 400
    assert "have the id" in answer.json()["error"]
    assert load()["events"] == []


def test_characters_that_are_not_text_are_refused(send, client, video):
    bad = operation(1)
    bad["after"]["attributes"] = {"note": "REPLACE"}
    for escape in ("\\ud800", "\\u0000"):
        body = json.dumps({"since": 0, "ops": [bad]}).replace("REPLACE", f"a{escape}b")
        answer = client.post(address(video.id, "/ops"), headers=headers(video.id), content=body)
        (result,) = answer.json()["results"]
        assert result["status"] == "refused"
        assert "not text" in result["message"]


def test_a_large_answer_is_packed_and_says_the_same(client, video, send):
    for start in (0, 400, 800):
        send(*[operation(value, after=flash(value)) for value in range(start, start + 400)])
    who = headers(video.id)
    packed = client.get(address(video.id), headers=who | {"accept-encoding": "gzip"})
    plain = client.get(address(video.id), headers=who | {"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    starts = [row[plain.json()["fields"].index("start_us")] for row in plain.json()["rows"]]
    assert starts == list(range(1200))


def test_preferences_are_kept_for_one_person(client):
    def who(user, signed_for=None):
        token = mint_token(SECRET, "annotator", signed_for or user)
        return {"x-prismata-token": token, "x-prismata-user": quote(user)}

    path = "/api/annotator"
    assert client.get(path, headers=who("Zoë")).json() == {"preferences": {}}
    told = {"preferences": {"lag": {"ms": 250, "enabled": True}}}
    assert client.put(path, headers=who("Zoë"), json=told).json() == told
    assert client.get(path, headers=who("Zoë")).json() == told
    assert client.get(path, headers=who("bob")).json() == {"preferences": {}}
    assert client.get(path, headers=who("bob", signed_for="Zoë")).status_code == 403
    assert client.put(path, headers=who("bob", signed_for="Zoë"), json=told).status_code == 403
    for wrong, words in (
        ({"preferences": []}, "JSON object"),
        ({"preferences": {"x": "y" * 70_000}}, "room for 65536"),
    ):
        answer = client.put(path, headers=who("Zoë"), json=wrong)
        assert answer.status_code == 400
        assert words in answer.json()["error"]
    assert client.get(path, headers=who("Zoë")).json() == told
