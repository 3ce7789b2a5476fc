"""Groups by a pattern and shared footage, on the Train page."""

import pytest

from prismata.core.events import Event
from prismata.core.jobs import JobState
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.services.near_duplicates import latest_comparison
from prismata.testing.synth import render_ball_throw


@pytest.fixture
def copies(bench, tmp_path):
    film = render_ball_throw(tmp_path / "park_1_a.mp4", seconds=5, seed=4).path
    copy = tmp_path / "park_1_b.mp4"
    copy.write_bytes(film.read_bytes() + (16).to_bytes(4, "big") + b"free" + bytes(8))
    other = render_ball_throw(tmp_path / "park_2_a.mp4", seconds=5, seed=5).path
    for path in (film, copy, other):
        video = ingest_file(bench, path, domain="ball_throw").video
        add_label(bench, video, "ball_throw", Event.point("release", 3_000_000))


def open_train(open_page):
    page = open_page("train")
    page.box("Domain").select("ball_throw")
    return page.run()


def test_shared_footage_is_looked_for_when_asked_and_then_told(open_page, bench, copies):
    page = open_train(open_page)
    assert "Nobody has looked yet whether videos of different groups share footage" in page.words
    page.press("Look for shared footage")
    job = latest_comparison(bench, "ball_throw")
    assert bench.jobs.follow(job.id).wait(120).state is JobState.SUCCEEDED
    page.run()
    assert "Look for shared footage" not in page.buttons()
    row = next(frame.value.iloc[0] for frame in page.test.dataframe if "Shares with" in frame.value)
    assert {row["Video"], row["Shares with"]} == {"park_1_a.mp4", "park_1_b.mp4"}
    leaks = row["Part"] != row["Its part"]
    assert leaks == any("share footage" in item.value for item in page.test.error)


def test_groups_are_shown_while_a_pattern_is_typed_and_stored_by_a_button(open_page, bench, copies):
    page = open_train(open_page)
    page.field("Pattern").set_value("park_(").run()
    assert any("is not a regular expression" in item.value for item in page.test.error)
    page.field("Pattern").set_value(r"park_(\d+)").run()
    assert not page.test.error
    assert {video.group_name for video in bench.catalog.videos.list()} == {
        "park_1_a.mp4",
        "park_1_b.mp4",
        "park_2_a.mp4",
    }
    page.press("Move 3 videos to these groups")
    assert "All videos are in these groups already" in page.words
    assert [(video.group_name, video.grouped_by) for video in bench.catalog.videos.list()] == [
        ("1", "tester"),
        ("1", "tester"),
        ("2", "tester"),
    ]
