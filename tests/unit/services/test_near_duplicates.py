"""Shared footage of real files: looked for in a child, kept with its job, told before training."""

from fractions import Fraction
from itertools import combinations

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.events import Event
from prismata.core.jobs import JobState
from prismata.services.datasets import create_dataset
from prismata.services.ingest import ingest_file, remove_video
from prismata.services.labels import add_label
from prismata.services.near_duplicates import (
    compare_videos,
    count_across,
    find_subject,
    is_across,
    latest_comparison,
    read_report,
)
from prismata.services.train import TrainRequest, prepare_training
from prismata.testing.synth import render_ball_throw
from prismata.wiring import open_workbench


def small_copy(source, target, *, from_seconds):
    """Half the size, every second frame, other bits, without its start."""
    with av.open(str(source)) as video, av.open(str(target), "w") as output:
        track = video.streams.video[0]
        stream = output.add_stream("libx264", rate=15, options={"crf": "32"})
        stream.width, stream.height, stream.pix_fmt = track.width // 2, track.height // 2, "yuv420p"
        stream.time_base = stream.codec_context.time_base = track.time_base
        first = None
        for number, frame in enumerate(video.decode(track)):
            if number % 2 or frame.pts * track.time_base < Fraction(from_seconds):
                continue
            first = frame.pts if first is None else first
            picture = frame.reformat(stream.width, stream.height, format="yuv420p")
            picture.pict_type = 0
            picture.pts, picture.time_base = frame.pts - first, track.time_base
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return target


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    """Two throws in one meadow, and a copy of the first without its start."""
    folder = tmp_path_factory.mktemp("films")
    for number in (1, 2):
        render_ball_throw(folder / f"day-{number}.mp4", seconds=8, seed=number, place="meadow")
    small_copy(folder / "day-1.mp4", folder / "mail.mp4", from_seconds=2)
    return [folder / name for name in ("day-1.mp4", "day-2.mp4", "mail.mp4")]


@pytest.fixture
def videos(bench, films):
    taken = [ingest_file(bench, film, domain="ball_throw").video for film in films]
    for video in taken:
        add_label(bench, video, "ball_throw", Event.point("release", 3_000_000))
    return {video.name: video for video in taken}


def subject(bench, **options):
    return find_subject(bench, "ball_throw", **options)


def test_a_copy_is_found_and_another_day_in_the_same_place_is_not(bench, videos):
    wanted = subject(bench)
    before = read_report(bench, wanted)
    assert (before.pairs, before.not_compared, before.found) == (3, 3, ())
    assert "Nobody looked yet" in before.warning()
    messages = []
    outcome = compare_videos(bench, wanted, on_message=messages.append)
    assert outcome.state is JobState.SUCCEEDED, outcome.message
    told = [one["done"] for one in messages if one["type"] == "progress"]
    assert told == sorted(told)
    assert told[-1] == 1.0
    report = read_report(bench, wanted)
    (pair,) = report.found
    assert {pair.first, pair.second} == {"day-1.mp4", "mail.mp4"}
    later = 1 if pair.first == "day-1.mp4" else -1
    assert pair.offset_us * later == pytest.approx(2_000_000, abs=125_000)
    assert pair.overlap_us == pytest.approx(6_000_000, abs=500_000)
    assert pair.similarity > 0.8
    assert (report.not_compared, report.too_still, report.unreadable) == (0, (), {})


def test_training_is_told_of_what_lies_in_two_splits_and_a_group_ends_it(bench, videos):
    assert compare_videos(bench, subject(bench)).state is JobState.SUCCEEDED

    def note(seed):
        prepared = prepare_training(bench, TrainRequest("ball_throw", seed=seed))
        bench.jobs.cancel(prepared.job.id)
        return prepared.note

    def leaks(seed):
        splits = subject(bench, seed=seed).splits
        return splits[videos["day-1.mp4"].id] != splits[videos["mail.mp4"].id]

    apart = next(seed for seed in range(20) if leaks(seed))
    together = next(seed for seed in range(20) if not leaks(seed))
    assert "Two videos in different splits share footage" in note(apart)
    assert "`prismata datasets duplicates ball_throw`" in note(apart)
    assert "share footage" not in note(together)
    assert read_report(bench, subject(bench, seed=together)).leaks == ()
    assert len(read_report(bench, subject(bench, seed=together)).found) == 1
    for name in ("day-1.mp4", "mail.mp4"):
        bench.catalog.videos.set_group(videos[name].id, "meadow-1")
    assert read_report(bench, subject(bench, seed=apart)).found == ()
    assert "share footage" not in note(apart)


def test_before_anybody_looked_training_says_that_nobody_has(bench, videos):
    prepared = prepare_training(bench, TrainRequest("ball_throw"))
    assert (
        "Nobody looked yet whether videos of different splits share footage; "
        "`prismata datasets duplicates ball_throw`."
    ) in prepared.note


def test_only_what_is_new_is_compared_and_what_was_found_stays(bench, videos, films, copy_of):
    assert compare_videos(bench, subject(bench)).state is JobState.SUCCEEDED
    for path in bench.settings.cache_dir.rglob("signatures/**/*.npy"):
        assert path.stat().st_size < 20_000
    newest = ingest_file(bench, films[0], name="again.mp4", domain="ball_throw").video
    assert newest.id == videos["day-1.mp4"].id  # the very same bytes are one video
    with films[0].open("rb") as file:
        target = bench.settings.data_dir / "again.mp4"
        target.write_bytes(file.read() + (16).to_bytes(4, "big") + b"free" + bytes(8))
    again = ingest_file(bench, target, domain="ball_throw").video
    add_label(bench, again, "ball_throw", Event.point("release", 3_000_000))
    wanted = subject(bench)
    assert (read_report(bench, wanted).pairs, read_report(bench, wanted).not_compared) == (6, 3)
    # Without the file of an old video nothing old can be decoded again, and need not be.
    bench.storage.delete(videos["day-2.mp4"].storage_key)
    assert compare_videos(bench, wanted).state is JobState.SUCCEEDED
    report = read_report(bench, wanted)
    assert report.not_compared == 0
    assert {frozenset((pair.first, pair.second)) for pair in report.found} == {
        frozenset(("day-1.mp4", "mail.mp4")),
        frozenset(("day-1.mp4", "again.mp4")),
        frozenset(("mail.mp4", "again.mp4")),
    }


def test_a_video_that_cannot_be_read_is_named_and_does_not_stop_the_others(bench, videos):
    bench.storage.delete(videos["day-2.mp4"].storage_key)
    wanted = subject(bench)
    assert compare_videos(bench, wanted).state is JobState.SUCCEEDED
    report = read_report(bench, wanted)
    assert list(report.unreadable) == ["day-2.mp4"]
    assert (len(report.found), report.not_compared) == (1, 2)
    assert any(line.startswith("'day-2.mp4' was not compared:") for line in report.sentences())


def test_what_hardly_moves_is_named(bench, flashes, copy_of):
    for number in (1, 2):
        path = copy_of(flashes, f"room-{number}.mp4", tail=bytes([number]))
        video = ingest_file(bench, path, domain="flashes").video
        add_label(bench, video, "flashes", flashes.events[0])
    wanted = find_subject(bench, "flashes")
    assert compare_videos(bench, wanted).state is JobState.SUCCEEDED
    report = read_report(bench, wanted)
    assert report.too_still == ("room-1.mp4", "room-2.mp4")
    assert "Too little moves in 'room-1.mp4', 'room-2.mp4'" in report.sentences()[0]


def test_a_version_is_compared_as_it_was_split_without_videos_that_are_gone(bench, videos):
    version, plan = create_dataset(bench, "ball_throw", seed=2)
    found = find_subject(bench, version.name)
    assert (found.name, found.domain, dict(found.splits)) == (
        version.name,
        "ball_throw",
        plan.splits,
    )
    remove_video(bench, videos["day-2.mp4"].id)
    assert set(find_subject(bench, version.name).splits) == {
        videos["day-1.mp4"].id,
        videos["mail.mp4"].id,
    }
    with pytest.raises(NotFoundError, match="there is no domain 'ball-throw-9'"):
        find_subject(bench, "ball-throw-9")


def test_the_job_is_in_the_list_and_a_storage_in_memory_is_refused(bench, videos, settings):
    assert latest_comparison(bench, "ball_throw") is None
    compare_videos(bench, subject(bench))
    job = latest_comparison(bench, "ball_throw")
    assert (job.kind, job.state, job.author) == ("compare", JobState.SUCCEEDED, "tester")
    in_memory = settings.model_copy(update={"storage_backend": "memory"})
    with (
        open_workbench(in_memory) as other,
        pytest.raises(InvalidInputError, match="storage that lives in memory"),
    ):
        compare_videos(other, subject(other))


groupings = st.dictionaries(st.sampled_from("abcdefghijkl"), st.sampled_from("123"))


@given(groupings, groupings)
def test_pairs_across_groups_are_counted_as_if_each_were_looked_at(one, other):
    pairs = list(combinations("abcdefghijkl", 2))
    assert count_across(one) == sum(is_across(one, *pair) for pair in pairs)
    in_both = sum(is_across(one, *pair) and is_across(other, *pair) for pair in pairs)
    assert count_across(one, other) == in_both
