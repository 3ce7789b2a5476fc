"""Queued jobs wait in the order that people want, and paused ones are nobody's."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prismata.catalog import Offer
from prismata.core.errors import BusyError, ConflictError, NotFoundError
from prismata.core.jobs import FailureCause, JobState

KINDS = ["walk"]


def submit(catalog, clock, count, **more):
    made = []
    for _ in range(count):
        clock.advance(1)
        made.append(catalog.jobs.submit("walk", {}, author="anna", **more).id)
    return made


def claim_all(catalog):
    """The ids in the order in which a worker gets them; all of them end."""
    taken = []
    while (job := catalog.leases.claim_next(Offer(KINDS), 45)) is not None:
        taken.append(job.id)
        catalog.leases.end_attempt(job.id, job.lease_token, state=JobState.SUCCEEDED)
    return taken


def test_a_paused_job_is_passed_over_until_it_is_resumed(catalog, clock):
    first, second = submit(catalog, clock, 2)
    assert catalog.queue_order.hold(first).held
    assert catalog.jobs.get(first).held
    assert claim_all(catalog) == [second]
    assert not catalog.leases.has_queued(Offer(KINDS))
    assert not catalog.queue_order.release(first).held
    assert catalog.leases.has_queued(Offer(KINDS))
    assert claim_all(catalog) == [first]


def test_a_paused_job_cannot_be_claimed_by_name_either(catalog, clock):
    (job,) = submit(catalog, clock, 1)
    catalog.queue_order.hold(job)
    with pytest.raises(ConflictError, match="is paused; resume it first"):
        catalog.leases.claim(job, lease_seconds=45)
    assert catalog.jobs.get(job).attempt == 0


def test_a_paused_job_can_be_cancelled_and_stands_in_the_way_of_the_same_work(catalog, clock):
    (job,) = submit(catalog, clock, 1, dedupe_key="k")
    catalog.queue_order.hold(job)
    with pytest.raises(BusyError, match="it is paused"):
        submit(catalog, clock, 1, dedupe_key="k")
    assert catalog.jobs.request_cancel(job).state is JobState.CANCELLED
    submit(catalog, clock, 1, dedupe_key="k")


@pytest.mark.parametrize("action", ["hold", "release", "move_first"])
def test_only_what_waits_can_be_arranged(catalog, clock, action):
    (job,) = submit(catalog, clock, 1)
    lease = catalog.leases.claim(job, lease_seconds=45)
    with pytest.raises(ConflictError, match=r"is running, so it cannot be .*only jobs that wait"):
        getattr(catalog.queue_order, action)(job)
    catalog.leases.end_attempt(job, lease.lease_token, state=JobState.SUCCEEDED)
    with pytest.raises(ConflictError, match="is succeeded"):
        getattr(catalog.queue_order, action)(job)
    with pytest.raises(NotFoundError):
        getattr(catalog.queue_order, action)("nobody")


def test_one_goes_first(catalog, clock):
    a, b, c = submit(catalog, clock, 3)
    catalog.queue_order.move_first(c)
    catalog.queue_order.move_first(b)
    catalog.queue_order.move_first(b)
    assert claim_all(catalog) == [b, c, a]


def test_one_goes_before_another_and_the_rest_stays(catalog, clock):
    a, b, c, d = submit(catalog, clock, 4)
    catalog.queue_order.move_before(d, b)
    assert claim_all(catalog) == [a, d, b, c]


def test_one_cannot_go_before_what_has_begun(catalog, clock):
    a, b = submit(catalog, clock, 2)
    catalog.leases.claim(a, lease_seconds=45)
    with pytest.raises(ConflictError, match="does not wait any more"):
        catalog.queue_order.move_before(b, a)
    with pytest.raises(ConflictError, match="is running"):
        catalog.queue_order.move_before(a, b)
    assert catalog.jobs.get(b).rank == 0, "nothing half-done"


def test_what_is_tried_again_keeps_its_place(catalog, clock):
    a, b = submit(catalog, clock, 2)
    catalog.queue_order.move_first(b)
    lease = catalog.leases.claim(b, lease_seconds=45)
    catalog.leases.end_attempt(
        b, lease.lease_token, state=JobState.FAILED, cause=FailureCause.CRASHED
    )
    assert claim_all(catalog) == [b, a]


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    moves=st.lists(
        st.tuples(st.sampled_from(["first", "before"]), st.integers(0, 5), st.integers(0, 5)),
        max_size=10,
    ),
    same_ranks=st.booleans(),
)
def test_any_moves_give_the_order_that_a_list_would(catalog, clock, moves, same_ranks):
    ranks = itertools.repeat(0) if same_ranks else itertools.count(0, -1)
    expected = [submit(catalog, clock, 1, rank=next(ranks))[0] for _ in range(6)]
    if not same_ranks:
        expected.reverse()
    for kind, which, where in moves:
        job, other = expected[which], expected[where]
        if kind == "first":
            catalog.queue_order.move_first(job)
            expected.remove(job)
            expected.insert(0, job)
        else:
            catalog.queue_order.move_before(job, other)
            if job != other:
                expected.remove(job)
                expected.insert(expected.index(other), job)
    assert claim_all(catalog) == expected
