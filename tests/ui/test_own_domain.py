"""What a domain declares and brings as code, on the pages: used, shown, and never in the way."""

import pytest

from prismata.catalog import EventDraft
from prismata.core.events import Event

PLUGIN = '''
from prismata.domains import *

@register_domain
class Flashes(Domain):
    """White flashes in a dark room."""

    name = "flashes"
    event_types = (
        EventType("flash", "point", tolerance_seconds=0.2),
        EventType("dark", "segment", min_seconds=0.5, max_seconds=1),
    )
    relations = (Exclusion("flash", "flash"),)
    clip = ClipSpec(target_fps=20, num_frames=4, window_stride=1, width=32, height=32)
    tolerance_seconds = 0.1
    preset = "tiny"
    wording = Wording("bright flash", "bright flashes", "the room stays dark")
    derived_types = (EventType("pair", "segment"),)

    def derive(self, events, scores):
        if len(events) == 1:
            raise RuntimeError("half a pair")
        for first, second in zip(events[::2], events[1::2]):
            yield DerivedEvent(Event.segment("pair", first.start_us, second.start_us), "pair")
'''


@pytest.fixture
def plugins(tmp_path):
    folder = tmp_path / "own" / "flashes"
    (folder / "guide").mkdir(parents=True)
    (folder / "domain.py").write_text(PLUGIN)
    (folder / "guide" / "flash-first_frame.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return folder.parent


@pytest.fixture
def analyzed(open_page, video, add_bundle, finished_run, flashes):
    finished_run(video, add_bundle(), flashes)
    return open_page("analyze")


def test_the_label_page_gets_limits_pictures_and_tolerances(open_page, video):
    page = open_page("label")
    page.box("Domain").select("flashes")
    told = page.run().component("label_station", package="prismata.")[1]
    flash, dark = told["domain"]["event_types"]
    assert told["domain"]["tolerances_us"] == {"flash": 200_000, "dark": 100_000}
    assert flash["pictures"] == [{"name": "flash-first_frame.png", "caption": "first frame"}]
    assert (flash["limits"], dark["limits"]) == ("", "It lasts 0.5 to 1 s.")
    assert told["tokens"]["guide"]


def test_the_train_page_begins_with_the_preset_of_the_domain_and_says_what_looks_wrong(
    open_page, bench, video
):
    drafts = [EventDraft(Event.point("flash", 500_000)) for _ in range(2)]
    bench.catalog.events.add_annotations(video.id, "flashes", 1, drafts, "anna")
    page = open_page("train")
    page.box("Domain").select("flashes")
    page.run()
    assert page.test.radio[0].value == "tiny"
    assert "Flashes is made for: Train the encoder too." in page.words
    assert "1 thing in the labels of 1 video may be worth a second look: 'Flash'" in page.words


def test_a_result_is_told_in_the_words_of_the_domain_with_what_follows_from_it(analyzed):
    assert "**2 bright flashes** in flashes.mp4" in analyzed.words
    assert "Nobody saw these: they follow from the events above" in analyzed.words
    derived = analyzed.test.dataframe[1].value
    assert list(derived["What"]) == ["pair"]


def test_what_follows_goes_when_the_threshold_leaves_nothing(analyzed):
    analyzed.test.slider[0].set_value(0.99)
    analyzed.run()
    assert "The room stays dark. Lower the threshold" in analyzed.words
    assert len(analyzed.test.dataframe) == 0


def test_a_hook_that_fails_is_told_where_its_result_would_stand_and_the_events_stay(
    open_page, bench, video, add_bundle, finished_run, flashes
):
    first = flashes.events[0].start_us
    finished_run(video, add_bundle(), flashes)
    draft = EventDraft(Event.point("flash", first), review_state="rejected")
    bench.catalog.events.add_annotations(video.id, "flashes", 1, [draft], "anna")
    page = open_page("analyze")
    (told,) = page.test.error
    text = told.value.replace("\\", "")
    assert "Nothing is derived here: the derive hook of domain 'flashes' failed" in text
    line = 1 + PLUGIN.splitlines().index('            raise RuntimeError("half a pair")')
    assert f"RuntimeError: half a pair (flashes/domain.py, line {line})" in text
    assert "**2 bright flashes** in flashes.mp4" in page.words
    assert len(page.test.dataframe) == 1
