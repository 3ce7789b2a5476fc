"""Review over HTTP: permissions, queues, decisions, refusals."""

import uuid

import pytest

from prismata.services.access import mint_token

SECRET = b"s" * 32


@pytest.fixture
def run(video, flashes, add_bundle, finished_run):
    return finished_run(video, add_bundle(), flashes)


@pytest.fixture
def ask(client):
    """Ask as somebody with a permission in their own name."""

    def send(method, path, *, user="ada", signed_for="ada", domain="flashes", **more):
        headers = {
            "x-prismata-user": user,
            "x-prismata-token": mint_token(SECRET, "review", f"flashes/{signed_for}"),
        }
        return client.request(method, f"/api/review/{domain}/{path}", headers=headers, **more)

    return send


def verdict(card, decision="accepted", **more):
    told = {name: card[name] for name in ("run", "event_type", "start_us", "end_us", "doubt")}
    return {**told, "id": uuid.uuid4().hex, "decision": decision, "reason": card["reason"], **more}


def test_nobody_decides_without_a_permission_or_in_another_name(client, ask, run):
    assert client.get("/api/review/flashes/queue").status_code == 403
    assert ask("GET", "queue", user="bob").status_code == 403
    assert ask("GET", "queue", domain="ball_throw").status_code == 403


def test_the_queue_says_what_a_card_needs(ask, client, run, video):
    told = ask("GET", "queue?order=score").json()
    card = told["cards"][0]
    assert told["rest"]["advice"]
    assert card["video"]["name"] == video.name
    assert card["loop"][0] <= card["start_us"] <= card["loop"][1]
    assert max(score for _, score in card["curve"]) == pytest.approx(card["score"], abs=1e-3)
    address = f"/api/video/{video.id}/frames?token={card['video']['token']}"
    assert client.get(address).status_code == 200


def test_a_decision_is_made_and_taken_back(ask, bench, run):
    told = ask("GET", "queue?order=score").json()
    card = told["cards"][0]
    made = ask("POST", "decide", json=verdict(card))
    assert made.status_code == 200, made.text
    after = ask("GET", "queue?order=score").json()
    assert after["decided"] == 1
    assert card["key"] not in {item["key"] for item in after["cards"]}
    assert ask("POST", "undo", json={"ids": [made.json()["id"]]}).json() == {"undone": 1}
    assert ask("GET", "queue").json()["decided"] == 0


def test_another_decision_of_somebody_else_is_a_conflict(ask, run):
    card = ask("GET", "queue?order=score").json()["cards"][0]
    assert ask("POST", "decide", json=verdict(card)).status_code == 200
    second = ask("POST", "decide", json=verdict(card, "rejected"))
    assert second.status_code == 409
    assert "somebody else decided" in second.json()["error"]


def test_a_permission_is_good_for_one_domain_alone(client, ask, bench, run):
    card = ask("GET", "queue?order=score").json()["cards"][0]
    made = ask("POST", "decide", json=verdict(card)).json()
    headers = {
        "x-prismata-user": "eve",
        "x-prismata-token": mint_token(SECRET, "review", "ball_throw/eve"),
    }
    other = ask("GET", "queue?order=score").json()["cards"][0]
    told = (("decide", verdict(other)), ("undo", {"ids": [made["id"]]}))
    for path, body in told:
        answer = client.post(f"/api/review/ball_throw/{path}", headers=headers, json=body)
        assert answer.status_code == 404, answer.text
    assert len(bench.catalog.reviews.list("flashes")) == 1


def test_cards_that_are_on_screen_already_are_passed_over(ask, run):
    cards = ask("GET", "queue?order=time").json()["cards"]
    rest = ask("GET", f"queue?order=time&skip={cards[0]['key']}").json()["cards"]
    assert [card["key"] for card in rest] == [card["key"] for card in cards[1:]]


def test_accepting_many_says_which(ask, run):
    told = ask("POST", "accept-above", json={"event_type": "flash", "score": 0.7}).json()
    assert len(told["ids"]) == ask("GET", "queue").json()["decided"] > 0


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("GET", "queue?order=luck", None, "order is doubt, score, time"),
        ("GET", "queue?limit=many", None, "whole number"),
        ("GET", "queue?model=nobody", None, "nobody"),
        ("POST", "decide", [], "JSON"),
        ("POST", "decide", {"decision": "maybe"}, "decision is accepted"),
        ("POST", "decide", {"decision": "accepted", "reason": "whim"}, "reason is control"),
        ("POST", "undo", {"ids": "all"}, "as a list"),
        ("POST", "undo", {"ids": ["0" * 32]}, "no review decision"),
        ("POST", "accept-above", {"event_type": "flash", "score": 0}, "above 0"),
        ("POST", "accept-above", {"event_type": "flash", "score": 0.1}, "below the threshold"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(ask, run, method, path, body, words):
    answer = ask(method, path, json=body) if method == "POST" else ask(method, path)
    assert answer.status_code in (400, 404)
    assert words in answer.json()["error"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"doubt": 2},
        {"id": "short"},
        {"start_us": -1},
        {"corrected": "later"},
        {"corrected": {"kind": "hole", "start_us": 0, "end_us": 0}},
        {"found": "much"},
    ],
)
def test_a_verdict_that_is_none_changes_nothing(ask, bench, run, wrong):
    card = ask("GET", "queue?order=score").json()["cards"][0]
    assert ask("POST", "decide", json={**verdict(card), **wrong}).status_code == 400
    assert bench.catalog.reviews.list("flashes") == []


def test_what_was_played_is_told_with_a_decision_and_looked_at(ask, bench, run, video):
    card = ask("GET", "queue?order=score").json()["cards"][0]
    seen = [[card["loop"][0], card["loop"][1]]]
    for wrong, sentence in (
        ("all of it", "what was seen comes as a list"),
        ([[1]], "a stretch that was seen is [start_us, end_us]"),
        ([["a", 2]], "start_us"),
        ([[5, 1]], "end"),
    ):
        refused = ask("POST", "decide", json=verdict(card, seen=wrong))
        assert refused.status_code == 400
        assert sentence in refused.json()["error"]
    assert bench.catalog.reviews.list("flashes") == []
    assert ask("POST", "decide", json=verdict(card, seen=seen)).status_code == 200
    coverage = bench.catalog.labels.sheet(video.id, "flashes").coverage
    assert coverage
    assert seen[0][0] <= coverage[0].start_us < coverage[-1].end_us <= seen[0][1]
