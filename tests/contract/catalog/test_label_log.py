"""The label log on both databases: sent twice, merged, in order, taken back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import pytest

from prismata.catalog import LABEL_FIELDS
from prismata.catalog.event_search import EventFilter
from prismata.core.coverage import CoverageSpan
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.events import Event
from prismata.core.operations import Operation, inverse, to_event

DOMAIN = "cricket"
DURATION_US = 10_000_001


@dataclass(frozen=True)
class SteadyRules:
    """A domain of two types in a video of 25 frames a second."""

    domain_version: int = 3

    def frame_at(self, start_us):
        return start_us // 40_000, start_us // 40

    def check(self, state, standing):
        if state["end_us"] > DURATION_US:
            raise InvalidInputError("the event ends after the video")
        if state["event_type"] not in ("hit", "over") and standing is None:
            raise InvalidInputError(f"there is no event type {state['event_type']!r}")


RULES = SteadyRules()


def number(value):
    return f"{value:032x}"


def hit(start_us, **more):
    state = {"start_us": start_us, "end_us": start_us, "event_type": "hit", "kind": "point"}
    return state | {"review_state": "none", "attributes": {}} | more


def over(start_us, end_us, **more):
    return hit(start_us) | {"end_us": end_us, "event_type": "over", "kind": "segment"} | more


IDS = count(1)


class Desk:
    """Writes operations on one video, with a new id and count for each."""

    def __init__(self, catalog, video):
        self.catalog, self.video_id = catalog, video.id
        self._ids = IDS

    def operation(self, kind, event_id=0, before=None, after=None, **more):
        value = next(self._ids)
        event = number(event_id) if kind in ("create", "update", "delete") else ""
        return Operation(
            **({"id": number(1_000_000 + value), "client": "c" * 16, "seq": value} | more),
            kind=kind,
            event_id=event,
            before=before,
            after=after,
        )

    def send(self, *operations, author="anna"):
        return self.catalog.labels.apply(self.video_id, DOMAIN, operations, author, RULES)

    def do(self, kind, event_id=0, before=None, after=None, *, author="anna", **more):
        (result,) = self.send(self.operation(kind, event_id, before, after, **more), author=author)
        return result

    def events(self):
        rows = self.catalog.labels.load(self.video_id, DOMAIN).rows
        return {row[0]: dict(zip(LABEL_FIELDS[1:], row[1:], strict=True)) for row in rows}

    def event(self, event_id):
        return self.events().get(number(event_id))

    @property
    def sheet(self):
        return self.catalog.labels.sheet(self.video_id, DOMAIN)

    def snapshot(self):
        """Everything a restore has to bring back."""
        keys = tuple(hit(0))
        events = {
            name: {key: state[key] for key in (*keys, "frame_index", "source_pts")}
            for name, state in self.events().items()
        }
        sheet = self.sheet
        return events, sheet.coverage, sheet.status, sheet.assignee, sheet.note


@pytest.fixture
def desk(catalog, make):
    return Desk(catalog, make.video())


def test_a_label_is_stored_with_frame_author_and_revision(desk, catalog, clock):
    assert desk.do("create", 1, after=hit(80_000, attributes={"note": "ö"})).status == "applied"
    record = catalog.events.get(number(1))
    assert (record.author, record.revision, record.domain_version) == ("anna", 1, 3)
    assert (record.frame_index, record.source_pts) == (2, 2000)
    assert (record.origin, record.created_at) == ("annotation", clock.now)
    clock.advance(5)
    desk.do("update", 1, {"start_us": 80_000, "end_us": 80_000}, {"start_us": 0, "end_us": 0})
    desk.do("update", 1, {"review_state": "none"}, {"review_state": "accepted"}, author="bob")
    moved = catalog.events.get(number(1))
    assert (moved.frame_index, moved.source_pts) == (0, 0)
    assert (moved.author, moved.reviewer, moved.revision) == ("bob", "bob", 3)
    assert (moved.created_at, moved.updated_at) == (record.created_at, clock.now)
    assert moved.attributes == {"note": "ö"}
    assert desk.do("delete", 1, before=hit(0, attributes={"note": "ö"})).status == "conflict"
    before = hit(0, attributes={"note": "ö"}, review_state="accepted")
    assert desk.do("delete", 1, before=before).status == "applied"
    assert desk.events() == {}


def test_an_operation_sent_again_is_answered_as_the_first_time_and_changes_nothing(desk):
    create = desk.operation("create", 1, after=hit(0))
    move = desk.operation("update", 1, {"start_us": 0, "end_us": 0}, {"start_us": 9, "end_us": 9})
    clash = desk.operation("update", 1, {"event_type": "x"}, {"event_type": "y"})
    first = desk.send(create, move, clash)
    assert [result.status for result in first] == ["applied", "applied", "conflict"]
    desk.do("update", 1, {"start_us": 9, "end_us": 9}, {"start_us": 5, "end_us": 5})
    before = desk.snapshot(), desk.sheet.seq
    again = desk.send(create, move, clash)
    assert [result.status for result in again] == [result.status for result in first]
    assert again[2].message == first[2].message
    assert again[2].current["start_us"] == 5
    assert (desk.snapshot(), desk.sheet.seq) == before
    twice = desk.operation("create", 2, after=hit(7))
    assert [result.status for result in desk.send(twice, twice)] == ["applied", "applied"]
    assert desk.sheet.seq == before[1] + 1


def test_a_conflict_stays_one_when_it_is_sent_again_later(desk):
    """Its author was told; applied behind their back it would surprise them."""
    desk.do("create", 1, after=hit(0))
    clash = desk.operation("update", 1, {"event_type": "x"}, {"event_type": "over"})
    assert desk.send(clash)[0].status == "conflict"
    desk.do("update", 1, {"event_type": "hit"}, {"event_type": "x"})
    (again,) = desk.send(clash)
    assert (again.status, again.current["event_type"]) == ("conflict", "x")


def test_two_people_change_two_things_about_one_event(desk):
    desk.do("create", 1, after=over(0, 100, attributes={"note": "a", "arm": "left"}))
    assert desk.do("update", 1, {"start_us": 0}, {"start_us": 10}).status == "applied"
    for before, after in (
        ({"end_us": 100}, {"end_us": 90}),
        ({"attributes.note": "a"}, {"attributes.note": "b"}),
        ({"attributes.arm": "left"}, {"attributes.arm": None}),
        ({"attributes.pace": None}, {"attributes.pace": 3}),
        ({"review_state": "none"}, {"review_state": "unsure"}),
    ):
        assert desk.do("update", 1, before, after, author="bob").status == "applied"
    state = desk.event(1)
    assert (state["start_us"], state["end_us"], state["review_state"]) == (10, 90, "unsure")
    assert state["attributes"] == {"note": "b", "pace": 3}


def test_one_field_that_somebody_changed_stops_the_whole_operation(desk, catalog):
    desk.do("create", 1, after=over(0, 100))
    desk.do("update", 1, {"end_us": 100}, {"end_us": 80}, author="bob")
    seq = desk.sheet.seq
    result = desk.do("update", 1, {"start_us": 0, "end_us": 100}, {"start_us": 5, "end_us": 60})
    assert (result.status, result.current) == ("conflict", desk.event(1))
    assert "somebody else changed end_us" in result.message
    assert (desk.event(1)["start_us"], desk.event(1)["end_us"]) == (0, 80)
    assert desk.sheet.seq == seq
    assert {change.author for change in catalog.labels.history(desk.video_id, DOMAIN)} == {
        "anna",
        "bob",
    }


def test_what_is_wanted_already_is_applied_without_a_change(desk, catalog):
    desk.do("create", 1, after=over(0, 100))
    assert desk.do("create", 1, after=over(0, 100)).status == "applied"
    assert desk.do("update", 1, {"end_us": 7}, {"end_us": 100}).status == "applied"
    desk.do("delete", 1, before=over(0, 100))
    assert desk.do("delete", 1, before=over(0, 100)).status == "applied"
    newest = catalog.labels.history(desk.video_id, DOMAIN)
    assert [(item.before == item.after) for item in newest] == [True, False, True, True, False]


def test_a_second_event_with_the_same_id_is_a_conflict(desk):
    desk.do("create", 1, after=hit(1))
    result = desk.do("create", 1, after=hit(2))
    assert result.status == "conflict"
    assert result.current["start_us"] == 1


def test_changing_or_moving_what_somebody_removed_is_a_conflict_with_nothing_standing(desk):
    desk.do("create", 1, after=hit(1))
    desk.do("delete", 1, before=hit(1))
    result = desk.do("update", 1, {"event_type": "hit"}, {"event_type": "over"})
    assert (result.status, result.current) == ("conflict", None)
    assert "removed" in result.message


def test_two_edges_that_pass_each_other_are_a_conflict(desk):
    desk.do("create", 1, after=over(0, 100))
    assert desk.do("update", 1, {"start_us": 0}, {"start_us": 60}).status == "applied"
    result = desk.do("update", 1, {"end_us": 100}, {"end_us": 50}, author="bob")
    assert result.status == "conflict"
    assert "must end after it starts" in result.message
    assert desk.event(1)["end_us"] == 100


def test_what_the_rules_refuse_is_not_in_the_log_and_does_not_stop_the_others(desk, catalog):
    results = desk.send(
        desk.operation("create", 1, after=hit(0)),
        desk.operation("create", 2, after=over(0, DURATION_US + 1)),
        desk.operation("create", 3, after=hit(0, event_type="bang")),
        desk.operation("create", 4, after=hit(0, attributes={"note": "x" * 20_000})),
        desk.operation("create", 5, after=hit(5, end_us=4)),
        desk.operation("create", 6, after=hit(6)),
    )
    assert [result.status for result in results] == ["applied", *["refused"] * 4, "applied"]
    assert "after the video" in results[1].message
    assert set(desk.events()) == {number(1), number(6)}
    assert len(catalog.labels.history(desk.video_id, DOMAIN)) == 2


def test_a_label_of_a_dropped_type_comes_back_when_its_deletion_is_undone(desk, catalog):
    old = hit(5, event_type="bouncer")
    made = catalog.events.add_annotations(
        desk.video_id,
        DOMAIN,
        1,
        [to_event(old)],
        "anna",
    )[0]
    event = int(made.id, 16)
    delete = desk.operation("delete", event, before=old)
    back = inverse(delete, number(77), 3)
    assert desk.send(desk.operation("create", 9, after=old))[0].status == "refused"
    assert [item.status for item in desk.send(delete, back)] == ["applied", "applied"]
    assert desk.event(event)["event_type"] == "bouncer"
    assert desk.do("update", event, {"start_us": 5, "end_us": 5}, {"start_us": 6, "end_us": 6})


def test_events_of_another_video_or_of_a_model_are_out_of_reach(desk, catalog, make):
    other = Desk(catalog, make.video("other.mp4"))
    other.do("create", 1, after=hit(0))
    result = desk.do("delete", 1, before=hit(0))
    assert result.status == "refused"
    assert "another video" in result.message
    assert other.event(1) is not None
    (taken,) = other.send(other.operation("create", 2, after=hit(0), id=number(555)))
    assert taken.status == "applied"
    (refused,) = desk.send(desk.operation("create", 3, after=hit(0), id=number(555)))
    assert refused.status == "refused"
    assert desk.events() == {}


def test_paint_never_conflicts_and_the_last_one_wins(desk):
    def paint(start_us, end_us, *spans):
        told = {"start_us": start_us, "end_us": end_us}
        before, after = told | {"spans": []}, told | {"spans": [list(span) for span in spans]}
        return desk.do("cover", before=before, after=after)

    assert paint(0, 100, (0, 60, "watched"), (60, 100, "skipped")).status == "applied"
    assert paint(50, 80, (50, 80, "watched")).status == "applied"
    assert desk.sheet.coverage == (
        CoverageSpan(0, 80, "watched"),
        CoverageSpan(80, 100, "skipped"),
    )
    assert paint(20, 90).status == "applied"
    assert desk.sheet.coverage == (
        CoverageSpan(0, 20, "watched"),
        CoverageSpan(90, 100, "skipped"),
    )
    changes = desk.catalog.labels.changes(desk.video_id, DOMAIN, 2).changes
    assert changes[0].before["spans"] == [[20, 80, "watched"], [80, 90, "skipped"]]
    result = paint(0, DURATION_US + 1)
    assert result.status == "refused"
    assert "10.000 s" in result.message


def test_a_sheet_is_merged_by_field_too(desk):
    assert desk.sheet.status == "new"
    assert desk.do("sheet", before={"status": "new"}, after={"status": "done"}).status == "applied"
    assert desk.do("sheet", before={"note": ""}, after={"note": "dark"}).status == "applied"
    clash = desk.do("sheet", before={"status": "new"}, after={"status": "needs_review"})
    assert (clash.status, clash.current) == (
        "conflict",
        {"status": "done", "assignee": "", "note": "dark"},
    )
    assert (desk.sheet.status, desk.sheet.note) == ("done", "dark")


def test_changes_come_in_order_after_the_number_a_client_knows(desk, catalog):
    for value in range(1, 6):
        desk.do("create", value, after=hit(value))
    told = catalog.labels.changes(desk.video_id, DOMAIN, 2)
    assert (told.seq, [item.seq for item in told.changes]) == (5, [3, 4, 5])
    assert catalog.labels.changes(desk.video_id, DOMAIN, 5).changes == ()
    assert catalog.labels.changes(desk.video_id, DOMAIN, 0, limit=4).changes is None
    # A client that knows more than there is talked to a catalog that was put back from a backup.
    assert catalog.labels.changes(desk.video_id, DOMAIN, 6).changes is None
    newest = catalog.labels.history(desk.video_id, DOMAIN, before=4, limit=2)
    assert [item.seq for item in newest] == [3, 2]


def test_two_who_write_at_once_lose_nothing_and_get_numbers_without_a_gap(desk, catalog):
    def write(writer):
        for value in range(writer * 100, writer * 100 + 25):
            operation = Operation(
                id=number(10_000 + value),
                client=f"{writer:016x}",
                seq=value,
                kind="create",
                event_id=number(value),
                before=None,
                after=hit(value),
            )
            (result,) = catalog.labels.apply(
                desk.video_id, DOMAIN, [operation], f"writer {writer}", RULES
            )
            assert result.status == "applied"

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(write, writer) for writer in (1, 2, 3, 4)]:
            done.result()
    assert len(desk.events()) == 100
    changes = catalog.labels.changes(desk.video_id, DOMAIN, 0).changes
    assert [item.seq for item in changes] == list(range(1, 101))
    for writer in (1, 2, 3, 4):
        own = [int(item.event_id, 16) for item in changes if item.client == f"{writer:016x}"]
        assert own == sorted(own)


def restore(desk, seq, operation_id):
    operation = Operation(
        id=number(operation_id),
        client="r" * 16,
        seq=0,
        kind="sheet",
        event_id="",
        before={},
        after={},
    )
    return desk.catalog.labels.restore(desk.video_id, DOMAIN, seq, operation, "carl")


def note(text):
    return {"attributes.note": text}


def busy_history(desk):
    """Do one of everything and return what was there after each change."""
    seen = [desk.snapshot()]
    cover = {"start_us": 0, "end_us": 5000, "spans": []}
    for kind, event, before, after in (
        ("create", 1, None, hit(80_000)),
        ("create", 2, None, over(0, 100, attributes={"note": "a"})),
        ("cover", 0, cover, cover | {"spans": [[0, 4000, "watched"]]}),
        ("update", 2, {"end_us": 100, **note("a")}, {"end_us": 90, **note(None)}),
        ("sheet", 0, {"status": "new", "assignee": ""}, {"status": "done", "assignee": "bob"}),
        ("delete", 1, hit(80_000), None),
        ("cover", 0, cover, cover | {"spans": [[1000, 2000, "skipped"]]}),
        ("create", 1, None, hit(120_000)),
        ("update", 1, {"start_us": 120_000, "end_us": 120_000}, {"start_us": 0, "end_us": 0}),
        ("delete", 2, over(0, 90), None),
    ):
        assert desk.do(kind, event, before, after).status == "applied"
        seen.append(desk.snapshot())
    return seen


def test_every_earlier_state_can_be_restored_and_each_restore_taken_back(desk):
    seen = busy_history(desk)
    last = len(seen) - 1
    for seq, snapshot in enumerate(seen):
        assert restore(desk, seq, 500 + seq).status == "applied"
        assert desk.snapshot() == snapshot, f"after change {seq}"
        assert restore(desk, last, 600 + seq).status == "applied"
        assert desk.snapshot() == seen[-1], f"back from {seq}"


def test_looking_back_changes_nothing(desk, catalog):
    seen = busy_history(desk)
    seq = desk.sheet.seq
    then = catalog.labels.state_at(desk.video_id, DOMAIN, 5)
    assert set(then.events) == {number(1), number(2)}
    assert (then.sheet["status"], then.coverage) == ("done", seen[5][1])
    assert desk.sheet.seq == seq
    with pytest.raises(InvalidInputError, match=r"changes 0 to 10, so there is no state after 11"):
        catalog.labels.state_at(desk.video_id, DOMAIN, 11)


def test_a_restore_sent_again_does_not_undo_what_was_done_since(desk):
    busy_history(desk)
    restore(desk, 2, 900)
    desk.do("delete", 1, before=hit(80_000))
    after = desk.snapshot()
    assert restore(desk, 2, 900).status == "applied"
    assert desk.snapshot() == after


def test_labels_from_before_the_log_survive_a_restore_to_the_beginning(desk, catalog):
    old = catalog.events.add_annotations(desk.video_id, DOMAIN, 2, [to_event(hit(9))], "anna")[0]
    desk.do("delete", int(old.id, 16), before=hit(9))
    desk.do("create", 1, after=hit(1))
    restore(desk, 0, 900)
    assert set(desk.events()) == {old.id}
    assert desk.event(int(old.id, 16))["start_us"] == 9


def test_a_video_that_is_gone_is_named_and_takes_its_log_along(desk, catalog, make):
    desk.do("create", 1, after=hit(1))
    assert [sheet.video_id for sheet in catalog.labels.sheets(DOMAIN)] == [desk.video_id]
    catalog.videos.remove(desk.video_id)
    assert catalog.labels.sheets() == []
    for call in (
        lambda: desk.do("create", 2, after=hit(1)),
        lambda: catalog.labels.load(desk.video_id, DOMAIN),
        lambda: catalog.labels.changes(desk.video_id, DOMAIN, 0),
        lambda: catalog.labels.history(desk.video_id, DOMAIN),
        lambda: catalog.labels.state_at(desk.video_id, DOMAIN, 0),
        lambda: catalog.labels.sheet(desk.video_id, DOMAIN),
    ):
        with pytest.raises(NotFoundError, match=desk.video_id):
            call()


def test_domains_of_one_video_have_sheets_of_their_own(desk, catalog):
    desk.do("create", 1, after=hit(1))
    operation = desk.operation("create", 2, after=hit(5))
    catalog.labels.apply(desk.video_id, "fitness", [operation], "anna", RULES)
    assert [(sheet.domain, sheet.seq) for sheet in catalog.labels.sheets()] == [
        (DOMAIN, 1),
        ("fitness", 1),
    ]
    assert set(desk.events()) == {number(1)}
    assert catalog.labels.count_by_video("fitness") == {desk.video_id: 1}


def test_a_mirror_that_is_behind_is_known(desk, catalog):
    assert catalog.labels.not_mirrored() == []
    desk.do("create", 1, after=hit(1))
    key = (desk.video_id, DOMAIN)
    assert catalog.labels.not_mirrored() == [key]
    assert catalog.labels.set_mirrored(*key, 1) == 1
    assert catalog.labels.not_mirrored() == []
    desk.do("create", 2, after=hit(1))
    assert catalog.labels.set_mirrored(*key, 1) == 2
    assert catalog.labels.not_mirrored() == [key]
    assert catalog.labels.set_mirrored("gone", DOMAIN, 1) is None


def test_preferences_belong_to_one_person(catalog, clock):
    assert catalog.annotators.get("Zoë") is None
    catalog.annotators.set_preferences("Zoë", {"lag": {"ms": 240.5}, "keys": {"f": "mark"}})
    clock.advance(1)
    stored = catalog.annotators.set_preferences(" Zoë ", {"lag": None})
    assert catalog.annotators.get("Zoë") == stored
    assert (stored.preferences, stored.updated_at) == ({"lag": None}, clock.now)
    assert catalog.annotators.get("bob") is None
    with pytest.raises(InvalidInputError, match="cannot be stored, because JSON has no such value"):
        catalog.annotators.set_preferences("bob", {"x": float("nan")})


def test_the_stored_length_follows_every_way_of_writing_an_event(desk, catalog, make):
    """A search by length goes by it: a writer that forgot it would hide events."""

    def found(seconds):
        wanted = EventFilter(min_seconds=seconds, max_seconds=seconds)
        return {item.record.id for item in catalog.event_search.find(wanted).events}

    desk.do("create", 1, after=over(0, 400_000))
    assert found(0.4) == {number(1)}
    assert desk.do("update", 1, {"end_us": 400_000}, {"end_us": 900_000}).status == "applied"
    assert found(0.9) == {number(1)}
    video = make.video("other.mp4")
    [made] = catalog.events.add_annotations(
        video.id, DOMAIN, 3, [Event.segment("over", 5, 200_005)], "anna"
    )
    assert found(0.2) == {made.id}
    catalog.events.update(
        made.id, event=Event.segment("over", 5, 300_005), expected_revision=made.revision
    )
    assert found(0.3) == {made.id}
    assert found(0.2) == set()
