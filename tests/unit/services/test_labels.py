import json

import pytest

from prismata.core.coverage import CoverageSpan
from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError
from prismata.core.events import Event
from prismata.core.time import OutsideVideoError
from prismata.services.ingest import ingest_file
from prismata.services.labels import (
    ImportOptions,
    add_label,
    apply_label_import,
    delete_label,
    export_labels,
    list_labels,
    plan_label_import,
)
from prismata.testing.synth import truth_csv

FLASHES = ImportOptions("flashes", {})


@pytest.fixture
def labels_csv(flashes, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(truth_csv([flashes]))
    return path


def stored(bench, video):
    return [item.event for item in list_labels(bench, video, "flashes")]


def mirror(bench, video):
    return json.loads(bench.storage.get(f"labels/flashes/{video.sha256}.json"))


def test_a_dry_run_says_what_would_come_and_writes_nothing(bench, video, flashes, labels_csv):
    before = sorted(info.key for info in bench.storage.list())
    plan = plan_label_import(bench, labels_csv, FLASHES)
    (planned,) = plan.videos
    assert [item.event for item in planned.events] == list(flashes.events)
    assert stored(bench, video) == []
    assert sorted(info.key for info in bench.storage.list()) == before


def test_applied_twice_everything_is_stored_once(bench, video, flashes, labels_csv):
    counts = []
    for _ in range(2):
        plan = plan_label_import(bench, labels_csv, FLASHES)
        counts.append(apply_label_import(bench, plan, "flashes"))
        assert stored(bench, video) == list(flashes.events)
    assert counts == [len(flashes.events), 0]
    for record in list_labels(bench, video, "flashes"):
        assert record.frame_index == flashes.timeline.index_at(record.event.start_us)
        assert record.author == "tester"


def test_imported_labels_join_those_that_are_there_unless_they_replace_them(
    bench, video, flashes, labels_csv
):
    add_label(bench, video, "flashes", Event.point("flash", 500_000))
    plan = plan_label_import(bench, labels_csv, FLASHES)
    apply_label_import(bench, plan, "flashes")
    assert stored(bench, video) == [Event.point("flash", 500_000), *flashes.events]
    assert apply_label_import(bench, plan, "flashes", replace=True) == len(flashes.events)
    assert stored(bench, video) == list(flashes.events)
    assert [item["start_us"] for item in mirror(bench, video)["events"]] == [
        event.start_us for event in flashes.events
    ]


def test_a_file_of_other_videos_is_not_taken_for_an_empty_one(bench, video, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("video,label,kind,start_s,end_s\nelsewhere.mp4,flash,point,1,1\n")
    plan = plan_label_import(bench, path, FLASHES)
    assert plan.videos == ()
    with pytest.raises(InvalidInputError, match="nothing of this file can be imported"):
        apply_label_import(bench, plan, "flashes")


def one_frame(number):
    return {"start_frame": number, "end_frame": number}


def test_the_classic_file_brings_events_and_false_positives(bench, video, tmp_path):
    path = tmp_path / "flashes.json"
    path.write_text(
        json.dumps(
            {
                "video_path": "flashes.mp4",
                "deliveries": [one_frame(33), one_frame(91)],
                "false_positives": [one_frame(60)],
            }
        )
    )
    options = ImportOptions("flashes", {}, onset=("flash",), file_format="classic")
    plan = plan_label_import(bench, path, options)
    assert apply_label_import(bench, plan, "flashes") == 3
    timeline = bench.timeline(video)
    records = list_labels(bench, video, "flashes")
    assert [(record.frame_index, record.review_state) for record in records] == [
        (33, "none"),
        (60, "rejected"),
        (91, "none"),
    ]
    assert [record.event.start_us for record in records] == [
        timeline.start_us(frame) for frame in (33, 60, 91)
    ]


def test_a_missing_file_or_domain_is_named(bench, tmp_path):
    with pytest.raises(NotFoundError, match="no label file"):
        plan_label_import(bench, tmp_path / "gone.csv", FLASHES)
    with pytest.raises(NotFoundError, match="no domain 'flashs'"):
        plan_label_import(bench, tmp_path / "gone.csv", ImportOptions("flashs", {}))


def test_a_label_is_stored_with_its_frame_and_mirrored(bench, video, flashes):
    event = flashes.events[0]
    record = add_label(bench, video, "flashes", event)
    assert record.event == event
    assert record.frame_index == flashes.timeline.index_at(event.start_us)
    copy = mirror(bench, video)
    assert (copy["video"], copy["sha256"], copy["domain"]) == (
        "flashes.mp4",
        video.sha256,
        "flashes",
    )
    (entry,) = copy["events"]
    assert entry["id"] == record.id
    assert (entry["event_type"], entry["start_us"]) == ("flash", event.start_us)
    delete_label(bench, record)
    assert stored(bench, video) == []
    assert mirror(bench, video)["events"] == []
    with pytest.raises((NotFoundError, ConflictError)):
        delete_label(bench, record)


@pytest.mark.parametrize(
    ("event", "error", "sentence"),
    [
        (Event.point("bang", 0), InvalidInputError, "no event type 'bang'; it has flash"),
        (Event.segment("flash", 0, 5), InvalidInputError, "is a point, not a segment"),
        (Event.point("flash", 4_000_000), OutsideVideoError, r"lasts 0:04\.000"),
        (Event.point("flash", -1), OutsideVideoError, r"lasts 0:04\.000"),
    ],
)
def test_a_label_that_cannot_be_is_refused_and_nothing_is_written(
    bench, video, event, error, sentence
):
    with pytest.raises(error, match=sentence):
        add_label(bench, video, "flashes", event)
    assert stored(bench, video) == []
    assert not bench.storage.exists(f"labels/flashes/{video.sha256}.json")


def test_a_segment_must_end_inside_the_video(bench, video):
    add_label(bench, video, "ball_throw", Event.segment("flight", 0, 4_000_000))
    with pytest.raises(InvalidInputError, match=r"ends at 4\.000 s.* lasts 4\.000 s"):
        add_label(bench, video, "ball_throw", Event.segment("flight", 0, 4_000_001))


def test_exported_labels_come_back_as_they_were(bench, video, flashes, labels_csv, tmp_path):
    plan = plan_label_import(bench, labels_csv, FLASHES)
    apply_label_import(bench, plan, "flashes")
    again = tmp_path / "again.csv"
    again.write_text(export_labels(bench, "flashes", "csv"))
    plan = plan_label_import(bench, again, FLASHES)
    assert apply_label_import(bench, plan, "flashes", replace=True) == len(flashes.events)
    assert stored(bench, video) == list(flashes.events)


def test_a_format_that_holds_one_video_asks_which(bench, video, uneven_flashes, flashes):
    other = ingest_file(bench, uneven_flashes.path).video
    add_label(bench, video, "flashes", flashes.events[0])
    add_label(bench, other, "flashes", uneven_flashes.events[0])
    with pytest.raises(InvalidInputError, match="holds one video, but 2 have labels"):
        export_labels(bench, "flashes", "classic")
    one = json.loads(export_labels(bench, "flashes", "classic", videos=["flashes.mp4"]))
    frame = flashes.timeline.index_at(flashes.events[0].start_us)
    assert one["deliveries"] == [{"id": 1, **one_frame(frame)}]
    assert "-->" in export_labels(bench, "flashes", "webvtt", videos=["flashes.mp4"])


def test_a_format_that_holds_one_event_type_never_drops_the_other(bench, video):
    add_label(bench, video, "ball_throw", Event.point("release", 1_000_000))
    add_label(bench, video, "ball_throw", Event.segment("flight", 1_000_000, 2_000_000))
    with pytest.raises(InvalidInputError, match=r"has labels flight, release; export csv or json"):
        export_labels(bench, "ball_throw", "classic", videos=["flashes.mp4"])


def test_a_video_without_labels_can_be_exported_as_one_without(bench, video):
    empty = json.loads(export_labels(bench, "flashes", "classic", videos=["flashes.mp4"]))
    assert (empty["deliveries"], empty["false_positives"]) == ([], [])


def log_of(bench, video):
    history = bench.catalog.labels.history(video.id, "flashes")
    return [(change.client, change.kind) for change in reversed(history)]


def sheet_of(bench, video):
    return bench.catalog.labels.sheet(video.id, "flashes")


def test_an_import_is_in_the_history_and_says_that_its_videos_were_watched(
    bench, video, flashes, labels_csv
):
    plan = plan_label_import(bench, labels_csv, FLASHES)
    apply_label_import(bench, plan, "flashes")
    created = [("import", "create")] * len(flashes.events)
    assert log_of(bench, video) == [*created, ("import", "sheet"), ("import", "cover")]
    assert sheet_of(bench, video).status == "in_progress"
    whole = (CoverageSpan(0, flashes.timeline.duration_us, "watched"),)
    assert sheet_of(bench, video).coverage == whole
    assert mirror(bench, video)["coverage"] == [[0, flashes.timeline.duration_us, "watched"]]
    apply_label_import(bench, plan, "flashes")
    assert len(log_of(bench, video)) == len(created) + 2


def test_a_partial_import_says_nothing_about_unlabelled_time(bench, video, labels_csv):
    plan = plan_label_import(bench, labels_csv, FLASHES)
    apply_label_import(bench, plan, "flashes", partial=True)
    assert sheet_of(bench, video).coverage == ()
    assert {kind for _, kind in log_of(bench, video)} == {"create", "sheet"}


def test_a_replacing_import_touches_only_what_differs(bench, video, flashes, labels_csv):
    kept = add_label(bench, video, "flashes", flashes.events[0])
    add_label(bench, video, "flashes", Event.point("flash", 500_000))
    plan = plan_label_import(bench, labels_csv, FLASHES)
    apply_label_import(bench, plan, "flashes", replace=True)
    assert stored(bench, video) == list(flashes.events)
    assert kept in list_labels(bench, video, "flashes")
    assert log_of(bench, video)[2:] == [
        ("import", "delete"),
        *[("import", "create")] * (len(flashes.events) - 1),
        ("import", "sheet"),
        ("import", "cover"),
    ]


def test_a_single_label_covers_nothing_by_itself(bench, video, flashes):
    record = add_label(bench, video, "flashes", flashes.events[0])
    assert sheet_of(bench, video).coverage == ()
    delete_label(bench, record)
    assert log_of(bench, video) == [("cli", "create"), ("cli", "delete")]


def test_a_label_that_somebody_changed_meanwhile_is_not_deleted(bench, video, flashes):
    record = add_label(bench, video, "flashes", flashes.events[0])
    bench.catalog.events.set_review_state(record.id, "accepted", "bob", record.revision)
    with pytest.raises(ConflictError, match="somebody else changed this event"):
        delete_label(bench, record)
    assert stored(bench, video) == [flashes.events[0]]


@pytest.mark.parametrize("partial", [False, True])
def test_a_video_with_only_ignored_labels_is_watched_if_the_file_holds_all_there_is(
    bench, video, flashes, uneven_flashes, tmp_path, partial
):
    other = ingest_file(bench, uneven_flashes.path, domain="flashes").video
    path = tmp_path / "labels.csv"
    walk = f"{other.name},walk,point,0.5,0.5\n"
    path.write_text(truth_csv([flashes]).rstrip("\n") + "\n" + walk)
    plan = plan_label_import(bench, path, ImportOptions("flashes", {"walk": ""}))
    apply_label_import(bench, plan, "flashes", partial=partial)
    assert stored(bench, other) == []
    watched = (CoverageSpan(0, other.duration_us, "watched"),)
    coverage = bench.catalog.labels.sheet(other.id, "flashes").coverage
    assert coverage == (() if partial else watched)


def test_a_file_of_which_everything_is_ignored_is_refused(bench, video, tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(f"video,label,kind,start_s,end_s\n{video.name},walk,point,0.5,0.5\n")
    plan = plan_label_import(bench, path, ImportOptions("flashes", {"walk": ""}))
    with pytest.raises(InvalidInputError, match="nothing of this file can be imported"):
        apply_label_import(bench, plan, "flashes")
    assert bench.catalog.labels.sheet(video.id, "flashes").coverage == ()
