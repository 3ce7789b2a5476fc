"""What people name when they ask for a batch: words to sources, and sources to videos."""

import shutil
from collections.abc import Iterator
from functools import cache

import botocore.loaders
import botocore.session
import pytest

from prismata.core.errors import (
    BadVideoError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from prismata.services.video_sources import find_sources
from prismata.storage.s3 import make_client
from prismata.testing.s3_server import TEST_CREDENTIALS, LocalS3Server


def names(bench, *words):
    return [source.name for source in find_sources(bench, [str(word) for word in words])]


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A folder `rec` with files in it, which is the working directory's."""
    root = tmp_path / "tree"
    for name in (
        *("rec/b.mp4", "rec/a.MP4", "rec/notes.txt", "rec/day2/c.mkv", "rec/raw.dat"),
        *("rec/.hidden.mp4", "rec/.trash/d.mp4", "elsewhere/e.mp4"),
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("not looked into yet")
    (root / "empty").mkdir()
    (root / "rec" / "folder.mp4").mkdir()
    monkeypatch.chdir(root)
    return root


def test_a_folder_is_searched_with_all_below_it_but_nothing_hidden(bench, tree):
    assert names(bench, "rec") == ["rec/a.MP4", "rec/b.mp4", "rec/day2/c.mkv"]
    stored = [source.stored_name for source in find_sources(bench, ["rec"])]
    assert stored == ["a.MP4", "b.mp4", "day2/c.mkv"]
    assert names(bench, "rec/.trash") == ["rec/.trash/d.mp4"]


def test_a_glob_that_the_shell_left_alone_is_ours(bench, tree):
    assert names(bench, "rec/*.mp4") == ["rec/b.mp4"]
    assert names(bench, "rec/*") == ["rec/a.MP4", "rec/b.mp4"]
    assert names(bench, "rec/*.dat") == ["rec/raw.dat"]
    assert names(bench, "**/*.m*") == ["elsewhere/e.mp4", "rec/b.mp4", "rec/day2/c.mkv"]
    stored = [source.stored_name for source in find_sources(bench, ["rec/*/*.mkv"])]
    assert stored == ["day2/c.mkv"]


def test_files_names_and_ids_mix_in_the_order_named_and_come_once(bench, video, tree):
    words = ("rec/b.mp4", video.name, video.id, tree / "rec" / "b.mp4", "rec", "rec/notes.txt")
    assert names(bench, *words) == [
        "rec/b.mp4",
        "flashes.mp4",
        "rec/a.MP4",
        "rec/day2/c.mkv",
        "rec/notes.txt",
    ]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("empty", "there is no video in the folder 'empty' or below it"),
        ("rec/*.avi", r"no video matches 'rec/\*\.avi'"),
        ("gone.mp4", r"gone\.mp4.*nor is there a file or folder of this name"),
    ],
)
def test_what_names_nothing_is_one_sentence(bench, tree, word, sentence):
    with pytest.raises(NotFoundError, match=sentence):
        find_sources(bench, ["rec/b.mp4", word])


def test_a_file_tells_its_length_and_is_taken_in_once(bench, flashes, tree):
    shutil.copyfile(flashes.path, tree / "rec" / "day2" / "f.mp4")
    (source,) = find_sources(bench, ["rec/day2/f.mp4"])
    assert source.duration_us(bench) == pytest.approx(4_000_000, abs=50_000)
    video = source.take_in(bench, "flashes")
    assert (video.name, video.domain) == ("f.mp4", "flashes")
    assert source.take_in(bench, "flashes") == video
    (bad,) = find_sources(bench, ["rec/b.mp4"])
    assert bad.duration_us(bench) is None
    with pytest.raises(BadVideoError):
        bad.take_in(bench, "flashes")
    with pytest.raises(NotFoundError):
        find_sources(bench, ["f.mp4/"])
    (known,) = find_sources(bench, [video.id])
    assert known.take_in(bench, "") == video
    assert known.duration_us(bench) == video.duration_us


@pytest.fixture(scope="module")
def running_s3() -> Iterator[LocalS3Server]:
    with LocalS3Server().running() as server:
        yield server


_LOADER = cache(botocore.loaders.create_loader)


class Bucket:
    """A bucket that somebody else fills."""

    def __init__(self, server):
        self.server, self.name = server, server.make_bucket()

    def put(self, key, body):
        client = make_client(self.server.endpoint_url, None)
        client.put_object(Bucket=self.name, Key=key, Body=body)

    def fetched(self):
        """Keys whose content was asked for since the last look."""
        asked = [path for method, path in self.server.requests if method == "GET"]
        self.server.requests.clear()
        return [path.split("/", 2)[2] for path in asked if path.count("/") > 1 and path[-1] != "/"]


@pytest.fixture
def bucket(running_s3, monkeypatch, flashes, uneven_flashes):
    for name, value in TEST_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(botocore.session, "create_loader", _LOADER)
    made = Bucket(running_s3)
    made.put("rec/day 1/b.mp4", uneven_flashes.path.read_bytes())
    made.put("rec/a.mp4", flashes.path.read_bytes())
    made.put("rec/bad.mp4", b"no video")
    for key in ("rec/notes.txt", "rec/.trash/d.mp4", "recent/e.mp4"):
        made.put(key, b"x")
    running_s3.requests.clear()
    return made


@pytest.fixture
def settings(settings, running_s3):
    return settings.model_copy(update={"s3_endpoint_url": running_s3.endpoint_url})


pytest_s3 = pytest.mark.s3


@pytest_s3
def test_a_prefix_names_the_videos_below_it(bench, bucket):
    url = f"s3://{bucket.name}"
    expected = [f"{url}/rec/{name}" for name in ("a.mp4", "bad.mp4", "day 1/b.mp4")]
    assert names(bench, f"{url}/rec/") == expected
    assert names(bench, f"{url}/rec/*.mp4") == expected  # `*` goes over slashes, as S3 has none
    assert names(bench, f"{url}/rec/a.mp4", f"{url}/rec/a*") == expected[:1]
    assert names(bench, f"{url}/rec/notes.txt") == [f"{url}/rec/notes.txt"]
    assert f"{url}/recent/e.mp4" in names(bench, url)
    stored = [source.stored_name for source in find_sources(bench, [f"{url}/rec/"])]
    assert stored == ["a.mp4", "bad.mp4", "day 1/b.mp4"]
    assert bucket.fetched() == []


@pytest_s3
def test_an_object_is_brought_here_once(bench, bucket, tmp_path, monkeypatch, uneven_flashes):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    words = [f"s3://{bucket.name}/rec/"]
    first, bad, _ = find_sources(bench, words)
    assert first.duration_us(bench) is None
    video = first.take_in(bench, "flashes")
    assert (video.name, video.frame_count, video.domain) == ("a.mp4", 120, "flashes")
    assert bucket.fetched() == ["rec/a.mp4"]
    with pytest.raises(BadVideoError):
        bad.take_in(bench, "flashes")
    assert list(scratch.iterdir()) == []

    bucket.fetched()
    again = find_sources(bench, words)[0]
    assert again.duration_us(bench) == video.duration_us
    assert again.take_in(bench, "flashes") == video
    assert bucket.fetched() == []

    bucket.put("rec/a.mp4", uneven_flashes.path.read_bytes())
    with pytest.raises(ConflictError, match="was replaced since it was listed"):
        first.door.fetch(first.object, scratch / "x")
    replaced = find_sources(bench, words)[0]
    with pytest.raises(ConflictError, match=r"another video is called 'a\.mp4' already"):
        replaced.take_in(bench, "flashes")


@pytest_s3
def test_a_cut_connection_is_taken_up_again(bench, bucket, flashes):
    (source,) = find_sources(bench, [f"s3://{bucket.name}/rec/a.mp4"])
    cuts = []

    def cut_once(method, path):
        if method == "GET" and path.endswith("a.mp4") and not cuts:
            cuts.append(path)
            return "cut"
        return ""

    no_fault, bucket.server.fault = bucket.server.fault, cut_once
    try:
        video = source.take_in(bench, "flashes")
    finally:
        bucket.server.fault = no_fault
    assert len(cuts) == 1
    assert video.size_bytes == flashes.path.stat().st_size


@pytest_s3
def test_what_s3_cannot_give_is_one_sentence(bench, bucket):
    with pytest.raises(NotFoundError, match="there is no bucket 'no-such-bucket'"):
        find_sources(bench, ["s3://no-such-bucket/rec/"])
    with pytest.raises(NotFoundError, match="no video matches 's3://"):
        find_sources(bench, [f"s3://{bucket.name}/nothing/"])
    with pytest.raises(InvalidInputError, match="names no bucket"):
        find_sources(bench, ["s3://"])
    bucket.server.fault, no_fault = (lambda *_: "denied"), bucket.server.fault
    try:
        with pytest.raises(UnavailableError):
            find_sources(bench, [f"s3://{bucket.name}/rec/"])
    finally:
        bucket.server.fault = no_fault
