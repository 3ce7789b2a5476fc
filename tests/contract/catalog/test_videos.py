"""Videos: by name, by digest, by group, and gone with everything that hung on them."""

from __future__ import annotations

import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC

import pytest

from prismata.catalog import open_catalog
from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError
from prismata.core.events import Event

NAME = "Übung 3 · 決勝 🎬 'final'.mp4"


def test_a_video_comes_back_exactly(catalog, make, url, clock):
    video = make.video(
        NAME,
        sha256="f" * 64,
        duration_us=9_007_199_254_740_993,  # not a float64
        first_pts_us=-1,
        domain="cricket",
        group_name="Kamera Süd",
        notes=("12 frames repeat their timestamp", "naïve"),
    )
    assert (video.name, video.duration_us, video.first_pts_us) == (NAME, 9_007_199_254_740_993, -1)
    assert video.created_at == clock.now
    with open_catalog(url) as reopened:
        stored = reopened.videos.get(video.id)
    assert asdict(stored) == asdict(video)
    assert stored.created_at.tzinfo is UTC
    assert catalog.videos.find(NAME) == catalog.videos.find(video.id) == video
    assert catalog.videos.find_by_digest("f" * 64) == video
    assert catalog.videos.find_by_digest("0" * 64) is None


def test_the_same_bytes_are_stored_once(catalog, make):
    video = make.video("first.mp4", sha256="a" * 64)
    fields = asdict(video) | {"name": "second.mp4"}
    del fields["id"], fields["created_at"]
    assert catalog.videos.add(**fields) == (video, False)
    assert [item.name for item in catalog.videos.list()] == ["first.mp4"]


def test_a_name_is_given_once(make, catalog):
    make.video("clip.mp4")
    with pytest.raises(ConflictError, match=r"already named 'clip\.mp4'.*choose another name"):
        make.video("clip.mp4")
    assert len(catalog.videos.list()) == 1


def test_threads_that_ingest_the_same_bytes_get_the_same_video(catalog, make):
    barrier = threading.Barrier(8)

    def ingest(number):
        barrier.wait()
        return make.video(f"copy {number}.mp4", sha256="b" * 64).id

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(ingest, range(8)))
    assert len(ids) == len(catalog.videos.list()) == 1


def test_a_name_is_the_same_however_its_letters_are_composed(make, catalog):
    video = make.video(unicodedata.normalize("NFD", "Übung.mp4"))
    assert catalog.videos.find(unicodedata.normalize("NFC", "Übung.mp4")) == video


@pytest.mark.parametrize("name", ["", "  ", "a\0b", "caf\udce9.mp4"])
def test_a_name_that_is_no_text_is_refused(make, catalog, name):
    with pytest.raises(InvalidInputError, match=r"needs a name|not text"):
        make.video(name)
    assert catalog.videos.list() == []


def test_text_that_cannot_be_stored_is_refused_on_both_databases(make, catalog):
    with pytest.raises(InvalidInputError, match="not text"):
        make.video(storage_key="videos/\0.mp4")
    assert catalog.videos.list() == []


def test_a_name_that_is_not_there_says_what_comes_close(make, catalog):
    with pytest.raises(NotFoundError, match=r"no video 'final'; the catalog holds no video yet"):
        catalog.videos.find("final")
    for name in ("Final match.mp4", "semi-final.mp4", "training.mp4"):
        make.video(name)
    with pytest.raises(NotFoundError, match=r"did you mean 'Final match\.mp4'"):
        catalog.videos.find("final mach.mp4")
    with pytest.raises(NotFoundError, match=r"there is 'Final match\.mp4', .* 'training\.mp4'"):
        catalog.videos.find("zzzzzzzzzzzzzzz")


def test_a_group_is_the_name_unless_given_and_can_change(make, catalog):
    video = make.video("a.mp4")
    assert video.group_name == "a.mp4"
    make.video("b.mp4", group_name="camera 2")
    moved = catalog.videos.set_group(video.id, " camera 2 ")
    assert moved.group_name == "camera 2"
    assert [item.name for item in catalog.videos.list(group="camera 2")] == ["a.mp4", "b.mp4"]
    assert catalog.videos.set_group(video.id, "").group_name == "a.mp4"
    with pytest.raises(NotFoundError, match="nowhere"):
        catalog.videos.set_group("nowhere", "x")


def test_the_list_of_a_domain_is_sorted_by_name(make, catalog):
    for name, domain in [("b", "cricket"), ("C", "cricket"), ("a", "cricket"), ("d", "")]:
        make.video(name, domain=domain)
    assert [video.name for video in catalog.videos.list(domain="cricket")] == ["C", "a", "b"]
    assert [video.name for video in catalog.videos.list(domain="")] == ["d"]
    assert len(catalog.videos.list()) == 4


def test_a_removed_video_takes_its_events_and_runs_along_and_tells_how_many(make, catalog):
    gone, stays = make.video("gone.mp4"), make.video("stays.mp4")
    model = make.model()
    for video in (gone, stays):
        catalog.events.add_annotations(
            video.id, "cricket", 1, [Event.point("hit", 1), Event.point("hit", 2)], "anna"
        )
        run = catalog.detections.start(video_id=video.id, model_id=model.id, settings={})
        catalog.detections.finish(run.id, [Event.point("hit", us, 0.5) for us in (1, 2, 3)])

    removal = catalog.videos.remove(gone.id)

    assert (removal.annotations, removal.detections, removal.detection_runs) == (2, 3, 1)
    assert removal.video == gone
    assert catalog.videos.list() == [stays]
    assert {event.video_id for event in catalog.events.list()} == {stays.id}
    assert [run.video_id for run in catalog.detections.list()] == [stays.id]
    for use in (catalog.videos.get, catalog.videos.remove):
        with pytest.raises(NotFoundError, match=gone.id):
            use(gone.id)


def test_many_videos_change_their_groups_together_or_not_at_all(make, catalog):
    one, two = make.video("one.mp4"), make.video("two.mp4", group_name="hall")
    catalog.videos.regroup(
        {one.id: ("one.mp4", "hall"), two.id: ("hall", " street ")}, author="anna"
    )
    stored = [catalog.videos.get(video.id) for video in (one, two)]
    assert [(video.group_name, video.grouped_by) for video in stored] == [
        ("hall", "anna"),
        ("street", "anna"),
    ]
    with pytest.raises(ConflictError, match=r"'two\.mp4' is in group 'street' now"):
        catalog.videos.regroup({one.id: ("hall", "x"), two.id: ("hall", "x")}, author="ben")
    with pytest.raises(NotFoundError):
        catalog.videos.regroup({one.id: ("hall", "x"), "nobody": ("hall", "x")}, author="ben")
    assert [catalog.videos.get(video.id) for video in (one, two)] == stored
