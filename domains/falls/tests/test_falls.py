"""The published checks for this domain and its scene."""

from __future__ import annotations

from pathlib import Path

from prismata.domains import Domain, Event, check_labels
from prismata.testing.domain_contract import DomainContract
from prismata.testing.scene_contract import SceneContract


class TestFalls(DomainContract):
    folder = Path(__file__).parents[1]

    def test_lying_without_a_fall_before_it_is_pointed_out(self, domain: Domain):
        lying = Event.segment("lying", 4_000_000, 9_000_000)
        assert check_labels(domain, [Event.point("fall", 3_300_000), lying]).remarks == ()
        (remark,) = check_labels(domain, [lying, Event.point("fall", 5_000_000)]).remarks
        assert remark.event == lying


class TestFallsScene(SceneContract):
    folder = Path(__file__).parents[1]
