from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from prismata.core.errors import InvalidInputError
from prismata.postprocess import window_indices
from prismata.training.batches import (
    Batch,
    blended,
    chunk_batches,
    clip_augmentation,
    feature_batches,
)
from prismata.training.encoders import build_encoder, load_pretrained
from prismata.training.heads import CnnLstm, CnnLstmHead, HeadSpec, build_head
from prismata.training.loop import train
from prismata.training.model import Detector
from prismata.training.recipe import Recipe


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(1)
    encoder = build_encoder("tiny")
    head = CnnLstmHead(encoder.feature_size, 2, HeadSpec(hidden=8))
    return Detector(encoder, head, 4).eval()


@pytest.mark.parametrize("num_frames", [1, 4, 5])
def test_encoding_each_frame_once_equals_encoding_every_window(tiny, num_frames):
    tiny = Detector(tiny.encoder, tiny.head, num_frames).eval()
    frames = torch.randint(0, 256, (2, 9, 32, 24, 3), dtype=torch.uint8)
    with torch.inference_mode():
        once = tiny.forward_stretch(frames)
        for row in range(frames.shape[1] - num_frames + 1):
            windows = frames[:, row : row + num_frames]
            features = tiny.encoder(windows.flatten(0, 1)).view(2, num_frames, -1)
            assert torch.allclose(once[:, row], tiny.forward_windows(features), atol=1e-5)
    assert once.shape == (2, 9 - num_frames + 1, 2)


def test_the_classic_module_gives_the_same_from_normalised_windows(tiny):
    frames = torch.randint(0, 256, (4, 32, 24, 3), dtype=torch.uint8)
    with torch.inference_mode():
        pixels = tiny.encoder.normalize(frames)
        classic = CnnLstm(tiny.encoder, tiny.head).eval()(pixels[None])
        assert torch.allclose(classic, tiny.forward_stretch(frames[None])[:, 0], atol=1e-5)


def test_normalisation_is_the_published_one():
    encoder = build_encoder("tiny")
    frames = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 1, 1, 3)
    black, white = encoder.normalize(frames)[:, :, 0, 0].tolist()
    assert black == pytest.approx([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], rel=1e-5)
    assert white == pytest.approx([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225], rel=1e-5)


def test_a_video_scores_the_same_from_frames_and_from_their_features(tiny):
    frames = np.random.default_rng(0).integers(0, 256, (11, 32, 24, 3), dtype=np.uint8)
    times = np.arange(11, dtype=np.int64) * 50_000
    from_frames = tiny.score_video(frames, times, ("a", "b"), stride=3)
    from_features = tiny.score_video(tiny.encode(frames), times, ("a", "b"), stride=3)
    assert from_frames.times_us.tolist() == [0, 150_000, 300_000, 450_000, 500_000]
    assert np.allclose(from_frames.scores, from_features.scores, atol=1e-6)


def test_scoring_leaves_the_model_in_the_mode_it_was_in(tiny):
    tiny.train()
    tiny.score(np.zeros((2, 4, tiny.encoder.feature_size), np.float32))
    assert tiny.training
    tiny.eval()


def test_an_unknown_encoder_is_refused_with_those_there_are():
    with pytest.raises(InvalidInputError, match="no trainable encoder 'vit'; there is mobilenet"):
        build_encoder("vit")


def test_weights_of_another_network_are_refused():
    with pytest.raises(InvalidInputError, match="do not fit the encoder"):
        load_pretrained(build_encoder("tiny"), {"conv1.weight": torch.zeros(1)})


def test_the_classifier_of_published_weights_is_left_out():
    encoder = build_encoder("tiny")
    state = encoder.backbone.state_dict() | {"fc.weight": torch.zeros(1000, 512)}
    load_pretrained(encoder, state)


def test_every_window_of_every_video_comes_once_with_its_own_truth(feature_video):
    videos = [feature_video("a", 40, seed=1), feature_video("b", 25, seed=2)]
    expected = {}
    for video in videos:
        for row, window in enumerate(window_indices(len(video.times_us), 4, 1)):
            expected[video.inputs[window].tobytes()] = video.targets[row].tolist()
    assert len(expected) == 65
    seen = {}
    sizes = []
    recipe = Recipe(batch_windows=16, epoch_steps=1)
    for batch in feature_batches(videos, recipe, 4, np.random.default_rng(0)):
        sizes.append(len(batch.inputs))
        for inputs, targets in zip(batch.inputs, batch.targets, strict=True):
            seen[inputs.numpy().tobytes()] = targets.tolist()
    assert seen == expected
    assert sizes == [16, 16, 16, 16, 1]


def test_another_epoch_has_another_order(feature_video):
    def first(seed):
        rng = np.random.default_rng(seed)
        return next(feature_batches([feature_video()], Recipe(batch_windows=8), 4, rng)).inputs

    assert torch.equal(first(0), first(0))
    assert not torch.equal(first(0), first(1))


def test_windows_outside_the_video_weigh_nothing_and_those_inside_have_their_truth(frame_video):
    video = frame_video(samples=20)
    recipe = Recipe(chunk_samples=16, batch_chunks=3)
    torch.manual_seed(0)
    outside = 0
    for seed in range(30):
        for batch in chunk_batches([video], recipe, 4, np.random.default_rng(seed)):
            assert batch.inputs.shape[1:] == (16 + 3, 16, 16, 3)
            for targets, weights in zip(batch.targets, batch.weights, strict=True):
                inside = np.flatnonzero(weights[:, 0].numpy())
                assert inside.size, "a stretch without a single window of the video teaches nothing"
                outside += 16 - inside.size
                assert np.array_equal(np.diff(inside), np.ones(inside.size - 1))
                if inside[0] > 0:
                    # The stretch began before the video: its first window is the video's first.
                    assert np.array_equal(targets[inside, 0], video.targets[: inside.size, 0])
                elif inside[-1] < 15:
                    assert np.array_equal(targets[inside, 0], video.targets[-inside.size :, 0])
    assert outside > 0


def test_an_epoch_of_stretches_has_as_many_windows_as_there_are_samples(frame_video):
    videos = [frame_video(samples=40), frame_video(samples=23)]
    batches = list(
        chunk_batches(
            videos,
            Recipe(chunk_samples=16, batch_chunks=3, epoch_steps=1),
            4,
            np.random.default_rng(0),
        )
    )
    assert [len(batch.inputs) for batch in batches] == [3, 1]


@pytest.mark.parametrize(("frozen", "steps"), [(True, 24), (False, 2)])
def test_an_epoch_over_features_has_steps_enough_however_little_there_is(
    feature_video, frozen, steps
):
    recipe = Recipe(chunk_samples=16, batch_chunks=3, frozen=frozen)
    videos = [feature_video(samples=40), feature_video(samples=23)]
    batches = list(chunk_batches(videos, recipe, 1, np.random.default_rng(0)))
    assert len(batches) == steps


def test_windows_come_equally_often_where_they_come_again(feature_video):
    recipe = Recipe(batch_windows=16, epoch_steps=10)
    times = Counter(
        window.numpy().tobytes()
        for batch in feature_batches(
            [feature_video(samples=40)], recipe, 4, np.random.default_rng(0)
        )
        for window in batch.inputs
    )
    assert len(times) == 40
    assert set(times.values()) == {4}


def test_the_frames_of_a_stretch_are_those_around_its_windows(frame_video, monkeypatch):
    monkeypatch.setattr(
        "prismata.training.batches.clip_augmentation", lambda *, flip: torch.nn.Identity()
    )
    video = frame_video(samples=20)
    recipe = Recipe(chunk_samples=8, batch_chunks=1)
    for seed in range(20):
        for batch in chunk_batches([video], recipe, 4, np.random.default_rng(seed)):
            frames = batch.inputs[0, :, 0, 0, 0].tolist()
            rows = np.flatnonzero(batch.weights[0, :, 0].numpy())
            for row in rows.tolist():
                # Window `row` sees frames row .. row + 3 and is centred on the third.
                centre = frames[row + 2]
                assert batch.targets[0, row, 0] == video.targets[centre, 0]
                wanted = window_indices(20, 4, 1)[centre].tolist()
                assert frames[row : row + 4] == wanted


def unseen_after(video, seconds):
    """Nobody saw what comes after, whatever the video holds there."""
    weights = video.weights.copy()
    weights[video.times_us >= seconds * 1_000_000] = 0
    return replace(video, weights=weights)


def test_windows_that_nobody_saw_are_not_learned_from(feature_video):
    video = unseen_after(feature_video("a", 40), 1.5)
    batches = list(
        feature_batches(
            [video], Recipe(batch_windows=8, epoch_steps=1), 4, np.random.default_rng(0)
        )
    )
    assert sum(len(batch.inputs) for batch in batches) == 15
    assert all(batch.weights.all() for batch in batches)


def test_stretches_hold_seen_samples_and_an_epoch_is_as_long_as_what_was_seen(frame_video):
    # The second event of each video is at 1.4 s; of the third video nobody saw anything.
    videos = [
        unseen_after(frame_video(samples=20), 1.0),
        frame_video("b", samples=16),
        unseen_after(frame_video("c", samples=90), 0),
    ]
    recipe = Recipe(chunk_samples=4, batch_chunks=2, epoch_steps=1)
    for seed in range(20):
        batches = list(chunk_batches(videos, recipe, 4, np.random.default_rng(seed)))
        weights = [chunk for batch in batches for chunk in batch.weights]
        assert len(weights) == 7, "26 seen samples, 4 at a time"
        assert all(chunk.any() for chunk in weights)


def test_a_stretch_is_changed_as_a_whole():
    torch.manual_seed(3)
    frame = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    changed = False
    for _ in range(10):
        out = clip_augmentation(flip=True)(frame.repeat(5, 1, 1, 1))
        assert all(torch.equal(out[0], other) for other in out)
        changed = changed or not torch.equal(out[0], frame[0])
    assert changed


def test_without_flip_left_stays_left():
    torch.manual_seed(0)
    frame = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    frame[..., :8] = 200

    def bright_side(flip):
        out = clip_augmentation(flip=flip)(frame).float().mean(dim=(0, 1, 2))
        return "left" if out[:16].sum() > out[16:].sum() else "right"

    assert {bright_side(flip=False) for _ in range(30)} == {"left"}
    assert {bright_side(flip=True) for _ in range(30)} == {"left", "right"}


def dense_detector(architecture, num_frames=16):
    torch.manual_seed(2)
    return Detector(None, build_head(architecture, 6, 2, HeadSpec(hidden=8)), num_frames).eval()


@pytest.mark.parametrize("architecture", ["spot_r18", "linear_probe"])
def test_a_dense_head_scores_every_sample_of_a_video_of_any_length(architecture):
    detector = dense_detector(architecture)
    for samples in (1, 5, 16, 17, 50):
        features = np.random.default_rng(samples).normal(size=(samples, 6)).astype(np.float32)
        times = np.arange(samples, dtype=np.int64) * 50_000
        track = detector.score_video(features, times, ("a", "b"), stride=4)
        assert np.array_equal(track.times_us, times)
        assert track.scores.shape == (samples, 2)


def test_a_sample_scores_the_same_in_any_window_that_shows_all_that_matters_to_it():
    """The convolution sees eight samples to either side, so wider windows change nothing."""
    features = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    times = np.arange(60, dtype=np.int64) * 50_000
    wide = dense_detector("linear_probe", 48).score_video(features, times, ("a", "b"), stride=8)
    narrow = dense_detector("linear_probe", 24).score_video(features, times, ("a", "b"), stride=4)
    inside = slice(12, -12)  # the video's edge is replicated as far as the window reaches
    assert np.allclose(wide.scores[inside], narrow.scores[inside], atol=1e-6)
    assert wide.scores.std() > 1e-3


@pytest.mark.parametrize("architecture", ["spot_r18", "linear_probe"])
def test_a_dense_head_learns_from_stretches_of_features(architecture, feature_video, new_task):
    torch.manual_seed(0)
    videos = [feature_video(f"v{seed}", seed=seed) for seed in range(6)]
    detector = Detector(None, build_head(architecture, 6, 1, HeadSpec(hidden=8)), 16)
    task = new_task(architecture=architecture, epochs=30, chunk_samples=16, batch_chunks=2)
    trained = train(detector, replace(task, window_stride=4), videos[:4], videos[4:])
    assert trained.best_score > 0.95


def test_blended_stretches_keep_their_truth_in_proportion():
    inputs = torch.zeros(2, 3, 4)
    inputs[1] = 10
    targets = torch.tensor([[[0.0], [0.0], [0.0]], [[1.0], [1.0], [1.0]]])
    weights = torch.tensor([[[1.0], [1.0], [0.0]], [[1.0], [3.0], [1.0]]])
    seen = set()
    for seed in range(20):
        mixed = blended(Batch(inputs, targets, weights), 0.5, np.random.default_rng(seed))
        share = mixed.inputs[:, :, 0] / 10
        assert torch.allclose(share, mixed.targets[:, :, 0], atol=1e-6)
        known = mixed.weights[:, :, 0]
        assert torch.allclose(known[:, 1], 1 + 2 * share[:, 1], atol=1e-5)
        assert (known[0, 2] == 0) or share[0, 0] in (0, 1)
        seen.add(round(float(share[0, 0]), 3))
    assert len(seen) > 5


def test_frames_are_blended_as_pictures():
    frames = torch.full((2, 1, 2, 2, 3), 100, dtype=torch.uint8)
    frames[1] = 200
    truth = torch.ones(2, 1, 1)
    mixed = blended(Batch(frames, truth, truth), 0.5, np.random.default_rng(1)).inputs
    assert mixed.dtype == torch.uint8
    assert 100 <= int(mixed.min()) <= int(mixed.max()) <= 200


@pytest.mark.parametrize(("name", "features"), [("resnet18", 512), ("mobilenet_v2", 1280)])
def test_a_published_network_is_taken_without_its_classifier(name, features):
    encoder = build_encoder(name).eval()
    classifier = {"resnet18": "fc.weight", "mobilenet_v2": "classifier.1.weight"}[name]
    state = encoder.backbone.state_dict() | {classifier: torch.zeros(1000, features)}
    load_pretrained(encoder, state)
    with torch.inference_mode():
        out = encoder(torch.zeros(2, 64, 64, 3, dtype=torch.uint8))
    assert out.shape == (2, features) == (2, encoder.feature_size)
