"""Every file that is no usable video is refused in one sentence with its true reason."""

import os
import shutil
import sys

import av
import numpy as np
import pytest

from prismata.core.errors import BadVideoError
from prismata.media.description import describe
from prismata.media.readers import READERS, open_video
from prismata.media.scanning import scan
from prismata.testing.barcode import read_barcode, write_barcode_video


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_barcode_video(tmp_path_factory.mktemp("good") / "good.mp4", frames=30)


def refused(path):
    with pytest.raises(BadVideoError) as refusal:
        scan(path)
    message = str(refusal.value)
    assert path.name in message
    assert "\n" not in message
    summary = describe(path)
    assert (summary["accepted"], summary["reason"]) == (False, refusal.value.reason)
    assert summary["message"] == message
    assert summary["frames"] is None
    return refusal.value.reason


PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile '{other}'\n",
    "bare concat": "file '{other}'\n",
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{other}\n#EXT-X-ENDLIST\n",
    "m3u8 behind a mark": "\ufeff \n#EXTM3U\n{other}\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "dash": "<?xml version='1.0'?>\n<MPD><BaseURL>{other}</BaseURL></MPD>\n",
    "pls": "[playlist]\nFile1={other}\n",
    "address": "rtsp://127.0.0.1/stream\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_under_a_videos_name_opens_nothing(tmp_path, video, kind):
    path = tmp_path / "innocent.mp4"
    path.write_text(PLAYLISTS[kind].format(other=video), "utf-8")
    assert refused(path) == "playlist"


@pytest.mark.parametrize("reader", READERS)
def test_no_reader_follows_a_playlist_even_with_a_stored_timeline(tmp_path, video, reader):
    path = tmp_path / "innocent.mp4"
    path.write_text(PLAYLISTS["ffconcat"].format(other=video), "utf-8")
    with pytest.raises(BadVideoError) as refusal:
        open_video(path, timeline=scan(video).timeline, reader=reader)
    assert refusal.value.reason == "playlist"


def test_simple_refusals_name_their_reason(tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("Dear diary, today there was no video.\n")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(5).bytes(5000))
    assert refused(tmp_path / "missing.mp4") == "missing_file"
    assert refused(tmp_path / "empty.mp4") == "empty_file"
    assert refused(tmp_path / "text.mp4") == "not_a_video"
    assert refused(tmp_path / "folder.mp4") == "not_a_video"
    assert refused(tmp_path / "noise.mp4") == "not_a_video"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes on Windows")
def test_a_named_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    assert refused(tmp_path / "pipe.mp4") == "not_a_video"


def test_a_recording_cut_off_before_its_index_is_named_so(tmp_path, video):
    path = tmp_path / "cut.mp4"
    data = video.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])
    assert refused(path) == "no_moov"


def test_a_broken_index_is_damage(tmp_path, video):
    path = tmp_path / "broken.mp4"
    data = bytearray(video.read_bytes())
    start = data.index(b"moov") + 4
    data[start : start + 400] = b"\xff" * 400
    path.write_bytes(data)
    assert refused(path) in {"damaged", "no_video_stream"}


def write_sound(path, *, cover=False, codec="aac"):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=44_100, layout="mono")
        picture = None
        if cover:
            picture = container.add_stream("mjpeg", rate=1)
            picture.width = picture.height = 64
            picture.pix_fmt = "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
        if picture is not None:
            image = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            container.mux(picture.encode(image.reformat(format="yuvj420p")))
            container.mux(picture.encode(None))
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
            )
            frame.sample_rate, frame.pts = 44_100, number * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_sound_alone_is_no_video(tmp_path):
    assert refused(write_sound(tmp_path / "sound.mp4")) == "no_video_stream"


def test_a_cover_picture_is_no_video(tmp_path):
    assert refused(write_sound(tmp_path / "song.mp4", cover=True)) == "attached_picture"


def test_an_encrypted_video_is_named_so(tmp_path, video):
    path = tmp_path / "secret.mp4"
    options = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
        "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
    }
    with av.open(str(video)) as source, av.open(str(path), "w", options=options) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    assert refused(path) == "encrypted"


def test_frames_too_large_are_refused_before_they_are_decoded(tmp_path):
    path = tmp_path / "huge.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 8000, 5008, "gray"
        frame = av.VideoFrame(8000, 5008, "gray")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert refused(path) == "too_large"


HOSTILE_NAMES = [
    "-i.mp4",
    "concat:a.mp4|b.mp4",
    "http:evil.mp4",
    "img%03d.mp4",
    "a b'c\"$(touch x).mp4",
    "ünï©ode 🎥.mp4",
    "subfile,,start,0,end,9,,:x.mp4",
    "no suffix at all",
]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows forbids such names itself")
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_strange_name_is_a_name_and_nothing_else(tmp_path, monkeypatch, video, name, reader):
    path = tmp_path / name
    shutil.copy(video, path)
    monkeypatch.chdir(tmp_path)
    for spelling in (path, path.relative_to(tmp_path)):
        timeline = scan(spelling).timeline
        assert len(timeline) == 30
        with open_video(spelling, timeline=timeline, reader=reader) as opened:
            assert read_barcode(opened.frame(3).pixels) == 3
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that are no Unicode")
def test_a_name_that_is_no_unicode_is_read_too(tmp_path, video):
    path = tmp_path / os.fsdecode(b"latin-\xe9.mp4")
    shutil.copy(video, path)
    with open_video(path) as opened:
        assert read_barcode(opened.frame(3).pixels) == 3
