"""Dataset versions, training runs and models."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest

from prismata.catalog import open_catalog
from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError
from prismata.core.events import Event
from prismata.core.jobs import JobState
from prismata.core.time import TimeSpan

CONTENT = (
    ("v1", Event.point("hit", 9_007_199_254_740_993), "none"),
    ("v1", Event.point("hit", 10, 0.1), "rejected"),
    ("v2", Event.segment("över", 5, 6), "accepted"),
)


def freeze(catalog, **changes):
    fields = {
        "domain": "cricket",
        "domain_version": 3,
        "seed": 2**40 + 1,
        "video_splits": {"v1": "train", "v2": "val", "v3": "test"},
        "groups": {"v1": "Süd", "v2": "g2", "v3": "g3"},
        "content": CONTENT,
        "author": "Zoë",
    }
    return catalog.datasets.create(**(fields | changes))


def train(catalog, name="cricket-run-1", **changes):
    fields = {
        "name": name,
        "domain": "cricket",
        "dataset_version_id": freeze(catalog).id,
        "recipe": {"epochs": 2},
    }
    return catalog.runs.start(**(fields | changes))


# -- dataset versions


def test_a_dataset_version_comes_back_exactly(catalog, url, clock):
    version = freeze(catalog)
    assert version.name == "cricket-1"
    assert version.content == (CONTENT[1], CONTENT[0], CONTENT[2])
    assert (version.seed, version.author, version.created_at) == (2**40 + 1, "Zoë", clock.now)
    with open_catalog(url) as reopened:
        assert asdict(reopened.datasets.get(version.id)) == asdict(version)
        assert reopened.datasets.get("cricket-1") == version


def test_the_same_content_is_the_same_version_in_any_order(catalog):
    version = freeze(catalog)
    assert freeze(catalog, content=reversed(CONTENT), author="bob", seed=1) == version
    assert catalog.datasets.list() == [version]


def test_what_is_known_comes_back_and_makes_another_version(catalog):
    whole = freeze(catalog)
    assert whole.known == {}
    known = {"v1": (TimeSpan(0, 5), TimeSpan(9, 20)), "v2": ()}
    version = freeze(catalog, known=known)
    assert (version.known, version.digest == whole.digest) == (known, False)
    assert catalog.datasets.get(version.id) == version
    assert freeze(catalog, known={"v2": (), "v1": tuple(reversed(known["v1"]))}) == version
    other = freeze(catalog, known={"v1": (TimeSpan(0, 6), TimeSpan(9, 20)), "v2": ()})
    assert other.digest != version.digest


def test_a_version_of_which_everything_is_known_keeps_the_digest_it_had_before_coverage(catalog):
    digest = "57e291af774866f650c9ff1f19321aee4740127a14a9bb4f6ad9633ef252c087"
    assert freeze(catalog).digest == digest
    assert freeze(catalog, known={}).digest == digest


def test_what_was_done_with_replays_is_frozen_and_unstated_keeps_the_digest(catalog):
    unstated, skipped = freeze(catalog), freeze(catalog, replays="skip")
    assert (unstated.replays, skipped.replays) == ("unstated", "skip")
    assert freeze(catalog, replays="unstated") == unstated
    assert catalog.datasets.get(skipped.name) == skipped
    assert len({unstated.digest, skipped.digest, freeze(catalog, replays="label").digest}) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"domain_version": 4},
        {"video_splits": {"v1": "train", "v2": "test", "v3": "test"}},
        {"groups": {"v1": "Süd", "v2": "g2", "v3": "g2"}},
        {"content": CONTENT[:2]},
        {"content": (*CONTENT[:2], ("v2", Event.segment("över", 5, 6), "none"))},
        {"content": (*CONTENT[:2], ("v2", Event.segment("över", 5, 7), "accepted"))},
    ],
)
def test_any_other_content_is_another_version(catalog, change):
    first, second = freeze(catalog), freeze(catalog, **change)
    assert (second.name, second.digest != first.digest) == ("cricket-2", True)


def test_versions_are_counted_per_domain_and_listed_newest_first(catalog):
    first = freeze(catalog)
    other = freeze(catalog, domain="fitness")
    second = freeze(catalog, content=())
    assert [item.name for item in (first, other, second)] == ["cricket-1", "fitness-1", "cricket-2"]
    assert catalog.datasets.list("cricket") == [second, first]
    with pytest.raises(NotFoundError, match="did you mean 'cricket-"):
        catalog.datasets.get("cricket-3")


def test_threads_that_freeze_at_once_never_share_a_name(catalog):
    barrier = threading.Barrier(6)

    def create(number):
        barrier.wait()
        return freeze(catalog, content=CONTENT[: number % 3])

    with ThreadPoolExecutor(6) as pool:
        versions = list(pool.map(create, range(6)))
    assert len({item.digest for item in versions}) == len({item.id for item in versions}) == 3
    assert sorted({item.name for item in versions}) == ["cricket-1", "cricket-2", "cricket-3"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": {"v1": "Süd"}}, "must name the same videos"),
        ({"video_splits": {"v1": "train", "v2": "dev", "v3": "test"}}, "split cannot be 'dev'"),
        ({"known": {"v9": ()}}, "known of the video 'v9', which is in no split"),
        ({"replays": "maybe"}, "a replay policy cannot be 'maybe'"),
        ({"content": [("v9", Event.point("hit", 1), "none")]}, "'v9', which is in no split"),
        ({"content": [("v1", Event.point("hit", 1), "maybe")]}, "cannot be 'maybe'"),
        ({"author": ""}, "author needs a name"),
        ({"domain": "Crick et"}, "cannot be used as a name"),
    ],
)
def test_an_incomplete_dataset_version_is_refused(catalog, change, message):
    with pytest.raises(InvalidInputError, match=message):
        freeze(catalog, **change)
    assert catalog.datasets.list() == []


# -- training runs


def test_a_training_run_comes_back_exactly(catalog, url, clock):
    job = catalog.jobs.submit("train", {}, author="anna")
    run = train(catalog, job_id=job.id, recipe={"encoder": "tiny", "lr": 1e-3})
    assert (run.state, run.started_at, run.finished_at) == (JobState.RUNNING, clock.now, None)
    catalog.runs.add_epoch(run.id, {"epoch": 0, "loss": 0.7})
    catalog.runs.add_epoch(run.id, {"epoch": 1, "loss": 0.1}, checkpoint_key="runs/1/last")
    clock.advance(60)
    done = catalog.runs.finish(run.id, metrics={"mAP": 1.0, "per_class": {"hit": 0.5}})
    assert done.history == [{"epoch": 0, "loss": 0.7}, {"epoch": 1, "loss": 0.1}]
    assert (done.state, done.checkpoint_key) == (JobState.SUCCEEDED, "runs/1/last")
    assert (done.metrics, done.finished_at) == ({"mAP": 1.0, "per_class": {"hit": 0.5}}, clock.now)
    with open_catalog(url) as reopened:
        assert asdict(reopened.runs.get(run.id)) == asdict(done)
        assert reopened.runs.find("cricket-run-1") == done
        assert reopened.runs.list(job_id=job.id) == reopened.runs.list("cricket") == [done]
        assert reopened.runs.list("fitness") == []


def test_a_training_run_ends_once_and_says_why_it_failed(catalog):
    run = train(catalog)
    with pytest.raises(InvalidInputError, match="has to say why"):
        catalog.runs.fail(run.id, " ")
    failed = catalog.runs.fail(run.id, "the loss is not a number; lower the learning rate")
    assert (failed.state, failed.error[:8]) == (JobState.FAILED, "the loss")
    for again in (
        lambda: catalog.runs.finish(run.id, metrics={}),
        lambda: catalog.runs.fail(run.id, "again"),
        lambda: catalog.runs.cancel(run.id),
    ):
        with pytest.raises(ConflictError, match="cannot become"):
            again()
    with pytest.raises(ConflictError, match="takes no more epochs"):
        catalog.runs.add_epoch(run.id, {})
    assert catalog.runs.get(run.id) == failed


def test_a_cancelled_training_run_keeps_its_history(catalog):
    run = train(catalog)
    catalog.runs.add_epoch(run.id, {"epoch": 0})
    cancelled = catalog.runs.cancel(run.id)
    assert (cancelled.state, cancelled.history) == (JobState.CANCELLED, [{"epoch": 0}])


def test_a_metric_that_is_not_a_number_is_refused_and_the_run_stays_open(catalog):
    run = train(catalog)
    with pytest.raises(InvalidInputError, match="cannot be stored"):
        catalog.runs.finish(run.id, metrics={"mAP": float("nan")})
    assert catalog.runs.get(run.id).state is JobState.RUNNING


def test_training_runs_have_one_name_each_and_the_next_is_offered(catalog):
    assert catalog.runs.next_name("cricket-run") == "cricket-run-1"
    train(catalog, "cricket-run-9")
    train(catalog, "cricket-run-10")
    train(catalog, "cricket-run-x")
    assert catalog.runs.next_name("cricket-run") == "cricket-run-11"
    assert catalog.runs.next_name("cricket_run") == "cricket_run-1"
    with pytest.raises(ConflictError, match=r"already named 'cricket-run-9'"):
        train(catalog, "cricket-run-9")
    with pytest.raises(NotFoundError, match="no dataset version with the id 'x'"):
        train(catalog, "other", dataset_version_id="x")


# -- models


def test_a_model_comes_back_exactly(catalog, make, url, clock):
    run = train(catalog)
    model = make.model("crické-1", training_run_id=run.id, card={"µ": [1, 2.5, {"a": None}]})
    assert (model.stage, model.kind, model.created_at) == ("candidate", "bundle", clock.now)
    with open_catalog(url) as reopened:
        assert asdict(reopened.models.get(model.id)) == asdict(model)
        assert reopened.models.find("crické-1") == model
    with pytest.raises(NotFoundError, match="did you mean 'crické-1'"):
        catalog.models.find("cricke-2")


def test_models_have_one_name_each_and_the_next_is_offered(catalog, make):
    make.model("a-1")
    with pytest.raises(ConflictError, match="already named 'a-1'"):
        make.model("a-1")
    assert catalog.models.next_name("a") == "a-2"


def test_what_a_model_cannot_be_is_refused(catalog, make):
    for change, message in [
        ({"kind": "pickle"}, "kind of a model cannot be 'pickle'"),
        ({"stage": "best"}, "stage of a model cannot be 'best'"),
        ({"name": ""}, "model needs a name"),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            make.model(**({"name": "m"} | change))
    with pytest.raises(NotFoundError, match="no training run with the id 'x'"):
        make.model(training_run_id="x")
    assert catalog.models.list() == []


def test_the_latest_model_is_the_one_in_production_else_the_newest_that_runs(catalog, make, clock):
    assert catalog.models.latest("cricket") is None
    models = []
    for number in range(3):
        models.append(make.model(f"m-{number}"))
        clock.advance(1)
    make.model("resume", kind="checkpoint")
    make.model("other", domain="fitness")
    assert catalog.models.latest("cricket") == models[2]
    catalog.models.set_stage(models[2].id, "retired")
    assert catalog.models.latest("cricket") == models[1]
    first = catalog.models.set_stage(models[0].id, "production")
    assert catalog.models.latest("cricket") == first
    assert [item.name for item in catalog.models.list("cricket", "candidate")] == ["resume", "m-1"]


def test_promoting_a_model_retires_the_one_it_replaces(catalog, make):
    first, second = make.model("m-1", stage="production"), make.model("m-2")
    elsewhere = make.model("f-1", domain="fitness", stage="production")
    catalog.models.set_stage(second.id, "production")
    third = make.model("m-3", stage="production")
    stages = {item.name: item.stage for item in catalog.models.list("cricket")}
    assert stages == {"m-1": "retired", "m-2": "retired", "m-3": "production"}
    assert catalog.models.get(elsewhere.id).stage == "production"
    assert catalog.models.set_stage(third.id, "production") == third
    assert catalog.models.set_stage(first.id, "candidate").stage == "candidate"


def test_promotions_at_the_same_time_leave_one_model_in_production(catalog, make):
    models = [make.model(f"m-{number}") for number in range(6)]
    barrier = threading.Barrier(6)

    def promote(model):
        barrier.wait()
        return catalog.models.set_stage(model.id, "production")

    with ThreadPoolExecutor(6) as pool:
        assert {item.stage for item in pool.map(promote, models)} == {"production"}
    stages = [item.stage for item in catalog.models.list("cricket")]
    assert sorted(stages) == ["production"] + ["retired"] * 5


def test_a_promotion_can_be_taken_back_step_by_step(catalog, make, clock):
    models = []
    for number in range(3):
        clock.advance(1)
        models.append(make.model(f"m-{number}"))
        catalog.models.set_stage(models[-1].id, "production")
    assert catalog.models.roll_back("cricket").name == "m-1"
    stages = {model.name: model.stage for model in catalog.models.list("cricket")}
    assert stages == {"m-0": "retired", "m-1": "production", "m-2": "retired"}
    assert catalog.models.roll_back("cricket").name == "m-0"
    with pytest.raises(NotFoundError, match=r"'m-0' is the first model .* none to go back to"):
        catalog.models.roll_back("cricket")
    assert catalog.models.find("m-0").stage == "production"
    catalog.models.set_stage(models[2].id, "production")
    assert catalog.models.roll_back("cricket").name == "m-0"


def test_without_a_model_in_production_there_is_nothing_to_roll_back(catalog, make):
    make.model("m-0")
    with pytest.raises(NotFoundError, match="prismata models promote"):
        catalog.models.roll_back("cricket")
