from dataclasses import replace

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.events import EventType
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import ClipSpec, GroupingRule
from prismata.detection.bundle import load_bundle
from prismata.detection.frames import FrameBatches
from prismata.detection.pipeline import Listeners, run_pipeline
from prismata.detection.scorers import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    BundleScorer,
    ForeignScorer,
    normalize,
)
from prismata.postprocess import group_events
from prismata.testing.tiny_onnx import write_classic_onnx, write_flash_bundle


def foreign_card(names=("flash",), **clip):
    return ModelCard(
        name="classic",
        domain="flashes",
        domain_version=1,
        event_types=tuple(EventType(name) for name in names),
        clip=ClipSpec(**({"target_fps": 20, "num_frames": 4, "width": 32, "height": 24} | clip)),
        rules={name: GroupingRule() for name in names},
        architecture="foreign",
        encoder="unknown",
        encoder_frozen=True,
        feature_size=0,
        weights_origin="file classic.onnx",
    )


@pytest.fixture
def classic(tmp_path):
    return write_classic_onnx(tmp_path / "classic.onnx", num_frames=4, width=32, height=24)


def run(video, scorer, *, batch=8, reader="pyav", listeners=None):
    clip = scorer.card.clip
    plan = video.timeline.sample(clip.target_fps)
    batches = FrameBatches(
        video.path,
        plan,
        timeline=video.timeline,
        size=(clip.width, clip.height),
        batch=batch,
        reader=reader,
    )
    return run_pipeline(
        batches, plan, scorer, duration_us=video.timeline.duration_us, listeners=listeners
    )


def times(events):
    return [event.start_us for event in events]


@pytest.mark.parametrize("normalization", ["imagenet", "unit"])
def test_a_foreign_model_finds_the_flashes_in_its_windows(flashes, classic, normalization):
    output = run(flashes, ForeignScorer(classic, foreign_card(), normalization=normalization))
    # It fires on every window with a white frame: from two samples before to one after a flash.
    assert len(output.events) == len(flashes.events)
    for found, true in zip(output.events, flashes.events, strict=True):
        assert abs(found.start_us - true.start_us) <= 150_000
    assert len(output.track) == len(flashes.timeline.sample(20))


def test_pixels_are_normalised_as_a_foreign_model_was_trained():
    frames = np.array([[[[0, 128, 255]]]], np.uint8)
    expected = np.array([0, 128 / 255, 1], np.float32)
    assert normalize(frames, "none").tolist() == [[[[0, 128, 255]]]]
    assert np.allclose(normalize(frames, "unit"), expected)
    assert np.allclose(normalize(frames, "imagenet"), (expected - IMAGENET_MEAN) / IMAGENET_STD)


@pytest.mark.parametrize(
    ("clip", "sentence"),
    [
        ({"num_frames": 8}, "windows of 4 frames, the card says 8"),
        ({"height": 32}, "windows of 24 rows, the card says 32"),
        ({"width": 16}, "windows of 32 columns, the card says 16"),
    ],
)
def test_a_foreign_model_of_another_size_than_its_card_is_refused(classic, clip, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        ForeignScorer(classic, foreign_card(**clip))


@pytest.mark.parametrize("part", ["encoder.onnx", "temporal.onnx"])
def test_a_file_that_is_no_classic_model_is_refused_with_its_shape(flash_bundle, part):
    with pytest.raises(InvalidInputError, match=r"one float tensor \(B, T, 3, H, W\), this one"):
        ForeignScorer(flash_bundle / part, foreign_card())


def test_a_foreign_model_with_too_few_outputs_is_refused(flashes, classic):
    scorer = ForeignScorer(classic, foreign_card(names=("flash", "bang")))
    with pytest.raises(InvalidInputError, match=r"returns \(1, 1\) for one window, but 2 event"):
        run(flashes, scorer)


def bundle_output(video, bundle, **options):
    return run(video, BundleScorer(load_bundle(bundle, threads=1)), **options)


@pytest.mark.parametrize("name", ["flashes", "uneven_flashes"])
def test_each_flash_is_found_within_one_sample(request, flash_bundle, name):
    video = request.getfixturevalue(name)
    output = bundle_output(video, flash_bundle)
    assert len(output.events) == len(video.events) > 1
    for found, true in zip(output.events, video.events, strict=True):
        # A point is the middle of the white stretch of 0.12 s, sampled at 20 a second.
        assert abs(found.start_us - (true.start_us + 60_000)) <= 50_000


def test_events_and_scores_do_not_depend_on_batch_size_or_reader(flashes, flash_bundle):
    reference = bundle_output(flashes, flash_bundle, batch=8)
    for options in ({"batch": 1}, {"batch": 3}, {"reader": "opencv"}, {"batch": 1000}):
        other = bundle_output(flashes, flash_bundle, **options)
        assert times(other.events) == times(reference.events), options
        assert np.array_equal(other.track.times_us, reference.track.times_us)
        assert np.abs(other.track.scores - reference.track.scores).max() < 1e-3


def test_events_while_it_runs_are_those_at_the_end_and_those_of_grouping_the_track(
    flashes, flash_bundle
):
    live, progress = [], []
    output = bundle_output(
        flashes,
        flash_bundle,
        listeners=Listeners(
            on_progress=lambda done, total: progress.append((done, total)),
            on_run=lambda run: live.append(run.event),
        ),
    )
    model = load_bundle(flash_bundle)
    grouped = group_events(
        output.track,
        model.card.event_types,
        model.card.rules,
        duration_us=flashes.timeline.duration_us,
    )
    assert sorted(live) == output.events == grouped
    samples = len(flashes.timeline.sample(20))
    assert progress[-1] == (samples, samples)
    assert progress == sorted(progress)


@pytest.mark.parametrize("frames", [1, 2, 9])
@pytest.mark.parametrize("stride", [1, 3])
def test_a_stride_scores_every_so_many_samples_and_always_the_last(
    flashes, tmp_path, frames, stride
):
    model = load_bundle(write_flash_bundle(tmp_path / "other", num_frames=frames), threads=1)
    object.__setattr__(model.card.clip, "window_stride", stride)
    output = run(flashes, BundleScorer(model))
    grid = flashes.timeline.sample(20).times_us
    expected = sorted({*grid[::stride].tolist(), int(grid[-1])})
    assert output.track.times_us.tolist() == expected


def test_where_the_time_went_and_how_much_was_looked_at_is_known(flashes, flash_bundle):
    output = bundle_output(flashes, flash_bundle)
    seconds = output.seconds
    ours = {"wait_decode", "encode", "head", "group"}
    assert set(seconds) == {"decode", "resize", "total", *ours}
    assert all(value > 0 for value in seconds.values())
    assert sum(seconds[stage] for stage in ours) <= seconds["total"]
    plan = flashes.timeline.sample(20)
    assert output.frames.sampled == len(plan)
    assert output.frames.encoded == len(set(plan.frame_indices.tolist()))
    assert output.frames.decoded >= output.frames.encoded
    assert not output.frames.from_cache


def test_a_picture_that_stands_for_hours_is_scored_in_pieces(flash_bundle):
    pieces = []
    scorer = BundleScorer(load_bundle(flash_bundle, threads=1), tap=pieces.append)
    clip = scorer.card.clip
    white = np.full((1, clip.height, clip.width, 3), 255, np.uint8)
    parts = [scorer.push(white, [7200 * 20]), scorer.finish()]
    assert sum(len(part.samples) for part in parts) == 7200 * 20
    assert sum(len(piece) for piece in pieces) == 7200 * 20
    assert max(len(piece) for piece in pieces) <= 1000


@pytest.fixture
def dense_bundle(tmp_path):
    """Scores every frame by itself, in windows that overlap: what `flash_bundle` says of it."""
    return write_flash_bundle(
        tmp_path / "dense-flash-detector", num_frames=8, window_stride=3, scores="dense"
    )


@pytest.mark.parametrize("name", ["flashes", "uneven_flashes"])
@pytest.mark.parametrize("batch", [1, 5, 1000])
def test_a_dense_head_scores_every_sample_as_one_for_centres_does(
    request, name, batch, flash_bundle, dense_bundle
):
    video = request.getfixturevalue(name)
    centres, dense = (
        bundle_output(video, bundle, batch=batch) for bundle in (flash_bundle, dense_bundle)
    )
    assert np.array_equal(dense.track.times_us, video.timeline.sample(20).times_us)
    assert np.abs(dense.track.scores - centres.track.scores).max() < 1e-6
    assert times(dense.events) == times(centres.events)


def test_a_head_that_does_not_score_as_its_card_says_is_refused(dense_bundle):
    card = ModelCard.from_json((dense_bundle / "card.json").read_text())
    (dense_bundle / "card.json").write_text(replace(card, scores="centre").to_json())
    with pytest.raises(InvalidInputError, match=r"does not return \(N, C\) scores"):
        load_bundle(dense_bundle)
