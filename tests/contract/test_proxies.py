"""A proxy has the frames of its source, each at its time, in a form that every browser shows."""

import random
from fractions import Fraction
from itertools import accumulate, pairwise

import av
import numpy as np
import pytest

from prismata.core.errors import BadVideoError
from prismata.core.time import FrameTimeline
from prismata.media.facts import probe
from prismata.media.playable import judge
from prismata.media.proxies import KEY_FRAMES, MAX_SIDE, key_frames, make_proxy, proxy_timeline
from prismata.media.readers import open_video
from prismata.media.scanning import scan
from prismata.media.waveform import PEAKS_PER_SECOND, measure_waveform
from prismata.testing.barcode import paint_barcode, read_barcode, write_barcode_video

FRAMES = 60
GAPS = random.Random(3).choices([20_000, 33_000, 41_000, 200_000, 1_500_000], k=FRAMES - 1)
VFR = [0, *accumulate(GAPS)]

SOURCES = {
    "hevc.mp4": {"codec": "libx265", "bframes": 2},
    "hevc_ten_bit.mp4": {"codec": "libx265", "pix_fmt": "yuv420p10le"},
    "ten_bit.mp4": {"pix_fmt": "yuv420p10le"},
    "odd_444.mp4": {"size": (321, 241), "pix_fmt": "yuv444p"},
    "mpeg4.avi": {"codec": "mpeg4"},
    "mpeg4.mp4": {"codec": "mpeg4"},
    "variable.mkv": {"pts_us": VFR, "bframes": 2},
    "variable.ts": {"pts_us": VFR, "bframes": 2},
    "one_key_frame.mkv": {"frames": 300, "gop": 250, "bframes": 3},
    "late.mp4": {"pts_us": [8_970_000 + index * 40_000 for index in range(FRAMES)], "bframes": 2},
    "early.mkv": {"pts_us": [-120_000 + index * 40_000 for index in range(FRAMES)]},
    "cut.mp4": {"pts_us": [-120_000 + index * 40_000 for index in range(FRAMES)], "bframes": 2},
    "turned_90.mkv": {"rotation": 90},
    "turned_180.mkv": {"rotation": 180},
    "turned_270_hevc.mp4": {"rotation": 270, "codec": "libx265"},
    "ntsc.mkv": {"pts_us": [round(index * 1_001_000 / 30) for index in range(FRAMES)]},
    "wide.mkv": {"size": (2000, 100)},
}
DIRECT = {
    "plain.mp4": {"bframes": 2, "gop": 250},
    "plain.mov": {},
    "variable.mp4": {"pts_us": VFR},
    "turned.mp4": {"rotation": 90},
    "plain.webm": {"codec": "libvpx-vp9"},
    "vp8.webm": {"codec": "libvpx"},
}


def write(folder, name):
    options = SOURCES.get(name) or DIRECT[name]
    return write_barcode_video(folder / name, **{"frames": FRAMES, **options})


def numbers(path, timeline, size=(96, 64)):
    with open_video(path, timeline=timeline) as video:
        frames = video.read(range(len(timeline)), size=size)
        return [read_barcode(frame.pixels) for frame in frames]


def verdict(path):
    return judge(path, probe(path), scan(path))


@pytest.mark.parametrize("name", SOURCES)
def test_a_proxy_shows_the_same_frame_at_the_same_time(tmp_path, name):
    path = write(tmp_path, name)
    timeline = scan(path).timeline
    assert not verdict(path).exact
    target = tmp_path / "proxy.mp4"
    told = []
    made = make_proxy(
        path, target, timeline=timeline, on_progress=lambda done, total: told.append((done, total))
    )
    scanned = scan(target)
    assert scanned.timeline == proxy_timeline(timeline)
    assert numbers(target, scanned.timeline) == numbers(path, timeline)
    assert told == [(done + 1, len(timeline)) for done in range(len(timeline))]
    assert verdict(target).exact, verdict(target).reason
    facts = probe(target)
    assert (facts.codec, facts.pixel_format, facts.rotation) == ("h264", "yuv420p", 0)
    assert (facts.width, facts.height) == (made.width, made.height)
    assert facts.width % 2 == facts.height % 2 == 0
    assert max(facts.width, facts.height) <= MAX_SIDE
    assert not made.has_sound


@pytest.mark.parametrize("name", ["variable.mkv", "one_key_frame.mkv"])
def test_a_proxy_has_no_b_frames_and_a_key_frame_every_second(tmp_path, name):
    path = write(tmp_path, name)
    timeline = scan(path).timeline
    make_proxy(path, tmp_path / "proxy.mp4", timeline=timeline)
    with av.open(str(tmp_path / "proxy.mp4")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    assert all(packet.pts == packet.dts for packet in packets)
    keys = [place for place, packet in enumerate(packets) if packet.is_keyframe]
    assert keys[0] == 0
    assert max(np.diff([*keys, len(packets)])) <= KEY_FRAMES
    starts = timeline.starts_us
    for one, after in pairwise(keys):
        # Further apart only where the frames themselves are.
        assert starts[after] - starts[one] <= 1_000_000 or after == one + 1
    assert set(np.flatnonzero(key_frames(timeline))) <= set(keys)


def test_a_proxy_can_be_played_before_it_is_read_whole(tmp_path):
    path = write(tmp_path, "mpeg4.avi")
    make_proxy(path, tmp_path / "proxy.mp4", timeline=scan(path).timeline)
    content = (tmp_path / "proxy.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize("name", DIRECT)
def test_what_every_browser_plays_needs_no_proxy(tmp_path, name):
    found = verdict(write(tmp_path, name))
    assert (found.playable, found.exact, found.reason) == (True, True, "")


@pytest.mark.parametrize(
    ("name", "playable", "word"),
    [
        ("hevc.mp4", False, "no picture for HEVC"),
        ("mpeg4.mp4", False, "no picture for MPEG-4"),
        ("mpeg4.avi", False, "do not open this kind of file (avi)"),
        ("variable.ts", False, "do not open this kind of file (mpegts)"),
        ("ten_bit.mp4", False, "yuv420p10le"),
        ("variable.mkv", True, "Matroska"),
        ("late.mp4", True, "0:08.970"),
        ("cut.mp4", True, "edit list"),
    ],
)
def test_the_reason_for_a_proxy_is_said_in_words(tmp_path, name, playable, word):
    found = verdict(write(tmp_path, name))
    assert (found.playable, found.exact) == (playable, False)
    assert word in found.reason


def test_a_proxy_that_lacks_frames_is_not_published(tmp_path):
    path = write(tmp_path, "mpeg4.avi")
    timeline = scan(path).timeline
    longer = FrameTimeline(
        np.append(timeline.starts_us, timeline.duration_us), end_us=timeline.duration_us + 40_000
    )
    with pytest.raises(BadVideoError, match="60 frames instead of 61"):
        make_proxy(path, tmp_path / "proxy.mp4", timeline=longer)
    assert not (tmp_path / "proxy.mp4").exists()


def test_a_proxy_whose_frame_stands_elsewhere_is_not_published(tmp_path, monkeypatch):
    path = write(tmp_path, "mpeg4.avi")
    timeline = scan(path).timeline
    moved = timeline.starts_us.copy()
    moved[7] += 11
    monkeypatch.setattr(
        "prismata.media.proxies.scan",
        lambda target: shifted(scan(target), FrameTimeline(moved, end_us=timeline.duration_us)),
    )
    with pytest.raises(BadVideoError, match="frame 7 of the proxy"):
        make_proxy(path, tmp_path / "proxy.mp4", timeline=timeline)
    assert list(tmp_path.glob("proxy*")) == []


def shifted(scanned, timeline):
    return type(scanned)(timeline, scanned.packets, scanned.decoded, scanned.notes)


BEEPS_S = (0.5, 1.0, 1.7)


def write_with_sound(path, *, codec="libx264", first_s=0.0, sound_from_s=0.0):
    """Write 2 s of numbered frames and a beep at each of `BEEPS_S`, all `first_s` later."""
    rate = 44_100
    samples = np.zeros(rate * 2, np.float32)
    for beep in BEEPS_S:
        at = round(beep * rate)
        samples[at : at + 1500] = 0.8 * np.sin(2 * np.pi * 2000 / rate * np.arange(1500))
    begin = round(sound_from_s * rate)
    with av.open(str(path), "w") as output:
        video = output.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        sound = output.add_stream("mp2" if path.suffix == ".ts" else "pcm_s16le", rate=rate)
        sound.layout = "mono"
        for number in range(50):
            picture = av.VideoFrame.from_ndarray(paint_barcode(number, (160, 120)), format="rgb24")
            picture.pts, picture.time_base = number + round(first_s * 25), Fraction(1, 25)
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
        for start in range(begin, samples.size, 1152):
            block = (samples[start : start + 1152] * 32767).astype(np.int16)[np.newaxis]
            frame = av.AudioFrame.from_ndarray(block, "s16", "mono")
            frame.sample_rate = rate
            frame.pts = start + round(first_s * rate)
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.mkv", {}),
        ("late.mkv", {"first_s": 3.0}),
        ("sound_starts_later.mkv", {"sound_from_s": 0.3}),
        ("mp2.ts", {}),
    ],
)
def test_sound_stays_with_its_frames(tmp_path, name, options):
    path = write_with_sound(tmp_path / name, **options)
    timeline = scan(path).timeline
    made = make_proxy(path, tmp_path / "proxy.mp4", timeline=timeline)
    assert made.has_sound
    for file, known in ((path, timeline), (tmp_path / "proxy.mp4", proxy_timeline(timeline))):
        levels = measure_waveform(file, known)
        assert levels.size == 2 * PEAKS_PER_SECOND
        loud = np.flatnonzero(levels > 100)
        heard = [place for place in loud.tolist() if place - 1 not in loud]
        expected = [round(beep * PEAKS_PER_SECOND) for beep in BEEPS_S]
        assert np.abs(np.array(heard) - expected).max() <= 1, (file.name, heard)


def test_a_video_without_sound_has_no_waveform(tmp_path):
    path = write(tmp_path, "plain.mp4")
    assert measure_waveform(path, scan(path).timeline) is None


def test_sound_that_is_broken_is_silence_and_the_frames_are_there(tmp_path):
    path = write_with_sound(tmp_path / "broken.ts")
    content = bytearray(path.read_bytes())
    for place in range(0, len(content) - 188, 188):
        pid = (content[place + 1] & 0x1F) << 8 | content[place + 2]
        if pid == 0x101:  # the sound
            content[place + 20 : place + 188] = b"\xa5" * 168
    broken = tmp_path / "silent.ts"
    broken.write_bytes(content)
    timeline = scan(broken).timeline
    make_proxy(broken, tmp_path / "proxy.mp4", timeline=timeline)
    assert numbers(tmp_path / "proxy.mp4", proxy_timeline(timeline)) == list(range(50))
