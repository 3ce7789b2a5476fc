"""The published checks for this domain, its labels' names and its scene."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np

from prismata.core.time import FrameTimeline
from prismata.domains import Domain, load_plugin
from prismata.formats import plan_import, read_labels_v2
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


class TestLabelsV2:
    def test_a_file_of_soccernet_needs_no_map(self):
        soccer = load_plugin(Path(__file__).parents[1])()
        annotations = [
            {"gameTime": f"1 - 00:{number:02d}", "label": label, "position": str(number * 1000)}
            for number, label in enumerate(LABELS)
        ]
        rows = read_labels_v2(
            json.dumps({"UrlLocal": "league/game/", "annotations": annotations}),
            videos=("league/game/1_224p.mkv",),
        ).rows
        timeline = FrameTimeline.from_pts(np.arange(25 * 20), time_base=Fraction(1, 25))
        known = {"league/game/1_224p.mkv": ("half", timeline)}
        plan = plan_import(rows, known, soccer.event_types)
        assert (plan.num_events, plan.unknown_labels, plan.findings) == (17, (), ())
        (video,) = plan.videos
        said = [item.event.event_type for item in video.events]
        assert said == list(soccer.event_names)
