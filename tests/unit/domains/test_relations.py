from __future__ import annotations

import pytest

from prismata.core.errors import InvalidInputError
from prismata.domains import (
    Domain,
    Event,
    EventType,
    Exclusion,
    Implication,
    Remark,
    check_labels,
    register_domain,
)

SECOND = 1_000_000


def domain_of(*relations, **attributes):
    given = {
        "name": "court",
        "event_types": (
            EventType("hit"),
            EventType("bounce"),
            EventType("rally", "segment", min_seconds=2, max_seconds=10),
            EventType("pause", "segment"),
        ),
        "relations": relations,
        **attributes,
    }
    return register_domain(type("Court", (Domain,), given))()


def hit(seconds):
    return Event.point("hit", round(seconds * SECOND))


def bounce(seconds):
    return Event.point("bounce", round(seconds * SECOND))


def rally(start, end):
    return Event.segment("rally", round(start * SECOND), round(end * SECOND))


def pause(start, end):
    return Event.segment("pause", round(start * SECOND), round(end * SECOND))


def flagged(domain, *events):
    reviewed = check_labels(domain, events)
    assert reviewed.failure is None
    return [remark.event for remark in reviewed.remarks]


@pytest.mark.parametrize(
    ("events", "second_looks"),
    [
        ([rally(0, 4), pause(4, 6)], []),
        ([rally(0, 4), pause(3.9, 6)], [pause(3.9, 6)]),
        ([pause(0, 9), rally(1, 4), rally(5, 8)], [rally(1, 4), rally(5, 8)]),
        # The pause that ended is not the one that still goes on.
        ([pause(0, 9), pause(1, 2), rally(3, 6)], [rally(3, 6)]),
        ([rally(0, 4), rally(3, 6)], []),
    ],
)
def test_two_types_that_never_overlap_are_pointed_out_where_they_do(events, second_looks):
    assert flagged(domain_of(Exclusion("rally", "pause")), *events) == second_looks


@pytest.mark.parametrize(
    ("events", "second_looks"),
    [
        ([rally(0, 4), rally(4, 8)], []),
        ([rally(0, 4), rally(3, 8), rally(7, 10)], [rally(3, 8), rally(7, 10)]),
        ([rally(0, 9), rally(1, 4), rally(8, 11)], [rally(1, 4), rally(8, 11)]),
    ],
)
def test_a_type_can_exclude_itself(events, second_looks):
    assert flagged(domain_of(Exclusion("rally", "rally")), *events) == second_looks


@pytest.mark.parametrize(
    ("events", "second_looks"),
    [
        ([pause(1, 3), hit(3)], []),
        ([pause(1, 3), hit(2.5)], [hit(2.5)]),
        ([hit(1), pause(1, 3)], [pause(1, 3)]),
    ],
)
def test_a_point_overlaps_the_segment_it_lies_in(events, second_looks):
    assert flagged(domain_of(Exclusion("hit", "pause")), *events) == second_looks


def test_points_overlap_at_the_same_instant_only():
    domain = domain_of(Exclusion("hit", "bounce"))
    assert flagged(domain, hit(1), bounce(1.001)) == []
    assert flagged(domain, hit(1), bounce(1)) == [hit(1)]


@pytest.mark.parametrize(
    ("rule", "events", "alone"),
    [
        (Implication("rally", "hit", 0.5), [rally(1, 4), hit(1.5)], []),
        (Implication("rally", "hit", 0.5), [rally(1, 4), hit(1.6)], [rally(1, 4)]),
        (Implication("rally", "hit", 0), [rally(1, 4), hit(1)], []),
        (Implication("rally", "bounce", 1, near="end"), [rally(1, 4), bounce(5)], []),
        (Implication("rally", "bounce", 1, near="end"), [rally(1, 4), bounce(1)], [rally(1, 4)]),
        (Implication("hit", "bounce", 2, order="after"), [bounce(1), hit(2)], [hit(2)]),
        (Implication("hit", "bounce", 2, order="after"), [hit(2), bounce(4)], []),
        (Implication("hit", "bounce", 2, order="before"), [hit(2), bounce(3)], [hit(2)]),
        (Implication("hit", "hit", 5, order="after"), [hit(1), hit(3)], [hit(3)]),
        # Near anywhere: inside the segment, or within reach of either end.
        (Implication("hit", "rally", 0, near="anywhere"), [rally(0, 9), hit(5)], []),
        (Implication("hit", "rally", 1, near="anywhere"), [rally(0, 3), hit(3.9)], []),
        (Implication("hit", "rally", 1, near="anywhere"), [rally(0, 3), hit(4.1)], [hit(4.1)]),
        (Implication("hit", "rally", 1, near="anywhere"), [hit(4), rally(5, 8)], []),
        # The long one that still goes on counts, however many short ones came since.
        (
            Implication("hit", "pause", 0, near="anywhere"),
            [pause(0, 60), pause(1, 2), pause(2, 3), hit(50)],
            [],
        ),
    ],
)
def test_an_event_that_comes_alone_is_pointed_out(rule, events, alone):
    assert flagged(domain_of(rule, event_types=domain_of().event_types), *events) == alone


def test_a_length_outside_the_bounds_of_the_type_is_pointed_out():
    domain = domain_of()
    assert flagged(domain, rally(0, 2), rally(3, 13)) == []
    assert flagged(domain, rally(0, 1.9), rally(3, 13.1), pause(20, 90)) == [
        rally(0, 1.9),
        rally(3, 13.1),
    ]


def test_the_sentences_say_what_where_and_which_rule():
    domain = domain_of(
        Exclusion("rally", "pause"),
        Implication("rally", "hit", 0.5, order="before"),
        Implication("pause", "rally", 0, near="end"),
    )
    said = [
        remark.sentence for remark in check_labels(domain, [rally(1, 2), pause(1.5, 9)]).remarks
    ]
    assert said == [
        "'Rally' at 0:01.000 lasts 1 s, less than 2 s",
        "'Rally' at 0:01.000 has no 'Hit' before it, within 0.5 s of its start",
        "'Pause' at 0:01.500 overlaps 'Rally' at 0:01.000, and these never overlap",
        "'Pause' at 0:01.500 has no 'Rally' at its end",
    ]


def test_labels_of_a_type_that_is_not_declared_any_more_are_left_in_peace():
    domain = domain_of(Exclusion("rally", "pause"))
    assert flagged(domain, Event.segment("let", 0, 5), rally(1, 4)) == []


def test_the_sentences_of_the_review_hook_come_with_those_of_the_rules():
    def review(self, events):
        yield "there is no umpire"
        yield Remark("this hit is too early", events[0])

    domain = domain_of(Exclusion("hit", "bounce"), review=review)
    said = check_labels(domain, [bounce(1), hit(1), hit(0.5)]).remarks
    assert [(remark.sentence, remark.event) for remark in said] == [
        ("there is no umpire", None),
        ("this hit is too early", hit(0.5)),
        ("'Hit' at 0:01.000 overlaps 'Bounce' at 0:01.000, and these never overlap", hit(1)),
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Exclusion("Rally", "pause"), "event type 'Rally' cannot be used as a name"),
        (lambda: Implication("a", "b", -1), "must lie in 0..86400"),
        (lambda: Implication("a", "b", float("nan")), "must lie in 0..86400"),
        (lambda: Implication("a", "b", True), "must lie in 0..86400"),
        (lambda: Implication("a", "b", 1, near="middle"), "it can be start, end, anywhere"),
        (lambda: Implication("a", "b", 1, order="later"), "it can be either, before, after"),
        (lambda: Implication("a", "a", 1), "would go with itself"),
    ],
)
def test_a_rule_that_cannot_be_one_is_refused_where_it_is_written(make, message):
    with pytest.raises(InvalidInputError, match=message):
        make()


@pytest.mark.parametrize(
    ("relations", "message"),
    [
        ((Exclusion("rally", "serve"),), "relation of 'serve', which is none of its event types"),
        (("rally",), "each must be an Exclusion or an Implication"),
        ([Exclusion("rally", "pause")], "it must be a tuple"),
    ],
)
def test_a_domain_whose_rules_do_not_fit_its_types_is_refused(relations, message):
    with pytest.raises(InvalidInputError, match=message):
        register_domain(
            type(
                "Court",
                (Domain,),
                {
                    "name": "court",
                    "event_types": (EventType("rally", "segment"), EventType("pause", "segment")),
                    "relations": relations,
                },
            )
        )
