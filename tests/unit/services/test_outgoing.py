"""Events on their way out: rows, files, films; whole or not at all."""

import csv
import io
import json
import sys

import pandas as pd
import pytest

from prismata.catalog.event_search import EventFilter
from prismata.core.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from prismata.core.events import Event
from prismata.core.time import TimeSpan
from prismata.formats import read_events_csv
from prismata.media.facts import probe
from prismata.media.readers import open_video
from prismata.media.scanning import scan
from prismata.services.annotate import LabelDesk
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.export_events import EVENT_FORMATS, export_events
from prismata.services.ingest import ingest_file
from prismata.services.labels import ImportOptions, add_label, plan_label_import
from prismata.services.outgoing import newest_runs, of_runs, provenance, searched
from prismata.services.reel import (
    KEPT_REELS,
    Surroundings,
    clip_name,
    kept_reel,
    plan_scenes,
    reel_place,
    within,
    write_clips,
    write_reel,
)
from prismata.services.review import ReviewDesk, Verdict
from prismata.testing.barcode import read_barcode, write_barcode_video


@pytest.fixture
def detected(bench, video, add_bundle):
    """The flashes video with a run that found its flashes."""
    model = add_bundle()
    outcome = run_detection(bench, prepare_detection(bench, DetectRequest(video.id, model.id)))
    assert outcome.result is not None
    (run,) = bench.catalog.detections.list(video_id=video.id)
    return run


@pytest.fixture
def numbered(bench, tmp_path):
    """A video whose frames carry their number, 25 a second, with B-frames."""
    path = write_barcode_video(tmp_path / "numbered.mp4", frames=150, bframes=2)
    return ingest_file(bench, path, domain="flashes").video


def search(bench, **conditions):
    return list(searched(bench, EventFilter(**conditions)))


def shown(path):
    timeline = scan(path).timeline
    with open_video(path, timeline=timeline) as film:
        return [read_barcode(frame.pixels) for frame in film.read(range(len(timeline)))]


def test_a_search_gives_rows_with_frames_titles_models_and_decisions(bench, video, detected):
    first = bench.catalog.events.list(detection_run_id=detected.id)[0]
    bench.catalog.events.set_review_state(first.id, "rejected", "anna", first.revision)
    rows = {item.row.id: item.row for item in search(bench)}
    row = rows[first.id]
    assert (row.title, row.model, row.domain) == ("Flash", "flash-detector", "flashes")
    assert (row.review_state, row.reviewer) == ("rejected", "anna")
    assert row.start_frame == row.end_frame == bench.timeline(video).index_at(first.event.start_us)
    assert [item.row.id for item in search(bench, review_state="rejected")] == [first.id]


def test_runs_under_other_thresholds_keep_what_was_decided_of_the_same_events(
    bench, video, flashes, detected
):
    first = bench.catalog.events.list(detection_run_id=detected.id)[0]
    bench.catalog.events.set_review_state(first.id, "accepted", "anna", first.revision)
    (run,) = newest_runs(bench, bench.catalog.models.find("flash-detector"), "FLASH")
    rows = [item.row for item in of_runs(bench, [run], {})]
    assert len(rows) == len(flashes.events)
    assert [row.reviewer for row in rows if row.id == first.id] == ["anna"]
    none = EventFilter(min_score=0.5, max_score=0.5)
    assert list(of_runs(bench, [run], {}, none)) == []
    with pytest.raises(InvalidInputError, match="cannot be chosen by reviewer"):
        list(of_runs(bench, [run], {}, EventFilter(reviewer="anna")))
    with pytest.raises(NotFoundError, match="no finished run on a video with 'x' in its name"):
        newest_runs(bench, bench.catalog.models.find("flash-detector"), "x")


def test_what_reviewers_decided_is_told_with_the_detection(bench, video, detected):
    desk = ReviewDesk(bench, LabelDesk(bench))
    first = search(bench, origin="detection")[0].row
    desk.decide(
        Verdict(
            id="f" * 32,
            run_id=detected.id,
            event_type="flash",
            span=first.event.span,
            decision="rejected",
            reason="control",
        ),
        "anna",
    )
    told = {item.row.id: item.row for item in search(bench, origin="detection")}
    assert (told[first.id].review_state, told[first.id].reviewer) == ("rejected", "anna")
    assert sorted(row.review_state for row in told.values()) == ["none", "rejected"]
    rows = [item.row for item in of_runs(bench, [detected], {})]
    assert [row.reviewer for row in rows if row.review_state == "rejected"] == ["anna"]


def test_csv_of_results_comes_back_as_labels_and_rejected_ones_as_hard_negatives(
    bench, detected, tmp_path
):
    first, *rest = bench.catalog.events.list(detection_run_id=detected.id)
    bench.catalog.events.set_review_state(first.id, "rejected", "=cmd()", first.revision)
    path = tmp_path / "events.csv"
    count = export_events(searched(bench, EventFilter()), path, "csv", provenance={})
    assert (count.rows, len(count.videos)) == (1 + len(rest), 1)
    told = {line["id"]: line for line in csv.DictReader(io.StringIO(path.read_text()))}
    assert told[first.id]["reviewer"] == "'=cmd()"
    assert told[first.id]["start_frame"] == told[first.id]["end_frame"] != ""
    table = read_events_csv(path.read_bytes())
    assert {row.start_us for row in table.rows if row.false_positive} == {first.event.start_us}
    plan = plan_label_import(bench, path, ImportOptions("flashes", {}))
    assert (plan.num_events, plan.num_false_positives, plan.num_left_out) == (len(rest), 1, 0)
    again = {item.event.start_us for item in plan.videos[0].events}
    assert again == {item.event.start_us for item in rest}


def test_json_says_everything_exactly_and_what_it_was_made_with(bench, video, detected, tmp_path):
    model = bench.catalog.models.find("flash-detector")
    made_with = provenance(bench, asked={"domain": "flashes"}, models=[model])
    export_events(searched(bench, EventFilter()), tmp_path / "e.json", "json", provenance=made_with)
    document = json.loads((tmp_path / "e.json").read_text())
    told = document["provenance"]["models"]["flash-detector"]
    assert told["files"] == model.card["files"]
    assert len(told["sha256"]) == 64
    (entry,) = document["videos"]
    assert (entry["sha256"], entry["duration_us"]) == (video.sha256, video.duration_us)
    starts = [event["start_us"] for event in entry["events"]]
    assert starts == sorted(starts)
    event = entry["events"][0]
    assert event["start_seconds"] == event["start_us"] / 1e6
    assert bench.timeline(video).index_at(event["start_us"]) == event["start_frame"]


def test_parquet_has_typed_columns_and_knows_what_it_was_made_with(bench, detected, tmp_path):
    import pyarrow.parquet as pq

    path = tmp_path / "e.parquet"
    events = search(bench)
    export_events(events, path, "parquet", provenance={"program": "prismata"})
    frame = pd.read_parquet(path)
    assert frame["start_us"].tolist() == [item.row.event.start_us for item in events]
    assert str(frame["start_frame"].dtype) == "int64"
    assert str(frame["created_at"].dtype) == "datetime64[us, UTC]"
    assert json.loads(pq.read_schema(path).metadata[b"prismata"]) == {"program": "prismata"}


def test_without_pyarrow_a_sentence_says_how_to_get_it(bench, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UnavailableError, match=r"prismata\[parquet\]"):
        export_events([], tmp_path / "e.parquet", "parquet", provenance={})
    assert list(tmp_path.glob("*e.parquet*")) == []


def test_webvtt_holds_one_video_without_what_was_rejected(bench, video, numbered, tmp_path):
    add_label(bench, video, "flashes", Event.point("flash", 500_000))
    wrong = add_label(bench, video, "flashes", Event.point("flash", 900_000))
    bench.catalog.events.set_review_state(wrong.id, "rejected", "anna", wrong.revision)
    path = tmp_path / "e.vtt"
    export_events(search(bench), path, "vtt", provenance={})
    assert path.read_text() == "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nFlash\n"
    add_label(bench, numbered, "flashes", Event.point("flash", 0))
    with pytest.raises(InvalidInputError, match="there is events of 2 videos; choose one"):
        export_events(search(bench), tmp_path / "two.vtt", "vtt", provenance={})
    assert not list(tmp_path.glob("*two*"))


@pytest.mark.parametrize("file_format", EVENT_FORMATS)
def test_nothing_is_left_of_an_export_that_failed(bench, video, tmp_path, file_format):
    add_label(bench, video, "flashes", Event.point("flash", 500_000))

    def failing():
        yield from search(bench)
        raise KeyboardInterrupt

    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        export_events(failing(), folder / "e", file_format, provenance={})
    assert list(folder.iterdir()) == []
    (folder / "e").write_text("mine")
    with pytest.raises(ConflictError, match="exists already"):
        export_events(search(bench), folder / "e", file_format, provenance={})
    assert (folder / "e").read_text() == "mine"


def test_a_reel_shows_each_frame_of_the_scenes_once(bench, numbered, tmp_path):
    for seconds in (1, 1.5, 4, 5.96):
        add_label(bench, numbered, "flashes", Event.point("flash", round(seconds * 1e6)))
    events = search(bench)
    around = Surroundings(400_000, 400_000)
    scenes = plan_scenes(events, around)
    assert [scene.span for scene in scenes] == [
        TimeSpan(600_000, 1_900_000),
        TimeSpan(3_600_000, 4_400_000),
        TimeSpan(5_560_000, 6_360_000),
    ]
    told = []
    made = write_reel(
        bench,
        events,
        tmp_path / "reel.mp4",
        around=around,
        on_progress=lambda *all_: told.append(all_),
    )
    expected = [*range(15, 48), *range(90, 110), *range(139, 150)]
    assert shown(tmp_path / "reel.mp4") == expected
    assert made.frames == len(expected)
    assert told[-1] == (len(expected), len(expected), numbered.name)


def test_a_clip_for_each_event_is_named_after_it(bench, numbered, tmp_path):
    for seconds in (1, 1.5):
        add_label(bench, numbered, "flashes", Event.point("flash", round(seconds * 1e6)))
    folder = tmp_path / "clips"
    told = []
    written = write_clips(
        bench,
        search(bench),
        folder,
        around=Surroundings(200_000, 120_000),
        captions=True,
        on_progress=lambda *all_: told.append(all_),
    )
    assert [path.name for path in written] == [
        "1-numbered-0m01.500s-flash.mp4",
        "2-numbered-0m01.000s-flash.mp4",
    ]
    # 1.5 s lies in frame 37; 1.3 s in frame 32, which begins before the stretch.
    assert [shown(path) for path in written] == [list(range(33, 41)), list(range(20, 28))]
    assert told[-1] == (16, 16, "numbered.mp4")
    with pytest.raises(ConflictError, match="is not empty"):
        write_clips(bench, search(bench), folder)


def test_what_cannot_be_shown_is_told(bench, video, tmp_path):
    with pytest.raises(InvalidInputError, match="no event fits"):
        write_reel(bench, [], tmp_path / "reel.mp4")
    with pytest.raises(InvalidInputError, match="no event fits"):
        write_clips(bench, [], tmp_path / "clips")
    with pytest.raises(InvalidInputError, match="-1 s cannot be shown"):
        Surroundings(-1_000_000, 0)
    assert not (tmp_path / "clips").exists()


def test_a_reel_of_a_page_is_bounded_and_made_once(bench, numbered):
    for seconds in (0.5, 1, 3, 5):
        add_label(bench, numbered, "flashes", Event.point("flash", round(seconds * 1e6)))
    events = search(bench)
    starts = [item.row.event.start_us for item in within(events, 4.0)]
    assert starts == [5_000_000, 3_000_000]
    assert len(within(events, 0.1)) == 1
    assert within([], 9) == []
    path = kept_reel(bench, events[:1], max_side=160)
    assert path == reel_place(bench, events[:1], 160)
    assert path != reel_place(bench, events[:2], 160) != reel_place(bench, events[:2], 320)
    assert (probe(path).width, probe(path).height) == (160, 120)
    made = path.stat().st_mtime_ns
    assert kept_reel(bench, events[:1], max_side=160).stat().st_mtime_ns == made
    for side in range(20, 20 + 2 * KEPT_REELS, 2):
        kept_reel(bench, events[:1], max_side=side)
    assert len(list(path.parent.iterdir())) == KEPT_REELS
    assert not path.exists()


def test_a_clip_name_is_safe_on_every_system(bench, video):
    add_label(bench, video, "flashes", Event.point("flash", 500_000))
    (item,) = search(bench)
    name = clip_name(7, 120, '../a b:c*?"<>|\u00e9.mp4', item.row)
    assert name == "007-a-b-c-\u00e9-0m00.500s-flash.mp4"
