"""Detect: videos are chosen, submitted and offered; a result opens in place."""

import shutil
import time

import pytest

from prismata.services.ingest import ingest_file
from prismata.ui.context import set_workbench
from prismata.wiring import open_workbench


@pytest.fixture
def model(add_bundle):
    return add_bundle()


@pytest.fixture
def videos(bench, video, uneven_flashes):
    return [video, ingest_file(bench, uneven_flashes.path).video]


def chosen(page):
    return page.test.multiselect[0].value


def toggle(page, label):
    next(item for item in page.test.toggle if item.label == label).set_value(True)
    return page.run()


def wait_for_ends(bench):
    deadline = time.monotonic() + 60
    while not all(job.state.is_final for job in bench.catalog.jobs.list()):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_without_a_model_it_says_how_to_get_one(open_page, video):
    page = open_page("detect")
    assert "No model yet" in page.words
    assert page.buttons() == []


def test_all_are_chosen_and_submitted_once(open_page, bench, videos, model):
    page = open_page("detect")
    assert chosen(page) == []
    page.press("Choose all 2")
    assert sorted(chosen(page)) == sorted(video.id for video in videos)
    page.press("Detect in 2 videos")
    assert page.test.success[0].value.startswith("2 submitted")
    assert chosen(page) == []
    wait_for_ends(bench)
    page.press("Choose all 2")
    page.press("Detect in 2 videos")
    assert page.test.info[0].value == "0 submitted, 2 already done"
    assert "events** in" in page.words or "event** in" in page.words, "the result is offered"
    assert len(bench.catalog.jobs.list("detect")) == 2


def test_the_list_is_narrowed_by_name_domain_and_what_was_looked_at(
    open_page, bench, videos, model, finished_run, flashes
):
    finished_run(videos[0], model, flashes)
    page = open_page("detect")
    page.field("Name contains").set_value("UNEVEN")
    page.run()
    assert "Choose all 1" in page.buttons()
    page.field("Name contains").set_value("")
    page.box("Domain").set_value("flashes")
    page.run()
    page.press("Choose all 1")
    assert chosen(page) == [videos[0].id]
    page.box("Domain").set_value("All domains")
    toggle(page, "Only those in which this model has not looked yet")
    page.press("Choose all 1")
    assert chosen(page) == [video.id for video in videos], "what was chosen before stays"


def test_a_threshold_of_the_settings_is_part_of_the_work(open_page, bench, video, model):
    page = open_page("detect")
    page.press("Choose all 1")
    page.test.slider[0].set_value(0.7)
    page.run()
    page.press("Detect in 1 video")
    (job,) = bench.catalog.jobs.list("detect")
    assert job.params["thresholds"] == {"flash": 0.7}


def test_a_folder_of_the_server_is_taken_in(open_page, bench, model, tmp_path, flashes):
    shutil.copyfile(flashes.path, tmp_path / "a.mp4")
    page = open_page("detect")
    page.test.segmented_control[0].set_value("Folder or bucket")
    page.run()
    page.test.text_area[0].set_value(f"{tmp_path / 'nothing'}")
    page.run()
    assert "nor is there a file or folder" in page.test.error[0].value
    page.test.text_area[0].set_value(str(tmp_path / "*.mp4"))
    page.run()
    assert "1 found" in page.words
    page.press("Detect in 1 video")
    (job,) = bench.catalog.jobs.list("intake")
    assert job.params["subject"].endswith("a.mp4")


def test_a_workbench_that_others_reach_takes_no_folder(open_page, settings, model):
    with open_workbench(settings.model_copy(update={"host": "192.0.2.1"})) as bench:
        page = open_page("detect")
        set_workbench(bench, b"s" * 32)
        page.test.segmented_control[0].set_value("Folder or bucket")
        page.run()
        assert "take no videos from the server" in page.words
        assert not page.test.text_area


def test_what_is_opened_in_the_queue_is_shown_in_place(
    open_page, bench, video, model, finished_run, flashes
):
    run = finished_run(video, model, flashes)
    page = open_page("detect")
    assert not page.has("player")
    page.tell("queue", {"opened": {"run_id": run.id, "job_id": "", "count": 1}})
    assert page.has("player")
    assert page.has("timeline")
    assert f"{len(flashes.events)} event" in page.words
    bench.catalog.videos.remove(video.id)
    page.run()
    assert not page.has("player"), "a video that is gone is no error"


def test_what_still_runs_is_shown_as_it_grows(open_page, bench, video, model):
    from prismata.services.detect import DetectRequest, prepare_detection

    prepared = prepare_detection(bench, DetectRequest(video.id, model.id))
    page = open_page("detect")
    page.tell("queue", {"opened": {"run_id": prepared.run.id, "job_id": "", "count": 1}})
    _, told = page.component("live")
    assert (told["run_id"], told["duration_us"]) == (prepared.run.id, video.duration_us)
    page.press("Cancel")
    assert "ancelled before it finished" in page.words
    assert not page.has("live")


def test_what_arrives_by_upload_is_chosen(open_page, bench, videos, model):
    page = open_page("detect")
    page.test.segmented_control[0].set_value("From this computer")
    page.run()
    first, second = (video.id for video in videos)
    arrived = {"video_id": second, "message": "two are here", "all": [first, second], "count": 2}
    page.tell("upload", {"arrived": arrived})
    assert sorted(chosen(page)) == sorted([first, second])
