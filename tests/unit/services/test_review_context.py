"""What is played around a finding counts as watched: no more than that, and not for good."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismata.core.coverage import CoverageSpan, paint
from prismata.core.errors import ConflictError
from prismata.core.events import Event
from prismata.core.time import TimeSpan
from prismata.services.annotate import LabelDesk
from prismata.services.datasets import create_dataset
from prismata.services.labels import add_label
from prismata.services.review import ReviewDesk, Verdict
from prismata.services.review_context import context_operation, context_taken_back

DURATION = 60
spans = st.tuples(st.integers(0, DURATION - 1), st.integers(1, 20)).map(
    lambda pair: TimeSpan(pair[0], pair[0] + pair[1])
)
states = st.sampled_from(["watched", "skipped"])


@st.composite
def coverages(draw):
    """Coverage as a sheet has it: sorted, disjoint, joined."""
    painted = ()
    for span, state in draw(st.lists(st.tuples(spans, states), max_size=4)):
        end = min(span.end_us, DURATION)
        inside = (CoverageSpan(span.start_us, end, state),)
        painted = paint(painted, span.start_us, end, inside)
    return painted


def instants(found):
    return {us for span in found for us in range(span.start_us, span.end_us)}


def applied(operation, coverage):
    after = operation.after
    inside = [CoverageSpan(*item) for item in after["spans"]]
    return paint(coverage, after["start_us"], after["end_us"], inside)


@given(coverages(), st.lists(spans, max_size=4), st.lists(spans, max_size=4))
def test_exactly_what_was_played_and_is_settled_becomes_watched(coverage, seen, still_open):
    operation = context_operation("a" * 32, seen, still_open, coverage, duration_us=DURATION)
    wanted = instants(seen) - instants(still_open) - instants(coverage)
    wanted &= set(range(DURATION))
    if operation is None:
        assert not wanted
        return
    after = applied(operation, coverage)
    assert instants(after) - instants(coverage) == wanted
    watched = [span for span in after if span.state == "watched"]
    assert wanted <= instants(watched)
    skipped = [span for span in coverage if span.state == "skipped"]
    assert instants(skipped) == instants([span for span in after if span.state == "skipped"])


@given(coverages(), st.lists(spans, max_size=4), spans)
def test_taken_back_nothing_of_it_is_left(coverage, seen, later):
    operation = context_operation("a" * 32, seen, [], coverage, duration_us=DURATION)
    if operation is None:
        return
    after = applied(operation, coverage)
    back = context_taken_back("b" * 32, "a" * 32, operation.before, operation.after, after)
    assert applied(back, after) == coverage
    # Somebody watched more since: what the decision made known is unknown all the same.
    inside = (CoverageSpan(later.start_us, later.end_us, "watched"),)
    more = paint(after, later.start_us, later.end_us, inside)
    back = context_taken_back("b" * 32, "a" * 32, operation.before, operation.after, more)
    assert back.before["spans"] != back.after["spans"]
    assert not instants(applied(back, more)) & (instants(after) - instants(coverage))


@pytest.fixture
def desk(bench):
    return ReviewDesk(bench, LabelDesk(bench))


@pytest.fixture
def run(video, flashes, add_bundle, finished_run):
    return finished_run(video, add_bundle(), flashes)


def second(number):
    return round(number * 1e6)


def verdict(run, span, decision="accepted", *, around=0.4, **more):
    seen = TimeSpan(max(0, span.start_us - second(around)), span.end_us + second(around))
    told = {"event_type": "flash", "reason": "doubt", "seen": (seen,)} | more
    return Verdict(uuid.uuid4().hex, run.id, span=span, decision=decision, **told)


@pytest.fixture
def found(desk, run):
    """Where candidates lie, in order."""
    cards = desk.queue("flashes", order="time").cards
    return sorted(card.item.span for card in cards)


def watched(bench, video):
    sheet = bench.catalog.labels.sheet(video.id, "flashes")
    return [span.span for span in sheet.coverage if span.state == "watched"]


@pytest.mark.parametrize("decision", ["accepted", "rejected"])
def test_the_next_dataset_version_knows_what_lies_around(bench, desk, run, video, found, decision):
    if decision == "rejected":
        add_label(bench, video, "flashes", Event.point("flash", found[-1].start_us))
    made = verdict(run, found[0], decision)
    desk.decide(made, "ada")
    (seen,) = watched(bench, video)
    assert seen == TimeSpan(max(0, made.seen[0].start_us), made.seen[0].end_us)
    version, _ = create_dataset(bench, "flashes", val_share=0)
    assert any(
        known.start_us <= seen.start_us and seen.end_us <= known.end_us
        for known in version.known[video.id]
    )


def test_a_candidate_that_nobody_judged_stays_open_in_the_middle_of_it(
    bench, desk, run, video, found
):
    first, other = found[:2]
    everything = (TimeSpan(0, video.duration_us),)
    desk.decide(verdict(run, first, seen=everything), "ada")
    spans = watched(bench, video)
    assert any(span.start_us <= first.start_us < span.end_us for span in spans)
    for candidate in found[1:]:
        assert not any(span.start_us <= candidate.start_us < span.end_us for span in spans)
    left = sorted(card.item.span for card in desk.queue("flashes", order="time").cards)
    assert left == found[1:]
    assert other in left


@pytest.mark.parametrize("more", [{"seen": ()}, {"decision": "unsure"}])
def test_nothing_is_said_of_what_was_not_played_or_is_in_doubt(
    bench, desk, run, video, found, more
):
    desk.decide(verdict(run, found[0], **more), "ada")
    assert watched(bench, video) == []


def test_undo_takes_the_label_and_what_lies_around_back(bench, desk, run, video, found):
    first = desk.decide(verdict(run, found[0]), "ada")
    before = watched(bench, video)
    other = desk.decide(verdict(run, found[1], "rejected"), "ada")
    assert watched(bench, video) != before
    desk.undo(other.id, "ada")
    assert watched(bench, video) == before
    desk.undo(first.id, "ada")
    assert watched(bench, video) == []
    assert bench.catalog.events.list(origin="annotation") == []


def test_sent_twice_it_counts_once(bench, desk, run, video, found):
    told = verdict(run, found[0])
    desk.decide(told, "ada")
    seq = bench.catalog.labels.sheet(video.id, "flashes").seq
    desk.decide(told, "ada")
    assert bench.catalog.labels.sheet(video.id, "flashes").seq == seq


def test_who_decides_otherwise_says_nothing_of_the_time_either(bench, desk, run, video, found):
    desk.decide(verdict(run, found[0], "rejected"), "ada")
    before = watched(bench, video)
    with pytest.raises(ConflictError, match="their decision stands"):
        desk.decide(verdict(run, found[0], around=0.9), "bob")
    assert watched(bench, video) == before
