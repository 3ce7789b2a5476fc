"""Before a training and after it: what the model will see, its curves, its worst mistakes."""

import pytest

from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.services.train import TrainRequest, prepare_training

POINTS = [
    {"threshold": 0.2, "f1": 0.8, "precision": 0.7, "recall": 1.0},
    {"threshold": 0.5, "f1": 0.9, "precision": 0.9, "recall": 0.9},
    {"threshold": 0.8, "f1": 0.5, "precision": None, "recall": 0.4},
]


@pytest.fixture
def labelled(bench, flashes):
    video = ingest_file(bench, flashes.path, domain="flashes").video
    for event in flashes.events:
        add_label(bench, video, "flashes", event)
    return video


def open_train(open_page):
    page = open_page("train")
    page.box("Domain").select("flashes")
    return page.run()


def finish(bench, **metrics):
    run = prepare_training(bench, TrainRequest("flashes")).run
    bench.catalog.runs.finish(run.id, checkpoint_key="", metrics=metrics)


def test_nothing_is_decoded_before_it_is_asked_for_and_then_each_stretch_says_what_is_true(
    open_page, labelled
):
    page = open_train(open_page)
    assert "true in" not in page.words
    page.test.toggle[0].set_value(True)
    page.run()
    captions = [item.proto.imgs[0].caption for item in page.test.get("image")]
    assert len(captions) > 1
    assert all("Flash true in" in caption for caption in captions)
    assert ["background" in caption for caption in captions].count(True) == 1
    assert ["around Flash" in caption for caption in captions].count(True) == len(captions) - 1
    assert "Show others" in page.buttons()


def test_precision_against_recall_is_drawn_where_both_are_known(open_page, bench, labelled):
    curve = {"threshold": 0.5, "points": POINTS}
    finish(bench, curves={"flash": curve}, chosen_on="val")
    page = open_train(open_page)
    assert "Precision and recall" in page.words
    assert "Every threshold on the validation videos" in page.words
    assert len(page.test.get("vega_lite_chart")) == 1


def test_a_training_of_before_has_no_curve_and_no_mistakes(open_page, bench, labelled):
    finish(bench)
    page = open_train(open_page)
    assert "Precision and recall" not in page.words
    assert "Worst mistakes" not in page.words


def test_the_worst_mistakes_are_to_be_seen_and_lead_to_the_label(open_page, bench, labelled):
    mistakes = [
        {"video": labelled.id, "kind": "false_alarm", "event_type": "flash", "start_us": 700_000}
        | {"end_us": 700_000, "score": 0.9},
        {"video": labelled.id, "kind": "missed", "event_type": "flash", "start_us": 2_000_000}
        | {"end_us": 2_000_000, "score": 0.1},
        {"video": "removed", "kind": "missed", "event_type": "flash", "start_us": 0}
        | {"end_us": 0, "score": 0.0},
    ]
    finish(bench, mistakes=mistakes)
    page = open_train(open_page)
    table = next(item.value for item in page.test.dataframe if "What" in item.value)
    assert table["What"].tolist() == ["False alarm", "Missed"]
    assert table["Score"].tolist() == [0.9, 0.1]
    link = next(
        item.proto for item in page.test.get("link_button") if item.proto.label.endswith("label")
    )
    assert link.url == f"./?domain=flashes&video={labelled.id}&at=700000"


def test_a_link_to_an_instant_leads_the_station_there_once(open_page, labelled):
    page = open_page("label")
    assert page.component("label_station", package="prismata.")[1]["at_us"] is None
    page.test.query_params["at"] = "700000"
    page.run()
    assert page.component("label_station", package="prismata.")[1]["at_us"] == 700_000
    assert "at" not in page.test.query_params


def test_what_is_no_instant_is_not_followed(open_page, labelled):
    page = open_page("label")
    page.test.query_params["at"] = "soon"
    page.run()
    assert page.component("label_station", package="prismata.")[1]["at_us"] is None


def test_a_link_to_an_instant_of_one_video_says_nothing_of_another(
    open_page, bench, labelled, uneven_flashes
):
    other = ingest_file(bench, uneven_flashes.path, domain="flashes").video
    page = open_page("label")
    page.test.query_params.update({"video": labelled.id, "at": "700000"})
    page.run()
    assert page.component("label_station", package="prismata.")[1]["at_us"] == 700_000
    page.test.session_state["video"] = other.id
    page.run()
    _, data = page.component("label_station", package="prismata.")
    assert (data["video"]["id"], data["at_us"]) == (other.id, None)
