"""Laws of operations: taking back, merging, sending again, and two clients at once."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prismata.catalog import LABEL_FIELDS, open_catalog
from prismata.core.coverage import coverage_from_json, paint
from prismata.core.operations import (
    Operation,
    cover_state,
    flatten,
    inverse,
    is_same,
    merge_state,
    own_fields,
    with_changes,
)

DOMAIN = "cricket"
END = 1000
NAMES = ["note", "arm", "source"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("abö", max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab"), inner, max_size=2),
    max_leaves=4,
)
present = json_values.filter(lambda value: value is not None)
fields = st.fixed_dictionaries(
    {
        "review_state": st.sampled_from(["none", "accepted", "unsure"]),
        "event_type": st.sampled_from(["hit", "over"]),
        "attributes": st.dictionaries(st.sampled_from(NAMES), present, max_size=3),
    }
)


@st.composite
def states(draw):
    """Whole states of events."""
    start_us = draw(st.integers(0, END - 1))
    end_us = draw(st.sampled_from([start_us, draw(st.integers(start_us, END))]))
    times = {"start_us": start_us, "end_us": end_us}
    return draw(fields) | times | {"kind": "point" if start_us == end_us else "segment"}


@st.composite
def updates(draw, state=None):
    """A state and a change of some of its fields, as one who sees it makes it."""
    seen = flatten(draw(states()) if state is None else state)
    wanted = flatten(draw(states()))
    names = sorted(draw(st.sets(st.sampled_from(sorted(seen | wanted)), min_size=1)))
    before = {name: seen.get(name) for name in names}
    after = {name: wanted.get(name) for name in names}
    return before, after


@given(states(), st.data())
def test_what_one_saw_and_changed_can_be_taken_back(state, data):
    before, after = data.draw(updates(state))
    merge = merge_state(state, before, after)
    assert merge.conflicts == ()
    changed = with_changes(state, merge.changes)
    assert all(is_same(flatten(changed).get(name), value) for name, value in after.items())
    back = merge_state(changed, after, before)
    assert back.conflicts == ()
    assert with_changes(changed, back.changes) == state


@given(states(), st.data())
def test_changes_of_different_fields_come_to_the_same_in_either_order(state, data):
    before, after = data.draw(updates(state))
    names = data.draw(st.sets(st.sampled_from(sorted(before))))
    halves = [
        ({n: before[n] for n in before if (n in names) is side}, side) for side in (True, False)
    ]
    ends = []
    for order in (halves, halves[::-1]):
        current = state
        for seen, _ in order:
            merge = merge_state(current, seen, {name: after[name] for name in seen})
            assert merge.conflicts == ()
            current = with_changes(current, merge.changes)
        ends.append(current)
    assert ends[0] == ends[1]


@given(states(), updates())
def test_a_merge_sets_all_fields_or_none_and_never_one_that_somebody_else_changed(state, update):
    before, after = update
    merge = merge_state(state, before, after)
    flat = flatten(state)
    for name in after:
        untouched = is_same(flat.get(name), before[name]) or is_same(flat.get(name), after[name])
        assert (name in merge.conflicts) is not untouched
    if merge.conflicts:
        assert merge.changes == {}
    else:
        changed = flatten(with_changes(state, merge.changes))
        assert all(is_same(changed.get(name), after[name]) for name in after)
        others = (flat.keys() | changed.keys()) - after.keys()
        assert all(is_same(changed.get(name), flat.get(name)) for name in others)


@given(st.sampled_from(["create", "update", "delete", "cover", "sheet"]), states(), states())
def test_the_inverse_of_the_inverse_is_the_operation(kind, before, after):
    operation = Operation(
        id="a" * 32,
        client="c" * 16,
        seq=1,
        kind=kind,
        event_id="e" * 32,
        before=None if kind == "create" else before,
        after=None if kind == "delete" else after,
    )
    once = inverse(operation, "b" * 32, 2)
    twice = inverse(once, "a" * 32, 1)
    assert once.undoes == operation.id
    assert (once.before, once.after) == (operation.after, operation.before)
    assert (twice.kind, twice.event_id, twice.before, twice.after) == (
        operation.kind,
        operation.event_id,
        operation.before,
        operation.after,
    )


@dataclass(frozen=True)
class AnyRules:
    """A domain that allows everything."""

    domain_version: int = 1

    def frame_at(self, start_us):
        return start_us // 4, start_us

    def check(self, state, standing):
        del state, standing


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Give a fresh video in one catalog to each example."""
    numbers = count()
    with open_catalog(f"sqlite:///{tmp_path_factory.mktemp('laws') / 'catalog.db'}") as catalog:

        def make():
            name = f"{next(numbers)}.mp4"
            video, _ = catalog.videos.add(
                **{"name": name, "storage_key": name, "sha256": name.rjust(64, "0")},
                **{"size_bytes": 1, "container": "mov", "codec": "h264", "timeline_key": name},
                **dict.fromkeys(("width", "height", "frame_count"), 1),
                **{"rotation": 0, "duration_us": END, "first_pts_us": 0},
                **{"min_step_us": 1, "max_step_us": 1},
            )
            return Log(catalog.labels, video.id)

        yield make


class Log:
    """The log of one video, and how a client sees it."""

    def __init__(self, labels, video_id):
        self.labels, self.video_id = labels, video_id
        self._numbers = count()

    def new_id(self):
        return f"{self.video_id[:16]}{next(self._numbers):016x}"

    def send(self, operations, author="anna"):
        return self.labels.apply(self.video_id, DOMAIN, operations, author, AnyRules())

    def state(self):
        loaded = self.labels.load(self.video_id, DOMAIN)
        events = {row[0]: dict(zip(LABEL_FIELDS[1:], row[1:], strict=True)) for row in loaded.rows}
        sheet = loaded.sheet
        return events, sheet.coverage, (sheet.status, sheet.assignee, sheet.note)

    def own_state(self):
        events, coverage, sheet = self.state()
        return {name: own_fields(state) for name, state in events.items()}, coverage, sheet

    def replayed(self):
        """Fold the log, from nothing, into the state it leads to."""
        events, coverage = {}, ()
        sheet = {"status": "new", "assignee": "", "note": ""}
        for change in self.labels.changes(self.video_id, DOMAIN, 0, limit=10_000).changes:
            if change.kind == "cover":
                spans = coverage_from_json(change.after["spans"])
                stretch = (change.after["start_us"], change.after["end_us"])
                assert cover_state(*stretch, coverage) == change.before
                coverage = paint(coverage, *stretch, spans)
            elif change.kind == "sheet":
                assert all(sheet[name] == value for name, value in change.before.items())
                sheet |= change.after
            else:
                assert events.pop(change.event_id, None) == change.before
                if change.after is not None:
                    events[change.event_id] = change.after
        return events, coverage, tuple(sheet.values())


@st.composite
def covers(draw):
    edges = sorted(draw(st.sets(st.integers(0, END), min_size=2, max_size=5)))
    kinds = [draw(st.sampled_from(["watched", "skipped", None])) for _ in edges[1:]]
    spans = [[a, b, kind] for a, b, kind in zip(edges, edges[1:], kinds, strict=False) if kind]
    return {"start_us": edges[0], "end_us": edges[-1], "spans": spans}


def draw_operation(data, log, client, seen, event_ids):
    """Draw what a client does who last saw `seen`, which may be long ago."""
    events, coverage, sheet = seen
    choices = ["create", "cover", "sheet"] + (["update", "update", "delete"] if events else [])
    kind = data.draw(st.sampled_from(choices))
    event_id, before, after = "", None, None
    if kind == "create":
        event_id, after = data.draw(st.sampled_from(event_ids)), data.draw(states())
    elif kind == "cover":
        after = data.draw(covers())
        before = cover_state(after["start_us"], after["end_us"], coverage)
    elif kind == "sheet":
        before = {"status": sheet[0]}
        after = {"status": data.draw(st.sampled_from(["new", "done", "in_progress"]))}
    else:
        event_id = data.draw(st.sampled_from(sorted(events)))
        before = own_fields(events[event_id])
        if kind == "update":
            before, after = data.draw(updates(before))
    return Operation(
        id=log.new_id(),
        client=client,
        seq=0,
        kind=kind,
        event_id=event_id,
        before=before,
        after=after,
    )


slow = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@slow
@given(data=st.data())
def test_however_two_clients_interleave_the_log_leads_to_what_is_stored(logs, data):
    log = logs()
    event_ids = [log.new_id() for _ in range(3)]
    seen = {"1" * 16: log.state(), "2" * 16: log.state()}
    sent = []
    for _ in range(data.draw(st.integers(1, 12))):
        client = data.draw(st.sampled_from(sorted(seen)))
        if data.draw(st.booleans()):
            seen[client] = log.state()
        operation = draw_operation(data, log, client, seen[client], event_ids)
        (result,) = log.send([operation], author=client)
        assert result.status != "refused"
        sent.append((operation, result))
    before = log.state()
    assert log.replayed() == before
    prefix = sent[: data.draw(st.integers(0, len(sent)))]
    again = log.send([operation for operation, _ in prefix])
    assert [item.status for item in again] == [result.status for _, result in prefix]
    assert log.state() == before


@slow
@given(data=st.data())
def test_an_operation_and_its_inverse_leave_what_was_there(logs, data):
    log = logs()
    event_ids = [log.new_id() for _ in range(3)]
    for event_id in event_ids[:2]:
        after = data.draw(states())
        log.send([Operation(log.new_id(), "c" * 16, 0, "create", event_id, None, after)])
    before = log.own_state()
    operation = draw_operation(data, log, "c" * 16, log.state(), event_ids[2:])
    (result,) = log.send([operation])
    if result.status == "applied":
        (undone,) = log.send([inverse(operation, log.new_id(), 1)])
        assert undone.status == "applied"
    assert log.own_state() == before


@slow
@given(data=st.data())
def test_any_earlier_state_can_be_restored_and_the_restore_restored(logs, data):
    log = logs()
    event_ids = [log.new_id() for _ in range(3)]
    seen = [log.own_state()]
    while len(seen) < 6:
        operation = draw_operation(data, log, "c" * 16, log.state(), event_ids)
        (result,) = log.send([operation])
        if result.status == "applied":
            seen.append(log.own_state())
    seq = data.draw(st.integers(0, len(seen) - 1))
    for target in (seq, len(seen) - 1):
        marker = Operation(log.new_id(), "r" * 16, 0, "sheet", "", {}, {})
        log.labels.restore(log.video_id, DOMAIN, target, marker, "carl")
        assert log.own_state() == seen[target]
        assert log.replayed() == log.state()
