"""The published checks for this domain, its rules, how it counts overs, and its scene."""

from __future__ import annotations

from pathlib import Path

from prismata.domains import DescribedEvent, Domain, Event, check_labels, derive_events
from prismata.testing.domain_contract import DomainContract
from prismata.testing.scene_contract import SceneContract

SECOND = 1_000_000


def bowled(*extras: str) -> list[Event]:
    """One delivery of four seconds every half minute; a word is what was wrong with it."""
    return [
        DescribedEvent.of(
            Event.segment("delivery", 30 * number * SECOND, (30 * number + 4) * SECOND),
            {"extra": extra} if extra else {},
        )
        for number, extra in enumerate(extras)
    ]


class TestCricket(DomainContract):
    folder = Path(__file__).parents[1]

    def test_deliveries_one_after_the_other_are_right(self, domain: Domain):
        events = [
            Event.segment("delivery", 0, 4_000_000),
            Event.segment("delivery", 4_000_000, 9_000_000),
        ]
        assert check_labels(domain, events).remarks == ()

    def test_overlapping_and_endless_deliveries_are_worth_a_second_look(self, domain: Domain):
        events = [
            Event.segment("delivery", 0, 13_000_000),
            Event.segment("delivery", 12_500_000, 15_000_000),
        ]
        assert [remark.sentence for remark in check_labels(domain, events).remarks] == [
            "'Delivery' at 0:00.000 lasts 13 s, more than 12 s",
            "'Delivery' at 0:12.500 overlaps 'Delivery' at 0:00.000, and these never overlap",
        ]

    def test_balls_are_numbered_as_scorers_do_and_an_extra_is_bowled_again(self, domain: Domain):
        derived = derive_events(domain, bowled("", "wide", "", "no_ball", "", "", "", "", ""), None)
        assert derived.failure is None
        balls = [item for item in derived.events if item.event.event_type == "ball"]
        assert [item.title for item in balls] == [
            "0.1",
            "0.2 wide",
            "0.2",
            "0.3 no-ball",
            "0.3",
            "0.4",
            "0.5",
            "0.6",
            "1.1",
        ]
        assert [item.event.start_us for item in balls] == [30 * n * SECOND for n in range(9)]

    def test_an_over_lasts_from_its_first_ball_to_its_sixth_legal_one(self, domain: Domain):
        derived = derive_events(domain, bowled(*[""] * 5, "wide", *[""] * 3), None)
        overs = [item for item in derived.events if item.event.event_type == "over"]
        assert [(item.title, item.event.span) for item in overs] == [
            ("over 1", Event.segment("over", 0, 184 * SECOND).span),
            ("over 2, 2 legal so far", Event.segment("over", 210 * SECOND, 244 * SECOND).span),
        ]

    def test_without_a_delivery_there_is_no_over(self, domain: Domain):
        derived = derive_events(domain, [], None)
        assert (derived.events, derived.failure) == ((), None)


class TestCricketScene(SceneContract):
    folder = Path(__file__).parents[1]
