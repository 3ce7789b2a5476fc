"""From a model back to the labels that taught it."""

import json

import pytest

from prismata.catalog import EventDraft
from prismata.core.errors import NotFoundError
from prismata.core.events import Event
from prismata.services.ingest import ingest_file, remove_video
from prismata.services.lineage import model_lineage
from prismata.services.train import TrainRequest, prepare_training

SECOND = 1_000_000


@pytest.fixture
def taught(bench, flashes, uneven_flashes, add_bundle):
    """A model, and the two videos that taught it; the first one also with a rejected detection."""
    videos = [
        ingest_file(bench, item.path, domain="flashes").video for item in (flashes, uneven_flashes)
    ]
    for number, video in enumerate(videos):
        drafts = [EventDraft(event) for event in (flashes, uneven_flashes)[number].events]
        if not number:
            drafts.append(EventDraft(Event.point("flash", SECOND), review_state="rejected"))
        bench.catalog.events.add_annotations(video.id, "flashes", 1, drafts, "tester")
    groups = {videos[0].group_name: "train", videos[1].group_name: "val"}
    prepared = prepare_training(bench, TrainRequest("flashes", fixed_groups=groups))
    published = add_bundle("foreign")
    model = bench.catalog.models.add(
        name="taught",
        domain="flashes",
        domain_version=1,
        bundle_key=published.bundle_key,
        kind="bundle",
        training_run_id=prepared.run.id,
        card=published.card | {"name": "taught"},
    )
    return model, prepared, videos


def test_a_model_leads_to_its_run_its_dataset_and_what_each_video_gave(
    bench, taught, flashes, uneven_flashes
):
    model, prepared, videos = taught
    found = model_lineage(bench, "taught")
    assert (found.model.id, found.run.id, found.dataset.id) == (
        model.id,
        prepared.run.id,
        prepared.dataset.id,
    )
    assert {
        (item.name, item.split, item.labels["flash"], item.hard_negatives)
        for item in found.teachers
    } == {
        (videos[0].name, "train", len(flashes.events), 1),
        (videos[1].name, "val", len(uneven_flashes.events), 0),
    }
    said = " ".join(found.sentences())
    assert f"{len(flashes.events)} flash in 1 training videos" in said
    assert "1 rejected detections as hard negatives" in said
    assert prepared.dataset.digest[:12] in said
    assert json.loads(json.dumps(found.to_dict()))["dataset"]["name"] == prepared.dataset.name


def test_a_video_that_is_gone_is_said_to_be(bench, taught):
    _, _, videos = taught
    remove_video(bench, videos[1].id)
    found = model_lineage(bench, "taught")
    assert [item.name for item in found.teachers if item.split == "val"] == [""]
    assert "1 of its videos have been removed since." in found.sentences()


def test_a_model_from_elsewhere_has_no_known_teachers(bench, add_bundle):
    add_bundle("foreign")
    found = model_lineage(bench, "foreign")
    assert (found.run, found.dataset, found.teachers) == (None, None, ())
    assert "trained elsewhere" in found.sentences()[0]


def test_a_model_that_is_not_there_is_said_to_be_missing(bench):
    with pytest.raises(NotFoundError, match="nobody"):
        model_lineage(bench, "nobody")
