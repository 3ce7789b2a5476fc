"""Proxies from the command line: at ingest for what browsers cannot play, later for the rest."""

import pytest

from prismata.services.ingest import ingest_file
from prismata.services.prepare import describe_material
from prismata.testing.barcode import write_barcode_video
from prismata.wiring import open_workbench


@pytest.fixture
def old_film(tmp_path):
    return write_barcode_video(tmp_path / "old.avi", frames=50, codec="mpeg4")


def material(settings, name):
    with open_workbench(settings) as bench:
        return describe_material(bench, bench.catalog.videos.find(name))


def test_ingest_makes_proxies_of_what_browsers_cannot_play(prismata, settings, flashes, old_film):
    answer = prismata("ingest", old_film, flashes.path, "--json")
    assert answer.code == 0
    (made,) = answer.json["preparations"]
    assert (made["video"], made["state"]) == ("old.avi", "succeeded")
    assert material(settings, "old.avi").has_proxy
    assert material(settings, "flashes.mp4").renditions is None
    again = prismata("ingest", old_film, "--json")
    assert again.json["preparations"] == []


def test_proxies_can_be_left_for_later(prismata, settings, flashes, old_film):
    assert prismata("ingest", old_film, flashes.path, "--no-proxy").code == 0
    assert material(settings, "old.avi").renditions is None
    answer = prismata("videos", "prepare")
    assert answer.code == 0
    assert "2 prepared, 0 were already, 0 failed" in answer.err
    assert material(settings, "old.avi").has_proxy
    assert material(settings, "flashes.mp4").thumbs.count == 4
    told = prismata("videos", "prepare", "old.avi", "--json").json
    assert told == {"already_prepared": 1, "preparations": []}


def test_a_video_that_cannot_be_prepared_does_not_stop_the_others(prismata, settings, old_film):
    prismata("ingest", old_film, "--no-proxy")
    other = write_barcode_video(old_film.with_name("other.avi"), frames=30, codec="mpeg4")
    with open_workbench(settings) as bench:
        ingest_file(bench, other)
        bench.storage.delete(bench.catalog.videos.find("old.avi").storage_key)
    answer = prismata("videos", "prepare")
    assert answer.code == 70
    assert "old.avi was not prepared" in answer.err
    assert "1 prepared, 0 were already, 1 failed" in answer.err
    assert material(settings, "other.avi").has_proxy


def test_an_unknown_video_is_refused_before_anything_is_prepared(prismata, settings, old_film):
    prismata("ingest", old_film, "--no-proxy")
    answer = prismata("videos", "prepare", "old.avi", "gone.mp4")
    assert answer.code == 66
    assert material(settings, "old.avi").renditions is None
