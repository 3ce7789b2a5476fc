"""Compare: what is missing is said; gained and lost, and the chosen moment with both curves."""

from types import SimpleNamespace

import pytest

from prismata.core.events import Event
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.services.models import promote_model
from prismata.testing.synth import render_flashes
from prismata.ui import state


@pytest.fixture
def look(finished_run):
    """Store a run of a model that found flashes at these milliseconds."""

    def store(model, video, *times_ms):
        found = [Event.point("flash", time * 1000) for time in times_ms]
        return finished_run(video, model, SimpleNamespace(events=found))

    return store


@pytest.fixture
def two(video, add_bundle, look):
    one, other = add_bundle("one"), add_bundle("other")
    look(one, video, 500, 1500)
    look(other, video, 500, 2500, 3500)
    return one, other


@pytest.fixture
def compare(open_page, two):
    def opened():
        page = open_page("compare")
        page.box("Domain").select("flashes")
        page.run()
        page.box("First model").select(two[0].id)
        page.run()
        return page

    return opened


def events(page):
    return page.test.dataframe[-1].value


def test_it_takes_two_models_and_the_page_says_where_they_come_from(open_page, video, add_bundle):
    page = open_page("compare")
    page.box("Domain").select("flashes")
    assert "has no models, and it takes two" in page.run().words
    add_bundle("one")
    words = page.run().words
    assert "has 1 model, and it takes two" in words
    assert "prismata models add" in words


def test_models_without_a_common_video_are_told_how_to_get_one(open_page, video, add_bundle, look):
    one, _ = add_bundle("one"), add_bundle("other")
    look(one, video, 500)
    page = open_page("compare")
    page.box("Domain").select("flashes")
    words = page.run().words
    assert "no video on which both 'other' and 'one' were run" in words
    assert "**Analyze**" in words


def test_gained_and_lost_are_counted_and_listed(compare, video):
    page = compare()
    assert "other gained 2 (2 unjudged) and lost 1 (1 unjudged)" in page.words
    assert "No metrics." in page.words
    assert page.test.dataframe[0].value["All"].tolist() == [1, 1, 2]
    assert events(page)["What"].tolist() == ["Lost", "Gained", "Gained"]
    assert events(page)["Start"].tolist() == ["0:01.500", "0:02.500", "0:03.500"]
    page.box("Show").select("both")
    page.run()
    assert events(page)["What"].tolist() == ["Found by both"]
    assert events(page)["Moved"].tolist() == [0.0]


def test_the_chosen_moment_plays_beside_both_curves(compare, video):
    page = compare()
    page.select_rows(len(page.test.dataframe) - 1, [2])
    assert f"{video.name} at 0:03.500" in page.words
    player, picture = (page.component(name)[1] for name in ("player", "timeline"))
    assert 2_500_000 <= player["seek"]["us"] < 2_560_000
    assert "first: one (dashed)" in picture["svg"]
    assert "second: other (solid)" in picture["svg"]
    assert (picture["from_us"], picture["duration_us"]) == (0, video.duration_us)


def test_a_long_video_is_drawn_around_the_moment(open_page, bench, add_bundle, look, tmp_path):
    made = render_flashes(tmp_path / "long.mp4", seconds=60, seed=8, size=(48, 32), fps=10)
    long = ingest_file(bench, made.path, domain="flashes").video
    look(add_bundle("one"), long)
    look(add_bundle("other"), long, 30_000)
    page = open_page("compare")
    page.box("Domain").select("flashes")
    page.run()
    picture = page.component("timeline")[1]
    assert (picture["from_us"], picture["duration_us"]) == (15_000_000, 30_000_000)


def test_what_is_used_stands_first_and_the_newest_beside_it(
    open_page, bench, two, add_bundle, look
):
    newest = add_bundle("newest")
    look(newest, bench.catalog.videos.list()[0], 500)

    def chosen():
        page = open_page("compare")
        page.box("Domain").select("flashes")
        page.run()
        ids = [page.box(f"{place} model").value for place in ("First", "Second")]
        return [bench.catalog.models.get(item).name for item in ids]

    assert chosen() == ["other", "newest"]
    promote_model(bench, two[0].id)
    assert chosen() == ["one", "newest"]


def test_labels_give_metrics_and_a_new_label_counts_at_once(compare, bench, video):
    page = compare()
    add_label(bench, video, "flashes", Event.point("flash", 2_500_000))
    page.run()
    assert "other gained 2 (1 right, 1 unjudged)" in page.words
    assert "mAP points" in page.words
    assert list(page.test.dataframe[1].value.columns) == ["Event", "Figure", "one", "other"]


def test_nothing_is_computed_again_for_another_row(compare, monkeypatch):
    page = compare()
    kept = page.test.session_state[state.COMPARED][1]
    page.select_rows(len(page.test.dataframe) - 1, [1])
    assert page.test.session_state[state.COMPARED][1] is kept


def test_a_video_that_only_one_looked_at_is_named(compare, bench, two, look, uneven_flashes):
    alone = ingest_file(bench, uneven_flashes.path, domain="flashes").video
    look(two[1], alone, 500)
    page = compare()
    assert [item.label for item in page.test.expander] == ["1 video only one of them has looked at"]
    assert f"prismata detect {alone.name} --model one" in page.words


def test_models_that_agree_or_found_nothing_say_so(open_page, bench, video, add_bundle, look):
    one, other = add_bundle("one"), add_bundle("other")
    for model in (one, other):
        look(model, video)
    page = open_page("compare")
    page.box("Domain").select("flashes")
    assert "Neither model found anything" in page.run().words
    for model in (one, other):
        look(model, video, 500)
    assert "Nothing of that kind" in page.run().words
    page.box("Show").select("all")
    assert page.run().component("player")[1]["name"] == video.name
