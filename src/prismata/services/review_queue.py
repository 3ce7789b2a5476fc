"""The review queue: what a person looks at next, and why it is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from prismata.catalog import ReviewDecision, ReviewReason
from prismata.evaluation.remainder import Stratum
from prismata.services.review_items import ReviewItem
from prismata.services.review_rest import STRATA, representative

ReviewOrder = Literal["doubt", "score", "time"]
"""`doubt`: what teaches most, with random controls among it; `score`: surest first; `time`: video
by video. The last two show only what reaches the threshold."""

CONTROL_EVERY = 4
"""Every fourth card is a random control, whatever the model thinks of it."""


@dataclass(frozen=True, slots=True)
class ReviewCard:
    """One item in the queue, and why it is there."""

    item: ReviewItem
    reason: ReviewReason


def choose_cards(
    wanted: Sequence[ReviewItem],
    everything: Sequence[ReviewItem],
    decisions: Sequence[ReviewDecision],
    *,
    order: ReviewOrder,
    limit: int,
) -> list[ReviewCard]:
    """Return the next cards; in the order of doubt every fourth is drawn at random."""
    if order != "doubt":
        shown = [item for item in wanted if item.stratum == "shown"]
        if order == "score":
            shown.sort(key=lambda item: (-((item.event and item.event.score) or 0.0), item.key))
        else:
            shown.sort(key=lambda item: (item.video.name, item.span.start_us, item.key))
        return [ReviewCard(item, order) for item in shown[:limit]]
    doubtful = sorted(wanted, key=lambda item: (-item.doubt.value, item.key))
    lots: dict[Stratum, list[ReviewItem]] = {
        name: sorted((i for i in everything if i.stratum == name), key=lambda item: item.lot)
        for name in STRATA
    }
    drawn = dict.fromkeys(STRATA, 0)
    for decision in representative(decisions):
        drawn[_as_stratum(decision.stratum)] += 1
    cards: list[ReviewCard] = []
    taken: set[str] = set()
    while len(cards) < limit:
        doubted = next((item for item in doubtful if item.key not in taken), None)
        is_control = len(cards) % CONTROL_EVERY == CONTROL_EVERY - 1 or doubted is None
        lot = _draw(lots, drawn, taken) if is_control else None
        if lot is not None:
            card = ReviewCard(lot, "control")
        elif doubted is not None:
            card = ReviewCard(doubted, "doubt")
        else:
            break
        taken.add(card.item.key)
        cards.append(card)
    return cards


def _draw(
    lots: Mapping[Stratum, Sequence[ReviewItem]], drawn: dict[Stratum, int], taken: set[str]
) -> ReviewItem | None:
    """Return the next random control, of the stratum that had the fewest."""
    for name in sorted(STRATA, key=lambda name: (drawn[name], STRATA.index(name))):
        for item in lots[name]:
            if item.key not in taken:
                drawn[name] += 1
                return item
    return None


def _as_stratum(name: str) -> Stratum:
    return next(item for item in STRATA if item == name)
