"""The timeline is what is really there, also in files that are damaged or lie."""

import av
import numpy as np
import pytest

from prismata.core.errors import BadVideoError, UnavailableError
from prismata.core.time import FrameTimeline
from prismata.media import packets, source
from prismata.media.readers import READERS, open_video
from prismata.media.scanning import scan
from prismata.testing.barcode import read_barcode, write_barcode_video


def written(tmp_path, name="video.mp4", **options):
    return write_barcode_video(tmp_path / name, **{"frames": 120, **options})


def every_frame_reads(path, timeline):
    with open_video(path, timeline=timeline) as video:
        return [read_barcode(frame.pixels) for frame in video.read(range(len(timeline)))]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", {"bframes": 3, "gop": 30}),
        ("b.webm", {"codec": "libvpx-vp9"}),
        ("c.ts", {"bframes": 2}),
        ("d.avi", {"codec": "mpeg4"}),
    ],
)
def test_a_sound_file_is_demuxed_only_and_agrees_with_decoding_it(tmp_path, name, options):
    path = written(tmp_path, name, **options)
    cheap, thorough = scan(path), scan(path, decode=True)
    assert (cheap.decoded, thorough.decoded) == (False, True)
    assert cheap.timeline == thorough.timeline
    assert cheap.notes == ()
    assert cheap.packets == 120


def overwrite(path, start, length):
    data = bytearray(path.read_bytes())
    position = int(len(data) * start)
    data[position : position + length] = bytes(length)
    path.write_bytes(data)


def test_a_hole_in_the_middle_is_found_and_the_rest_still_reads(tmp_path):
    path = written(tmp_path, gop=10, size=(640, 480))
    whole = scan(path).timeline
    overwrite(path, 0.4, 6000)
    found = scan(path)
    assert found.decoded
    assert any("cannot be decoded" in note or "damaged" in note for note in found.notes)
    assert 60 < len(found.timeline) <= len(whole)
    assert set(found.timeline.starts_us.tolist()) <= set(whole.starts_us.tolist())
    with open_video(path, timeline=found.timeline) as video:
        frames = list(video.read(range(len(found.timeline)), size=(64, 48)))
    assert len(frames) == len(found.timeline)


@pytest.mark.parametrize("name", ["cut.mkv", "cut.ts"])
def test_a_file_cut_off_gives_the_frames_up_to_the_cut(tmp_path, name):
    path = written(tmp_path, name, gop=10)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    found = scan(path)
    assert 50 < len(found.timeline) < 90
    whole = len(found.timeline) - 1  # of the frame at the cut, only a part may be there
    with open_video(path, timeline=found.timeline) as video:
        numbers = [read_barcode(frame.pixels) for frame in video.read(range(whole))]
        assert video.frame(whole).index == whole
    assert numbers == list(range(whole))
    assert found.notes


def test_a_stream_that_begins_between_key_frames_starts_at_its_first_whole_frame(tmp_path):
    path = written(tmp_path, "joined.ts", gop=30)
    data = path.read_bytes()
    path.write_bytes(data[(len(data) // 4) // 188 * 188 :])
    found = scan(path)
    numbers = every_frame_reads(path, found.timeline)
    assert numbers == list(range(numbers[0], 120))
    assert numbers[0] % 30 == 0


def remuxed(video, path, retime):
    """Copy packets with timestamps of one's own."""
    with av.open(str(video)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        place = 0
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = stream
                packet.pts = packet.dts = retime(place, packet.pts)
                new.mux(packet)
                place += 1
    return path


def test_two_frames_of_one_instant_count_once(tmp_path):
    video = written(tmp_path, "even.mkv")
    path = remuxed(video, tmp_path / "twins.mkv", lambda place, pts: pts - 40 * (place == 50))
    found = scan(path)
    assert found.decoded
    assert len(found.timeline) == 119
    assert any("left out" in note for note in found.notes)
    ours = every_frame_reads(path, found.timeline)
    assert ours == [number for number in range(120) if number != 50]
    for reader in set(READERS) - {"pyav"}:
        try:
            with open_video(path, timeline=found.timeline, reader=reader) as video:
                theirs = [read_barcode(frame.pixels) for frame in video.read(range(119))]
        except (BadVideoError, UnavailableError):
            continue  # says so instead of shifting every frame that follows
        assert theirs == ours, reader


def test_an_edit_list_is_told_by_the_packets_alone(tmp_path):
    path = written(tmp_path, pts_us=[-120_000 + index * 40_000 for index in range(120)])
    found = scan(path)
    assert (len(found.timeline), found.packets, found.decoded) == (117, 120, False)
    assert found.notes == ("3 frames cut off by the file's edit list",)


def test_a_timeline_of_wild_timestamps_is_bounded(tmp_path):
    video = written(tmp_path, "even.mkv")
    day = 24 * 3600 * 1000
    path = remuxed(video, tmp_path / "wild.mkv", lambda place, pts: pts + day * 8 * (place > 60))
    with pytest.raises(Exception, match="span 192 hours"):
        scan(path)


def test_more_frames_than_allowed_stop_the_scan(tmp_path, monkeypatch):
    path = written(tmp_path)
    monkeypatch.setattr(packets, "MAX_FRAMES", 100)
    with pytest.raises(Exception, match="more than 100 frames"):
        scan(path)


def test_read_errors_are_bounded(tmp_path, monkeypatch):
    path = written(tmp_path)
    with source.VideoSource(path) as opened:
        tries = []

        class Failing:
            def demux(self, _stream):
                tries.append(1)
                raise av.error.InvalidDataError(1, "broken")
                yield

            close = staticmethod(opened.container.close)

        monkeypatch.setattr(opened, "container", Failing())
        assert list(opened.packets()) == []
        assert opened.read_errors == len(tries) == source.MAX_READ_ERRORS


def test_the_timeline_survives_being_stored(tmp_path):
    timeline = scan(written(tmp_path)).timeline
    timeline.save(tmp_path / "timeline.npz")
    assert FrameTimeline.load(tmp_path / "timeline.npz") == timeline


def test_hidden_frames_of_vp9_and_vp8_are_told_apart():
    class Packet(bytes):
        __slots__ = ()

    shown_key, hidden, shown, existing = b"\x92\0", b"\x94\0", b"\x96\0", b"\x88\0"
    assert packets._is_shown("vp9", Packet(shown_key))
    assert not packets._is_shown("vp9", Packet(hidden))
    assert packets._is_shown("vp9", Packet(shown))
    assert packets._is_shown("vp9", Packet(existing))
    assert packets._is_shown("vp9", Packet(hidden + b"\xc1"))
    assert not packets._is_shown("vp8", Packet(b"\x01"))
    assert packets._is_shown("vp8", Packet(b"\x10"))


def test_ticks_finer_than_int64_products_stay_exact(tmp_path):
    from fractions import Fraction

    from prismata.media.scanning import _timeline

    base = Fraction(1, 2**31 - 1)
    ticks = np.arange(3, dtype=np.int64) * 3600 * (2**31 - 1)
    timeline = _timeline(tmp_path / "x", ticks, base, 0)
    assert timeline.starts_us.tolist() == [0, 3_600_000_000, 7_200_000_000]
