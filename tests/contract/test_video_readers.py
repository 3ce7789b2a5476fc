"""What every reader promises, checked on videos whose frames carry their own numbers."""

import random
from itertools import accumulate

import numpy as np
import pytest

from prismata.core.errors import (
    BadVideoError,
    InvalidInputError,
    PrismataError,
    UnavailableError,
)
from prismata.core.time import FrameTimeline, OutsideVideoError
from prismata.media.readers import READERS, open_video, sample_frames
from prismata.media.scanning import scan
from prismata.testing.barcode import read_barcode, write_barcode_video

FRAMES = 60
UNEVEN = list(accumulate(random.Random(3).choices([20_000, 33_000, 41_000, 200_000], k=59)))
VFR = [0, *UNEVEN]
LATE = [5_000_000 + index * 40_000 for index in range(FRAMES)]
CUT = [-120_000 + index * 40_000 for index in range(FRAMES)]

VIDEOS = {
    "constant.mp4": {},
    "variable.mp4": {"pts_us": VFR, "bframes": 2},
    "one_key_frame.mp4": {"frames": 300, "gop": 250, "bframes": 3},
    "odd_444.mp4": {"size": (321, 241), "pix_fmt": "yuv444p"},
    "odd_420.webm": {"size": (321, 241), "codec": "libvpx-vp9"},
    "turned_90.mp4": {"rotation": 90},
    "turned_180.mov": {"rotation": 180},
    "turned_270.mp4": {"rotation": 270},
    "late.mp4": {"pts_us": LATE, "bframes": 2},
    "late.mkv": {"pts_us": LATE, "bframes": 2},
    "edit_list.mp4": {"pts_us": CUT, "bframes": 2},
    "ten_bit.mp4": {"pix_fmt": "yuv420p10le"},
    "variable.mkv": {"pts_us": VFR, "bframes": 2},
    "variable.webm": {"pts_us": VFR, "codec": "libvpx-vp9"},
    "vp8.webm": {"codec": "libvpx"},
    "b_frames.mov": {"bframes": 2},
    "mpeg4.avi": {"codec": "mpeg4"},
    "h264.avi": {},
    "b_frames.avi": {"codec": "mpeg4", "bframes": 2},
    "variable.ts": {"pts_us": VFR, "bframes": 2},
}
CUT_OFF = {"edit_list.mp4": 3}
TICK_US = {".mkv": 1000, ".webm": 1000}

# What a reader refuses, and the words of its reason; a refusal that is not listed fails the test.
REFUSED = {
    ("decord", "edit_list.mp4"): "it counts 60 frames instead of 57",
    ("decord", "b_frames.avi"): "it dates frames differently",
    ("decord", "variable.ts"): "it cannot open it",
    ("opencv", "b_frames.avi"): "cannot be decoded",
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Write each video once and scan it once."""
    folder, made = tmp_path_factory.mktemp("barcodes"), {}

    def video(name):
        if name not in made:
            path = write_barcode_video(folder / name, **{"frames": FRAMES, **VIDEOS[name]})
            made[name] = (path, scan(path).timeline)
        return made[name]

    return video


@pytest.fixture(params=[(reader, name) for reader in READERS for name in VIDEOS], ids="-".join)
def case(request, videos):
    """An open reader, its timeline and the number painted on its first frame."""
    reader, name = request.param
    path, timeline = videos(name)
    if (reader, name) in REFUSED:
        with pytest.raises(PrismataError, match=REFUSED[reader, name]):
            read_all(path, timeline, reader)
        pytest.skip(f"{reader} says that it cannot: {REFUSED[reader, name]}")
    with open_video(path, timeline=timeline, reader=reader) as video:
        yield video, timeline, CUT_OFF.get(name, 0)


def read_all(path, timeline, reader):
    with open_video(path, timeline=timeline, reader=reader) as video:
        return list(video.read(range(len(timeline)), size=(96, 64)))


def numbers(frames):
    return [read_barcode(frame.pixels) for frame in frames]


def test_every_frame_is_the_one_of_its_place_in_the_timeline(case):
    video, timeline, first = case
    frames = list(video.read(range(len(timeline)), size=(96, 64)))
    assert numbers(frames) == list(range(first, first + len(timeline)))
    assert [frame.index for frame in frames] == list(range(len(timeline)))
    assert [frame.time_us for frame in frames] == timeline.starts_us.tolist()


def test_random_access_gives_what_sequential_reading_gives(case):
    video, timeline, first = case
    picks = random.Random(7).sample(range(len(timeline)), 5)
    picks = [*picks, len(timeline) - 1, 0, len(timeline) - 1]
    assert [
        read_barcode(video.frame(pick, size=(96, 64)).pixels) - first for pick in picks
    ] == picks


def test_a_sampling_gives_the_planned_frames_at_the_planned_instants(case):
    video, timeline, first = case
    plan = timeline.sample(10)
    sampled = list(sample_frames(video, plan, size=(96, 64)))
    assert [time_us for time_us, _ in sampled] == plan.times_us.tolist()
    assert numbers(frame for _, frame in sampled) == (plan.frame_indices + first).tolist()


@pytest.mark.parametrize("name", VIDEOS)
def test_the_timeline_is_the_one_that_was_written(videos, name):
    path, timeline = videos(name)
    wanted = VIDEOS[name].get("pts_us")
    count = VIDEOS[name].get("frames", FRAMES) - CUT_OFF.get(name, 0)
    expected = np.array(wanted or [index * 40_000 for index in range(count)])[-count:]
    tolerance = TICK_US.get(path.suffix, 12)
    assert len(timeline) == count
    assert np.abs(timeline.starts_us - (expected - expected[0])).max() <= tolerance
    if name.startswith("late"):
        assert abs(timeline.first_pts_us - 5_000_000) <= tolerance


@pytest.mark.parametrize("reader", READERS)
class TestManners:
    def test_a_repeated_index_gives_the_same_pixels_without_decoding_again(self, videos, reader):
        path, timeline = videos("constant.mp4")
        with open_video(path, timeline=timeline, reader=reader) as video:
            first, again, other = video.read([4, 4, 5], size=(96, 64))
        assert again.pixels is first.pixels
        assert read_barcode(other.pixels) == 5

    def test_without_a_size_frames_are_as_displayed(self, videos, reader):
        path, timeline = videos("turned_90.mp4")
        with open_video(path, timeline=timeline, reader=reader) as video:
            frame = video.frame(7)
            assert video.displayed_size == (320, 240)
        assert frame.pixels.shape == (240, 320, 3)
        assert frame.pixels.dtype == np.uint8
        assert read_barcode(frame.pixels) == 7

    def test_nothing_is_read_for_no_frames(self, videos, reader):
        path, timeline = videos("constant.mp4")
        with open_video(path, timeline=timeline, reader=reader) as video:
            assert list(video.read([])) == []

    def test_indices_that_decrease_are_refused_before_anything_is_read(self, videos, reader):
        path, timeline = videos("constant.mp4")
        with (
            open_video(path, timeline=timeline, reader=reader) as video,
            pytest.raises(InvalidInputError, match="display order"),
        ):
            video.read([3, 2])

    @pytest.mark.parametrize("index", [-1, FRAMES])
    def test_a_frame_outside_the_video_is_refused(self, videos, reader, index):
        path, timeline = videos("constant.mp4")
        with (
            open_video(path, timeline=timeline, reader=reader) as video,
            pytest.raises(OutsideVideoError, match="frames 0 to 59"),
        ):
            video.frame(index)

    def test_a_closed_reader_says_so(self, videos, reader):
        path, timeline = videos("constant.mp4")
        video = open_video(path, timeline=timeline, reader=reader)
        video.close()
        video.close()
        with pytest.raises(InvalidInputError, match="closed"):
            video.frame(0)

    def test_a_frame_that_the_file_does_not_have_is_an_error_not_another_frame(
        self, videos, reader
    ):
        path, _ = videos("constant.mp4")
        _, longer = videos("one_key_frame.mp4")
        with pytest.raises((UnavailableError, BadVideoError), match="cannot"):
            read_all(path, longer, reader)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("jump", [False, True], ids=["in order", "at random"])
def test_a_frame_missing_in_the_middle_is_never_replaced_by_its_neighbour(videos, reader, jump):
    path, timeline = videos("constant.mp4")
    starts = np.sort(np.append(timeline.starts_us, timeline.starts_us[40] + 20_000))
    promised = FrameTimeline(starts, end_us=timeline.duration_us)
    with (
        pytest.raises((UnavailableError, BadVideoError), match=r"frame 41 |counts 60 frames"),
        open_video(path, timeline=promised, reader=reader) as video,
    ):
        video.frame(41) if jump else list(video.read(range(50), size=(96, 64)))


@pytest.mark.parametrize("reader", sorted(set(READERS) - {"pyav"}))
@pytest.mark.parametrize("name", ["constant.mp4", "turned_270.mp4", "odd_420.webm", "ten_bit.mp4"])
def test_readers_agree_on_resized_pixels(videos, reader, name):
    # On average within 1.5 of 255 levels: the others convert to RGB before the one resize.
    path, timeline = videos(name)
    with open_video(path, timeline=timeline) as ours:
        expected = ours.frame(20, size=(112, 96)).pixels.astype(int)
    with open_video(path, timeline=timeline, reader=reader) as theirs:
        got = theirs.frame(20, size=(112, 96)).pixels.astype(int)
    assert np.abs(expected - got).mean() < 1.5


def test_an_unknown_reader_is_refused_with_the_names_of_those_there_are(videos):
    path, timeline = videos("constant.mp4")
    with pytest.raises(InvalidInputError, match="pyav, decord, opencv"):
        open_video(path, timeline=timeline, reader="imageio")
