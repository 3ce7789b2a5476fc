"""The published checks for this domain and its scene."""

from __future__ import annotations

from pathlib import Path

from prismata.domains import Domain, Event, ReportVideo, check_labels
from prismata.testing.domain_contract import DomainContract
from prismata.testing.scene_contract import SceneContract


def cycle(second: int) -> Event:
    return Event.segment("cycle", second * 1_000_000, second * 1_000_000 + 1_200_000)


class TestFactory(DomainContract):
    folder = Path(__file__).parents[1]

    def test_cycle_times_go_from_start_to_start_and_not_over_a_stoppage(self, domain: Domain):
        events = (
            cycle(1),
            cycle(4),
            cycle(6),
            Event.segment("stoppage", 8_000_000, 12_000_000),
            cycle(13),
            Event.segment("hand_in_zone", 14_500_000, 15_000_000),
            cycle(17),
        )
        section = domain.report_section([ReportVideo("press.mp4", 20_000_000, events)])
        # 3, 2 and 4 s; the 7 s over the stoppage are none.
        assert section is not None
        assert section.table is not None
        assert section.table.rows == [
            ("press.mp4", "5", "3.00", "2.00", "4.00", "4.0 s (20 %)", "1", "1")
        ]

    def test_several_videos_have_a_line_together(self, domain: Domain):
        first = ReportVideo("a.mp4", 10_000_000, (cycle(1), cycle(3)))
        second = ReportVideo("b.mp4", 10_000_000, (cycle(2),))
        section = domain.report_section([first, second])
        assert section is not None
        assert section.table is not None
        assert [row[:3] for row in section.table.rows] == [
            ("a.mp4", "2", "2.00"),
            ("b.mp4", "1", "none"),
            ("All", "3", "2.00"),
        ]

    def test_cycles_that_overlap_or_run_in_a_stoppage_are_pointed_out(self, domain: Domain):
        stop = Event.segment("stoppage", 2_500_000, 5_000_000)
        found = check_labels(domain, [cycle(1), cycle(2), stop])
        assert len(found.remarks) == 2
        assert all("never overlap" in remark.sentence for remark in found.remarks)


class TestFactoryScene(SceneContract):
    folder = Path(__file__).parents[1]
