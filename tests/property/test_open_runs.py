"""What is said of runs that are still going comes true."""

import copy
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from prismata.core.events import Event, EventType
from prismata.core.recipes import GroupingRule
from prismata.core.time import to_us
from prismata.postprocess import Announcer, Run, StreamingGrouper

TYPES = (EventType("fall", kind="segment"), EventType("goal"))


@st.composite
def tracks(draw):
    """Instants, scores of two event types, rules, and a way to cut the track into pieces."""
    count = draw(st.integers(1, 60))
    levels = st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.6, 0.9, 1.0])
    rows = draw(st.lists(st.tuples(levels, levels), min_size=count, max_size=count))
    step = st.one_of(st.just(100_000), st.integers(1_000, 200_000))
    times = np.cumsum(draw(st.lists(step, min_size=count, max_size=count)))
    rule = st.builds(
        GroupingRule,
        threshold=st.sampled_from([0.3, 0.5, 0.9]),
        leave_ratio=st.sampled_from([0.3, 0.5, 1.0]),
        min_gap_seconds=st.sampled_from([0.0, 0.1, 0.35, 2.0]),
        min_seconds=st.sampled_from([0.0, 0.25, 1.0]),
    )
    rules = {item.name: draw(rule) for item in TYPES}
    cuts = sorted(draw(st.sets(st.integers(1, count), max_size=12)) | {count})
    return times.astype(np.int64), np.array(rows, np.float32), rules, cuts


def play(times, scores, rules, cuts):
    """Push a track in pieces; yield the open runs after each, and in the end what was closed."""
    grouper = StreamingGrouper(TYPES, rules)
    closed, start = [], 0
    for stop in cuts:
        closed += grouper.push_runs(times[start:stop], scores[start:stop])
        yield grouper.open_runs(), list(closed)
        start = stop
    closed += grouper.finish_runs(int(times[-1]) + 100_000)
    assert grouper.open_runs() == []
    yield [], closed


@settings(max_examples=400, deadline=None)
@given(tracks())
def test_every_announced_run_closes_once_under_its_id_and_only_grows(case):
    announced: dict[str, Event] = {}
    closed: list[Run] = []
    for still_open, closed in play(*case):
        assert not {run.id for run in still_open} & {run.id for run in closed}
        assert len({run.id for run in still_open}) == len(still_open) <= len(TYPES)
        for run in still_open:
            before = announced.get(run.id)
            if before is not None:
                assert run.event.score >= before.score
                if run.event.kind == "segment":
                    assert run.event.start_us == before.start_us
                    assert run.event.end_us >= before.end_us
            announced[run.id] = run.event
    counts = Counter(run.id for run in closed)
    assert set(counts.values()) <= {1}
    final = {run.id: run.event for run in closed}
    for run_id, event in announced.items():
        assert final[run_id].score >= event.score
        assert final[run_id].event_type == event.event_type
        if event.kind == "segment":
            assert final[run_id].start_us == event.start_us
            assert final[run_id].end_us >= event.end_us


@settings(max_examples=400, deadline=None)
@given(tracks())
def test_what_is_open_is_what_would_come_if_the_video_ended_here(case):
    times, scores, rules, cuts = case
    grouper = StreamingGrouper(TYPES, rules)
    for start, stop in zip([0, *cuts[:-1]], cuts, strict=True):
        grouper.push_runs(times[start:stop], scores[start:stop])
        still_open = {run.id: run.event for run in grouper.open_runs()}
        # A video lasts at least 1 us longer than its last instant, and so may its last segment.
        ended = copy.deepcopy(grouper).finish_runs(int(times[stop - 1]) + 1)
        final = {run.id: run.event for run in ended}
        assert still_open.keys() <= final.keys()
        for run_id, event in final.items():
            if run_id not in still_open:
                shortest_us = to_us(rules[event.event_type].min_seconds)
                assert event.kind == "segment"
                assert event.end_us - event.start_us == shortest_us
                continue
            said = still_open[run_id]
            assert said.score == event.score
            assert abs(said.start_us - event.start_us) <= (event.kind == "point")
            assert abs(said.end_us - event.end_us) <= 1


@settings(max_examples=200, deadline=None)
@given(tracks())
def test_ids_and_events_do_not_depend_on_the_pieces(case):
    times, scores, rules, cuts = case
    *_, (_, in_pieces) = play(times, scores, rules, cuts)
    *_, (_, at_once) = play(times, scores, rules, [len(scores)])
    assert sorted(in_pieces, key=lambda run: run.event) == sorted(
        at_once, key=lambda run: run.event
    )


def test_a_long_run_is_spoken_of_once_a_second_and_only_if_it_changed():
    now = [0.0]
    announcer = Announcer(lambda: now[0])

    def run(end_us):
        return Run("fall:0", Event.segment("fall", 0, end_us, 0.9))

    assert announcer.due([run(1)]) == [run(1)]
    now[0] = 0.9
    assert announcer.due([run(2)]) == []
    now[0] = 1.0
    assert announcer.due([run(2)]) == [run(2)]
    now[0] = 5.0
    assert announcer.due([run(2)]) == []
    assert announcer.due([run(3)]) == [run(3)]
    announcer.forget("fall:0")
    assert announcer.due([run(3)]) == [run(3)]


def test_another_run_need_not_wait():
    announcer = Announcer(lambda: 0.0)
    first = Run("goal:0", Event.point("goal", 0, 0.9))
    second = Run("goal:9", Event.point("goal", 9, 0.9))
    assert announcer.due([first]) == [first]
    assert announcer.due([first, second]) == [second]
