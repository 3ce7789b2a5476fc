"""Our SoccerNet mode says what SoccerNet's own program says."""

import json
from pathlib import Path

import pytest

from prismata.core.events import Event
from prismata.evaluation.soccernet import soccernet_scores

GOLDEN = json.loads(Path(__file__).with_name("soccernet.json").read_text(encoding="utf-8"))


def halves(case, what):
    def event(name, instant_ms, score=None):
        return Event.point(name, instant_ms * 1000, score)

    return {
        f"half-{number}": [event(*row) for row in half[what]]
        for number, half in enumerate(case["halves"])
    }


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_every_number_is_theirs(case):
    ours = soccernet_scores(halves(case, "truth"), halves(case, "found"), GOLDEN["types"])
    theirs = case["scores"]
    assert ours.tight == pytest.approx(theirs["tight"]["mean"], abs=1e-9)
    assert ours.loose == pytest.approx(theirs["loose"]["mean"], abs=1e-9)
    assert ours.tight_by_type == pytest.approx(theirs["tight"]["by_type"], abs=1e-9)
    assert ours.loose_by_type == pytest.approx(theirs["loose"]["by_type"], abs=1e-9)
    for delta, score in ours.at.items():
        assert score == pytest.approx(theirs[f"at{delta}"]["mean"], abs=1e-9)
    assert 0 < ours.tight < ours.loose < 1, "a case that says nothing proves nothing"
