"""`prismata review`: queue, decisions, undo, how good the rest is."""

import pytest

from prismata.services.ingest import ingest_file


@pytest.fixture
def run(bench, flashes, add_bundle, finished_run):
    video = ingest_file(bench, flashes.path, domain="flashes").video
    return finished_run(video, add_bundle(), flashes)


def keys(prismata):
    told = prismata("review", "queue", "flashes", "--order", "score", "--json").json
    return [card["key"] for card in told["cards"]]


def test_the_queue_is_decided_by_keys_and_every_decision_is_told(prismata, bench, run):
    first, second = keys(prismata)[:2]
    prismata("review", "decide", first, "rejected", "--control")
    moved = prismata("review", "decide", second, "corrected", "--start", "1.5", "--json").json
    label = bench.catalog.events.get(moved["event_id"])
    assert label.event.start_us == pytest.approx(1.5e6, abs=4e4)
    told = prismata("review", "decisions", "flashes", "--json").json["decisions"]
    assert [item["decision"] for item in told] == ["rejected", "corrected"]
    assert {item["reviewer"] for item in told} == {"tester"}
    assert [item["reason"] for item in told] == ["control", "doubt"]
    table = prismata("review", "decisions", "flashes").out
    assert "tester" in table
    assert told[0]["model_digest"][:12] in table
    again = prismata("review", "decide", first, "rejected")
    assert again.code != 0
    assert "nothing is open under the key" in again.err


def test_a_decision_is_taken_back(prismata, run):
    key = keys(prismata)[0]
    made = prismata("review", "decide", key, "accepted", "--json").json
    assert key not in keys(prismata)
    assert prismata("review", "undo", made["id"]).out == "taken back\n"
    assert key in keys(prismata)
    assert "nothing was decided yet" in prismata("review", "decisions", "flashes").err


def test_how_good_the_rest_is(prismata, run):
    told = prismata("review", "rest", "flashes", "--json").json
    assert told["decided"] == 0
    assert told["open"]["shown"] == len(keys(prismata))
    assert "too few random controls" in prismata("review", "rest", "flashes").out


def test_many_at_once(prismata, run):
    count = len(keys(prismata))
    out = prismata("review", "accept-above", "flashes", "flash", "0.6").out
    assert out == f"{count} accepted that nobody looked at\n"
    assert "nothing is open" in prismata("review", "queue", "flashes", "--order", "time").err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("queue", "flashes", "--order", "luck"), "order is doubt, score, time"),
        (("queue", "nothing"), "nothing"),
        (("decide", "KEY", "maybe"), "decision is accepted, rejected, unsure, corrected"),
        (("decide", "KEY", "corrected"), "'corrected' says what the event really is"),
        (("decide", "KEY", "accepted", "--start", "1"), "the other decisions take none"),
        (("decide", "nonsense", "accepted"), "no detection run"),
        (("undo", "0" * 32), "no review decision"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(prismata, run, arguments, words):
    key = keys(prismata)[0]
    answer = prismata("review", *(key if item == "KEY" else item for item in arguments))
    assert answer.code != 0
    assert words in answer.err
