"""Forty-five odd files from other projects: read as ffmpeg decodes them, or refused rightly."""

import json
from pathlib import Path

import pytest

from prismata.media.description import describe
from prismata.media.facts import probe
from prismata.media.playable import judge
from prismata.media.proxies import make_proxy, proxy_timeline
from prismata.media.readers import open_video
from prismata.media.scanning import scan

REALDATA = Path(__file__).resolve().parents[2].parent / "shared" / "realdata"
MANIFEST = REALDATA / "fixtures" / "manifest.json"

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not MANIFEST.exists(), reason="the real videos are not beside the project"),
]

ENTRIES = json.loads(MANIFEST.read_text("utf-8")) if MANIFEST.exists() else []

REFUSED = {
    "description.txt": "not_a_video",
    "sample_fragmented_sideloaded_track.mp4": "no_moov",
    "sample_ac3.mp4": "no_video_stream",
    "full_blocks.mkv": "no_video_stream",
    "sample_with_opus_audio.mkv": "no_video_stream",
    "broken.mp4": "no_moov",
}
"""The file with the unknown track is a lone `moof` and `mdat`: the index is in another file."""

DIFFERENT = {
    # The manifest's steps come from packets, and eight packets hold hidden reference frames, some
    # with the time of the next frame: hence its 0.0. Frames that are shown are 41 or 42 ms apart.
    "roadtrip-vp92-10bit.webm": {"pts_step_min": 0.041},
}

NOTES = {
    "sample.avi": "the header says 98 frames, 96 are there",
    "sample_sef_slow_motion.mp4": "1 frame cut off by the file's edit list",
}

HALF_A_MANIFEST_DIGIT = 6e-5


def of(entry):
    return REALDATA / entry["file"]


def ids(entries):
    return [Path(entry["file"]).name for entry in entries]


ACCEPTED = [entry for entry in ENTRIES if Path(entry["file"]).name not in REFUSED]
TURNED_AWAY = [entry for entry in ENTRIES if Path(entry["file"]).name in REFUSED]


def test_every_file_of_the_manifest_is_judged():
    assert len(ENTRIES) == 45
    assert len(TURNED_AWAY) == len(REFUSED)


@pytest.mark.parametrize("entry", ACCEPTED, ids=ids(ACCEPTED))
def test_an_odd_file_is_described_as_ffmpeg_decodes_it(entry):
    said = {**entry, **DIFFERENT.get(of(entry).name, {})}
    facts = describe(of(entry))
    assert facts["accepted"], facts["message"]
    assert facts["frames"] == int(said["dec"])
    assert facts["rotation"] == (said["rot"] or [0])[0]
    assert facts["codec"] == said["codec_name"]
    sides = {facts["width"], facts["height"]}
    assert sides == {said["width"], said["height"]}
    for ours, theirs in (
        ("first_pts_s", "start_time"),
        ("min_step_s", "pts_step_min"),
        ("max_step_s", "pts_step_max"),
    ):
        assert facts[ours] == pytest.approx(float(said[theirs]), abs=HALF_A_MANIFEST_DIGIT), ours
    assert facts["notes"] == ([NOTES[of(entry).name]] if of(entry).name in NOTES else [])


@pytest.mark.parametrize("entry", TURNED_AWAY, ids=ids(TURNED_AWAY))
def test_an_odd_file_that_is_no_video_is_refused_with_the_true_reason(entry):
    facts = describe(of(entry))
    assert not facts["accepted"]
    assert facts["reason"] == REFUSED[of(entry).name]
    assert of(entry).name in facts["message"]


SMALL = [entry for entry in ACCEPTED if entry["width"] * entry["height"] < 500_000]


@pytest.mark.parametrize("entry", SMALL, ids=ids(SMALL))
def test_random_access_into_an_odd_file_gives_the_frame_of_sequential_reading(entry):
    timeline = scan(of(entry)).timeline
    last = len(timeline) - 1
    picks = sorted({0, last // 3, last // 2, last})
    with open_video(of(entry), timeline=timeline) as video:
        frames = list(video.read(picks, size=(64, 48)))
        for frame in reversed(frames):
            again = video.frame(frame.index, size=(64, 48))
            assert (again.pixels == frame.pixels).all(), frame.index


DIRECT = {
    *("nasa_13013.mp4", "bt709_full_range.mp4", "unordered.mov", "video_0.mov", "video_90.mov"),
    *("video_180.mov", "counter.mp4", "demo.mp4", "demo_skeleton.mp4", "sample.mp4"),
    *("sample_av1.mp4", "testvid_1022ms.mp4", "bear-vp9.webm"),
    *("video_2.mp4", "awesome movie.mov", "ios9.mov", "file_with_data_streams.mp4"),
    *("chaplin.mp4", "fire2.mp4", "transparent.webm", "big_buck_bunny_432_433.webm"),
    *("video_with_failing_audio.mp4",),
}
"""What browsers show exactly as it is."""


@pytest.mark.parametrize("entry", ACCEPTED, ids=ids(ACCEPTED))
def test_an_odd_file_plays_as_it_is_or_gets_a_proxy_with_the_same_frames(entry, tmp_path):
    path = of(entry)
    scanned = scan(path)
    verdict = judge(path, probe(path), scanned)
    assert verdict.exact == (path.name in DIRECT), verdict.reason
    if verdict.exact:
        return
    assert verdict.reason
    proxy = tmp_path / "proxy.mp4"
    make_proxy(path, proxy, timeline=scanned.timeline)
    assert scan(proxy).timeline == proxy_timeline(scanned.timeline)
    assert judge(proxy, probe(proxy), scan(proxy)).exact
