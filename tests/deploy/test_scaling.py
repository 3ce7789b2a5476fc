"""GPU machines come and go by the rules in Terraform: simulated, with a clock of its own.

`benchmarks/gpu_fleet.py` plays whole days and says what they cost.
"""

from dataclasses import replace

import pytest

pytest.importorskip("hcl2", reason="python-hcl2 is not installed")
pytest.importorskip("moto", reason="moto is not installed")

from gpu_fleet import Scenario, Simulation
from gpu_fleet_rules import MissingDataError, evaluate, read_rules

BUSY = Scenario("three jobs", 0.7, [(1.0, 5.0)] * 3, boot_minutes=2.0)
TAKEN = Scenario("spot", 1.2, [(1.0, 15.0)] * 2, 2.0, taken_every_minutes=25.0, seed=2)
MUST_NOT_BE = {
    "machines that scale-in may take": {"is_protected": False},
    "a policy that scales in": {"more_scales_in": True},
    "an idle machine that leaves its place behind": {"leaving_lowers": False},
    "an alarm that nothing sets off": {"first_threshold": 2.0},
}


@pytest.fixture(scope="module")
def rules():
    return read_rules()


@pytest.mark.parametrize("scenario", [BUSY, TAKEN], ids=lambda scenario: scenario.name)
def test_machines_come_for_jobs_and_are_gone_after_them(scenario, rules, tmp_path):
    report = Simulation(scenario, rules, tmp_path).run()
    assert report.broken == []
    assert report.finished_once == len(scenario.jobs)
    assert report.ends_with == 0, "0 → N → 0"
    assert report.most_machines == rules.max_machines
    assert report.starts == report.left_idle + report.taken_away
    assert bool(report.taken_away) is bool(scenario.taken_every_minutes)
    assert report.dollars(rules)["spot"] == round(report.machine_hours * rules.spot_dollars, 2)


@pytest.mark.parametrize("what", MUST_NOT_BE)
def test_a_rule_that_is_wrong_is_noticed(what, rules, tmp_path):
    wrong = replace(rules, **MUST_NOT_BE[what])
    report = Simulation(BUSY, wrong, tmp_path).run()
    assert report.broken or report.ends_with or report.finished_once < len(BUSY.jobs)


def test_the_rules_are_those_of_the_environment(rules):
    """Not of the module alone, whose defaults nobody has to use."""
    assert rules.first_to == 1
    assert evaluate(rules.first_when, {"open_jobs": 1.0, "machines": None}) == 1
    assert evaluate(rules.first_when, {"open_jobs": 5.0, "machines": 1.0}) == 0
    assert evaluate(rules.more_value, {"open_jobs": 5.0, "machines": 0.0}) == 0
    assert evaluate(rules.more_value, {"open_jobs": 5.0, "machines": 2.0}) == 2.5
    with pytest.raises(MissingDataError):
        evaluate(rules.first_when, {"open_jobs": None, "machines": 1.0})
    with pytest.raises(ValueError, match="does not know"):
        evaluate("open_jobs * 2", {"open_jobs": 1.0})
