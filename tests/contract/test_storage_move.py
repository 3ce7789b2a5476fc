"""A storage that moves: local to S3 and back, checked, cut off and taken up again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from functools import cache

import botocore.loaders
import botocore.session
import pytest

from prismata.core.errors import ConflictError, InvalidInputError, UnavailableError
from prismata.services.migrate_storage import (
    Destination,
    move_storage,
    plan_move,
    settings_afterwards,
)
from prismata.settings import Settings
from prismata.storage import open_storage
from prismata.storage.moving import Journal, StorageMove, Totals
from prismata.testing.s3_server import TEST_CREDENTIALS, LocalS3Server

pytestmark = pytest.mark.s3

OBJECTS = {
    "labels/cricket/a.json": b'{"events": []}\n',
    "models/m/card.json": b"{}",
    "models/m-2/card.json": b"{} ",
    "timelines/\u00e4 b.npz": b"",
    "timelines/\U0001f3cf.npz": b"x" * 1000,
    "videos/1/a large one.mp4": bytes(range(256)) * 4096 * 9,  # two parts
    "videos/1.mp4": b"film",
}
SIZE = sum(map(len, OBJECTS.values()))


@pytest.fixture(scope="module")
def server():
    with pytest.MonkeyPatch.context() as patch, LocalS3Server().running() as server:
        # boto3 reads a megabyte of API descriptions for each client; once is enough for all tests.
        patch.setattr(botocore.session, "create_loader", cache(botocore.loaders.create_loader))
        yield server


@pytest.fixture
def destination(server, monkeypatch):
    server.fault = lambda *_: ""
    for name, value in TEST_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return Destination(f"s3://{server.make_bucket()}/team-a", server.endpoint_url)


@pytest.fixture
def local(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    with open_storage(settings) as storage:
        for key, content in OBJECTS.items():
            storage.put(key, content)
    return settings


def contents(settings):
    with open_storage(settings) as storage:
        return {info.key: storage.digest(info.key) for info in storage.list()}


def test_local_to_s3_and_back_with_the_same_counts_and_digests(local, destination, tmp_path):
    there = move_storage(local, destination)
    assert there.checked == there.copied == Totals(len(OBJECTS), SIZE)
    assert there.settled
    assert not there.differ_count
    in_s3 = destination.settings(local)
    assert settings_afterwards(local, destination) == {
        "PRISMATA_STORAGE_BACKEND": "s3",
        "PRISMATA_S3_BUCKET": in_s3.s3_bucket,
        "PRISMATA_S3_PREFIX": "team-a",
        "PRISMATA_S3_ENDPOINT_URL": destination.endpoint_url,
    }
    home = Destination(str(tmp_path / "other"))
    back = move_storage(in_s3, home)
    assert (back.checked, back.digest) == (there.checked, there.digest)
    assert contents(home.settings(in_s3)) == contents(local) == contents(in_s3)


def test_a_dry_run_tells_what_a_run_then_does(local, destination, server, tmp_path):
    plan = plan_move(local, destination)
    assert plan.source == plan.to_copy == Totals(len(OBJECTS), SIZE)
    bucket = destination.settings(local).s3_bucket
    assert not [
        path for method, path in server.requests if method == "PUT" and f"{bucket}/" in path
    ]
    folder = Destination(str(tmp_path / "not there yet"))
    assert plan_move(local, folder).to_copy == plan.to_copy
    assert not (tmp_path / "not there yet").exists()
    move_storage(local, destination)
    after = plan_move(local, destination)
    assert (after.to_copy, after.checked) == (Totals(), plan.source)


def test_what_came_or_changed_meanwhile_is_copied_and_what_is_only_there_stays(local, destination):
    move_storage(local, destination)
    with open_storage(destination.settings(local)) as bucket, open_storage(local) as storage:
        bucket.put("labels/theirs.json", b"theirs")
        storage.put("models/m/card.json", b"changed")
        storage.put("labels/new.json", b"new")
        storage.delete("videos/1.mp4")
        report = move_storage(local, destination)
        assert report.copied == Totals(2, 10)
        assert report.only_in_target.objects == 2
        assert bucket.get("models/m/card.json") == b"changed"
        assert bucket.get("labels/theirs.json") == b"theirs"


def test_what_others_put_there_is_told_and_never_written_over(local, destination):
    with open_storage(destination.settings(local)) as bucket:
        bucket.put("models/m/card.json", b"!!")  # as long as ours
        bucket.put("videos/1.mp4", b"another film")
        bucket.put("labels/cricket/a.json", OBJECTS["labels/cricket/a.json"])
        report = move_storage(local, destination)
        assert report.differ == ["models/m/card.json", "videos/1.mp4"]
        assert report.checked.objects == len(OBJECTS) - 2
        assert bucket.get("models/m/card.json") == b"!!"


def test_what_changes_while_it_is_copied_is_copied_again(local, destination, server):
    def edit(method, path):
        if method == "PUT" and path.endswith("a.json"):
            server.fault = lambda *_: ""
            with open_storage(local) as storage:
                storage.put("labels/cricket/a.json", b"edited meanwhile")
        return ""

    server.fault = edit
    report = move_storage(local, destination)
    assert report.settled
    with open_storage(destination.settings(local)) as bucket:
        assert bucket.get("labels/cricket/a.json") == b"edited meanwhile"


def test_a_copy_that_rots_at_once_is_not_trusted(local, destination, tmp_path):
    """The store answers that all is well, and holds something else."""
    with (
        open_storage(local) as source,
        open_storage(destination.settings(local)) as bucket,
        Journal(tmp_path / "journal.db") as journal,
    ):
        real_put = bucket.put_file

        def rotting_put(key, path, **options):
            info = real_put(key, path, **options)
            bucket._client.put_object(
                Bucket=bucket.bucket,
                Key=f"{bucket.prefix}{key}",
                Body=b"?" * info.size,
                Metadata={"sha256": info.sha256},
            )
            return info

        bucket.put_file = rotting_put
        with pytest.raises(ConflictError, match=r"'labels/cricket/a\.json' cannot be trusted"):
            StorageMove(source, bucket, journal).run()


def test_a_move_that_is_killed_goes_on_where_it_was(local, destination, server, tmp_path):
    environment = os.environ | {"PRISMATA_DATA_DIR": str(local.data_dir)}
    command = [
        *(sys.executable, "-m", "prismata", "migrate-storage", "--json"),
        *("--to", destination.where, "--endpoint-url", destination.endpoint_url),
    ]
    running = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE)
    killed = threading.Event()

    def kill_in_the_last_video(method, path):
        if method == "PUT" and "large" in path and not killed.is_set():
            killed.set()
            running.send_signal(signal.SIGKILL)
        return ""

    server.fault = kill_in_the_last_video
    running.communicate(timeout=60)
    assert running.returncode == -signal.SIGKILL
    assert killed.is_set()
    before = len(server.requests)
    ended = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert report["complete"]
    assert report["copied"]["objects"] < len(OBJECTS)
    assert report["checked"] == {"objects": len(OBJECTS), "bytes": SIZE}
    put_again = {path for method, path in server.requests[before:] if method in ("PUT", "POST")}
    assert not [path for path in put_again if "a.json" in path or "card.json" in path]
    assert contents(destination.settings(local)) == contents(local)


def test_a_disk_that_is_too_small_is_told_before_anything_is_copied(
    local, destination, tmp_path, monkeypatch
):
    move_storage(local, destination)
    home = Destination(str(tmp_path / "small"))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": SIZE - 1}))
    with pytest.raises(UnavailableError, match="nothing was copied, make room"):
        move_storage(destination.settings(local), home)
    assert contents(home.settings(local)) == {}


@pytest.mark.parametrize(
    ("where", "sentence"),
    [("ftp://x/y", "cannot be moved to 'ftp://x/y'"), ("data", "already, as the settings say")],
)
def test_a_place_that_cannot_be_is_refused(where, sentence, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInputError, match=sentence):
        plan_move(Settings(), Destination(where))
