"""Whatever anybody does with a job, in any order, it never leaves the legal machine."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
FINAL = {"succeeded", "failed", "cancelled"}
LEASE = 45

STEPS = st.tuples(
    st.sampled_from(
        ["claim", "claim_next", "beat", "succeed", "fail", "cancel", "release", "ask", "reap"]
    ),
    st.sampled_from(["newest token", "oldest token", "made-up token"]),
    st.sampled_from([0, 20, 50]),
)


def take(catalog, job, step, token):
    """Do one thing to the job; a refusal is fine, as long as nothing changed."""
    jobs = catalog.jobs
    ends = {"succeed": JobState.SUCCEEDED, "fail": JobState.FAILED, "cancel": JobState.CANCELLED}
    if step == "claim":
        jobs.claim(job.id, lease_seconds=LEASE)
    elif step == "claim_next":
        jobs.claim_next([job.kind], LEASE)
    elif step == "beat":
        jobs.heartbeat(job.id, token, lease_seconds=LEASE, progress=0.5)
    elif step == "release":
        jobs.release(job.id, token)
    elif step == "ask":
        jobs.request_cancel(job.id)
    elif step == "reap":
        jobs.reap()
    else:
        cause = FailureCause.CRASHED if step == "fail" else None
        jobs.finish(job.id, token, state=ends[step], cause=cause)


def check_lawful(before, after, step, token, clock):
    assert after.state in LEGAL[before.state]
    assert (after.state == "running") == (after.lease_token is not None)
    assert (after.state in FINAL) == (after.finished_at is not None)
    assert (after.state != "failed") or after.cause is not None
    if before.state in FINAL:
        assert after == before
    claims = before.state == "queued" and after.state == "running"
    assert after.attempt == before.attempt + claims
    if claims:
        assert step in {"claim", "claim_next"}
    if before.state == "running" and step in {"beat", "succeed", "fail", "cancel", "release"}:
        assert (after != before) <= (token == before.lease_token)
    if before.state == "running" and after.cause is FailureCause.LOST:
        assert before.lease_until < clock.now


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
    catalog.jobs.reap()
    assert catalog.jobs.get(job.id).state in FINAL
