"""The published checks for this domain, its labels' names and its scene."""

from __future__ import annotations

from pathlib import Path

from prismata.domains import Domain
from prismata.testing.domain_contract import DomainContract
from prismata.testing.scene_contract import SceneContract

LABELS = (
    "Penalty", "Kick-off", "Goal", "Substitution", "Offside", "Shots on target",
    "Shots off target", "Clearance", "Ball out of play", "Throw-in", "Foul",
    "Indirect free-kick", "Direct free-kick", "Corner", "Yellow card", "Red card",
    "Yellow->red card",
)  # fmt: skip
"""The classes of SoccerNet-v2, as its files spell them."""


class TestSoccer(DomainContract):
    folder = Path(__file__).parents[1]

    def test_it_has_the_seventeen_actions_under_their_own_names(self, domain: Domain):
        titles = {item.title.replace("-", " ").casefold() for item in domain.event_types}
        assert titles == {label.replace("-", " ").casefold() for label in LABELS}

    def test_every_action_has_a_key(self, domain: Domain):
        assert len({item.hotkey for item in domain.event_types}) == len(LABELS)


class TestSoccerScene(SceneContract):
    folder = Path(__file__).parents[1]
    # Three seeds in a row deal out all plays once.
    seeds = range(3)
