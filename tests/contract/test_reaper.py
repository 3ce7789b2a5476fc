"""Who is taken for lost, with real catalogs and clocks that jump."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from prismata.catalog import Claimant, open_catalog
from prismata.core.jobs import JobState
from prismata.core.processes import ProcessIdentity, this_process
from prismata.jobs import Reaper

ELSEWHERE = ProcessIdentity("another machine", 1, "1")


class Clocks:
    """The wall clock of the catalog, which may jump, and one that only goes forward."""

    def __init__(self):
        self.wall = datetime(2031, 1, 1, tzinfo=UTC)
        self.steady = 0.0

    def pass_by(self, seconds):
        self.wall += timedelta(seconds=seconds)
        self.steady += seconds


@pytest.fixture
def clocks():
    return Clocks()


@pytest.fixture
def catalog(tmp_path, clocks):
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    with open_catalog(url, clock=lambda: clocks.wall) as opened:
        yield opened


@pytest.fixture
def reaper(catalog, clocks):
    return Reaper(catalog.leases, clock=lambda: clocks.steady)


def claim(catalog, process):
    job = catalog.jobs.submit("probe", {}, author="tester")
    claimant = Claimant("someone", process)
    return catalog.leases.claim(job.id, lease_seconds=45, claimant=claimant)


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1)])
@pytest.mark.parametrize("process", [this_process(), ELSEWHERE], ids=["here", "elsewhere"])
def test_a_clock_that_jumps_costs_nobody_a_job(catalog, reaper, clocks, jump, process):
    """J8: supervisors that go on renewing their lease keep it."""
    jobs = [claim(catalog, process) for _ in range(3)]
    assert reaper.look() == []
    clocks.wall += jump
    for _ in range(30):
        clocks.pass_by(5)
        assert reaper.look() == []
        for job in jobs:
            catalog.leases.heartbeat(job.id, job.lease_token, lease_seconds=45)


@pytest.mark.parametrize("jump", [timedelta(0), timedelta(hours=1), timedelta(hours=-1)])
@pytest.mark.parametrize("process", [this_process(), ELSEWHERE], ids=["here", "elsewhere"])
def test_a_lease_that_nobody_renews_is_taken_back_after_its_length(
    catalog, reaper, clocks, jump, process
):
    """A supervisor here that lives but is stuck counts like one that cannot be seen."""
    job = claim(catalog, process)
    assert reaper.look() == []
    clocks.wall += jump
    clocks.pass_by(45)
    assert reaper.look() == []
    clocks.pass_by(1)
    assert [one.id for one in reaper.look()] == [job.id]
    assert catalog.jobs.get(job.id).state is JobState.QUEUED
    assert reaper.look() == []


def test_a_supervisor_that_is_gone_from_this_machine_is_missed_at_the_first_look(catalog, reaper):
    here = claim(catalog, this_process())
    gone = claim(catalog, replace(this_process(), started="1"))
    assert [job.id for job in reaper.look()] == [gone.id]
    assert catalog.jobs.get(here.id).state is JobState.RUNNING


def test_a_job_that_was_claimed_anew_is_given_its_whole_lease(catalog, reaper, clocks):
    job = claim(catalog, ELSEWHERE)
    reaper.look()
    clocks.pass_by(46)
    assert reaper.look()
    again = catalog.leases.claim(
        job.id, lease_seconds=45, claimant=Claimant("someone else", ELSEWHERE)
    )
    assert reaper.look() == []
    clocks.pass_by(44)
    assert reaper.look() == []
    assert catalog.jobs.get(job.id) == again
