"""The label desk: what may be edited, on which frame it lies, and the mirror behind it."""

import json
import logging
from dataclasses import replace
from itertools import count

import pytest

from prismata.catalog import LABEL_FIELDS
from prismata.core.errors import NotFoundError, UnavailableError
from prismata.core.events import Event
from prismata.core.operations import Operation, inverse
from prismata.services.annotate import DomainRules, LabelDesk
from prismata.services.ingest import ingest_file
from prismata.services.label_mirror import MirrorWriter, mirror_key, write_mirror
from prismata.storage.memory import MemoryStorage
from prismata.wiring import open_workbench

NUMBERS = count(1)


def operation(kind, event_id, before=None, after=None):
    return Operation(
        id=f"{next(NUMBERS):032x}",
        client="c" * 16,
        seq=0,
        kind=kind,
        event_id=event_id,
        before=before,
        after=after,
    )


def state(start_us, end_us=None, event_type="flash", **more):
    kind = "point" if end_us is None else "segment"
    times = {"start_us": start_us, "end_us": start_us if end_us is None else end_us}
    told = {"event_type": event_type, "kind": kind, "review_state": "none", "attributes": {}}
    return times | told | more


def create(event_id, start_us, end_us=None, **more):
    return operation("create", event_id, after=state(start_us, end_us, **more))


@pytest.fixture
def desk(bench):
    return LabelDesk(bench)


def send(desk, video, *operations, domain="flashes"):
    return desk.apply(video.id, domain, operations, "ada", since=0).results


def edit(bench, video, *operations):
    """Edit past the desk, so that nobody mirrors it."""
    rules = DomainRules(bench.domain("flashes"), video, bench.timeline(video))
    return bench.catalog.labels.apply(video.id, "flashes", operations, "ada", rules)


def rows(desk, video, domain="flashes"):
    loaded = desk.load(video.id, domain)
    return [dict(zip(LABEL_FIELDS, row, strict=True)) for row in loaded.rows]


def mirror(bench, video, domain="flashes"):
    return json.loads(bench.storage.get(mirror_key(video, domain)))


@pytest.fixture
def uneven(bench, uneven_flashes):
    return ingest_file(bench, uneven_flashes.path, name="uneven.mp4").video


def test_a_label_keeps_the_frame_it_was_made_on_and_that_frames_own_timestamp(
    bench, desk, uneven, uneven_flashes
):
    timeline = bench.timeline(uneven)
    frames = [0, 1, 2, 17, len(timeline) - 1]
    events = [create(f"{frame:032x}", timeline.start_us(frame)) for frame in frames]
    assert {result.status for result in send(desk, uneven, *events)} == {"applied"}
    stored = [(row["frame_index"], row["source_pts"]) for row in rows(desk, uneven)]
    assert stored == [(frame, timeline.source_pts(frame)) for frame in frames]
    assert None not in [pts for _, pts in stored]
    start_us = timeline.start_us(17)
    times = {"start_us": start_us, "end_us": start_us}
    # Between two frames the earlier one is on screen.
    later = timeline.start_us(18) - 1
    move = operation("update", f"{17:032x}", times, {"start_us": later, "end_us": later})
    assert send(desk, uneven, move)[0].status == "applied"
    assert (17, timeline.source_pts(17)) in [
        (row["frame_index"], row["source_pts"])
        for row in rows(desk, uneven)
        if row["start_us"] == later
    ]


@pytest.mark.parametrize(
    ("after", "domain", "sentence"),
    [
        (state(-1), "flashes", r"no frame at -?0:00\.\d+; this video lasts 0:04\.000"),
        (state(4_000_000), "flashes", r"no frame at 0:04\.000; this video lasts 0:04\.000"),
        (state(0, 4_000_001, "flight"), "ball_throw", "ends at 4.000 s, but 'flashes.mp4' lasts"),
        (state(0, event_type="bang"), "flashes", "no event type 'bang'; it has flash"),
        (state(0, 9), "flashes", "'flash' is a point, not a segment"),
        (state(0, attributes={"hand": "left"}), "flashes", "no attribute 'hand'"),
        (state(0, attributes={"note": 3}), "flashes", "'note' is text, not 3"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence_and_the_rest_is_stored(
    desk, video, after, domain, sentence
):
    good = {"flashes": state(5), "ball_throw": state(0, 4_000_000, "flight")}[domain]
    results = send(
        desk,
        video,
        operation("create", "a" * 32, after=after),
        operation("create", "b" * 32, after=good),
        domain=domain,
    )
    assert [result.status for result in results] == ["refused", "applied"]
    with pytest.raises(AssertionError, match=sentence):
        raise AssertionError(results[0].message)
    assert [row["id"] for row in rows(desk, video, domain)] == ["b" * 32]


def test_a_label_cannot_be_moved_out_of_the_video_or_into_another_kind(desk, video):
    send(desk, video, create("a" * 32, 0, 100, event_type="flight"), domain="ball_throw")
    results = send(
        desk,
        video,
        operation("update", "a" * 32, {"end_us": 100}, {"end_us": 4_000_001}),
        operation("update", "a" * 32, {"event_type": "flight"}, {"event_type": "release"}),
        domain="ball_throw",
    )
    assert [result.status for result in results] == ["refused", "refused"]
    assert "'release' is a point, not a segment" in results[1].message
    (row,) = rows(desk, video, "ball_throw")
    assert (row["end_us"], row["event_type"]) == (100, "flight")


def test_a_label_of_a_type_that_the_domain_dropped_can_be_kept_and_removed(bench, desk, video):
    (old,) = bench.catalog.events.add_annotations(
        video.id, "flashes", 1, [Event.segment("sparkle", 0, 50)], "ada"
    )
    told = state(0, 50, "sparkle")
    delete = operation("delete", old.id, before=told | {"review_state": "unsure"})
    results = send(
        desk,
        video,
        operation("update", old.id, {"review_state": "none"}, {"review_state": "unsure"}),
        operation("update", old.id, {"end_us": 50}, {"end_us": 60}),
        operation("update", old.id, {"end_us": 60}, {"end_us": 50}),
        delete,
        inverse(delete, "d" * 32, 1),
        operation("create", "b" * 32, after=told),
    )
    assert [result.status for result in results] == [*["applied"] * 5, "refused"]
    assert [(row["id"], row["event_type"]) for row in rows(desk, video)] == [(old.id, "sparkle")]


def test_a_stretch_without_an_instant_stays_rejected(desk, video):
    rejected = create("a" * 32, 0, 500_000, review_state="rejected")
    accept = operation("update", "a" * 32, {"review_state": "rejected"}, {"review_state": "none"})
    assert [item.status for item in send(desk, video, rejected, accept)] == ["applied", "refused"]


def test_a_video_that_was_removed_while_it_was_open_is_named_in_words(bench, desk, video):
    send(desk, video, create("a" * 32, 0))
    bench.catalog.videos.remove(video.id)
    for call in (
        lambda: send(desk, video, create("b" * 32, 0)),
        lambda: desk.load(video.id, "flashes"),
        lambda: desk.changes(video.id, "flashes", 0),
        lambda: desk.history(video.id, "flashes", before=None, limit=9),
    ):
        with pytest.raises(NotFoundError, match="somebody may have removed it"):
            call()
    desk.close()


def test_an_unknown_domain_is_named(desk, video):
    with pytest.raises(NotFoundError, match="no domain 'flashs'"):
        send(desk, video, create("b" * 32, 0), domain="flashs")
    with pytest.raises(NotFoundError, match="no domain 'flashs'"):
        desk.load(video.id, "flashs")


def test_the_mirror_holds_labels_coverage_and_sheet(bench, desk, video):
    told = {"start_us": 0, "end_us": 1_000_000}
    cover = told | {"spans": [[0, 1_000_000, "watched"]]}
    send(
        desk,
        video,
        create("a" * 32, 2_000_000, attributes={"note": "grün"}),
        create("b" * 32, 1_000_000),
        operation("cover", "", told | {"spans": []}, cover),
        operation("sheet", "", {"status": "new", "note": ""}, {"status": "done", "note": "dark"}),
    )
    desk.close()
    written = mirror(bench, video)
    assert {name: written[name] for name in ("video", "sha256", "domain", "seq")} == {
        "video": "flashes.mp4",
        "sha256": video.sha256,
        "domain": "flashes",
        "seq": 4,
    }
    assert written["sheet"] == {"status": "done", "assignee": "", "note": "dark"}
    assert written["coverage"] == [[0, 1_000_000, "watched"]]
    assert written["events"] == rows(desk, video)
    assert [event["attributes"] for event in written["events"]] == [{}, {"note": "grün"}]
    assert bench.catalog.labels.not_mirrored() == []


def test_what_is_not_mirrored_when_the_workbench_closes_is_mirrored_first(settings, flashes):
    with open_workbench(settings) as bench:
        video = ingest_file(bench, flashes.path, domain="flashes").video
        desk = LabelDesk(bench)
        for number in range(20):
            send(desk, video, create(f"{number:032x}", number))
    with open_workbench(settings) as bench:
        assert len(mirror(bench, video)["events"]) == 20
        assert bench.catalog.labels.not_mirrored() == []


def test_what_an_earlier_process_left_is_caught_up(bench, desk, video):
    send(desk, video, create("a" * 32, 0))
    desk.close()
    edit(bench, video, create("b" * 32, 1))
    assert len(mirror(bench, video)["events"]) == 1
    later = LabelDesk(bench)
    later.catch_up()
    later.close()
    assert len(mirror(bench, video)["events"]) == 2


class CountingStorage(MemoryStorage):
    """Storage that counts what is put into it, and can be told to be out of reach."""

    def __init__(self):
        super().__init__()
        self.puts = 0
        self.is_away = False

    def put(self, key, source, **conditions):
        if self.is_away:
            raise UnavailableError("the storage cannot be reached")
        self.puts += 1
        return super().put(key, source, **conditions)


@pytest.fixture
def counting(bench):
    return replace(bench, storage=CountingStorage())


def test_a_sheet_is_not_mirrored_again_before_its_time_and_not_forgotten(bench, video, counting):
    writer = MirrorWriter(counting, seconds_between=3600)
    for number in range(30):
        edit(bench, video, create(f"{number:032x}", number))
        writer.mark(video.id, "flashes")
    writer.close()
    assert 1 <= counting.storage.puts <= 2
    assert mirror(counting, video)["seq"] == 30


def test_labels_are_acknowledged_and_mirrored_later_when_storage_is_away(
    bench, video, counting, caplog
):
    counting.storage.is_away = True
    writer = MirrorWriter(counting)
    edit(bench, video, create("a" * 32, 0))
    with caplog.at_level(logging.WARNING):
        writer.mark(video.id, "flashes")
        writer.close()
    assert "the labels are safe in the catalog" in caplog.text
    assert counting.catalog.labels.not_mirrored() == [(video.id, "flashes")]
    counting.storage.is_away = False
    again = MirrorWriter(counting)
    again.catch_up()
    again.close()
    assert mirror(counting, video)["seq"] == 1


def test_a_mirror_that_two_processes_write_ends_with_the_last_change(bench, video):
    """The second puts a newer state while the first is putting an older one."""
    edit(bench, video, create("a" * 32, 0))

    class Slow(CountingStorage):
        def put(self, key, source, **conditions):
            if self.puts == 0:
                self.puts += 1
                edit(bench, video, create("b" * 32, 1))
                write_mirror(counting, video, "flashes")
            return super().put(key, source, **conditions)

    counting = replace(bench, storage=Slow())
    write_mirror(counting, video, "flashes")
    assert mirror(counting, video)["seq"] == 2
    assert bench.catalog.labels.not_mirrored() == []
