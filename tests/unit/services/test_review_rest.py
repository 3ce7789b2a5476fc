"""The estimate of the rest, through the queue that people really work through."""

import uuid
from datetime import UTC, datetime

import numpy as np
import pytest

from prismata.catalog import ReviewDecision, VideoRecord
from prismata.core.events import Event
from prismata.core.time import TimeSpan
from prismata.services.review_doubt import Doubt, entropy
from prismata.services.review_items import ReviewItem, item_key, stratum_of
from prismata.services.review_queue import CONTROL_EVERY, ReviewCard, choose_cards
from prismata.services.review_rest import judge_rest, representative

THRESHOLD = 0.5
VIDEO = VideoRecord(
    id="v", name="v.mp4", storage_key="", sha256="", size_bytes=1, container="mp4", codec="h264",
    width=1, height=1, rotation=0, frame_count=1, duration_us=10**12, first_pts_us=0,
    min_step_us=1, max_step_us=1, timeline_key="", group_name="", domain="d", notes=(),
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip


def item_at(number, score, share):
    start = number * 10_000_000
    event = Event.point("goal", start, score)
    return ReviewItem(
        key=item_key("run", "goal", event.span),
        video=VIDEO,
        run_id="run",
        stratum=stratum_of(score, THRESHOLD),
        span=event.span,
        event=event,
        threshold=THRESHOLD,
        probability=share,
        doubt=Doubt(entropy(share), {"score": entropy(share)}),
    )


def stretch_at(number):
    span = TimeSpan(number * 10_000_000 + 1_000_000, number * 10_000_000 + 6_000_000)
    return ReviewItem(
        item_key("run", "", span), VIDEO, "run", "unseen", span, None, None, None, Doubt(0.0, {})
    )


def decided(card, decision, found=0):
    item = card.item
    return ReviewDecision(
        id=uuid.uuid4().hex,
        video_id="v",
        domain="d",
        run_id="run",
        model_id="m",
        model_digest="",
        event_id="",
        event_type=item.event.event_type if item.event else "",
        start_us=item.span.start_us,
        end_us=item.span.end_us,
        score=item.event.score if item.event else None,
        threshold=THRESHOLD,
        stratum=item.stratum,
        reason=card.reason,
        doubt=item.doubt.value,
        decision=decision,
        found=found,
    )


class Library:
    """A library whose truth is known, and a reviewer who makes no mistakes."""

    def __init__(self, seed, bias):
        rng = np.random.default_rng([seed, 77])
        shares = rng.beta(0.45, 0.8, 500).clip(0.01, 0.99)
        # The model may be too sure of itself, or too little: its doubts then rank less well.
        told = 1 / (1 + np.exp(-(np.log(shares / (1 - shares)) * bias)))
        self.items = {}
        self.truth = {}
        for number, (share, score) in enumerate(zip(shares, told, strict=True)):
            item = item_at(number, float(score), float(score))
            self.items[item.key] = item
            self.truth[item.key] = int(rng.random() < share)
        for number in range(400):
            stretch = stretch_at(number)
            self.items[stretch.key] = stretch
            self.truth[stretch.key] = int(rng.poisson(0.02))
        self.decisions = []

    def review(self, number):
        while len(self.decisions) < number:
            items = list(self.items.values())
            cards = choose_cards(
                [item for item in items if item.event], items, self.decisions,
                order="doubt", limit=20,
            )  # fmt: skip
            for card in cards:
                true = self.truth.pop(card.item.key)
                del self.items[card.item.key]
                if card.item.event is None:
                    self.decisions.append(decided(card, "watched", true))
                else:
                    self.decisions.append(decided(card, "accepted" if true else "rejected"))

    def really(self):
        def total(strata):
            return sum(self.truth[k] for k, i in self.items.items() if i.stratum in strata)

        true, missed = total({"shown"}), total({"near", "far", "unseen"})
        shown = sum(item.stratum == "shown" for item in self.items.values())
        return true / shown, true / (true + missed), missed


@pytest.mark.parametrize("bias", [0.5, 1.0, 2.0])
def test_the_stated_interval_holds_the_truth_in_at_least_90_of_100_reviews(bias):
    held = np.zeros(3, int)
    for seed in range(100):
        library = Library(seed, bias)
        library.review(160)
        precision, recall, missed = library.really()
        found = judge_rest(list(library.items.values()), library.decisions).estimate
        held += [
            found.precision[0] <= precision <= found.precision[1],
            found.recall[0] <= recall <= found.recall[1],
            found.missed[0] <= missed <= found.missed[1],
        ]
    assert held.min() >= 90, held


def test_every_fourth_card_is_a_control_and_all_strata_get_some():
    library = Library(1, 1.0)
    items = list(library.items.values())
    cards = choose_cards([i for i in items if i.event], items, [], order="doubt", limit=40)
    controls = [card for card in cards if card.reason == "control"]
    assert len(controls) == 40 // CONTROL_EVERY
    assert {card.item.stratum for card in controls} == {"shown", "near", "far", "unseen"}
    assert len({card.item.key for card in cards}) == 40


def test_controls_that_doubt_would_have_chosen_say_nothing_about_the_rest():
    doubtful, sure = item_at(1, 0.5, 0.5), item_at(2, 0.99, 0.99)
    controls = [
        decided(ReviewCard(doubtful, "control"), "rejected"),
        decided(ReviewCard(sure, "control"), "accepted"),
    ]
    assert representative(controls) == controls
    chosen = decided(ReviewCard(item_at(3, 0.6, 0.6), "doubt"), "accepted")
    assert representative([*controls, chosen]) == controls[1:]
    bulk = decided(ReviewCard(item_at(4, 0.9, 0.9), "bulk"), "accepted")
    assert representative([*controls, bulk]) == controls[:1]
    walked = decided(ReviewCard(item_at(5, 0.9, 0.9), "time"), "accepted")
    assert representative([*controls, walked]) == []


def test_the_advice_says_when_to_stop_and_when_not():
    nothing = judge_rest([], [])
    assert nothing.advice == "Nothing is left to review."
    items = [item_at(number, 0.99, 0.99) for number in range(50)]
    assert "too few random controls" in judge_rest(items, []).advice
    good = [
        decided(ReviewCard(item_at(100 + number, 0.95, 0.95), "control"), "accepted")
        for number in range(60)
    ]
    assert judge_rest(items, good).advice.startswith("You can stop")
    bad = [
        decided(ReviewCard(item_at(200 + number, 0.95, 0.95), "control"), "rejected")
        for number in range(60)
    ]
    assert "below 90%" in judge_rest(items, bad).advice
