"""A cut has the frames of its source in a stretch of time, and nothing else."""

import random
from itertools import accumulate

import av
import numpy as np
import pytest

from prismata.core.errors import BadVideoError, InvalidInputError
from prismata.core.time import FrameTimeline, TimeSpan
from prismata.media.captions import Caption
from prismata.media.cuts import Cut, film_size, frames_of, write_film
from prismata.media.facts import probe
from prismata.media.readers import open_video
from prismata.media.scanning import scan
from prismata.testing.barcode import read_barcode, write_barcode_video

FRAMES = 90
GAPS = random.Random(5).choices([20_000, 33_000, 41_000, 200_000], k=FRAMES - 1)
VFR = [0, *accumulate(GAPS)]
SOURCES = {
    "plain.mp4": {},
    "bframes.mp4": {"bframes": 3, "gop": 40},
    "variable.mkv": {"pts_us": VFR, "bframes": 2, "gop": 30},
    "turned.mp4": {"rotation": 90, "bframes": 2},
    "upside_down.mkv": {"rotation": 180},
    "hevc.mp4": {"codec": "libx265", "bframes": 2},
    "ten_bit.mp4": {"pix_fmt": "yuv420p10le"},
    "odd.mp4": {"size": (321, 241), "pix_fmt": "yuv444p"},
    "late.mp4": {"pts_us": [8_970_000 + index * 40_000 for index in range(FRAMES)], "bframes": 2},
    "webm.webm": {"codec": "libvpx-vp9"},
}


@pytest.fixture
def source(tmp_path):
    def write(name, **options):
        path = tmp_path / name
        write_barcode_video(path, **{"frames": FRAMES, **SOURCES.get(name, {}), **options})
        return path, scan(path).timeline

    return write


def seen(path, box=None):
    """The numbers that a film shows, and when: `(number, start_us)` of each frame."""
    timeline = scan(path).timeline
    with open_video(path, timeline=timeline) as video:
        frames = list(video.read(range(len(timeline))))
    left, top, right, bottom = box or (0, 0, *frames[0].pixels.shape[1::-1])
    numbers = [read_barcode(frame.pixels[top:bottom, left:right]) for frame in frames]
    return numbers, timeline


@pytest.mark.parametrize("name", SOURCES)
def test_a_cut_holds_exactly_the_frames_of_its_stretch_at_their_times(tmp_path, source, name):
    path, timeline = source(name)
    span = TimeSpan(timeline.start_us(37) - 5, timeline.start_us(61))
    expected = [i for i, at in enumerate(timeline.starts_us) if span.start_us <= at < span.end_us]
    told = []
    facts = write_film(
        [Cut(path, timeline, span)],
        tmp_path / "cut.mp4",
        on_progress=lambda done, total: told.append((done, total)),
    )
    numbers, made = seen(tmp_path / "cut.mp4")
    assert numbers == expected == list(range(37, 61))
    assert made.starts_us.tolist() == (timeline.starts_us[37:61] - timeline.start_us(37)).tolist()
    assert made.duration_us == facts.duration_us == timeline.start_us(61) - timeline.start_us(37)
    assert made.first_pts_us == 0
    assert told == [(number, 24) for number in range(1, 25)]
    found = probe(tmp_path / "cut.mp4")
    assert (found.codec, found.pixel_format, found.rotation) == ("h264", "yuv420p", 0)
    assert not found.has_audio
    assert (found.width, found.height) == (facts.width, facts.height)
    assert found.width % 2 == found.height % 2 == 0


def test_the_end_is_exclusive_and_the_last_frame_goes_with_it(tmp_path, source):
    path, timeline = source("plain.mp4")
    write_film([Cut(path, timeline, TimeSpan(400_000, 810_000))], tmp_path / "cut.mp4")
    numbers, made = seen(tmp_path / "cut.mp4")
    assert numbers == list(range(10, 21))
    assert made.duration_us == 410_000


def test_a_stretch_beyond_the_video_is_cut_off_at_its_ends(tmp_path, source):
    path, timeline = source("plain.mp4", frames=12)
    write_film([Cut(path, timeline, TimeSpan(-1_000_000, 9_000_000))], tmp_path / "cut.mp4")
    assert seen(tmp_path / "cut.mp4")[0] == list(range(12))
    for outside in (TimeSpan(480_000, 500_000), TimeSpan(-20, -10)):
        with pytest.raises(InvalidInputError, match="nothing to cut"):
            frames_of(timeline, outside)


def test_where_no_frame_begins_it_is_the_one_on_screen():
    timeline = FrameTimeline(np.array([0, 40_000, 2_000_000]), end_us=2_040_000)
    assert frames_of(timeline, TimeSpan(500_000, 500_000)) == range(1, 2)
    assert frames_of(timeline, TimeSpan(500_000, 600_000)) == range(1, 2)
    assert frames_of(timeline, TimeSpan(500_000, 2_000_001)) == range(2, 3)
    assert frames_of(timeline, TimeSpan(40_000, 40_000)) == range(1, 2)


def test_a_reel_of_several_videos_has_one_size_with_black_bars(tmp_path, source):
    wide, wide_timeline = source("variable.mkv")
    tall, tall_timeline = source("turned.mp4", size=(160, 320))
    cuts = [
        Cut(wide, wide_timeline, TimeSpan(wide_timeline.start_us(50), wide_timeline.start_us(60))),
        Cut(tall, tall_timeline, TimeSpan(200_000, 600_000)),
        Cut(wide, wide_timeline, TimeSpan(0, wide_timeline.start_us(7))),
    ]
    facts = write_film(cuts, tmp_path / "reel.mp4")
    assert (facts.width, facts.height) == film_size([cut.path for cut in cuts]) == (320, 240)
    timeline = scan(tmp_path / "reel.mp4").timeline
    with open_video(tmp_path / "reel.mp4", timeline=timeline) as video:
        frames = [frame.pixels for frame in video.read(range(len(timeline)))]
    assert [read_barcode(frame) for frame in frames[:10]] == list(range(50, 60))
    assert [read_barcode(frame[:, 100:220]) for frame in frames[10:20]] == list(range(5, 15))
    assert [read_barcode(frame) for frame in frames[20:]] == list(range(7))
    assert max(frame[:, :90].max() for frame in frames[10:20]) < 24
    assert max(frame[:, 230:].max() for frame in frames[10:20]) < 24
    steps = np.diff(np.append(timeline.starts_us, timeline.duration_us)).tolist()
    expected = np.diff(wide_timeline.starts_us[50:61]).tolist() + [40_000] * 10
    assert steps == expected + np.diff(wide_timeline.starts_us[:8]).tolist()


def test_each_cut_begins_with_a_key_frame_and_the_index_stands_in_front(tmp_path, source):
    path, timeline = source("bframes.mp4")
    cuts = [Cut(path, timeline, TimeSpan(at, at + 400_000)) for at in (2_000_000, 400_000, 40_000)]
    write_film(cuts, tmp_path / "reel.mp4")
    content = (tmp_path / "reel.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(tmp_path / "reel.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert all(packet.pts == packet.dts for packet in packets)
    assert {0, 10, 20} <= {i for i, packet in enumerate(packets) if packet.is_keyframe}


def test_a_caption_covers_the_lower_edge_only_and_can_be_read(tmp_path, source):
    path, timeline = source("plain.mp4", size=(640, 480))
    span = TimeSpan(400_000, 800_000)
    write_film([Cut(path, timeline, span, "Goal - a.mp4 - 0:12.480")], tmp_path / "cut.mp4")
    numbers, made = seen(tmp_path / "cut.mp4")
    assert numbers == list(range(10, 20))
    with open_video(tmp_path / "cut.mp4", timeline=made) as video:
        strip = video.frame(3).pixels[-34:].mean(axis=2)
    assert strip[:, 400:].max() < 60
    assert (strip[:, :300] > 180).mean() > 0.02


@pytest.mark.parametrize("text", ["", "x" * 500, "Größe, матч №1", "a\nb\t c"])
def test_a_caption_fits_whatever_it_says(text):
    planes = [np.zeros((48, 64), np.uint8), *(np.zeros((24, 32), np.uint8) for _ in range(2))]
    caption = Caption(text, (64, 48))
    caption.lay_over(planes)
    assert planes[0][: -caption.height].max() == 0
    assert planes[0][-caption.height :].min() > 0
    assert planes[0][:, -2:].max() < 100, "text runs out of the picture"


def test_nothing_is_left_of_a_film_that_was_stopped(tmp_path, source):
    path, timeline = source("plain.mp4")
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "cut.mp4").write_bytes(b"before")

    def stop(done, total):
        if done == 70:  # the encoder holds the first ones back, and nothing would be written
            raise KeyboardInterrupt

    cut = Cut(path, timeline, TimeSpan(0, 3_000_000))
    with pytest.raises(KeyboardInterrupt):
        write_film([cut], folder / "cut.mp4", on_progress=stop)
    assert [(item.name, item.read_bytes()) for item in folder.iterdir()] == [("cut.mp4", b"before")]


def test_a_frame_that_cannot_be_had_is_told_and_not_left_out(tmp_path, source):
    path, timeline = source("plain.mp4", frames=20)
    longer = FrameTimeline(
        np.append(timeline.starts_us, timeline.duration_us), end_us=timeline.duration_us + 40_000
    )
    with pytest.raises(BadVideoError):
        write_film([Cut(path, longer, TimeSpan(0, 2_000_000))], tmp_path / "cut.mp4")
    assert not (tmp_path / "cut.mp4").exists()


def test_a_film_of_nothing_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="at least one cut"):
        write_film([], tmp_path / "cut.mp4")
