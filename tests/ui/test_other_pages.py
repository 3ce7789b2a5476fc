"""Train, Library, Health, and the frame around all pages."""

import importlib.util
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from prismata.catalog import Offer
from prismata.core.events import Event
from prismata.core.jobs import FailureCause, JobState, ResourceClass
from prismata.core.processes import this_process
from prismata.domains import DomainRegistry
from prismata.services.labels import add_label
from prismata.services.train import TrainRequest, prepare_training
from prismata.ui import panels
from prismata.ui.server import CONFIG

REPORT = {
    "types": [
        {
            "title": "Flash",
            "num_truth": 4,
            "num_detected": 3,
            "criterion": "±0.5 s",
            "f1": 0.857,
            "precision": 1.0,
            "recall": 0.75,
            "false_alarms_per_hour": 0.0,
        }
    ],
    "points": {"mean": 0.75, "chance": 0.1},
    "motion": {"points": 0.21, "segments": None, "seconds": 300.0, "whole": False},
    "segments": None,
    "notes": ["Measured on 1 video: too few for an interval."],
}


def open_train(open_page, domain="flashes"):
    page = open_page("train")
    page.box("Domain").select(domain)
    return page.run()


@pytest.fixture
def labelled(bench, video):
    for time_us in (500_000, 1_500_000):
        add_label(bench, video, "flashes", Event.point("flash", time_us))
    return video


class TestTrain:
    def test_without_labels_it_says_how_to_get_some(self, open_page, video):
        page = open_train(open_page)
        assert "Nothing is labelled for Flashes yet" in page.words
        assert "prismata labels import" in page.words
        assert "Start training" not in page.buttons()

    def test_without_torch_there_is_the_install_line_and_no_button(
        self, open_page, labelled, monkeypatch
    ):
        known = importlib.util.find_spec
        monkeypatch.setattr(
            "prismata.ui.context.find_spec", lambda name: None if name == "torch" else known(name)
        )
        page = open_train(open_page)
        assert 'pip install "prismata[train]"' in page.words
        assert "Start training" not in page.buttons()

    def test_the_data_are_counted_and_divided_before_anything_starts(self, open_page, labelled):
        page = open_train(open_page)
        assert "2 labels in 1 videos" in page.words
        assert "too few groups" in page.words, "one video cannot be divided, and it says so"
        row = page.test.dataframe[0].value.iloc[0]
        assert (row["Video"], row["Part"], row["Flash"]) == ("flashes.mp4", "training", 2)

    def test_a_second_start_is_refused_politely(self, open_page, bench, labelled):
        prepare_training(bench, TrainRequest("flashes"))
        page = open_train(open_page)
        page.press("Start training")
        assert any("already queued" in item.value for item in page.test.info)
        assert not page.test.error
        assert len(bench.catalog.jobs.list(kind="train")) == 1

    def test_a_start_takes_the_recipe_that_is_chosen(self, open_page, bench, labelled):
        page = open_train(open_page)
        page.test.radio[0].set_value("tiny")
        page.run()
        page.press("Start training")
        (job,) = bench.catalog.jobs.list(kind="train")
        try:
            recipe = job.params["recipe"]["training"]
            assert (recipe["encoder"], recipe["frozen"], recipe["epochs"]) == (
                "tiny_gsm",
                False,
                30,
            )
        finally:
            bench.jobs.cancel(job.id)
            assert bench.jobs.follow(job.id).wait(30) is not None

    def test_a_run_that_goes_shows_its_epochs(self, open_page, bench, labelled):
        run = prepare_training(bench, TrainRequest("flashes")).run
        for epoch in range(3):
            bench.catalog.runs.add_epoch(
                run.id,
                {"epoch": epoch, "train_loss": 1.0 / (epoch + 1), "val_map_point": 0.1 * epoch},
            )
        page = open_train(open_page)
        assert "Epoch 2 · loss 0.3333" in page.words
        assert "Cancel" in page.buttons()

    def test_a_finished_run_shows_its_report(self, open_page, bench, labelled):
        run = prepare_training(bench, TrainRequest("flashes")).run
        bench.catalog.runs.finish(run.id, checkpoint_key="", metrics={"val": REPORT})
        page = open_train(open_page)
        assert (
            "mAP of points 75.0 % (by chance 10.0 %, by motion alone 21.0 % on 300 s of them)"
            in page.words
        )
        assert "too few for an interval" in page.words
        table = next(item.value for item in page.test.dataframe if "F1" in item.value)
        assert table.iloc[0]["F1"] == "85.7 %"

    def test_a_failed_run_says_why(self, open_page, bench, labelled):
        prepared = prepare_training(bench, TrainRequest("flashes"))
        for _ in range(2):  # one attempt more follows lost memory
            token = bench.catalog.leases.claim(prepared.job.id, lease_seconds=60).lease_token
            bench.catalog.leases.end_attempt(
                prepared.job.id,
                token,
                state=JobState.FAILED,
                cause=FailureCause.OUT_OF_MEMORY,
                message="there was no memory left",
                log_tail=["last words"],
            )
        page = open_train(open_page)
        assert page.test.error[0].value == "Out of memory\\: there was no memory left"
        assert "last words" in page.words

    def test_a_model_can_be_promoted_and_taken_along(self, open_page, bench, add_bundle):
        model = add_bundle()
        page = open_train(open_page)
        link = page.test.get("link_button")[0].proto
        assert link.url.startswith(f"/api/model/{model.id}?token=")
        page.press("Promote")
        assert bench.catalog.models.get(model.id).stage == "production"
        assert "in production" in page.words
        assert "Promote" not in page.buttons()

    def test_a_promotion_can_be_taken_back(self, open_page, bench, add_bundle):
        old, new = add_bundle("old"), add_bundle("new")
        bench.catalog.models.set_stage(old.id, "production")
        page = open_train(open_page)
        assert "Roll back" not in page.buttons(), "there is nothing to go back to"
        bench.catalog.models.set_stage(new.id, "production")
        page = open_train(open_page)
        page.press("Roll back")
        assert bench.catalog.models.get(old.id).stage == "production"
        assert "Old is what flashes uses again." in page.words

    def test_a_model_says_why_it_has_no_8_bit_encoder_and_what_its_gate_costs(
        self, open_page, bench, add_bundle
    ):
        card = add_bundle().card | {
            "name": "careful",
            "quantization": {
                "accepted": False,
                "reason": "a score changes by 0.42",
            },
            "motion_gate_cost": {"note": "the motion gate loses 12.5 points of recall of 'flash'"},
        }
        bench.catalog.models.add(
            name="careful",
            domain="flashes",
            domain_version=1,
            bundle_key="models/careful/",
            kind="bundle",
            card=card,
        )
        page = open_train(open_page)
        assert "8-bit encoder: no. A score changes by 0.42." in page.words
        assert "The motion gate loses 12.5 points of recall" in page.words

    def test_without_a_domain_it_says_how_to_make_one(self, open_page):
        DomainRegistry.clear()
        page = open_page("train")
        assert "prismata domains new" in page.words


class TestLibrary:
    def test_an_empty_library_says_how_to_fill_it(self, open_page):
        page = open_page("library")
        assert "prismata ingest FOLDER" in page.words
        assert page.has("upload")

    def test_videos_are_listed_with_their_labels(self, open_page, labelled):
        row = open_page("library").test.dataframe[0].value.iloc[0]
        assert (row["Video"], row["Labels"], row["Length"]) == ("flashes.mp4", 2, "0:04.000")

    def test_a_removal_says_what_goes_and_does_it(self, open_page, bench, labelled):
        page = open_page("library")
        page.select_rows(0, [0])
        assert "Remove flashes.mp4? Labels, detections" in page.words
        page.press("Remove for good")
        assert bench.catalog.videos.list() == []
        assert "with 2 labels" in page.words


class TestJobs:
    def test_where_nothing_was_asked_for_it_says_where_to_ask(self, open_page):
        page = open_page("jobs")
        assert "Nothing runs and nothing waits." in page.words
        assert "No worker was seen" in page.words

    def test_what_runs_waits_and_is_blocked_can_be_seen_and_called_off(self, open_page, bench):
        jobs, leases = bench.catalog.jobs, bench.catalog.leases
        running = jobs.submit("detect", {"video": "a.mp4", "model": "m-1"}, author="anna")
        token = leases.claim(running.id, lease_seconds=60).lease_token
        leases.heartbeat(running.id, token, lease_seconds=60, progress=0.5, note="looking")
        blocked = jobs.submit(
            "train", {"model_name": "m-2"}, author="zoe", needs_mb=900, resource_class="gpu"
        )
        assert leases.claim_next(Offer(["train"], free_mb=500), 60) is None
        slots = {ResourceClass.CPU: 1, ResourceClass.IO: 2}
        bench.catalog.workers.add("box:7", this_process(), slots, version="1")
        page = open_page("jobs")
        bars = [item.proto.text for item in page.test.get("progress")]
        bars[0] = bars[0].partition(" · about")[0]
        assert bars == ["50% · looking", "0% · waiting for memory\\: needs 900 MB, free 500 MB"]
        for words in ("1 running, 1 waiting", "Detect a.mp4 with m-1", "Train m-2"):
            assert words in page.words
        assert "No worker here takes gpu jobs" in page.words
        assert "1 worker: box:7 (1 cpu, 2 io)" in page.words.replace("\\", "")
        page.test.button(key=f"cancel:{blocked.id}").click()
        page.run()
        assert jobs.get(blocked.id).state is JobState.CANCELLED

    def test_a_job_that_ended_shows_its_attempts(self, open_page, bench):
        job = bench.catalog.jobs.submit("prepare", {"video": "a.mp4"}, author="anna")
        for cause in (FailureCause.CRASHED, FailureCause.CRASHED):
            token = bench.catalog.leases.claim(job.id, lease_seconds=60).lease_token
            bench.catalog.leases.end_attempt(
                job.id,
                token,
                state=JobState.FAILED,
                cause=cause,
                message="it fell over",
                log_tail=["last words"],
            )
        page = open_page("jobs")
        row = page.test.dataframe[0].value.iloc[0]
        assert (row["Job"], row["End"], row["Attempts"]) == ("Prepare a.mp4", "failed", "2")
        page.select_rows(0, [0])
        assert "Attempt 1" in page.words
        assert "crashed" in page.words
        assert "last words" in page.words


class TestHealth:
    def test_each_part_has_its_word(self, open_page):
        page = open_page("health")
        for part in ("catalog", "storage", "detection", "domains"):
            assert f"**{part}**" in page.words

    def test_what_is_wrong_is_said_first(self, open_page, bench, monkeypatch):
        monkeypatch.setattr("prismata.services.health_places.LOW_DISK_GB", 1e9)
        page = open_page("health")
        assert "need a look:** data folder" in page.words


class TestFrame:
    def test_the_script_shows_the_first_page(self, open_page, video):
        page = open_page("label")
        script = Path(panels.__file__).parents[1] / "app.py"
        page.test = AppTest.from_file(str(script), default_timeout=30)
        page.run()
        assert page.has("label_station", package="prismata.")

    def test_a_catalog_that_is_gone_is_a_sentence(self, open_page, bench, video):
        bench.catalog.close()
        (bench.settings.data_dir / "prismata.db").unlink()
        (error,) = open_page("label").test.error
        assert error.value.startswith("The catalog")
        assert "cannot be used" in error.value

    @pytest.mark.logs_errors
    def test_a_bug_of_ours_is_a_sentence_and_a_number(self, caplog):
        def broken():
            from prismata.ui.panels.notices import guarded

            guarded(lambda: 1 / 0)()

        (error,) = AppTest.from_function(broken, default_timeout=30).run().error
        assert "division" not in error.value
        incident = error.value.rstrip(".").rpartition(" ")[2]
        assert incident in caplog.text
        assert "ZeroDivisionError" in caplog.text

    def test_markdown_in_a_file_name_is_text(self):
        from prismata.ui.panels.notices import plain

        assert plain("**x**_$y$_<b>`~:a:") == (r"\*\*x\*\*\_\$y\$\_\<b\>\`\~\:a\:")

    @pytest.mark.parametrize("ground", ["light", "dark"])
    def test_every_text_can_be_read(self, ground):
        def brightness(color):
            parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
            linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

        def contrast(one, other):
            low, high = sorted((brightness(one), brightness(other)))
            return (high + 0.05) / (low + 0.05)

        color = {
            name.rpartition(".")[2]: value
            for name, value in CONFIG.items()
            if name.startswith(f"theme.{ground}.")
        }
        pairs = [("textColor", "backgroundColor"), ("textColor", "secondaryBackgroundColor")]
        pairs += [("primaryColor", "backgroundColor"), ("linkColor", "backgroundColor")]
        for one, other in pairs:
            assert contrast(color[one], color[other]) >= 4.5, (one, other)
        assert contrast("#FFFFFF", color["primaryColor"]) >= 4.5, "words on buttons are white"

    def test_nothing_calls_out_and_nothing_is_watched(self):
        assert CONFIG["browser.gatherUsageStats"] is False
        assert CONFIG["client.showErrorLinks"] is False
        assert CONFIG["client.toolbarMode"] == "viewer"
