"""A training on spot machines that are taken away: `prismata worker --class gpu`, all of it real.

The machines are processes with folders of their own; catalog and S3 are what they share.
"""

import os
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")
pytest.importorskip("moto.moto_server", reason="moto is not installed: no S3 at hand")

from prismata.core.jobs import JobState, ResourceClass
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.services.train import TrainRequest, prepare_training, start_training
from prismata.settings import Settings
from prismata.testing.children import PATIENCE_SECONDS, halt_descendant, is_told_to_end
from prismata.testing.spot_metadata import SpotMetadata
from prismata.testing.synth import render_flashes
from prismata.wiring import open_workbench

pytestmark = [
    pytest.mark.torch,
    pytest.mark.s3,
    pytest.mark.skipif(sys.platform != "linux", reason="looks for the processes in /proc"),
]

RECIPE = {
    "encoder": "tiny",
    "frozen": False,
    "weights": "none",
    "head": {"hidden": 8},
    "quantize": "never",
    "chunk_samples": 8,
    "batch_chunks": 1,
}
EPOCHS = 80
TRAINING = "prismata.worker.train"


@pytest.fixture
def shared(tmp_path, plugins, s3_settings):
    return {
        **s3_settings,
        "database_url": f"sqlite:///{tmp_path / 'shared.db'}",
        "domains_dirs": str(plugins),
        "dispatcher": "none",
        "train_on": "gpu",
        "user": "tester",
    }


@pytest.fixture
def asker(tmp_path, shared):
    """A workbench that runs no jobs, with two labelled videos."""
    with open_workbench(Settings(data_dir=tmp_path / "asker", **shared)) as bench:
        for number in (1, 2):
            path = tmp_path / f"room-{number}.mp4"
            made = render_flashes(path, seconds=6, seed=number, size=(64, 48))
            video = ingest_file(bench, path, domain="flashes", group=path.stem).video
            for event in made.events:
                add_label(bench, video, "flashes", event)
        yield bench


@pytest.fixture
def start_machine(tmp_path, shared):
    """Start what a GPU machine runs, beside a metadata service of its own."""
    services, processes = [], []

    def start():
        services.append(SpotMetadata())
        metadata = services[-1].__enter__()
        told = {**shared, "spot": "aws", "spot_metadata_url": metadata.url}
        told["data_dir"] = str(tmp_path / f"machine-{len(processes)}")
        environment = os.environ | {f"PRISMATA_{name.upper()}": told[name] for name in told}
        command = [sys.executable, "-m", "prismata", "worker", "--class", "gpu"]
        processes.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
        return processes[-1], metadata

    yield start
    for process in processes:
        process.kill()
        process.wait()
    for service in services:
        service.__exit__(None, None, None)


def submit(bench):
    recipe = {**RECIPE, "epochs": EPOCHS, "patience": EPOCHS}
    request = TrainRequest("flashes", recipe, fixed_groups={"room-2": "val"})
    prepared = prepare_training(bench, request)
    start_training(bench, prepared)
    return prepared


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS * 2
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
    return found


def test_a_training_moves_from_a_machine_that_goes_to_the_next(asker, start_machine):
    """J12, then J13 on the second machine."""
    prepared = submit(asker)
    job, run = prepared.job.id, prepared.run.id

    def history():
        return asker.catalog.runs.get(run).history

    first, metadata = start_machine()
    wait_for(lambda: len(history()) >= 2)
    assert not asker.catalog.runs.get(run).checkpoint_key, "it brings one every half minute"
    child = wait_for(lambda: halt_descendant(first.pid, TRAINING))
    metadata.expire_tokens()
    metadata.interrupt()
    wait_for(lambda: is_told_to_end(child))
    os.kill(child, signal.SIGCONT)
    assert first.wait(PATIENCE_SECONDS) == 0
    given_back = asker.catalog.jobs.get(job)
    assert (given_back.state, given_back.failures) == (JobState.QUEUED, {"preempted": 1})
    before = history()
    assert len(before) < EPOCHS
    checkpoint = asker.catalog.runs.get(run).checkpoint_key
    assert asker.storage.exists(checkpoint), "where the next machine finds it"
    assert asker.catalog.workers.list() == []

    second, metadata = start_machine()
    wait_for(lambda: len(history()) > len(before))
    child = wait_for(lambda: halt_descendant(second.pid, TRAINING))
    metadata.recommend_rebalance()
    wait_for(lambda: any(worker.draining for worker in asker.catalog.workers.list()))
    other = asker.catalog.jobs.submit(
        "train", {}, author="tester", resource_class=ResourceClass.GPU
    )
    os.kill(child, signal.SIGCONT)
    assert second.wait(PATIENCE_SECONDS * 2) == 0, "it ends by itself when it has nothing to do"
    done = asker.catalog.jobs.get(job)
    assert (done.state, done.failures) == (JobState.SUCCEEDED, {"preempted": 1})
    after = history()
    assert after[: len(before)] == before, "it went on, not anew"
    assert [row["epoch"] for row in after] == list(range(1, len(after) + 1))
    waits = asker.catalog.jobs.get(other.id)
    assert (waits.state, waits.attempt) == (JobState.QUEUED, 0), "for a machine that stays"
