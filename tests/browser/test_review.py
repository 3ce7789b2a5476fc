"""The review inbox in a browser: cards, keys, undo, edges, a server that is away for a while."""

import itertools
import re

import pytest
from playwright.sync_api import expect

from prismata.core.jobs import JobState
from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.ingest import ingest_file
from prismata.testing.synth import render_flashes

FRAME_US = 50_000
CONTEXT_US = 1_000_000
ABOUT = "about => (window.aboutCard = about).innerText"
CHANGED = "before => !window.aboutCard.checkVisibility() || window.aboutCard.innerText !== before"


@pytest.fixture
def videos(bench, tmp_path, add_bundle):
    """Two rooms in which the model found every flash, as its child does it."""
    model = add_bundle()
    taken = []
    for number in (1, 2):
        room = render_flashes(
            tmp_path / f"room-{number}.mp4", seconds=20, seed=number, size=(96, 64), fps=20
        )
        taken.append(ingest_file(bench, room.path, domain="flashes").video)
        prepared = prepare_detection(bench, DetectRequest(taken[-1].id, model.id))
        assert run_detection(bench, prepared).state is JobState.SUCCEEDED
    return taken


@pytest.fixture
def inbox(page, server, videos):
    page.goto(f"{server.url}/review")
    page.get_by_role("combobox", name=re.compile("Domain")).click()
    page.get_by_role("option", name="Flashes").click()
    page.get_by_label("order of the queue").select_option("time")
    page.locator(".inbox[data-card] .queue .row.here").wait_for()
    return Inbox(page)


class Inbox:
    """The page as somebody at the keyboard uses it."""

    def __init__(self, page):
        self.page = page

    @property
    def card(self):
        """Where the card lies, as the page says it."""
        return self.page.locator(".about").inner_text()

    def press(self, key):
        """Press a key that decides, and wait until another card is looked at."""
        before = self.page.locator(".about").evaluate(ABOUT)
        self.page.keyboard.press(key)
        self.page.wait_for_function(CHANGED, arg=before)

    def all_saved(self):
        self.page.locator('.saved[data-state="saved"]').wait_for()


def decisions(bench):
    return bench.catalog.reviews.list("flashes")


def test_twenty_events_are_reviewed_by_keys_and_each_says_how_it_came_about(
    inbox, bench, videos, flash_bundle
):
    del flash_bundle
    for key in ["a"] * 16 + ["x"] * 3 + ["u"]:
        inbox.press(key)
    inbox.all_saved()
    made = decisions(bench)
    assert [item.decision for item in made] == ["accepted"] * 16 + ["rejected"] * 3 + ["unsure"]
    assert {item.reviewer for item in made} == {"ada"}
    assert {len(item.model_digest) for item in made} == {64}
    assert all(item.threshold and item.created_at for item in made)
    states = [e.review_state for e in bench.catalog.events.list(origin="annotation")]
    assert sorted(states) == ["accepted"] * 16 + ["rejected"] * 3 + ["unsure"]
    inbox.page.reload()
    inbox.page.get_by_text("Reviewed 20").wait_for()


def test_the_stretch_plays_again_and_again_with_a_second_around_it(inbox):
    video = inbox.page.locator(".screen video:not([hidden])")
    times = []
    for _ in range(12):
        times.append(video.evaluate("video => video.currentTime"))
        inbox.page.wait_for_timeout(300)
    assert any(later < before for before, later in itertools.pairwise(times))
    assert max(times) - min(times) < 2.6


def watched(bench, video):
    sheet = bench.catalog.labels.sheet(video.id, "flashes")
    return [(span.start_us, span.end_us) for span in sheet.coverage if span.state == "watched"]


def test_what_was_played_around_an_event_counts_as_seen_and_not_a_frame_more(inbox, bench, videos):
    """The picture stands still on one card, plays on the next, and is not to count on the third."""
    page = inbox.page
    page.keyboard.press(" ")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.screen video')].every(video => video.paused)"
    )
    inbox.press("s")  # the next card is shown at its start, paused: nothing of it was played
    page.locator(".inbox[data-card]").wait_for()
    inbox.press("a")
    inbox.all_saved()
    (made,) = decisions(bench)
    video = bench.catalog.videos.get(made.video_id)
    assert watched(bench, video) == []
    page.keyboard.press(" ")
    page.wait_for_timeout(1500)
    page.keyboard.press(" ")
    inbox.press("a")
    inbox.all_saved()
    last = max(decisions(bench), key=lambda item: item.created_at)
    spans = watched(bench, bench.catalog.videos.get(last.video_id))
    assert spans, "a second and a half was played"
    assert spans[0][0] >= last.start_us - CONTEXT_US - FRAME_US
    assert spans[-1][1] <= last.end_us + CONTEXT_US + FRAME_US
    page.keyboard.press(" ")
    page.wait_for_timeout(800)
    page.keyboard.press(".")
    before = [watched(bench, video) for video in videos]
    inbox.press("x")
    inbox.all_saved()
    assert [watched(bench, video) for video in videos] == before
    expect(page.get_by_label(re.compile("nothing else happens"))).to_be_checked()
    for _ in range(2):
        inbox.press("z")
    assert [watched(bench, video) for video in videos] == [[], []]


def test_a_decision_is_taken_back_by_a_key(inbox, bench, videos):
    first = inbox.card
    inbox.press("x")
    inbox.all_saved()
    assert len(decisions(bench)) == 1
    inbox.press("z")
    assert inbox.card == first
    assert decisions(bench) == []
    assert bench.catalog.events.list(origin="annotation") == []


def test_an_edge_is_moved_by_frames_and_kept_as_a_correction(inbox, bench, videos):
    page = inbox.page
    page.keyboard.press("e")
    page.locator(".edges .edge.here").wait_for()
    start = page.locator(".edges .edge.here").inner_text()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".edges .edge.here")).not_to_have_text(start)
    inbox.press("a")
    inbox.all_saved()
    (made,) = decisions(bench)
    assert made.decision == "corrected"
    label = bench.catalog.events.get(made.event_id)
    timeline = bench.timeline(bench.catalog.videos.get(made.video_id))
    moved = timeline.index_at(label.event.start_us) - timeline.index_at(made.start_us)
    assert moved == 2


def test_what_is_decided_while_the_server_is_away_arrives_later(inbox, bench, videos):
    page = inbox.page
    page.route("**/api/review/*/decide", lambda route: route.abort())
    inbox.press("a")
    inbox.press("a")
    page.get_by_text("2 kept in this browser").wait_for()
    assert decisions(bench) == []
    page.unroute("**/api/review/*/decide")
    inbox.all_saved()
    assert [item.decision for item in decisions(bench)] == ["accepted", "accepted"]


def test_a_quiet_stretch_is_watched_and_what_happens_there_is_marked(inbox, bench, videos):
    page = inbox.page
    page.get_by_label("order of the queue").select_option("doubt")
    page.get_by_text("random control").first.wait_for()
    while page.locator(".question").inner_text() != "Does anything happen here?":
        inbox.press("s")
    page.locator(".inbox[data-card]").wait_for()
    page.keyboard.press("1")
    page.get_by_role("button", name="Keep this event").wait_for()
    inbox.press("a")
    inbox.all_saved()
    (made,) = decisions(bench)
    assert (made.decision, made.found, made.reason) == ("watched", 1, "control")
    (label,) = bench.catalog.events.list(origin="annotation")
    assert label.event.event_type == "flash"
    assert bench.catalog.labels.sheet(made.video_id, "flashes").coverage


def test_many_are_accepted_at_once_and_taken_back(inbox, bench, videos):
    page = inbox.page
    page.once("dialog", lambda dialog: dialog.accept("0.5"))
    page.get_by_role("button", name="Accept many…").click()
    page.get_by_text("Nothing is left in this queue.").wait_for()
    made = decisions(bench)
    assert len(made) > 20
    assert {item.reason for item in made} == {"bulk"}
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Accept many…").click()
    page.locator(".queue .row.here").wait_for()
    assert decisions(bench) == []


def test_a_dataset_version_is_frozen_by_a_click(inbox, bench, videos):
    inbox.press("a")
    inbox.press("x")
    inbox.all_saved()
    inbox.page.get_by_role("button", name="Freeze a dataset version").click()
    inbox.page.get_by_text(re.compile("holds 1 events and 1 rejected")).wait_for()
    (version,) = bench.catalog.datasets.list("flashes")
    assert sorted(state for _, _, state in version.content) == ["accepted", "rejected"]
