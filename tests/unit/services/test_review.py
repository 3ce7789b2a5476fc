"""Reviewing what a model found: decisions, labels, undo, queues."""

import uuid

import numpy as np
import pytest

from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError
from prismata.core.events import Event
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan
from prismata.services.annotate import LabelDesk
from prismata.services.datasets import create_dataset
from prismata.services.labels import add_label
from prismata.services.review import ReviewDesk, Verdict, on_frames
from prismata.services.review_items import card_of

# Peaks of the score by time in seconds; the threshold of the domain's model is 0.5.
PEAKS = {0.5: 0.95, 1.2: 0.52, 1.9: 0.4, 2.6: 0.1, 3.3: 0.8}


@pytest.fixture
def desk(bench):
    return ReviewDesk(bench, LabelDesk(bench))


@pytest.fixture
def model(add_bundle):
    return add_bundle()


@pytest.fixture
def run(bench, video, model, store_run):
    return store_run(video, model, PEAKS)


@pytest.fixture
def store_run(bench, tmp_path):
    def store(video, model, peaks):
        times = np.arange(0, video.duration_us, 50_000, dtype=np.int64)
        scores = np.full((times.size, 1), 0.002, np.float32)
        for second, score in peaks.items():
            scores[np.abs(times - int(second * 1e6)) < 60_000, 0] = score
        path = tmp_path / "track.npz"
        ScoreTrack(times, scores, ("flash",)).save(path)
        run = bench.catalog.detections.start(video_id=video.id, model_id=model.id, settings={})
        key = f"detections/{run.id}/scores.npz"
        bench.storage.put_file(key, path)
        rules = {
            name: rule.__class__(**_fields(rule)) for name, rule in card_of(model).rules.items()
        }
        return bench.catalog.detections.finish(
            run.id,
            [],
            result_key="",
            scores_key=key,
            settings={"rules": {name: _fields(rule) for name, rule in rules.items()}},
        )

    return store


def _fields(rule):
    return {name: getattr(rule, name) for name in rule.__slots__}


def verdict(card, decision="accepted", **more):
    item = card.item
    return Verdict(
        id=uuid.uuid4().hex,
        run_id=item.run_id,
        event_type=item.event.event_type if item.event else "",
        span=item.span,
        decision=decision,
        reason=card.reason,
        doubt=item.doubt.value,
        **more,
    )


def cards_by_score(queue):
    return {round(c.item.event.score, 2): c for c in queue.cards if c.item.event is not None}


def labels_of(bench, video):
    return bench.catalog.events.list(video_id=video.id, origin="annotation")


def test_the_most_doubtful_comes_first_and_random_controls_are_among_the_cards(desk, run):
    queue = desk.queue("flashes")
    scores = [card.item.event.score for card in queue.cards if card.reason == "doubt"]
    assert scores[0] == pytest.approx(0.52)  # nearest to the threshold
    assert scores[1] == pytest.approx(0.4)
    assert queue.cards[3].reason == "control"
    assert {card.reason for card in queue.cards} == {"doubt", "control"}
    assert queue.rest.open["shown"] == 3
    assert queue.rest.open["near"] == 1
    assert queue.rest.open["far"] == 1
    assert queue.rest.open["unseen"] > 0


def test_the_other_orders_show_only_what_reaches_the_threshold(desk, run):
    by_score = [card.item.event.score for card in desk.queue("flashes", order="score").cards]
    assert by_score == pytest.approx([0.95, 0.8, 0.52])
    by_time = [card.item.span.start_us for card in desk.queue("flashes", order="time").cards]
    assert by_time == sorted(by_time)
    assert len(by_time) == 3


def test_a_prediction_becomes_a_label_only_when_somebody_accepts_it(bench, desk, video, run, model):
    assert labels_of(bench, video) == []
    card = cards_by_score(desk.queue("flashes"))[0.52]
    made = desk.decide(verdict(card), "ada")
    (label,) = labels_of(bench, video)
    assert label.review_state == "accepted"
    assert label.reviewer == "ada"
    assert label.id == made.event_id
    source = label.attributes["source"]
    assert source["run"] == run.id
    assert source["digest"] == card_of(model).digest
    assert source["threshold"] == 0.5
    (decision,) = bench.catalog.reviews.list("flashes")
    assert decision.reviewer == "ada"
    assert decision.model_digest == card_of(model).digest
    assert decision.threshold == 0.5
    assert decision.created_at is not None
    assert 0.52 not in cards_by_score(desk.queue("flashes"))


def test_sent_twice_it_is_decided_once(bench, desk, video, run):
    told = verdict(cards_by_score(desk.queue("flashes"))[0.8])
    desk.decide(told, "ada")
    desk.decide(told, "ada")
    assert len(labels_of(bench, video)) == 1
    assert len(bench.catalog.reviews.list("flashes")) == 1


def test_two_people_who_judge_the_same_item_make_one_label(bench, desk, video, run):
    card = cards_by_score(desk.queue("flashes"))[0.8]
    desk.decide(verdict(card, "rejected"), "ada")
    with pytest.raises(ConflictError, match="somebody else decided"):
        desk.decide(verdict(card, "accepted"), "bob")
    (label,) = labels_of(bench, video)
    assert label.review_state == "rejected"
    assert [item.reviewer for item in bench.catalog.reviews.list("flashes")] == ["ada"]


def test_undo_takes_label_and_decision_back(bench, desk, video, run):
    card = cards_by_score(desk.queue("flashes"))[0.95]
    made = desk.decide(verdict(card), "ada")
    desk.undo(made.id, "ada")
    assert labels_of(bench, video) == []
    assert bench.catalog.reviews.list("flashes") == []
    (kept,) = bench.catalog.reviews.list("flashes", standing=False)
    assert kept.undone_at is not None
    assert 0.95 in cards_by_score(desk.queue("flashes"))
    desk.decide(verdict(card, "rejected"), "ada")  # another decision afterwards
    assert [label.review_state for label in labels_of(bench, video)] == ["rejected"]


def test_only_decisions_are_taken_back(bench, desk, video, run):
    label = add_label(bench, video, "flashes", Event.point("flash", 100_000))
    (change,) = bench.catalog.labels.history(video.id, "flashes")
    with pytest.raises(NotFoundError, match="no review decision"):
        desk.undo(change.op, "ada")
    assert [item.id for item in labels_of(bench, video)] == [label.id]


def test_undo_leaves_a_label_that_somebody_changed_since(bench, desk, video, run):
    made = desk.decide(verdict(cards_by_score(desk.queue("flashes"))[0.95]), "ada")
    (label,) = labels_of(bench, video)
    bench.catalog.events.update(
        label.id, event=Event.point("flash", 0), expected_revision=label.revision
    )
    with pytest.raises(ConflictError, match="somebody changed this label"):
        desk.undo(made.id, "ada")
    assert len(labels_of(bench, video)) == 1


def test_a_correction_stores_what_it_really_is_and_what_the_model_said(bench, desk, video, run):
    card = cards_by_score(desk.queue("flashes"))[0.8]
    desk.decide(verdict(card, "corrected", corrected=Event.point("flash", 3_000_000)), "ada")
    (label,) = labels_of(bench, video)
    assert label.event.start_us == 3_000_000
    assert label.review_state == "corrected"
    (decision,) = bench.catalog.reviews.list("flashes")
    assert decision.start_us == card.item.span.start_us


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"corrected": Event.point("flash", 3_600_000_000)}, "has no frame|lasts|nothing is on"),
        ({"corrected": Event.point("bang", 1_000_000)}, "no event type 'bang'"),
        ({"corrected": Event.segment("flash", 1_000_000, 2_000_000)}, "is a point"),
        ({"corrected": None}, "nothing was said"),
    ],
)
def test_a_correction_that_cannot_be_changes_nothing(bench, desk, video, run, more, words):
    card = cards_by_score(desk.queue("flashes"))[0.8]
    with pytest.raises(InvalidInputError, match=words):
        desk.decide(verdict(card, "corrected", **more), "ada")
    assert labels_of(bench, video) == []
    assert bench.catalog.reviews.list("flashes") == []


def test_what_the_run_did_not_find_cannot_be_decided(desk, run):
    told = Verdict(uuid.uuid4().hex, run.id, "flash", TimeSpan(7, 7), "accepted", "doubt")
    with pytest.raises(InvalidInputError, match="load the queue again"):
        desk.decide(told, "ada")


def test_a_stretch_that_was_watched_is_covered_and_its_events_are_labels(bench, desk, video, run):
    queue = desk.queue("flashes", limit=50)
    stretch = next(card for card in queue.cards if card.item.stratum == "unseen")
    seen = Event.point("flash", stretch.item.span.start_us + 10_000)
    made = desk.decide(verdict(stretch, "watched", found=(seen,)), "ada")
    (span,) = bench.catalog.labels.sheet(video.id, "flashes").coverage
    assert span.span == stretch.item.span
    (label,) = labels_of(bench, video)
    assert (label.origin, label.review_state, label.author) == ("annotation", "none", "ada")
    (decision,) = bench.catalog.reviews.list("flashes")
    assert decision.found == 1
    after = desk.queue("flashes", limit=50)
    assert after.rest.open["unseen"] == queue.rest.open["unseen"] - 1
    desk.undo(made.id, "ada")
    assert labels_of(bench, video) == []
    assert bench.catalog.labels.sheet(video.id, "flashes").coverage == ()


def test_a_stretch_with_an_event_that_cannot_be_is_not_watched(bench, desk, video, run):
    queue = desk.queue("flashes", limit=50)
    stretch = next(card for card in queue.cards if card.item.stratum == "unseen")
    start = stretch.item.span.start_us
    found = (Event.point("flash", start), Event.point("bang", start))
    with pytest.raises(InvalidInputError, match="no event type 'bang'"):
        desk.decide(verdict(stretch, "watched", found=found), "ada")
    assert labels_of(bench, video) == []
    assert bench.catalog.labels.sheet(video.id, "flashes").coverage == ()
    assert bench.catalog.reviews.list("flashes", standing=False) == []


def test_undo_of_a_stretch_takes_all_back_or_nothing(bench, desk, video, run):
    queue = desk.queue("flashes", limit=50)
    stretch = next(card for card in queue.cards if card.item.stratum == "unseen")
    start = stretch.item.span.start_us
    found = (Event.point("flash", start), Event.point("flash", start + 100_000))
    made = desk.decide(verdict(stretch, "watched", found=found), "ada")
    last = labels_of(bench, video)[-1]
    bench.catalog.events.update(
        last.id, event=Event.point("flash", 0), expected_revision=last.revision
    )
    with pytest.raises(ConflictError, match="somebody changed this label"):
        desk.undo(made.id, "ada")
    assert len(labels_of(bench, video)) == 2
    assert bench.catalog.labels.sheet(video.id, "flashes").coverage != ()
    assert bench.catalog.reviews.get(made.id).undone_at is None


def test_accepted_and_rejected_are_in_the_next_dataset_version_and_unsure_is_not(
    bench, desk, video, run
):
    cards = cards_by_score(desk.queue("flashes"))
    desk.decide(verdict(cards[0.95]), "ada")
    desk.decide(verdict(cards[0.52], "rejected"), "ada")
    desk.decide(verdict(cards[0.8], "unsure"), "ada")
    version, _ = create_dataset(bench, "flashes")
    assert sorted(state for _, _, state in version.content) == ["accepted", "rejected"]
    assert version.known is not None  # what nobody looked at is not taken for empty


def test_bulk_accepts_from_a_score_on_and_says_that_nobody_looked(bench, desk, video, run):
    made = desk.accept_above("flashes", "", "flash", 0.7, "ada")
    assert len(made) == 2
    assert {item.reason for item in bench.catalog.reviews.list("flashes")} == {"bulk"}
    assert len(labels_of(bench, video)) == 2
    with pytest.raises(InvalidInputError, match="below the threshold"):
        desk.accept_above("flashes", "", "flash", 0.3, "ada")


def test_what_people_labelled_elsewhere_is_not_asked_again(bench, desk, video, run, watch):
    watch(video, 0, 2_000_000)
    scores = set(cards_by_score(desk.queue("flashes", limit=50)))
    assert scores == {0.8, 0.1}


def test_without_a_model_or_a_run_the_next_step_is_said(bench, desk, video):
    with pytest.raises(NotFoundError, match="prismata train flashes"):
        desk.queue("flashes")


def test_without_a_run_the_next_step_is_said(desk, video, model):
    with pytest.raises(NotFoundError, match="prismata detect"):
        desk.queue("flashes")


def test_two_models_that_disagree_raise_the_doubt(bench, desk, video, add_bundle, store_run):
    one, other = add_bundle("one"), add_bundle("other")
    store_run(video, one, PEAKS)
    before = cards_by_score(desk.queue("flashes", "one"))[0.95].item.doubt
    assert "models" not in before.parts
    store_run(video, other, {**PEAKS, 0.5: 0.05})
    after = cards_by_score(desk.queue("flashes", "one", limit=50))[0.95].item.doubt
    assert after.value > before.value
    assert after.reasons[0] == "models"


def test_edges_lie_on_those_of_frames(bench, video):
    timeline = bench.timeline(video)
    second = timeline.start_us(7)
    point = on_frames(Event.point("flash", second + 3), timeline)
    assert point.start_us == second
    segment = on_frames(Event.segment("flash", second + 3, timeline.start_us(12) + 5), timeline)
    assert (segment.start_us, segment.end_us) == (second, timeline.start_us(12))
    short = on_frames(Event.segment("flash", second + 3, second + 5), timeline)
    assert (short.start_us, short.end_us) == (second, timeline.start_us(8))
