"""The published checks for this domain, and that it fits the rendered videos."""

from __future__ import annotations

from pathlib import Path

from prismata.domains import Domain, Event, check_labels
from prismata.testing.domain_contract import DomainContract
from prismata.testing.synth import render_ball_throw


class TestBallThrow(DomainContract):
    folder = Path(__file__).parents[1]

    def test_the_rendered_truth_uses_its_event_types_and_passes_its_review(
        self, domain: Domain, tmp_path: Path
    ):
        events = render_ball_throw(tmp_path / "throw.mp4", seconds=6, seed=3).events
        assert {(event.event_type, event.kind) for event in events} == {
            (event_type.name, event_type.kind) for event_type in domain.event_types
        }
        assert check_labels(domain, events).remarks == ()

    def test_review_flags_a_flight_or_a_release_alone(self, domain: Domain):
        events = [
            Event.segment("flight", 1_000_000, 2_000_000),
            Event.point("release", 1_200_000),
            Event.point("release", 3_000_000),
            Event.segment("flight", 3_050_000, 4_000_000),
        ]
        assert [remark.sentence for remark in check_labels(domain, events).remarks] == [
            "'Flight' at 0:01.000 has no 'Release' within 0.1 s of its start",
            "'Release' at 0:01.200 has no 'Flight' within 0.1 s of its start",
        ]
