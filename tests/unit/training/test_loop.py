import numpy as np
import pytest
import torch

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.training.checkpoint import (
    build_detector,
    describe_model,
    load_checkpoint,
    save_checkpoint,
)
from prismata.training.loop import TrainingInterruptedError, train
from prismata.training.recipe import Recipe


class StoppedError(Exception):
    """Somebody pulled the plug."""


def stop_after(epochs):
    def on_epoch(epoch, _epochs, _row):
        if epoch == epochs:
            raise StoppedError

    return on_epoch


@pytest.fixture
def videos(feature_video):
    return [feature_video("a", seed=1), feature_video("b", seed=2)], [feature_video("c", seed=3)]


def test_it_learns_what_is_plain_to_see(videos, new_detector, new_task):
    epochs = []
    trained = train(
        new_detector(),
        new_task(epochs=30, patience=30, ema_decay=0.8),
        *videos,
        on_epoch=lambda epoch, of, row: epochs.append((epoch, of, row["train_loss"])),
    )
    assert trained.best_score > 0.9
    assert epochs[-1][2] < epochs[0][2] / 2
    assert [epoch for epoch, _, _ in epochs] == list(range(1, len(epochs) + 1))
    assert all(row["validated_on"] == "val" for row in trained.history)
    best = [row["epoch"] for row in trained.history if row["best"]][-1]
    assert best == trained.best_epoch + 1


def test_the_same_seed_gives_exactly_the_same_weights(videos, new_detector, new_task):
    first = train(new_detector(), new_task(epochs=2), *videos).detector.state_dict()
    second = train(new_detector(), new_task(epochs=2), *videos).detector.state_dict()
    other = train(new_detector(), new_task(epochs=2, seed=1), *videos).detector.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("interrupted_after", [1, 2, 3])
def test_an_interrupted_run_goes_on_to_exactly_the_same_end(
    videos, new_detector, new_task, tmp_path, interrupted_after
):
    task = new_task(epochs=4)
    path = tmp_path / "checkpoint.pt"
    whole_path = tmp_path / "whole.pt"
    whole = train(new_detector(), task, *videos, checkpoint_path=whole_path)
    with pytest.raises(StoppedError):
        train(
            new_detector(),
            task,
            *videos,
            checkpoint_path=path,
            on_epoch=stop_after(interrupted_after),
        )
    assert load_checkpoint(path)["epoch"] == interrupted_after
    resumed = train(new_detector(), task, *videos, checkpoint_path=path)
    assert without_time(resumed.history) == without_time(whole.history)
    assert (resumed.best_epoch, resumed.best_score) == (whole.best_epoch, whole.best_score)
    left, right = whole.detector.state_dict(), resumed.detector.state_dict()
    assert all(torch.equal(left[name], right[name]) for name in left)
    one, other = load_checkpoint(whole_path), load_checkpoint(path)
    for part in ("weights", "average", "best_weights"):
        assert all(torch.equal(one[part][name], other[part][name]) for name in one[part]), part
    assert one["optimizer"]["param_groups"] == other["optimizer"]["param_groups"]


def note_in(steps):
    """Write down of each step where it stands, its loss and what it saw."""
    return lambda step: steps.append((step.epoch, step.number, step.loss, step.batch.digest()))


@pytest.mark.parametrize("steps", [1, 3, 4, 7])
def test_a_run_stopped_within_an_epoch_goes_on_with_the_very_next_batch(
    videos, new_detector, new_task, tmp_path, steps
):
    task = new_task(epochs=3, batch_windows=16)
    whole_steps, first, second = [], [], []
    whole = train(new_detector(), task, *videos, on_step=note_in(whole_steps))
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(TrainingInterruptedError):
        train(
            new_detector(),
            task,
            *videos,
            checkpoint_path=path,
            on_step=note_in(first),
            is_to_stop=lambda: len(first) == steps,
        )
    resumed = train(new_detector(), task, *videos, checkpoint_path=path, on_step=note_in(second))
    assert len(first) == steps
    assert first + second == whole_steps, "every batch once, in the same order, at the same loss"
    assert without_time(resumed.history) == without_time(whole.history)
    left, right = whole.detector.state_dict(), resumed.detector.state_dict()
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_augmented_frames_are_the_same_after_a_stop_too(frame_video, new_task, tmp_path):
    changes = {"encoder": "tiny", "frozen": False, "chunk_samples": 4, "batch_chunks": 2}
    description = describe_model(
        Recipe.from_dict({**changes, "head": {"hidden": 8}}),
        feature_size=144,
        num_classes=1,
        num_frames=4,
    )

    def fresh():
        torch.manual_seed(3)
        return build_detector(description)

    task, path = new_task(epochs=1, **changes), tmp_path / "checkpoint.pt"
    whole, parts = [], []
    train(fresh(), task, [frame_video()], [], on_step=note_in(whole))
    assert len(whole) == 3
    with pytest.raises(TrainingInterruptedError):
        train(
            fresh(),
            task,
            [frame_video()],
            [],
            checkpoint_path=path,
            on_step=note_in(parts),
            is_to_stop=lambda: len(parts) == 2,
        )
    train(fresh(), task, [frame_video()], [], checkpoint_path=path, on_step=note_in(parts))
    assert parts == whole


def test_a_kill_within_a_long_epoch_costs_little(
    videos, new_detector, new_task, tmp_path, monkeypatch
):
    monkeypatch.setattr("prismata.training.loop.SAVE_EVERY_SECONDS", 0.0)
    path = tmp_path / "checkpoint.pt"

    def killed(step):
        if step.number == 3:
            raise StoppedError

    task = new_task(epochs=1, batch_windows=16)
    with pytest.raises(StoppedError):
        train(new_detector(), task, *videos, checkpoint_path=path, on_step=killed)
    assert len(load_checkpoint(path)["losses"]) == 3


def without_time(history):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data_digest": "other"}, "made from other labels or videos"),
        ({"head_lr": 0.02}, "made with another recipe"),
        ({"epochs": 5}, "made with another recipe"),
    ],
)
def test_a_checkpoint_of_another_task_is_refused(
    videos, new_detector, new_task, tmp_path, changes, sentence
):
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(StoppedError):
        train(new_detector(), new_task(), *videos, checkpoint_path=path, on_epoch=stop_after(1))
    with pytest.raises(InvalidInputError, match=sentence):
        train(new_detector(), new_task(**changes), *videos, checkpoint_path=path)


def test_it_stops_when_nothing_gets_better(videos, new_detector, new_task):
    # A rate this small changes nothing, so the first epoch stays the best.
    trained = train(new_detector(), new_task(epochs=30, patience=2, head_lr=1e-30), *videos)
    assert trained.stopped_early
    assert trained.best_epoch == 0
    assert len(trained.history) == 3


def test_the_best_weights_are_kept_not_the_last(videos, new_detector, new_task, tmp_path):
    path = tmp_path / "checkpoint.pt"
    trained = train(
        new_detector(),
        new_task(epochs=6, head_lr=0.3, ema_decay=0.0),
        *videos,
        checkpoint_path=path,
    )
    best = load_checkpoint(path)["best_weights"]
    assert all(
        torch.equal(best[name], value) for name, value in trained.detector.state_dict().items()
    )


def test_without_validation_videos_the_training_videos_judge_and_the_history_says_so(
    videos, new_detector, new_task
):
    trained = train(new_detector(), new_task(epochs=1), videos[0], [])
    assert trained.history[0]["validated_on"] == "train"


def test_nothing_to_learn_is_said_before_anything_starts(new_detector, new_task, feature_video):
    with pytest.raises(InvalidInputError, match="no training video"):
        train(new_detector(), new_task(), [], [])
    video = feature_video()
    video.targets[:] = 0
    with pytest.raises(InvalidInputError, match="no example of hit"):
        train(new_detector(), new_task(), [video], [])


def test_unknown_samples_teach_nothing(feature_video, new_detector, new_task):
    known, poisoned = feature_video("a", seed=1), feature_video("a", seed=1)
    half = len(known.times_us) // 2
    for video in (known, poisoned):
        video.weights[half:] = 0
    poisoned.targets[half:] = 1 - poisoned.targets[half:]
    # Same weight of positives on both sides, which is counted over all samples.
    task = new_task(epochs=1, positive_limit=1.0)
    left = train(new_detector(), task, [known], []).history[0]["train_loss"]
    right = train(new_detector(), task, [poisoned], []).history[0]["train_loss"]
    assert left == right


def test_an_encoder_is_trained_along_with_the_head(frame_video, new_task):
    detector = build_detector(
        describe_model(
            Recipe.from_dict({"encoder": "tiny", "frozen": False, "head": {"hidden": 8}}),
            feature_size=144,
            num_classes=1,
            num_frames=4,
        )
    )
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    task = new_task(
        epochs=1, encoder="tiny", frozen=False, chunk_samples=8, batch_chunks=2, ema_decay=0.0
    )
    after = train(detector, task, [frame_video()], []).detector.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert {"encoder.backbone.0.weight", "head.project.weight"} <= moved
    assert "encoder.mean" not in moved


def test_a_checkpoint_is_the_same_again_and_rebuilds_its_model(tmp_path, new_detector):
    detector = new_detector(num_frames=6, hidden=16, classes=3)
    recipe = Recipe.from_dict({"head": {"hidden": 16}})
    description = describe_model(recipe, feature_size=6, num_classes=3, num_frames=6)
    path = tmp_path / "folder" / "checkpoint.pt"
    save_checkpoint(path, {"model": description, "weights": detector.state_dict()})
    stored = load_checkpoint(path)
    again = build_detector(stored["model"])
    again.load_state_dict(stored["weights"])
    windows = np.random.default_rng(0).normal(size=(5, 6, 6)).astype(np.float32)
    assert np.array_equal(again.score(windows), detector.score(windows))
    assert [item.name for item in path.parent.iterdir()] == ["checkpoint.pt"]


class Evil:
    def __reduce__(self):
        return (print, ("this must never run",))


@pytest.mark.parametrize("content", ["damaged", "cut", "flipped", "code", "foreign"])
def test_what_is_no_checkpoint_is_refused(tmp_path, content, capsys):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"weights": {"a": torch.zeros(100)}})
    if content == "damaged":
        path.write_bytes(b"hello")
    elif content == "cut":
        path.write_bytes(path.read_bytes()[:-50])
    elif content == "flipped":
        stored = bytearray(path.read_bytes())
        where = stored.index(bytes(200))  # inside of the zeros that are a tensor
        stored[where + 100] ^= 1
        path.write_bytes(stored)
    elif content == "code":
        torch.save({"checkpoint_version": 1, "evil": Evil()}, path)
    else:
        torch.save({"epoch": 3}, path)
    with pytest.raises(InvalidInputError, match=r"checkpoint\.pt"):
        load_checkpoint(path)
    assert "never run" not in capsys.readouterr().out


def test_a_checkpoint_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(NotFoundError, match=r"no checkpoint gone\.pt"):
        load_checkpoint(tmp_path / "gone.pt")
