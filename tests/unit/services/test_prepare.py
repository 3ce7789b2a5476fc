"""Preparation: what a player needs, made once in a child, told in words when it fails."""

import os
import signal
import time

import cv2
import numpy as np
import pytest

from prismata.core.errors import BusyError, InvalidInputError
from prismata.core.jobs import JobState
from prismata.services import prepare
from prismata.services.ingest import ingest_file, remove_video
from prismata.services.prepare import (
    describe_material,
    needs_preparation,
    prepare_video,
    start_preparation,
)
from prismata.services.renditions import load_renditions, rendition_key
from prismata.settings import Settings
from prismata.testing.barcode import write_barcode_video
from prismata.wiring import open_workbench

TRUE_CHILD = prepare.PREPARE_CHILD
MADE = ["material.json", "poster.jpg", "proxy.mp4", "source.json", "thumbs-0.jpg"]


@pytest.fixture
def old_film(bench, tmp_path):
    """Three seconds of MPEG-4 in AVI, which no browser opens."""
    path = write_barcode_video(tmp_path / "old.avi", frames=75, codec="mpeg4", size=(320, 160))
    return ingest_file(bench, path).video


def stored(bench, video):
    prefix = rendition_key(video, "")
    return sorted(info.key.removeprefix(prefix) for info in bench.storage.list(prefix))


def end_of(live):
    outcome = live.wait(120)
    assert outcome is not None
    return outcome


def test_what_a_browser_cannot_play_gets_a_proxy_thumbnails_and_a_poster(bench, old_film):
    before = describe_material(bench, old_film)
    assert (before.source.playable, before.has_proxy, before.preparing) == (False, False, None)
    assert "avi" in before.source.reason
    assert needs_preparation(bench, old_film)
    messages = []
    outcome = prepare_video(bench, old_film, on_message=messages.append)
    assert outcome.state is JobState.SUCCEEDED, outcome.message
    told = [one["done"] for one in messages if one["type"] == "progress"]
    assert told == sorted(told)
    assert told[-1] == 1.0
    after = describe_material(bench, old_film)
    assert after.has_proxy
    assert not needs_preparation(bench, old_film)
    assert stored(bench, old_film) == MADE
    thumbs = after.thumbs
    assert (thumbs.every_us, thumbs.count, thumbs.sprites) == (1_000_000, 3, 1)
    sprite = bench.storage.get(rendition_key(old_film, "thumbs-0.jpg"))
    sheet = cv2.imdecode(np.frombuffer(sprite, np.uint8), cv2.IMREAD_COLOR)
    assert sheet.shape == (thumbs.height, thumbs.columns * thumbs.width, 3)
    assert after.to_json()["waveform"] is None


def test_what_every_browser_plays_gets_no_proxy(bench, video):
    assert prepare_video(bench, video).state is JobState.SUCCEEDED
    assert stored(bench, video) == [name for name in MADE if name != "proxy.mp4"]
    material = describe_material(bench, video)
    assert (material.source.exact, material.has_proxy) == (True, False)


def test_a_second_start_is_refused_in_words_while_the_first_runs(bench, old_film, slow_child):
    live = start_preparation(bench, old_film)
    with pytest.raises(BusyError, match="prepare job is already"):
        start_preparation(bench, old_film)
    until(lambda: describe_material(bench, old_film).preparing.state is JobState.RUNNING)
    assert describe_material(bench, old_film).preparing.job_id == live.job_id
    live.cancel()
    assert end_of(live).state is JobState.CANCELLED


@pytest.fixture
def slow_child(tmp_path, monkeypatch):
    """A child that stores a part and then goes on for ever, instead of the true one."""
    script = tmp_path / "slow_child.py"
    script.write_text(
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from prismata.core.child import child_main\n"
        "from prismata.settings import Settings\n"
        "from prismata.storage import open_storage\n"
        "def handle(request, reporter):\n"
        f"    Path({str(tmp_path / 'slow_child.pid')!r}).write_text(str(os.getpid()))\n"
        "    storage = open_storage(Settings(**request['settings']))\n"
        "    storage.put(f\"renditions/{request['sha256']}/proxy.mp4\", b'half')\n"
        "    reporter.started()\n"
        "    reporter.progress(0.5, 1.0, 'making a proxy')\n"
        "    while True:\n"
        "        time.sleep(0.05)\n"
        "sys.exit(child_main(handle))\n"
    )
    monkeypatch.setattr(prepare, "PREPARE_CHILD", (TRUE_CHILD[0], str(script)))


def until(true):
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_child_leaves_nothing_and_can_be_started_again(
    bench, old_film, slow_child, monkeypatch, tmp_path
):
    live = start_preparation(bench, old_film)
    until(lambda: describe_material(bench, old_film).preparing.progress == 0.5)
    assert "proxy.mp4" in stored(bench, old_film)
    assert not describe_material(bench, old_film).has_proxy, "not described, so not there"
    pid = tmp_path / "slow_child.pid"
    first = pid.read_text()
    os.kill(int(first), signal.SIGKILL)
    until(lambda: pid.read_text() not in ("", first))
    os.kill(int(pid.read_text()), signal.SIGKILL)  # it gets no third attempt
    assert end_of(live).state is JobState.FAILED
    # Cleaned up by the worker once the end is written, which others see a moment earlier.
    until(lambda: stored(bench, old_film) == ["source.json"])
    told = describe_material(bench, old_film).preparing
    assert told.state is JobState.FAILED
    assert told.message
    monkeypatch.setattr(prepare, "PREPARE_CHILD", TRUE_CHILD)
    assert prepare_video(bench, old_film).state is JobState.SUCCEEDED
    assert describe_material(bench, old_film).preparing is None


def test_a_video_that_cannot_be_prepared_says_why(bench, old_film):
    content = bench.storage.get(old_film.storage_key)
    bench.storage.put(old_film.storage_key, content[: len(content) // 2])
    outcome = prepare_video(bench, old_film)
    assert outcome.state is JobState.FAILED
    told = describe_material(bench, old_film).preparing
    assert "instead of 75" in told.message
    assert stored(bench, old_film) == ["source.json"]


def test_a_removed_video_takes_its_renditions_along(bench, old_film):
    prepare_video(bench, old_film)
    remove_video(bench, old_film.id)
    assert list(bench.storage.list()) == []


def test_a_video_removed_while_it_is_prepared_leaves_nothing(bench, old_film, slow_child):
    live = start_preparation(bench, old_film)
    until(lambda: "proxy.mp4" in stored(bench, old_film))
    remove_video(bench, old_film.id)
    assert end_of(live).state in (JobState.CANCELLED, JobState.FAILED)
    until(lambda: not list(bench.storage.list()))


def test_a_video_removed_just_before_its_preparation_ends_leaves_nothing(bench, old_film):
    def remove_at_the_end(message):
        if message.get("note") == "done":
            bench.catalog.videos.remove(old_film.id)

    outcome = prepare_video(bench, old_film, on_message=remove_at_the_end)
    assert outcome.state is JobState.FAILED
    assert stored(bench, old_film) == []


def test_a_video_without_its_file_cannot_be_prepared(bench, old_film):
    bench.storage.delete(old_film.storage_key)
    outcome = prepare_video(bench, old_film)
    assert outcome.state is JobState.FAILED
    assert old_film.storage_key in outcome.message


def test_a_storage_in_memory_is_refused_because_no_child_sees_it(tmp_path, flashes):
    settings = Settings(data_dir=tmp_path / "memory", storage_backend="memory", domains_dirs="")
    with open_workbench(settings) as bench:
        video = ingest_file(bench, flashes.path).video
        with pytest.raises(InvalidInputError, match="lives in memory"):
            start_preparation(bench, video)
        assert describe_material(bench, video).preparing is None


def test_a_judgement_by_an_older_rule_is_made_anew(bench, old_film):
    key = rendition_key(old_film, "source.json")
    bench.storage.put(key, b'{"rules": 0, "playable": true, "exact": true, "reason": ""}')
    assert not describe_material(bench, old_film).source.exact
    bench.storage.delete(key)
    assert not describe_material(bench, old_film).source.exact
    assert bench.storage.exists(key)


def test_a_description_by_another_version_counts_as_none(bench, old_film):
    bench.storage.put(rendition_key(old_film, "material.json"), b'{"version": 99}')
    assert load_renditions(bench, old_film) is None
    assert needs_preparation(bench, old_film)
