"""What a player needs beside the video: times, pictures, what was prepared, runs."""

import cv2
import numpy as np
import pytest

from prismata.services.access import mint_token
from prismata.services.ingest import ingest_file, remove_video
from prismata.testing.barcode import read_barcode, write_barcode_video

SECRET = b"s" * 32
PARTS = ("frames", "material", "filmstrip?first=0", "poster", "thumbs/0", "waveform", "runs")


def token(video_id, **how):
    return {"x-prismata-token": mint_token(SECRET, "video", video_id, **how)}


@pytest.fixture
def get(client):
    def ask(video_id, part, headers=None):
        headers = token(video_id) | (headers or {})
        return client.get(f"/api/video/{video_id}/{part}", headers=headers)

    return ask


@pytest.fixture
def numbered(bench, tmp_path):
    """A video of variable rate whose frames carry their numbers, taken in."""
    times = [0, 40_000, 55_000, 200_000, *range(240_000, 40_000 * 40, 40_000)]
    path = write_barcode_video(
        tmp_path / "numbered.mp4", frames=len(times), pts_us=times, size=(320, 160), bframes=2
    )
    return ingest_file(bench, path).video


def picture(answer):
    assert answer.headers["content-type"] == "image/jpeg"
    return cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)


def test_the_frame_table_is_how_long_each_frame_stays(get, bench, numbered):
    answer = get(numbered.id, "frames")
    durations = np.frombuffer(answer.content, "<u4")
    timeline = bench.timeline(numbered)
    assert (np.cumsum(durations) - durations).tolist() == timeline.starts_us.tolist()
    assert durations.sum() == timeline.duration_us
    plain = get(numbered.id, "frames", {"accept-encoding": "identity"})
    assert plain.content == answer.content
    assert "content-encoding" not in plain.headers


def test_a_filmstrip_shows_exactly_the_frames_asked_for(get, numbered):
    for first, count, height in ((0, 3, 72), (17, 5, 48), (numbered.frame_count - 1, 1, 72)):
        answer = get(numbered.id, f"filmstrip?first={first}&count={count}&height={height}")
        strip, width = picture(answer), int(answer.headers["x-frame-width"])
        assert strip.shape == (height, width * count, 3)
        assert width == 2 * height
        frames = np.split(strip, count, axis=1)
        assert [read_barcode(frame) for frame in frames] == list(range(first, first + count))


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("first=38&count=5", "frames 0 to"),
        ("count=5", "first has to be"),
        ("first=-1", "first has to be"),
        ("first=0&count=0", "1 to 32 frames"),
        ("first=0&count=33", "1 to 32 frames"),
        ("first=0&height=10000", "pixels high"),
        ("first=0&height=x", "height has to be"),
    ],
)
def test_a_filmstrip_that_cannot_be_drawn_is_refused_in_words(get, numbered, query, word):
    answer = get(numbered.id, f"filmstrip?{query}")
    assert answer.status_code == 400
    assert word in answer.json()["error"]


def test_a_poster_is_drawn_once_and_kept(get, bench, numbered):
    answer = get(numbered.id, "poster")
    assert picture(answer).shape == (96, 192, 3)
    bench.storage.delete(numbered.storage_key)
    assert get(numbered.id, "poster").content == answer.content


def test_material_says_what_a_player_has_to_know(get, numbered):
    told = get(numbered.id, "material").json()
    assert told["frame_count"] == numbered.frame_count
    assert told["source"] == {"playable": True, "exact": True, "reason": ""}
    assert (told["proxy"], told["thumbs"], told["waveform"]) == (False, None, None)
    assert told["preparing"] is None


def test_what_a_browser_holds_already_is_not_sent_again(get, numbered):
    for part in ("frames", "filmstrip?first=3", "poster"):
        tag = get(numbered.id, part).headers["etag"]
        again = get(numbered.id, part, {"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_told_without_a_good_token(client, numbered, part):
    address = f"/api/video/{numbered.id}/{part}"
    for headers in (
        {},
        token("another"),
        token(numbered.id, lives_seconds=-1),
        {"x-prismata-token": mint_token(SECRET, "model", numbered.id)},
    ):
        answer = client.get(address, headers=headers)
        assert answer.status_code == 403
        assert "reload the page" in answer.json()["error"]


@pytest.mark.parametrize("part", PARTS)
def test_a_removed_video_is_not_found(get, bench, numbered, part):
    remove_video(bench, numbered.id)
    answer = get(numbered.id, part)
    assert answer.status_code == 404
    assert "video" in answer.json()["error"]


def test_a_video_without_its_file_says_so(get, bench, numbered):
    bench.storage.delete(numbered.storage_key)
    answer = get(numbered.id, "filmstrip?first=0")
    assert answer.status_code == 404
    assert numbered.storage_key in answer.json()["error"]


def test_thumbnails_and_waveform_that_were_not_made_are_not_found(get, numbered):
    for part in ("thumbs/0", "waveform"):
        answer = get(numbered.id, part)
        assert answer.status_code == 404
        assert "prepare it first" in answer.json()["error"]
