"""The published checks for this domain and its scene."""

from __future__ import annotations

from pathlib import Path

from prismata.domains import Domain, Event, check_labels
from prismata.testing.domain_contract import DomainContract
from prismata.testing.scene_contract import SceneContract


class TestWarehouse(DomainContract):
    folder = Path(__file__).parents[1]

    def test_a_near_miss_without_truck_or_person_is_pointed_out(self, domain: Domain):
        near = Event.point("near_miss", 3_000_000)
        truck = Event.segment("forklift_pass", 1_000_000, 5_000_000)
        person = Event.segment("person_in_aisle", 2_000_000, 3_000_000)
        assert check_labels(domain, [near, truck, person]).remarks == ()
        assert len(check_labels(domain, [near, truck]).remarks) == 1
        assert len(check_labels(domain, [near]).remarks) == 2


class TestWarehouseScene(SceneContract):
    folder = Path(__file__).parents[1]
