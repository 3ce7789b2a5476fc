"""A whole folder of this computer, and everything below a prefix of a bucket, through the pages."""

import hashlib
import re
import shutil
from functools import cache

import botocore.loaders
import botocore.session
import pytest

from prismata.storage.s3 import S3Storage
from prismata.testing.s3_server import TEST_CREDENTIALS, LocalS3Server
from prismata.testing.synth import render_flashes


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two short videos."""
    folder = tmp_path_factory.mktemp("clips")
    return [
        render_flashes(folder / f"{number}.mp4", seconds=2, seed=number, size=(96, 64)).path
        for number in (1, 2)
    ]


def test_of_a_folder_its_videos_are_taken_and_nothing_else(
    page, server, bench, add_bundle, clips, tmp_path
):
    add_bundle()
    folder = tmp_path / "match day"
    (folder / "second half").mkdir(parents=True)
    shutil.copyfile(clips[0], folder / "first.mp4")
    shutil.copyfile(clips[1], folder / "second half" / "second.mp4")
    (folder / "notes.txt").write_text("no video")
    shutil.copyfile(clips[0], folder / ".hidden.mp4")
    page.goto(f"{server.url}/detect")
    page.get_by_text("From this computer", exact=True).click()
    page.get_by_text("Choose a folder", exact=True).wait_for()
    page.locator("input[webkitdirectory]").set_input_files(str(folder))
    for name in ("first.mp4", "second.mp4"):
        page.locator(".files .done", has_text=name).wait_for()
    page.get_by_text("2 other files were left out: no videos by their names.").wait_for()
    assert page.locator(".files > *").count() == 2
    digests = {video.name: video.sha256 for video in bench.catalog.videos.list()}
    assert digests == {
        "first.mp4": hashlib.sha256(clips[0].read_bytes()).hexdigest(),
        "second.mp4": hashlib.sha256(clips[1].read_bytes()).hexdigest(),
    }
    page.get_by_role("button", name=re.compile("Detect in 2 videos")).wait_for()


class TestBucket:
    """Recordings that lie in a bucket already."""

    pytestmark = pytest.mark.s3

    @pytest.fixture
    def bucket(self, monkeypatch, clips, tmp_path):
        for name, value in TEST_CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        loader = cache(botocore.loaders.create_loader)
        monkeypatch.setattr(botocore.session, "create_loader", loader)
        with LocalS3Server().running() as store:
            name = store.make_bucket()
            monkeypatch.setenv("PRISMATA_S3_ENDPOINT_URL", store.endpoint_url)
            held = S3Storage(name, endpoint_url=store.endpoint_url, cache_dir=tmp_path / "s3")
            held.put_file("matches/first.mp4", clips[0])
            held.put_file("matches/day 2/second.mp4", clips[1])
            held.put_file("private/third.mp4", clips[0])
            yield name

    @pytest.fixture
    def settings(self, settings, bucket, monkeypatch):
        allowed = f"s3://{bucket}/matches/"
        monkeypatch.setenv("PRISMATA_PAGE_SOURCES", allowed)
        return settings.model_copy(update={"page_sources": allowed})

    def test_everything_below_a_prefix_is_looked_at_and_nothing_beside_it(
        self, page, server, bench, add_bundle, bucket
    ):
        add_bundle()
        page.goto(f"{server.url}/detect")
        page.get_by_text("Folder or bucket", exact=True).click()
        places = page.get_by_role("textbox", name="Folders, files, patterns or s3:// prefixes")
        places.fill(f"s3://{bucket}/private/")
        places.press("Control+Enter")
        page.get_by_text("lies outside of what pages may take videos from").wait_for()
        places.fill(f"s3://{bucket}/matches/")
        places.press("Control+Enter")
        page.get_by_text(re.compile("2 found: .*first.mp4")).wait_for()
        page.get_by_role("button", name=re.compile("Detect in 2 video")).click()
        page.get_by_text("2 submitted").wait_for()
        for name in ("first.mp4", "second.mp4"):
            row = page.locator("tr[data-job]", has_text=name)
            row.locator("[data-state=done]").wait_for(timeout=60_000)
        names = {video.name.rpartition("/")[2] for video in bench.catalog.videos.list()}
        assert names == {"first.mp4", "second.mp4"}
