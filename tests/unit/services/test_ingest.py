import hashlib

import pytest

from prismata.core.errors import BadVideoError, ConflictError, NotFoundError
from prismata.services.ingest import find_video_files, ingest_file, ingest_files, remove_video


def keys(bench):
    return sorted(info.key for info in bench.storage.list())


def test_a_video_is_stored_whole_with_its_timeline_and_its_facts(bench, uneven_flashes):
    result = ingest_file(bench, uneven_flashes.path, group="room", domain="flashes")
    video = result.video
    assert result.status == "added"
    assert "variable rate" in result.message
    content = uneven_flashes.path.read_bytes()
    assert bench.storage.get(video.storage_key) == content
    assert video.sha256 == hashlib.sha256(content).hexdigest()
    timeline = bench.timeline(video)
    assert timeline.starts_us.tolist() == uneven_flashes.timeline.starts_us.tolist()
    assert (video.name, video.group_name, video.domain) == ("uneven.mp4", "room", "flashes")
    assert (video.width, video.height, video.codec) == (96, 64, "h264")
    assert video.frame_count == len(uneven_flashes.timeline)
    assert video.duration_us == timeline.duration_us
    assert (video.min_step_us, video.max_step_us) == uneven_flashes.timeline.step_range_us
    assert bench.catalog.videos.get(video.id) == video


def test_the_same_content_is_stored_once_whatever_its_name(bench, flashes, copy_of):
    first = ingest_file(bench, flashes.path).video
    before = keys(bench)
    again = ingest_file(bench, copy_of(flashes, "other.mp4"), name="other.mp4")
    assert (again.status, again.video) == ("already_there", first)
    assert again.message == "'other.mp4' is already here as 'flashes.mp4'"
    assert keys(bench) == before
    assert len(bench.catalog.videos.list()) == 1


def test_another_video_of_the_same_name_is_refused_and_leaves_nothing(bench, flashes, copy_of):
    first = ingest_file(bench, flashes.path).video
    before = keys(bench)
    with pytest.raises(ConflictError, match=r"another video is called 'flashes\.mp4' already"):
        ingest_file(bench, copy_of(flashes, "flashes.mp4", tail=b"other"))
    assert keys(bench) == before
    assert bench.catalog.videos.list() == [first]


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "empty_file"), (b"hello, I am a text\n" * 50, "not_a_video")]
)
def test_a_bad_file_leaves_nothing_in_storage_or_catalog(bench, tmp_path, content, reason):
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    with pytest.raises(BadVideoError) as caught:
        ingest_file(bench, path)
    assert caught.value.reason == reason
    assert "bad.mp4" in str(caught.value)
    assert keys(bench) == []
    assert bench.catalog.videos.list() == []


def test_a_missing_file_is_said_to_be_missing(bench, tmp_path):
    with pytest.raises(BadVideoError) as caught:
        ingest_file(bench, tmp_path / "gone.mp4")
    assert caught.value.reason == "missing_file"


@pytest.mark.parametrize(
    "name",
    [
        "wei rd & (1); rm -rf $HOME `x`.mp4",
        "クリケット.mp4",
        "..hidden.mp4",
        "-rf.mp4",
        "a\nb.mp4",
        "x" * 50 + "." + "y" * 115 + ".mp4",
        "---",
    ],
)
def test_a_hostile_file_name_becomes_a_harmless_key(bench, flashes, copy_of, name):
    (result,) = ingest_files(bench, [copy_of(flashes, name)])
    assert result.status == "added", result.message
    *folder, last = result.video.storage_key.split("/")
    assert folder == ["videos", result.video.sha256[:12]]
    assert last
    assert not last.startswith((".", "-"))
    assert set(last) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert bench.storage.get(result.video.storage_key)
    assert result.video.name == name


def test_a_refused_file_does_not_stop_the_others(bench, flashes, uneven_flashes, copy_of, tmp_path):
    bad = tmp_path / "files" / "bad.mp4"
    taken = copy_of(flashes, "flashes.mp4", tail=b"other")
    bad.write_text("no video")
    results = list(ingest_files(bench, [flashes.path, bad, taken, uneven_flashes.path]))
    assert [(item.status, item.reason) for item in results] == [
        ("added", ""),
        ("refused", "not_a_video"),
        ("refused", "name_taken"),
        ("added", ""),
    ]


def test_names_below_a_base_keep_their_folders(bench, flashes, copy_of, tmp_path):
    path = copy_of(flashes, "monday/cam1.mp4")
    (result,) = ingest_files(bench, [path], base=tmp_path / "files")
    assert result.video.name == "monday/cam1.mp4"


def test_an_unknown_domain_is_refused_before_anything_is_read(bench, flashes):
    with pytest.raises(NotFoundError, match="no domain 'flashs'; did you mean flashes"):
        list(ingest_files(bench, [flashes.path], domain="flashs"))
    assert keys(bench) == []


def test_a_folder_is_searched_for_videos_and_a_named_file_is_always_taken(tmp_path):
    for name in ("b.MP4", "sub/a.mkv", "notes.txt", "c.mp4.part"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_video_files([tmp_path, tmp_path / "notes.txt"])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "b.MP4",
        "sub/a.mkv",
        "notes.txt",
    ]
    with pytest.raises(NotFoundError, match="no file or folder"):
        find_video_files([tmp_path / "gone"])


def test_progress_counts_the_bytes_of_the_file(bench, flashes):
    seen = []
    ingest_file(bench, flashes.path, on_progress=lambda done, total: seen.append((done, total)))
    size = flashes.path.stat().st_size
    assert (size, size) in seen
    assert {total for _, total in seen} == {size}


def test_a_removed_video_takes_its_files_along(bench, video):
    assert remove_video(bench, "flashes.mp4").startswith("removed 'flashes.mp4' with 0 labels")
    assert keys(bench) == []
    with pytest.raises(NotFoundError):
        remove_video(bench, "flashes.mp4")
