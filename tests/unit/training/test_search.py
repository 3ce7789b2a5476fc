"""The side of a search that trains, in this process: what it repeats, leaves and tells."""

import json

import onnx
import pytest
from onnx import TensorProto, helper

from prismata.core.child import ChildReporter
from prismata.core.errors import BusyError, ConflictError, InvalidInputError
from prismata.core.jobs import FailureCause, JobState
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.services.search import (
    STATE_FILE,
    SearchRequest,
    assign_search,
    prepare_search,
    read_search,
    search_prefix,
)
from prismata.services.search_space import check_space
from prismata.services.train import TrainRequest
from prismata.testing.synth import render_flashes
from prismata.worker.train import search as searching
from prismata.worker.train.search import run_search

RECIPE = {
    "architecture": "spot_r18",
    "encoder": "tiny",
    "frozen": False,
    "weights": "none",
    "epochs": 3,
    "head": {"hidden": 4},
    "chunk_samples": 8,
    "batch_chunks": 2,
}
SPACE = check_space({"head_lr": (1e-3, 1e-2), "mixup": (0.0, 0.2)})
PAIR = check_space({"head_lr": (1e-3, 1e-2)})


class Listener(ChildReporter):
    """Keeps what a supervisor would hear."""

    def __init__(self):
        self.events, self.progresses = [], []

    def started(self, **_facts):
        pass

    def progress(self, done, total=None, note=""):
        self.progresses.append((done / total, note))

    def event(self, event, run_id=""):
        self.events.append(event)


@pytest.fixture(scope="session")
def rooms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rooms")
    return [
        render_flashes(folder / f"room-{n}.mp4", seconds=4, seed=n, size=(64, 48)) for n in (1, 2)
    ]


@pytest.fixture
def labelled(bench, rooms):
    for room in rooms:
        video = ingest_file(bench, room.path, domain="flashes", group=room.path.stem).video
        for event in room.events:
            add_label(bench, video, "flashes", event)
    return bench


def asked(minutes=10.0, space=SPACE, trials=4, **recipe):
    training = TrainRequest("flashes", RECIPE | recipe, fixed_groups={"room-2": "val"})
    return SearchRequest(training, space, trials, minutes)


def search(bench, request, listener=None):
    """Do what a supervisor and its child do, without the processes."""
    prepared = prepare_search(bench, request)
    job = bench.catalog.leases.claim(prepared.job.id, lease_seconds=600)
    try:
        result = run_search(assign_search(bench, job).request, listener or Listener())
    except BaseException as error:
        bench.catalog.leases.end_attempt(
            job.id,
            job.lease_token,
            state=JobState.FAILED,
            cause=FailureCause.USER_ERROR,
            message=str(error),
        )
        raise
    job = bench.catalog.leases.end_attempt(
        job.id, job.lease_token, state=JobState.SUCCEEDED, result=json.loads(json.dumps(result))
    )
    return read_search(bench, job)


class Clock:
    """Twenty seconds pass whenever somebody looks: an epoch here takes minutes."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        self.now += 20.0
        return self.now


def test_progress_rises_to_the_end_and_says_which_trial(labelled):
    listener = Listener()
    search(labelled, asked(), listener)
    told = [(share, note) for share, note in listener.progresses if note != "reading frames"]
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert "trial 1 of 4, to epoch 1" in {note for _, note in told}
    assert any(note.endswith("to epoch 3") for _, note in told)
    assert len(listener.events) == 6


def test_videos_are_read_once_for_all_trials_that_see_the_same(labelled, monkeypatch):
    read = []
    real = searching.gather
    monkeypatch.setattr(
        searching, "gather", lambda *arguments: read.append(arguments) or real(*arguments)
    )
    space = check_space({"architecture": ("spot_r18", "linear_probe"), "dilation": (0, 1)})
    report = search(labelled, asked(space=space, epochs=1))
    assert len(read) == 1
    assert len(report.trials) == 4


def test_the_same_again_is_known_and_another_one_clears_it_away(labelled):
    first = search(labelled, asked(space=PAIR, epochs=1))
    listener = Listener()
    second = search(labelled, asked(space=PAIR, epochs=1, minutes=3), listener)
    assert listener.events == []
    assert [t.to_dict() for t in second.trials] == [t.to_dict() for t in first.trials]
    search(labelled, asked(space=PAIR, epochs=2))
    kept = {item.key.split("/")[2] for item in labelled.storage.list(search_prefix("flashes"))}
    assert len(kept) == 1
    assert {
        path.name for path in (labelled.settings.cache_dir / "searches/flashes").iterdir()
    } == kept


def test_a_trial_that_cannot_be_trained_does_not_end_the_others(labelled):
    # Around these labels only what lies within the tolerance is known: with ten samples to either
    # side nothing is left that is not a flash.
    space = check_space({"dilation": (10, None), "head_lr": (1e-3, 1e-2)})
    report = search(labelled, asked(space=space, epochs=1))
    failed = [trial for trial in report.trials if trial.failed]
    assert [trial.settings["dilation"] for trial in failed] == [10, 10]
    assert report.trials[2:] == tuple(failed)
    assert report.best.settings["dilation"] is None
    assert any(
        line.startswith("Trials ") and "nothing to tell apart" in line
        for line in report.sentences()
    )
    none = check_space({"dilation": (10, 11)})
    with pytest.raises(InvalidInputError) as refused:
        search(labelled, asked(space=none, epochs=1))
    assert str(refused.value).startswith(
        "no trial could be trained; of the first one: nobody watched"
    )


def test_heads_of_all_kinds_share_the_features_of_a_frozen_encoder(labelled, tmp_path, monkeypatch):
    image, features = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("image", ["n", 3, "h", "w"]), ("features", ["n", 3]))
    )
    means = helper.make_node("ReduceMean", ["image"], ["features"], axes=[2, 3], keepdims=0)
    graph = helper.make_graph([means], "means", [image], [features])
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "means.onnx")
    labelled.storage.put_file("weights/means.onnx", tmp_path / "means.onnx")
    read = []
    real = searching.gather
    monkeypatch.setattr(
        searching, "gather", lambda *arguments: read.append(arguments) or real(*arguments)
    )
    space = check_space(
        {"architecture": ("cnn_lstm", "linear_probe", "spot_r18"), "mixup": (0.0, 0.2)}
    )
    frozen = {"encoder": "means", "frozen": True, "weights": "auto", "epochs": 2}
    report = search(labelled, asked(space=space, trials=6, **frozen))
    assert len(read) == 1
    assert [item.combinations for item in report.left_out] == [1]
    assert len(report.trials) == 5
    assert all(trial.scores and not trial.failed for trial in report.trials)
    assert {trial.settings["architecture"] for trial in report.trials} == set(space["architecture"])


def test_each_trial_begins_with_an_encoder_that_no_other_has_trained(labelled, monkeypatch):
    begun = []
    real = searching.train

    def looking(detector, *arguments, **options):
        begun.append([weight.sum().item() for weight in detector.encoder.parameters()])
        return real(detector, *arguments, **options)

    monkeypatch.setattr(searching, "train", looking)
    search(labelled, asked(epochs=1))
    assert len(begun) == 4
    assert all(weights == begun[0] for weights in begun)


def test_a_loss_that_is_no_number_fails_its_trial_alone(labelled, monkeypatch):
    real = searching.train

    def exploding(detector, task, *arguments, **options):
        if task.recipe.head_lr == 1e-2:
            for weight in detector.parameters():
                weight.data.fill_(float("nan"))
        return real(detector, task, *arguments, **options)

    monkeypatch.setattr(searching, "train", exploding)
    report = search(labelled, asked(space=PAIR, epochs=2))
    assert report.best.settings == {"head_lr": 1e-3}
    (failed,) = [trial for trial in report.trials if trial.failed]
    assert failed.failed.startswith("its loss was not a number any more in epoch 1")


def test_time_that_ends_leaves_the_best_among_equals_and_more_time_goes_on(labelled, monkeypatch):
    monkeypatch.setattr(searching, "time", Clock())
    report = search(labelled, asked(minutes=9, epochs=2, space=SPACE))
    assert report.ended == "time"
    assert 0 < sum(bool(trial.scores) for trial in report.trials) < 4
    assert report.spent_seconds <= 9 * 60 + 60, "a look or two after the last step"
    reached = [len(trial.scores) for trial in report.trials]
    assert reached == sorted(reached, reverse=True)
    assert report.best == report.trials[0]
    assert "ended by time, after 9 minutes" in report.sentences()[0]
    first = {trial.number: trial.curve for trial in report.trials if trial.scores}
    monkeypatch.undo()
    listener = Listener()
    report = search(labelled, asked(minutes=5, epochs=2, space=SPACE), listener)
    assert report.ended == "one_left"
    again = {(event["trial"], event["rung"]) for event in listener.events}
    assert not {(number, 1) for number in first} & again
    for trial in report.trials:
        if trial.number in first:
            assert trial.curve[: len(first[trial.number])] == first[trial.number]


def test_time_that_is_not_enough_for_anything_is_told(labelled):
    with pytest.raises(InvalidInputError, match="not enough for one epoch of the first trial"):
        search(labelled, asked(minutes=1e-9))
    job = labelled.catalog.jobs.list("search")[0]
    assert read_search(labelled, job).best is None


def test_time_that_is_not_enough_for_a_rung_says_how_much_is(labelled, monkeypatch):
    monkeypatch.setattr(searching, "time", Clock())
    with pytest.raises(InvalidInputError, match=r"first 10 epochs of one trial, at \d+\.\d s an"):
        search(labelled, asked(minutes=2, epochs=30))


def test_an_attempt_that_lost_its_lease_stores_nothing_more(labelled):
    prepared = prepare_search(labelled, asked())
    job = labelled.catalog.leases.claim(prepared.job.id, lease_seconds=600)
    request = assign_search(labelled, job).request
    request["lease"]["token"] = "somebody else's"
    with pytest.raises(ConflictError, match="the lease of the search job"):
        run_search(request, Listener())
    assert list(labelled.storage.list(search_prefix("flashes"))) == []


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"standings": [1], "data": []}'])
def test_a_state_that_cannot_be_read_is_begun_anew(labelled, damage):
    whole = search(labelled, asked(space=PAIR, epochs=1))
    (kept,) = (labelled.settings.cache_dir / "searches").rglob(STATE_FILE)
    kept.write_text(damage)
    for found in list(labelled.storage.list(search_prefix("flashes"))):
        labelled.storage.put(found.key, damage.encode())
    again = search(labelled, asked(space=PAIR, epochs=1))
    assert [trial.curve for trial in again.trials] == [trial.curve for trial in whole.trials]


def test_a_checkpoint_that_is_damaged_costs_its_trial_alone(labelled, monkeypatch):
    wanted = asked(space=PAIR, epochs=6)
    monkeypatch.setattr(searching, "time", Clock())
    with pytest.raises(InvalidInputError, match="not enough for the first 6 epochs"):
        search(labelled, asked(space=PAIR, epochs=6, minutes=8))
    monkeypatch.undo()
    (checkpoint,) = (labelled.settings.cache_dir / "searches").rglob("*.pt")
    (copy,) = (
        item.key
        for item in labelled.storage.list(search_prefix("flashes"))
        if item.key.endswith(".pt")
    )
    checkpoint.write_bytes(b"damaged")
    labelled.storage.put(copy, b"damaged")
    report = search(labelled, wanted)
    assert report.ended == "one_left"
    search(labelled, asked(space=PAIR, epochs=1))  # which clears it away
    undisturbed = search(labelled, wanted)
    assert [trial.curve for trial in report.trials] == [t.curve for t in undisturbed.trials]


def test_what_cannot_be_searched_is_refused_before_anything_is_stored(labelled):
    one_group = TrainRequest("flashes", RECIPE, fixed_groups={"room-1": "train", "room-2": "train"})
    for request, sentence in (
        (SearchRequest(one_group, SPACE), "chooses by validation videos, and 'flashes' has none"),
        (asked(minutes=0), "a time budget of 0 minutes leaves no time to train"),
        (asked(minutes=-3), "a time budget of -3 minutes leaves no time"),
        (asked(minutes=float("nan")), "a time budget of nan minutes"),
        (asked(trials=1), "a search compares 2 to 200 trials, not 1"),
        (asked(space={"speed": (1, 2)}), "there is no setting 'speed'"),
        (asked(space={"head_lr": (1e-3,)}), "at least 2 trials, and these values make 1"),
    ):
        with pytest.raises(InvalidInputError) as refused:
            prepare_search(labelled, request)
        assert sentence in str(refused.value)
    assert labelled.catalog.datasets.list() == []
    assert labelled.catalog.jobs.list() == []
    prepared = prepare_search(labelled, asked())
    with pytest.raises(BusyError):
        prepare_search(labelled, asked())
    labelled.jobs.cancel(prepared.job.id)


def test_validation_videos_without_an_event_choose_nothing(labelled):
    second = next(v for v in labelled.catalog.videos.list() if v.group_name == "room-2")
    for item in labelled.catalog.events.list(video_id=second.id, origin="annotation"):
        labelled.catalog.events.set_review_state(item.id, "rejected", "tester", item.revision)
    sentence = "those of 'flashes' hold no labelled event in this split"
    with pytest.raises(InvalidInputError, match=sentence):
        prepare_search(labelled, asked())
