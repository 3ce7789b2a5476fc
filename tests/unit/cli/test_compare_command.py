"""`prismata models compare`: metrics, and what was gained and lost."""

from types import SimpleNamespace

import pytest

from prismata.core.events import Event
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label


@pytest.fixture
def taken(bench, flashes, add_bundle, finished_run):
    """A video on which two models have found one flash both, and one each alone."""
    video = ingest_file(bench, flashes.path, name="room.mp4", domain="flashes").video
    for name, times in (("one", (500, 1500)), ("other", (500, 2500))):
        found = [Event.point("flash", time * 1000) for time in times]
        finished_run(video, add_bundle(name), SimpleNamespace(events=found))
    return video


def test_gained_and_lost_stand_below_the_figures(prismata, bench, taken):
    add_label(bench, taken, "flashes", Event.point("flash", 2_500_000))
    answer = prismata("models", "compare", "one", "other", "--video", "room.mp4")
    assert answer.code == 0
    assert "mAP points" in answer.out
    assert "gained: 1 (1 right)" in answer.out
    assert "lost: 1 (1 unjudged)" in answer.out
    assert "found by both: 1 (1 unjudged)" in answer.out
    assert "means ±0.1 s" in answer.err
    assert "0:02.500" not in answer.out


def test_every_event_is_listed_if_asked_for(prismata, taken):
    answer = prismata("models", "compare", "one", "other", "--all", "--list")
    rows = [line for line in answer.out.splitlines() if "room.mp4" in line]
    assert len(rows) == 2
    assert "lost" in rows[0]
    assert "0:01.500" in rows[0]
    assert "gained" in rows[1]
    assert "no metrics: nobody watched or labelled" in answer.err


def test_programs_find_the_figures_where_they_were_and_the_changes_beside(prismata, bench, taken):
    said = ("models", "compare", "one", "other", "--all", "--json")
    told = prismata(*said).json
    assert [told[key] for key in ("first", "second", "points", "segments")] == [None] * 4
    assert "nobody watched" in told["unmeasured"]
    assert "events" not in told["changes"]
    add_label(bench, taken, "flashes", Event.point("flash", 2_500_000))
    told = prismata(*said, "--list").json
    assert told["first"]["model"] == "one"
    assert set(told["points"]) == {"first", "second", "difference", "interval", "certain"}
    assert told["changes"]["gained"]["true"] == 1
    assert [item["change"] for item in told["changes"]["events"]] == ["both", "lost", "gained"]


def test_models_that_agree_are_told_so(prismata, taken, bench, finished_run):
    for name in ("one", "other"):
        found = SimpleNamespace(events=[Event.point("flash", 500_000)])
        finished_run(taken, bench.catalog.models.find(name), found)
    answer = prismata("models", "compare", "one", "other", "--all", "--list")
    assert "found by both: 1 (1 unjudged)" in answer.out
    assert "gained: 0\n" in answer.out
    assert "both found the same events" in answer.err


def test_all_videos_and_a_choice_of_them_exclude_each_other(prismata, taken):
    answer = prismata("models", "compare", "one", "other", "--all", "--detect")
    assert answer.code != 0
    assert "--all means the videos that both have been run on" in answer.err
    same = prismata("models", "compare", "one", "one", "--all")
    assert "cannot be compared with itself" in same.err


def test_a_named_video_without_a_run_is_told_as_before(prismata, bench, taken, uneven_flashes):
    ingest_file(bench, uneven_flashes.path, name="uneven.mp4", domain="flashes")
    answer = prismata("models", "compare", "one", "other", "--video", "uneven.mp4")
    assert answer.code != 0
    assert "has not been run on 'uneven.mp4' yet" in answer.err
