"""J7: workers in processes of their own race for one job; a small `benchmarks/job_races.py`."""

from __future__ import annotations

from job_races import race

from prismata.catalog import open_catalog


def test_a_job_that_three_processes_claim_at_once_has_one_winner(empty_url):
    open_catalog(empty_url).close()
    counted = race(empty_url, races=30, claimers=3)
    wrong = {name: counted[name] for name in ("double_wins", "not_won", "attempts_too_many")}
    assert wrong == {"double_wins": 0, "not_won": 0, "attempts_too_many": 0}
    assert counted["wins"] == counted["jobs"] == 45
