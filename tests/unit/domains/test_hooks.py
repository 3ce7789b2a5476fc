from __future__ import annotations

import itertools

import pytest

from prismata.core.errors import InvalidInputError
from prismata.domains import (
    DerivedEvent,
    DescribedEvent,
    Domain,
    Event,
    EventType,
    Exclusion,
    ReportSection,
    ReportTable,
    ReportVideo,
    ask_section,
    check_labels,
    derive_events,
    load_plugin,
    register_domain,
)

SECOND = 1_000_000
EVENTS = [Event.point("hit", 2 * SECOND), Event.point("hit", SECOND)]
VIDEO = ReportVideo("court.mp4", 9 * SECOND, tuple(sorted(EVENTS)))

HOOKS = """
    derived_types = (EventType("game", "segment", title="A game"),)

    def review(self, events):
        yield "one sentence"
        raise ValueError("no  such\\n court")

    def derive(self, events, scores):
        return 1 / 0

    def report_section(self, videos):
        return helper(videos)

def helper(videos):
    return videos[7]
"""


def declare(**attributes):
    given = {
        "name": "court",
        "event_types": (EventType("hit"),),
        "derived_types": (EventType("game", "segment", title="A game"),),
        "derive": lambda self, events, scores: (),
        **attributes,
    }
    return register_domain(type("Court", (Domain,), given))()


def test_a_hook_that_raises_is_told_with_its_file_and_line(write_plugin):
    folder = write_plugin("court", extra=HOOKS)
    domain = load_plugin(folder)()
    lines = (folder / "domain.py").read_text().splitlines()

    def line_of(text):
        return next(number for number, line in enumerate(lines, start=1) if text in line)

    _, section = ask_section(domain, [VIDEO])
    said = {
        "review": check_labels(domain, EVENTS).failure,
        "derive": derive_events(domain, EVENTS, None).failure,
        "report_section": section,
    }
    assert {name: (item.message, item.line) for name, item in said.items()} == {
        "review": ("ValueError: no such court", line_of("raise ValueError")),
        "derive": ("ZeroDivisionError: division by zero", line_of("1 / 0")),
        "report_section": ("IndexError: tuple index out of range", line_of("videos[7]")),
    }
    assert str(said["derive"]) == (
        "the derive hook of domain 'court' failed: ZeroDivisionError: division by zero "
        f"(court/domain.py, line {line_of('1 / 0')})"
    )


def test_rules_still_speak_where_the_review_hook_fails():
    def review(self, events):
        raise SystemExit("gone")

    reviewed = check_labels(
        declare(relations=(Exclusion("hit", "hit"),), review=review), [EVENTS[0], EVENTS[0]]
    )
    assert len(reviewed.remarks) == 1
    assert reviewed.failure.message == "SystemExit: gone"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("a game", "it made 'a'; make an Event or a DerivedEvent"),
        (None, "TypeError: 'NoneType' object is not iterable"),
        ([Event.point("set", 0)], r"it made 'set', which is none of its derived types \(game\)"),
        ([Event.point("hit", 0)], "it made 'hit', which is none of its derived types"),
        ([Event.point("game", 0)], "it made a point of 'game'"),
        ([DerivedEvent(Event.segment("game", 0, 1), 3)], "the title of a derived event is text"),
        ([DerivedEvent("game")], "it made 'game'; make an Event"),
    ],
)
def test_what_derive_must_not_return_is_a_failure_and_no_event(made, message):
    derived = derive_events(declare(derive=lambda self, events, scores: made), EVENTS, None)
    assert derived.events == ()
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(str(derived.failure))


def test_derived_events_come_by_time_with_the_title_of_their_type_if_they_have_none():
    game = Event.segment("game", 5 * SECOND, 6 * SECOND)
    first = DerivedEvent(Event.segment("game", 0, SECOND), "game 1")
    domain = declare(derive=lambda self, events, scores: iter([game, first]))
    derived = derive_events(domain, EVENTS, None)
    assert derived.failure is None
    assert derived.events == (first, DerivedEvent(game, "A game"))


def test_hooks_get_events_by_time_with_what_people_said_and_cannot_change_the_list():
    seen = []

    def derive(self, events, scores):
        seen.extend((event.start_us, dict(event.attributes)) for event in events)
        events.clear()

    described = [DescribedEvent.of(EVENTS[0], {"out": True}), EVENTS[1]]
    derived = derive_events(declare(derive=derive), described, None)
    assert seen == [(SECOND, {}), (2 * SECOND, {"out": True})]
    assert "AttributeError" in derived.failure.message
    assert len(described) == 2


def test_hooks_that_never_stop_do_not_fill_the_memory():
    def forever(self, events, scores=None):
        return (f"sentence {number}" for number in itertools.count())

    assert len(check_labels(declare(review=forever), EVENTS).remarks) == 1000
    games = declare(derive=lambda self, e, s: itertools.repeat(Event.segment("game", 0, 1)))
    assert len(derive_events(games, EVENTS, None).events) == 20_000


@pytest.mark.parametrize("said", ["", 7, None, "  "])
def test_a_review_hook_that_says_nothing_readable_has_failed(said):
    reviewed = check_labels(declare(review=lambda self, events: [said]), EVENTS)
    assert reviewed.failure.hook == "review"
    assert reviewed.remarks == ()


def test_a_section_is_returned_as_it_is_and_anything_else_is_a_failure():
    section = ReportSection("Games", ("Two hits.",), ReportTable(("Game",), (("1",),), "All."))
    assert ask_section(declare(report_section=lambda self, videos: section), [VIDEO]) == (
        section,
        None,
    )
    assert ask_section(declare(), [VIDEO]) == (None, None)
    nothing, failure = ask_section(declare(report_section=lambda self, v: "<b>Games</b>"), [VIDEO])
    assert nothing is None
    assert "return a ReportSection or None" in str(failure)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReportSection(""), "needs a title"),
        (lambda: ReportSection("T", "one paragraph"), r"write `\(text,\)`"),
        (lambda: ReportSection("T", (7,)), "holds text, not 7"),
        (lambda: ReportSection("T", ("x" * 2001,)), "at most 2000 characters"),
        (lambda: ReportSection("T", ("x",) * 21), "at most 20 paragraphs"),
        (lambda: ReportSection("T", (), "a table"), "has a ReportTable"),
        (lambda: ReportTable((), (), "c"), "1 to 12 columns, not 0"),
        (lambda: ReportTable(("a", "b"), (("1",),), "c"), "each row of the table has 2 cells"),
        (lambda: ReportTable(("a",), ("1",), "c"), "each row of the table has 1 cells"),
        (lambda: ReportTable(("a",), ((1,),), "c"), "holds text, not 1"),
        (lambda: ReportTable(("a",), (("1",),) * 501, "c"), "at most 500 rows, not 501"),
    ],
)
def test_a_section_that_no_page_could_show_is_refused_where_it_is_made(make, message):
    with pytest.raises(InvalidInputError, match=message):
        make()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"derive": Domain.derive}, "derives events, but has no derive method"),
        ({"derived_types": ()}, "derives events, but has no derived_types"),
        ({"derived_types": (EventType("hit"),)}, "declares event type 'hit' twice"),
        ({"derived_types": (EventType("game", hotkey="g"),)}, "neither a hotkey nor attributes"),
        ({"derived_types": ["game"]}, "it must be a tuple"),
    ],
)
def test_a_declaration_of_derived_types_that_does_not_fit_is_refused(attributes, message):
    with pytest.raises(InvalidInputError, match=message):
        declare(**attributes)


def test_derived_types_get_colours_of_their_own():
    domain = declare()
    assert domain.derived_types[0].color not in {"", domain.event_types[0].color}
    assert domain.event_names == ("hit",)
