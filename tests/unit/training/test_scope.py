"""A domain of several event types is trained on those that somebody labelled."""

from datetime import UTC, datetime

import pytest

from prismata.catalog import DatasetVersionRecord
from prismata.core.child import ChildReporter
from prismata.core.events import Event
from prismata.services.datasets import create_dataset
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.training.recipe import Recipe
from prismata.worker.train.encoder_setup import EncoderSetup
from prismata.worker.train.gather import gather
from prismata.worker.train.run import training_task
from prismata.worker.train.scope import learnable


class Quiet(ChildReporter):
    """Says nothing; nobody listens to a child here."""

    def __init__(self):
        pass

    def progress(self, *_arguments):
        pass


def version(*content):
    return DatasetVersionRecord(
        id="1",
        name="ball_throw-1",
        domain="ball_throw",
        domain_version=1,
        digest="d",
        seed=0,
        video_splits={"a": "train", "b": "val"},
        groups={"a": "a", "b": "b"},
        content=content,
        created_at=datetime(2031, 1, 1, tzinfo=UTC),
        author="anna",
    )


RELEASE = Event.point("release", 1_000_000)
FLIGHT = Event.segment("flight", 1_000_000, 2_000_000)


@pytest.fixture
def domain(bench):
    return bench.domain("ball_throw")


def test_where_every_type_has_an_example_all_stays(domain):
    dataset = version(("a", RELEASE, "none"), ("a", FLIGHT, "accepted"))
    scope = learnable(domain, dataset)
    assert scope.domain is domain
    assert (scope.dataset, scope.note) == (dataset, "")


@pytest.mark.parametrize("flight", [(), (("b", FLIGHT, "none"),), (("a", FLIGHT, "rejected"),)])
def test_a_type_without_an_example_in_training_is_left_out_everywhere(domain, flight):
    scope = learnable(domain, version(("a", RELEASE, "none"), *flight))
    assert scope.domain.event_names == ("release",)
    assert set(scope.domain.rules) == {"release"}
    assert scope.dataset.content == (("a", RELEASE, "none"),)
    assert scope.dataset.digest == "d"
    assert scope.note == "no training video holds an example of flight: this model knows none"
    # The domain itself is as it was, and what a plugin brings is found from the narrower one, too.
    assert domain.event_names == ("release", "flight")
    assert scope.domain.folder == domain.folder
    assert (scope.domain.name, scope.domain.version) == (domain.name, domain.version)


def test_without_any_example_nothing_is_left_out_and_training_says_so(domain):
    dataset = version(("b", RELEASE, "none"))
    assert learnable(domain, dataset).dataset == dataset


def test_what_is_left_out_is_said_before_anything_is_frozen_and_no_head_is_made_for_it(
    bench, flashes
):
    video = ingest_file(bench, flashes.path, domain="ball_throw").video
    add_label(bench, video, "ball_throw", RELEASE)
    dataset, plan = create_dataset(bench, "ball_throw")
    assert "No training video holds an example of Flight" in plan.note
    scope = learnable(bench.domain("ball_throw"), dataset)
    clip = scope.domain.clip.changed({"width": 32, "height": 32})
    setup = EncoderSetup(None, None, "", None, "none", None)
    data = gather(bench, scope.dataset, scope.domain, clip, Recipe(), setup, Quiet())
    assert data.videos["train"][0].targets.shape[1] == 1
    task = training_task(scope.dataset, scope.domain, clip, Recipe(), setup)
    assert [item.name for item in task.event_types] == ["release"]
