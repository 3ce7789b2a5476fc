"""A batch whose worker is killed in the middle: nothing lost, nothing run twice, states true."""

import os
import signal
import subprocess
import sys
import time

import pytest

from prismata.core.jobs import JobState
from prismata.core.processes import is_alive
from prismata.services.detect import DetectRequest
from prismata.services.detect_queue import submit_detections
from prismata.services.ingest import ingest_file
from prismata.services.video_sources import LibrarySource
from prismata.testing.children import PATIENCE_SECONDS
from prismata.testing.synth import render_flashes
from prismata.wiring import open_workbench

TRUE_WITHIN_SECONDS = 5.0
COUNT = 4


@pytest.fixture
def asker(settings, add_bundle):
    """A workbench that only asks; the model is there."""
    add_bundle()
    with open_workbench(settings.model_copy(update={"dispatcher": "none"})) as opened:
        yield opened


@pytest.fixture
def videos(asker, tmp_path):
    made = [
        render_flashes(tmp_path / f"{number}.mp4", seconds=40, seed=number, size=(96, 64), fps=20)
        for number in range(COUNT)
    ]
    return [ingest_file(asker, item.path, domain="flashes").video for item in made]


@pytest.fixture
def start_worker(settings):
    """Start `prismata worker` in a process group of its own."""
    started = []

    def start():
        environment = dict(
            os.environ,
            PRISMATA_DATA_DIR=str(settings.data_dir),
            PRISMATA_DOMAINS_DIRS=settings.domains_dirs,
            PRISMATA_DETECT_THREADS="1",
        )
        command = [sys.executable, "-m", "prismata", "worker", "--cpu", "1"]
        started.append(
            subprocess.Popen(
                command,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)


def wait_for(condition, seconds=PATIENCE_SECONDS):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)
    return found


def is_true(bench):
    """Whether every job that is said to run is run by a process that lives."""
    running = bench.catalog.leases.running()
    return all(attempt and is_alive(attempt.process) is not False for _, attempt in running)


def test_a_batch_goes_on_where_its_killed_worker_was(asker, videos, start_worker):
    first = start_worker()
    sources = [LibrarySource(video) for video in videos]
    jobs = submit_detections(asker, sources, DetectRequest("", domain="flashes")).submitted
    assert len(jobs) == COUNT

    def one_done_one_running():
        states = [asker.catalog.jobs.get(job.id).state for job in jobs]
        return JobState.SUCCEEDED in states and JobState.RUNNING in states

    wait_for(one_done_one_running)
    first.kill()
    first.wait(PATIENCE_SECONDS)
    done_before = {
        job.id for job in jobs if asker.catalog.jobs.get(job.id).state is JobState.SUCCEEDED
    }
    start_worker()
    wait_for(lambda: asker.catalog.workers.list(seen_within_seconds=1))
    wait_for(lambda: is_true(asker), TRUE_WITHIN_SECONDS)
    again = submit_detections(asker, sources, DetectRequest("", domain="flashes"))
    assert again.submitted == [], "whoever asks again is told what there is"
    ended = wait_for(
        lambda: (
            (now := [asker.catalog.jobs.get(job.id) for job in jobs])
            and all(job.state.is_final for job in now)
            and now
        )
    )
    assert {job.state for job in ended} == {JobState.SUCCEEDED}
    for job in ended:
        good = [a for a in asker.catalog.jobs.attempts(job.id) if a.state is JobState.SUCCEEDED]
        assert len(good) == 1
        assert job.attempt == 1 or job.id not in done_before, "what was done was not done again"
    for video in videos:
        (run,) = asker.catalog.detections.list(video_id=video.id)
        assert run.state is JobState.SUCCEEDED
        found = asker.catalog.events.list(detection_run_id=run.id)
        assert len(found) == run.event_count
        assert not any(item.provisional for item in found)
