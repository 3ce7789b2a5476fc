"""Leaving pictures out never changes the others: byte for byte, for each codec and thread count."""

from fractions import Fraction
from itertools import accumulate
from random import Random

import av
import numpy as np
import pytest

from prismata.core.errors import BadVideoError, InvalidInputError
from prismata.core.time import SamplePlan
from prismata.media.coarse import coarse_plan, key_frames
from prismata.media.readers import open_video
from prismata.media.scanning import scan

FRAMES, SIZE = 150, (160, 96)
PYRAMID = "keyint=50:bframes=3:b-adapt=0:b-pyramid=normal:scenecut=0"
UNEVEN = [0, *accumulate(Random(5).choices([20, 33, 41, 200], k=FRAMES - 1))]

# name: (encoder, its options, first tick or all ticks in milliseconds)
VIDEOS = {
    "pyramid.mp4": ("libx264", {"x264-params": PYRAMID}, 0),
    "pyramid.mkv": ("libx264", {"x264-params": PYRAMID}, 0),
    "pyramid.ts": ("libx264", {"x264-params": PYRAMID}, 0),
    "late.mp4": ("libx264", {"x264-params": PYRAMID}, 7000),
    "uneven.mp4": ("libx264", {"x264-params": PYRAMID}, UNEVEN),
    "open_gop.mp4": ("libx264", {"x264-params": f"{PYRAMID}:open-gop=1"}, 0),
    "interlaced.mp4": ("libx264", {"x264-params": f"{PYRAMID}:tff=1"}, 0),
    "strict.mp4": ("libx264", {"x264-params": PYRAMID.replace("normal", "strict")}, 0),
    "no_b.mp4": ("libx264", {"x264-params": "keyint=30:bframes=0"}, 0),
    "one_key.mp4": ("libx264", {"x264-params": PYRAMID.replace("50", "infinite", 1)}, 0),
    "hevc.mp4": ("libx265", {"x265-params": "keyint=50:bframes=4:log-level=none"}, 0),
    "layers.mp4": (
        "libx265",
        {"x265-params": "keyint=50:bframes=4:temporal-layers=2:log-level=none"},
        0,
    ),
    "hevc.ts": ("libx265", {"x265-params": "keyint=50:bframes=4:log-level=none"}, 0),
    "mpeg2.ts": ("mpeg2video", {"bf": "2", "g": "15"}, 0),
    "mpeg4.avi": ("mpeg4", {"bf": "2", "g": "15"}, 0),
    "mpeg4.mp4": ("mpeg4", {"bf": "2", "g": "15"}, 0),
    "vp9.webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}, 0),
}
SPARED = {
    "pyramid.mp4",
    "pyramid.mkv",
    "pyramid.ts",
    "late.mp4",
    "uneven.mp4",
    "open_gop.mp4",
    "interlaced.mp4",
    "strict.mp4",
    "one_key.mp4",
    "hevc.mp4",
    "mpeg2.ts",
}
"""Files with pictures that nothing refers to, in codecs that say so."""


def write_moving_picture(path, codec, options, ticks):
    """Write noise that drifts, so that every picture depends on its neighbours."""
    times = ticks if isinstance(ticks, list) else [ticks + 40 * n for n in range(FRAMES)]
    width, height = SIZE
    noise = np.random.default_rng(2).integers(0, 255, (height, width + FRAMES, 3), np.uint8)
    smooth = (noise.astype(np.float32) + np.roll(noise, 1, 1) + np.roll(noise, 1, 0)) / 3
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = 400_000
        steady = codec.startswith("mpeg")  # those know only frame rates
        base = Fraction(1, 25) if steady else Fraction(1, 1000)
        stream.codec_context.time_base = base
        for number, time_ms in enumerate(times):
            pixels = smooth[:, number : number + width].astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = number if steady else time_ms, base
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Write each video once, scan it and decode all of it once."""
    folder, made = tmp_path_factory.mktemp("skipping"), {}

    def video(name):
        if name not in made:
            path = write_moving_picture(folder / name, *VIDEOS[name])
            timeline = scan(path).timeline
            with open_video(path, timeline=timeline, threads=1) as reader:
                everything = [frame.pixels for frame in reader.read(range(len(timeline)))]
                assert reader.decoded_frames >= len(timeline)
            made[name] = (path, timeline, everything)
        return made[name]

    return video


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("name", VIDEOS)
def test_a_sparse_pass_gives_the_same_bytes_as_decoding_everything(videos, name, threads):
    path, timeline, everything = videos(name)
    assert len(timeline) == FRAMES
    for first, step in ((0, 6), (1, 6), (2, 5), (3, 2), (0, 30), (5, 11)):
        indices = range(first, FRAMES, step)
        with open_video(path, timeline=timeline, threads=threads) as reader:
            for index, frame in zip(indices, reader.read(indices), strict=True):
                assert frame.index == index
                assert np.array_equal(frame.pixels, everything[index]), (first, step, index)


@pytest.mark.parametrize("name", VIDEOS)
def test_pictures_are_left_out_exactly_where_nothing_refers_to_them(videos, name):
    path, timeline, _ = videos(name)
    with open_video(path, timeline=timeline, threads=1) as reader:
        list(reader.read(range(0, FRAMES, 6)))
        decoded = reader.decoded_frames
    last = FRAMES - FRAMES % 6
    if name in SPARED:
        assert decoded < 0.8 * last
    else:
        assert decoded >= last - 6


def test_random_sparse_passes_one_after_another_on_one_reader(videos):
    path, timeline, everything = videos("pyramid.mp4")
    random = Random(11)
    with open_video(path, timeline=timeline, threads=2) as reader:
        for _ in range(40):
            start = random.randrange(FRAMES)
            share = random.choice([2, 6, 20, 60])
            indices = sorted(random.sample(range(start, FRAMES), (FRAMES - start) // share))
            taken = random.randrange(len(indices) + 1)  # passes may be given up
            for index, frame in zip(indices[:taken], reader.read(indices), strict=False):
                assert np.array_equal(frame.pixels, everything[index])


def test_a_frame_that_was_left_out_can_be_asked_for_next(videos):
    path, timeline, everything = videos("pyramid.mp4")
    with open_video(path, timeline=timeline, threads=2) as reader:
        list(reader.read(range(0, 96, 6)))
        for index in (91, 92, 93, 94, 95, 96, 97):
            assert np.array_equal(reader.frame(index).pixels, everything[index])


def test_frames_go_straight_into_the_slots_that_are_offered(videos):
    path, timeline, _ = videos("pyramid.mp4")
    ring = np.zeros((10, 48, 64, 3), np.uint8)
    slots = iter(ring)
    with open_video(path, timeline=timeline) as reader:
        given = list(reader.read([3, 3, 9, 80], size=(64, 48), slots=lambda: next(slots)))
        alone = [frame.pixels for frame in reader.read([3, 9, 80], size=(64, 48))]
    assert np.shares_memory(given[0].pixels, ring[0])
    assert given[1] is given[0]
    assert np.array_equal(ring[:3], alone)
    assert not ring[3:].any()


@pytest.mark.parametrize("name", ["pyramid.mp4", "pyramid.ts", "open_gop.mp4", "hevc.mp4"])
def test_the_coarse_look_shows_key_frames_and_decodes_little_else(videos, name):
    path, timeline, everything = videos(name)
    keys = key_frames(path, timeline)
    assert keys.tolist() == [0, 50, 100]
    plan = coarse_plan(path, timeline, timeline.sample(5.0))
    assert plan.times_us.tolist() == timeline.sample(5.0).times_us.tolist()
    assert np.all(plan.frame_indices <= timeline.sample(5.0).frame_indices)
    distinct = np.unique(plan.frame_indices)
    assert distinct.tolist() == [0, 50, 100]
    with open_video(path, timeline=timeline, only_key_frames=True) as reader:
        for index, frame in zip(distinct, reader.read(distinct), strict=True):
            assert np.array_equal(frame.pixels, everything[index])
        assert reader.decoded_frames <= 3


def test_other_readers_and_other_frames_are_refused_in_the_coarse_look(videos):
    path, timeline, _ = videos("pyramid.mp4")
    with pytest.raises(InvalidInputError, match="only the reader 'pyav'"):
        open_video(path, timeline=timeline, reader="opencv", only_key_frames=True)
    reader = open_video(path, timeline=timeline, only_key_frames=True)
    with reader, pytest.raises(BadVideoError):
        reader.frame(7)


def test_instants_before_the_first_key_frame_get_the_first(videos):
    path, timeline, _ = videos("pyramid.mp4")
    plan = SamplePlan(np.array([0, 40_000]), np.array([0, 1]))
    assert coarse_plan(path, timeline, plan).frame_indices.tolist() == [0, 0]
