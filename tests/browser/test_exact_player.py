"""The player of the label station shows the frame that it says, on numbered pictures."""

import pytest
from exact_frames import FILES, is_right, label_all, look_at, store_file

from prismata.services.ingest import ingest_file
from prismata.testing.barcode import write_barcode_video

LOAD = "({ url, codec }) => bench.player.load({ url, codec, frames: bench.frames })"
LOAD_IN_VAIN = "(url) => void bench.player.load({ url, codec: 'h264', frames: bench.frames })"


@pytest.fixture
def page(player_page):
    return player_page


@pytest.fixture
def plain(bench, tmp_path):
    """Twelve seconds, 25 frames a second."""
    return ingest_file(bench, write_barcode_video(tmp_path / "plain.mp4", frames=300)).video


def open_video(page, source, **more):
    return page.evaluate("(source) => bench.open(source)", source | more)


def wait_until(page, condition):
    page.wait_for_function(f"() => {condition}")


@pytest.mark.parametrize("name", FILES)
def test_every_seek_and_step_shows_the_frame_that_is_told_and_labels_keep_its_timestamp(
    name, bench, site, page, tmp_path
):
    stored = store_file(bench, tmp_path, name)
    tally = look_at(page, site, stored, name, (20, 20))
    assert len(tally.seeks) == len(tally.steps) == 20
    assert tally.wrong == []
    label_all(tally, site, page, stored[0], tmp_path / f"{name.replace(' ', '-')}.mp4")
    assert tally.labels > 20
    assert tally.wrong_labels == []
    assert page.evaluate("bench.troubles") == []


def test_the_first_and_last_frame_can_be_reached_and_nothing_beyond(page, site, plain):
    open_video(page, site.source(plain))
    looks = page.evaluate("() => bench.visit([0, 299, 298, 299])")
    assert all(is_right(look) for look in looks)
    (look,) = page.evaluate("() => bench.walk([1])")
    assert (look["told"], look["read"]) == (299, 299)
    (look,) = page.evaluate("() => bench.visit([0])")
    (look,) = page.evaluate("() => bench.walk([-1])")
    assert (look["told"], look["read"]) == (0, 0)


def test_of_many_wishes_at_once_the_last_one_is_shown(page, site, plain):
    open_video(page, site.source(plain))
    landings = page.evaluate(
        "() => Promise.all([10, 200, 30, 120, 77].map((frame) => bench.player.seekToFrame(frame)))"
    )
    assert landings == [{"frame": 77, "exact": True}] * 5
    assert page.evaluate("() => bench.barcode()") == 77
    steps = "() => Promise.all([1, 1, 1, 1, -1].map((step) => bench.player.step(step)))"
    assert page.evaluate(steps)[-1] == {"frame": 80, "exact": True}
    assert page.evaluate("() => bench.barcode()") == 80


def test_while_it_plays_no_frame_is_called_exact_and_a_pause_verifies(page, site, plain):
    open_video(page, site.source(plain))
    page.evaluate("() => void bench.player.play()")
    wait_until(page, "bench.player.shown > 20")
    assert page.evaluate("() => bench.player.frame") is None
    landing = page.evaluate("() => bench.player.pause()")
    assert landing["exact"] is True
    assert page.evaluate("() => bench.player.frame") == landing["frame"]
    assert page.evaluate("() => bench.barcode()") == landing["frame"]
    told = page.evaluate("() => bench.told")
    assert all(not item["exact"] for item in told if item["playing"])
    assert len([item for item in told if item["playing"]]) > 3


def test_a_step_stops_a_playing_video_and_is_exact(page, site, plain):
    open_video(page, site.source(plain))
    page.evaluate("() => void bench.player.play()")
    wait_until(page, "bench.player.shown > 5")
    look = page.evaluate("() => bench.look(() => bench.player.step(1))")
    assert look["exact"] is True
    assert look["told"] == look["read"] == look["frame"]
    assert page.evaluate("() => bench.player.playing") is False


def test_backwards_runs_over_verified_frames_and_stops_at_the_first(page, site, plain):
    open_video(page, site.source(plain), startFrame=60)
    page.evaluate("() => { bench.told.length = 0; void bench.player.shuttle(-1); }")
    assert page.evaluate("() => bench.player.rate") == -1
    page.evaluate("() => void bench.player.shuttle(-1)")
    assert page.evaluate("() => bench.player.rate") == -2
    wait_until(page, "!bench.player.playing && bench.player.frame === 0")
    frames = [item["frame"] for item in page.evaluate("() => bench.told")]
    assert len(set(frames)) > 5
    assert frames == sorted(frames, reverse=True)
    assert all(item["exact"] for item in page.evaluate("() => bench.told"))


def test_forward_again_is_faster_up_to_eight_times(page, site, plain):
    open_video(page, site.source(plain))
    rates = []
    for _ in range(5):
        page.evaluate("() => void bench.player.shuttle(1)")
        rates.append(page.evaluate("() => bench.player.rate"))
    page.evaluate("() => bench.player.shuttle(0)")
    assert rates == [1, 2, 4, 8, 8]
    assert page.evaluate("() => [bench.player.rate, bench.player.playing]") == [1, False]


def test_a_loop_stays_within_its_stretch(page, site, plain):
    open_video(page, site.source(plain))
    page.evaluate("() => bench.player.setRate(4)")
    page.evaluate("() => bench.player.loop(2_000_000, 3_000_000)")
    page.evaluate("() => { bench.told.length = 0; }")
    backwards = "bench.told.filter((item, at, all) => at && item.frame < all[at - 1].frame).length"
    wait_until(page, f"{backwards} >= 2")
    page.evaluate("() => bench.player.pause()")
    frames = [item["frame"] for item in page.evaluate("() => bench.told")]
    assert min(frames) >= 50
    # The browser shows a frame or two more before it obeys.
    assert max(frames) < 75 + 25


def test_at_the_end_it_stops_on_the_last_frame_verified(page, site, plain):
    open_video(page, site.source(plain), startFrame=280)
    page.evaluate("() => void bench.player.play()")
    wait_until(page, "!bench.player.playing && bench.player.frame !== null")
    assert page.evaluate("() => bench.player.frame") == 299
    assert page.evaluate("() => bench.barcode()") == 299


def test_a_new_permission_does_not_move_the_picture(page, site, plain):
    open_video(page, site.source(plain), startFrame=123)
    renewed = site.source(plain, lives_seconds=7200)
    page.evaluate(LOAD, renewed)
    assert page.evaluate("() => bench.player.frame") == 123
    (look,) = page.evaluate("() => bench.walk([1])")
    assert is_right(look)


def test_an_old_permission_is_told_and_the_new_one_brings_the_frame_back(page, site, plain):
    open_video(page, site.source(plain), startFrame=150)
    old = site.source(plain, lives_seconds=-5)
    # Another file of the same video, so that it has to be opened: and its permission is old.
    url = old["url"].replace("rendition=source", "rendition=source&again=1")
    page.evaluate(LOAD_IN_VAIN, url)
    wait_until(page, "bench.troubles.length > 0")
    (trouble,) = page.evaluate("() => bench.troubles")
    assert trouble["kind"] == "expired"
    fresh = site.source(plain)
    page.evaluate(LOAD, fresh)
    assert page.evaluate("() => [bench.player.frame, bench.barcode()]") == [150, 150]


def test_a_video_without_a_picture_here_is_called_so_with_its_codec(bench, page, site, tmp_path):
    made = write_barcode_video(tmp_path / "old.mp4", frames=60, codec="mpeg4")
    video = ingest_file(bench, made).video
    opened = open_video(page, site.source(video))
    assert opened["ready"] is False
    wait_until(page, "bench.troubles.length > 0")
    (trouble,) = page.evaluate("() => bench.troubles")
    assert trouble["kind"] == "unplayable"
    assert "MPEG-4 part 2" in trouble["sentence"]
    assert "proxy" in trouble["sentence"]


def test_a_video_that_was_deleted_is_told_in_the_words_of_the_server(bench, page, site, plain):
    source = site.source(plain)
    open_video(page, source)
    bench.storage.delete(plain.storage_key)
    other = source["url"] + "&again=1"
    page.evaluate(LOAD_IN_VAIN, other)
    wait_until(page, "bench.troubles.length > 0")
    (trouble,) = page.evaluate("() => bench.troubles")
    assert trouble["kind"] == "network"
    assert trouble["sentence"].startswith("there is no object")


def test_a_table_that_does_not_fit_the_file_is_noticed(bench, page, site, plain, tmp_path):
    """The player must not trust times: it must see that the browser cannot reach them."""
    longer = write_barcode_video(tmp_path / "longer.mp4", frames=400)
    other = ingest_file(bench, longer).video
    source = site.source(plain) | {"frames": site.source(other)["frames"]}
    open_video(page, source)
    (trouble,) = page.evaluate("() => bench.troubles")
    assert trouble["kind"] == "inexact"
    assert "0:12.000" in trouble["sentence"]
    (look,) = page.evaluate("() => bench.visit([390])")
    assert look["exact"] is False
    assert look["frame"] is None


def test_the_wrong_frame_is_never_called_exact(bench, page, site, plain, tmp_path):
    """With the table of another video, pictures and numbers part, and the player says so."""
    half = [index * 80_000 for index in range(150)]
    other = ingest_file(bench, write_barcode_video(tmp_path / "half.mp4", frames=150, pts_us=half))
    source = site.source(other.video) | {"frames": site.source(plain)["frames"]}
    opened = open_video(page, source)
    assert opened["count"] == 300
    looks = page.evaluate("() => bench.visit([11, 51, 151])")
    assert [look["exact"] for look in looks] == [False, False, False]
    assert {trouble["kind"] for trouble in page.evaluate("() => bench.troubles")} == {"inexact"}
