"""The published checks for this domain, and its review hook and its scene."""

from __future__ import annotations

from pathlib import Path

from prismata.domains import Domain, Event
from prismata.testing.domain_contract import DomainContract
from prismata.testing.scene_contract import SceneContract


class TestCricket(DomainContract):
    folder = Path(__file__).parents[1]

    def test_review_accepts_deliveries_one_after_the_other(self, domain: Domain):
        events = [
            Event.segment("delivery", 0, 4_000_000),
            Event.segment("delivery", 4_000_000, 9_000_000),
        ]
        assert list(domain.review(events)) == []

    def test_review_flags_overlapping_and_endless_deliveries(self, domain: Domain):
        events = [
            Event.segment("delivery", 0, 13_000_000),
            Event.segment("delivery", 12_500_000, 15_000_000),
        ]
        assert list(domain.review(events)) == [
            "the delivery at 0.00 s lasts more than 12 s",
            "the delivery at 12.50 s starts inside another",
        ]


class TestCricketScene(SceneContract):
    folder = Path(__file__).parents[1]
