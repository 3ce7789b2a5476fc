"""Whatever anybody does with a job, in any order, it never leaves the legal machine."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prismata.catalog import Offer
from prismata.core.errors import ConflictError
from prismata.core.jobs import FailureCause, JobState

# Written out a second time on purpose: the test must not ask the code what is right.
LEGAL = {
    "queued": {"queued", "running", "cancelled"},
    "running": {"running", "succeeded", "failed", "cancelled", "queued"},
    "succeeded": {"succeeded"},
    "failed": {"failed"},
    "cancelled": {"cancelled"},
}
# How often an attempt may fail for a cause before the job does.
ALLOWED = {
    "user_error": 0,
    "out_of_memory": 1,
    "crashed": 1,
    "killed": 1,
    "stalled": 1,
    "lost": 3,
    "preempted": float("inf"),
    "storage": 5,
    "bug": 0,
}
FINAL = {"succeeded", "failed", "cancelled"}
LEASE = 45

BY_ANYBODY = ("ask", "reap", "hold", "release")
"""What needs no token."""

STEPS = st.tuples(
    st.sampled_from(
        ["claim", "claim_next", "beat", "succeed", "cancel", *BY_ANYBODY, *FailureCause]
    ),
    st.sampled_from(["newest token", "oldest token", "made-up token"]),
    st.sampled_from([0, 20, 50]),
)


def take(catalog, job, step, token):
    """Do one thing to the job; a refusal is fine, as long as nothing changed."""
    leases = catalog.leases
    ends = {"succeed": JobState.SUCCEEDED, "cancel": JobState.CANCELLED}
    if step == "claim":
        leases.claim(job.id, lease_seconds=LEASE)
    elif step == "claim_next":
        leases.claim_next(Offer([job.kind]), LEASE)
    elif step == "beat":
        leases.heartbeat(job.id, token, lease_seconds=LEASE, progress=0.5)
    elif step in {"hold", "release"}:
        getattr(catalog.queue_order, step)(job.id)
    elif step == "ask":
        catalog.jobs.request_cancel(job.id)
    elif step == "reap":
        leases.reap()
    elif step in ends:
        leases.end_attempt(job.id, token, state=ends[step])
    else:
        leases.end_attempt(job.id, token, state=JobState.FAILED, cause=FailureCause(step))


def check_lawful(before, after, step, token, clock):
    assert after.state in LEGAL[before.state]
    assert (after.state == "running") == (after.lease_token is not None)
    assert (after.state in FINAL) == (after.finished_at is not None)
    assert (after.state != "failed") or after.cause is not None
    if before.state in FINAL:
        assert after == before
    claims = before.state == "queued" and after.state == "running"
    assert after.attempt == before.attempt + claims
    if step in {"hold", "release"}:
        assert after.state == before.state
    if claims:
        assert not before.held
        assert step in {"claim", "claim_next"}
    failed = before.state == "running" and after.failures != before.failures
    if before.state == "running" and step not in {"claim", "claim_next", *BY_ANYBODY}:
        assert (after != before) <= (token == before.lease_token)
    if failed:
        (cause,) = {
            name for name in after.failures if after.failures[name] != before.failures.get(name)
        }
        assert after.failures[cause] == before.failures.get(cause, 0) + 1
        may_go_on = after.failures[cause] <= ALLOWED[cause] and not before.cancel_requested
        assert (after.state == "queued") == may_go_on
        assert (after.not_before is not None) == (may_go_on and cause == "storage")
    if failed and step == "reap":
        assert before.lease_until < clock.now
    assert (after.cause is None) == (after.state != "failed")


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(STEPS, max_size=12))
def test_a_random_walk_never_leaves_the_legal_machine(catalog, clock, steps):
    # Reaping at a walk's end keeps its job out of the next walk's way.
    job = catalog.jobs.submit("walk", {}, author="anna")
    tokens = ["made-up"]
    for step, which, seconds in steps:
        clock.advance(seconds)
        token = {"newest token": tokens[-1], "oldest token": tokens[0]}.get(which, "made-up")
        before = catalog.jobs.get(job.id)
        refused = False
        try:
            take(catalog, before, step, token)
        except ConflictError:
            refused = True
        after = catalog.jobs.get(job.id)
        check_lawful(before, after, step, token, clock)
        assert not (refused and after != before)
        if after.lease_token is not None and after.lease_token != tokens[-1]:
            assert after.lease_token not in tokens
            tokens = [*tokens[tokens[0] == "made-up" :], after.lease_token]
    if catalog.jobs.get(job.id).state == "queued":
        catalog.jobs.request_cancel(job.id)
    clock.advance(LEASE + 1)
    if catalog.jobs.get(job.id).state == "running":
        catalog.jobs.request_cancel(job.id)
        clock.advance(LEASE + 1)
        catalog.leases.reap()
    assert catalog.jobs.get(job.id).state in FINAL
