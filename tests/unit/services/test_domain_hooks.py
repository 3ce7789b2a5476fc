"""A domain's own rules, derived events, section and options, from the plugin to what people get."""

import csv
import json
import os
import re
from uuid import uuid4

import pytest

from prismata.catalog import EventDraft
from prismata.catalog.event_search import EventFilter
from prismata.core.errors import BadVideoError
from prismata.core.events import Event
from prismata.domains import DomainRegistry
from prismata.formats import read_events_csv
from prismata.services.derive import derive_found
from prismata.services.evaluate import evaluate_model
from prismata.services.export_events import export_events
from prismata.services.ingest import ingest_file, ingest_files
from prismata.services.ingest_options import needs_proxy
from prismata.services.label_checks import check_video, check_videos, second_looks
from prismata.services.outgoing import of_runs, regrouped
from prismata.services.prepare import describe_material, start_preparation
from prismata.services.regroup import regroup
from prismata.services.report import write_report
from prismata.services.result_report import run_report, write_model_report
from prismata.services.train import TrainRequest, prepare_training
from prismata.wiring import open_workbench

PLUGIN = """
from prismata.domains import *

@register_domain
class Flashes(Domain):
    name = "flashes"
    event_types = (
        EventType("flash", "point", attributes=(Attribute("faint", "flag"),)),
        EventType("dark", "segment", max_seconds=1),
    )
    clip = ClipSpec(target_fps=20, num_frames=4, window_stride=1, width=32, height=32)
    tolerance_seconds = 0.1
    {body}
"""

PAIRS = """
    relations = (Exclusion("flash", "dark"),)
    derived_types = (EventType("pair", "segment", title="Pair of flashes"),)
    wording = Wording("flash", "flashes", "the room <b>stays</b> dark")
    emphasis = "recall"

    def derive(self, events, scores):
        bright = [event for event in events if not event.attributes.get("faint")]
        for number, pair in enumerate(zip(bright[::2], bright[1::2]), start=1):
            span = Event.segment("pair", pair[0].start_us, pair[1].start_us)
            yield DerivedEvent(span, f"pair {number} <i>")

    def report_section(self, videos):
        rows = tuple((video.name, str(len(video.derived))) for video in videos)
        table = ReportTable(("V", "N"), rows, "c")
        return ReportSection("Pairs & <b>more</b>", ("One <script>.",), table)

    def review(self, events):
        if len(events) > 2:
            yield "that is a lot of light"
"""

BROKEN = """
    derived_types = (EventType("pair", "segment"),)

    def review(self, events):
        raise RuntimeError("no review")

    def derive(self, events, scores):
        raise RuntimeError("no pairs")

    def report_section(self, videos):
        raise RuntimeError("no section")
"""


def where(text):
    """File and line of the broken plugin, as a failure names them."""
    lines = PLUGIN.format(body=BROKEN.strip()).splitlines()
    line = next(number for number, known in enumerate(lines, start=1) if text in known)
    return f"(flashes/domain.py, line {line})"


@pytest.fixture
def open_with(settings, tmp_path):
    """Open a workbench whose domain `flashes` has this body."""
    opened = []

    def build(body):
        folder = tmp_path / "own" / "flashes"
        folder.mkdir(parents=True)
        (folder / "domain.py").write_text(PLUGIN.format(body=body.strip()))
        DomainRegistry.clear()
        own = settings.model_copy(update={"domains_dirs": str(folder.parent)})
        assert os.pathsep not in own.domains_dirs
        bench = open_workbench(own)
        assert DomainRegistry.failures() == []
        opened.append(bench)
        return bench

    yield build
    for bench in opened:
        bench.close()


@pytest.fixture
def bench(open_with, request):
    return open_with(request.param)


pairs = pytest.mark.parametrize("bench", [PAIRS], indirect=True, ids=["pairs"])
broken = pytest.mark.parametrize("bench", [BROKEN], indirect=True, ids=["broken"])


@pytest.fixture
def model(add_bundle):
    return add_bundle()


@pytest.fixture
def run(finished_run, video, model, flashes):
    return finished_run(video, model, flashes)


def label(bench, video, *events, **said):
    drafts = [EventDraft(event, **said) for event in events]
    return bench.catalog.events.add_annotations(video.id, "flashes", 1, drafts, "anna")


def derived_of(bench, run, **thresholds):
    return derive_found(bench, run, regroup(bench, run, thresholds))


# --- labels


@pairs
def test_rules_and_the_review_hook_speak_with_the_label_they_are_about(bench, video):
    (flash,) = label(bench, video, Event.point("flash", 500_000))
    (dark,) = label(bench, video, Event.segment("dark", 400_000, 1_500_000))
    label(bench, video, Event.point("flash", 900_000), review_state="rejected")
    label(bench, video, Event.point("flash", 950_000), review_state="unsure")
    checked = check_video(bench, video, "flashes")
    assert (checked.labels, checked.failure) == (2, None)
    assert [(item.sentence, item.event_id) for item in checked.remarks] == [
        ("'Dark' at 0:00.400 lasts 1.1 s, more than 1 s", dark.id),
        ("'Flash' at 0:00.500 overlaps 'Dark' at 0:00.400, and these never overlap", flash.id),
    ]
    label(bench, video, Event.point("flash", 3_000_000))
    about_all = check_video(bench, video, "flashes").remarks[0]
    assert (about_all.sentence, about_all.event_id) == ("that is a lot of light", "")
    assert second_looks(bench, "flashes") == (
        "3 things in the labels of 1 video may be worth a second look: that is a lot of light "
        "(flashes.mp4); the page Label points at each, `prismata labels check --domain flashes` "
        "lists all"
    )
    prepared = prepare_training(bench, TrainRequest("flashes"))
    assert second_looks(bench, "flashes") in prepared.note


@pairs
def test_videos_without_labels_are_not_checked_unless_they_are_named(bench, video):
    assert list(check_videos(bench, "flashes")) == []
    assert second_looks(bench, "flashes") == ""
    (checked,) = check_videos(bench, "flashes", [video])
    assert (checked.labels, checked.sentences()) == (0, [])


@broken
def test_a_review_hook_that_fails_leaves_the_rules_and_says_where_it_failed(bench, video):
    label(bench, video, Event.segment("dark", 0, 2_000_000))
    checked = check_video(bench, video, "flashes")
    assert len(checked.remarks) == 1
    assert checked.sentences()[-1] == (
        f"the review hook of domain 'flashes' failed: RuntimeError: no review {where('no review')}"
    )


# --- derived events


@pairs
def test_derived_events_follow_the_thresholds_and_are_stored_nowhere(bench, run, flashes):
    found = regroup(bench, run, {})
    derived = derived_of(bench, run)
    assert derived.failure is None
    assert len(derived.events) == len(found.events) // 2 > 0
    first = derived.events[0]
    assert first.title == "pair 1 <i>"
    assert first.event.span.start_us == found.events[0].start_us
    assert derived_of(bench, run, flash=0.99).events == ()
    stored = bench.catalog.events.list(domain="flashes")
    assert {item.event.event_type for item in stored} <= {"flash"}


@pairs
def test_what_people_said_of_an_event_counts_and_what_they_rejected_does_not(
    bench, run, video, flashes
):
    first, second = (event.start_us for event in regroup(bench, run, {}).events)
    label(bench, video, Event.point("flash", first + 150_000), attributes={"faint": True})
    assert len(derived_of(bench, run).events) == 1, "further away than the tolerance"
    label(bench, video, Event.point("flash", first + 60_000), attributes={"faint": True})
    assert derived_of(bench, run).events == ()
    label(bench, video, Event.point("flash", first), attributes={"faint": False})
    assert len(derived_of(bench, run).events) == 1, "of two labels the nearer one counts"
    label(bench, video, Event.point("flash", second), review_state="rejected")
    assert derived_of(bench, run).events == ()


@pairs
def test_exports_hold_derived_events_marked_as_such_and_no_import_takes_them_for_labels(
    bench, run, video, tmp_path
):
    found = len(regroup(bench, run, {}).events)
    export_events(of_runs(bench, [run], {}), tmp_path / "e.csv", "csv", provenance={})
    with (tmp_path / "e.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    derived = [row for row in rows if row["origin"] == "derived"]
    assert len(rows) - len(derived) == found
    assert [(row["label"], row["kind"], row["title"]) for row in derived[:1]] == [
        ("pair", "segment", "pair 1 <i>")
    ]
    assert [row["start_s"] for row in rows] == sorted(row["start_s"] for row in rows)
    taken = read_events_csv((tmp_path / "e.csv").read_bytes(), "e.csv").rows
    assert {row.label for row in taken} == {"flash"}
    assert len(taken) == found
    export_events(of_runs(bench, [run], {}), tmp_path / "e.json", "json", provenance={})
    told = json.loads((tmp_path / "e.json").read_text())["videos"][0]["events"]
    assert next(item["title"] for item in told if item["origin"] == "derived") == "pair 1 <i>"
    only = of_runs(bench, [run], {}, EventFilter(event_type="pair"))
    assert {item.row.event.event_type for item in only} == {"pair"}


@pairs
def test_rows_without_what_is_derived_stay_as_they_were(bench, run):
    found = regroup(bench, run, {})
    assert {item.row.origin for item in regrouped(bench, run, found)} == {"detection"}


@broken
def test_a_derive_hook_that_fails_takes_no_event_with_it_and_is_told(bench, run, tmp_path):
    told = []
    path = tmp_path / "e.csv"
    count = export_events(
        of_runs(bench, [run], {}, on_failure=told.append), path, "csv", provenance={}
    )
    assert count.rows == len(regroup(bench, run, {}).events) > 0
    assert [str(item) for item in told] == [
        f"the derive hook of domain 'flashes' failed: RuntimeError: no pairs {where('no pairs')}"
    ]


@pairs
def test_without_the_plugin_nothing_is_derived_and_the_run_is_there_all_the_same(bench, run):
    DomainRegistry.clear()
    assert derived_of(bench, run).events == ()
    assert "events found" in run_report(bench, run, regroup(bench, run, {}))


# --- reports


@pairs
def test_the_report_has_the_words_the_section_and_the_derived_events_of_the_domain(
    bench, run, model, tmp_path
):
    write_model_report(bench, model, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "<span>flashes found</span>" in page
    assert "<h2>Pairs &amp; &lt;b&gt;more&lt;/b&gt;</h2><p>One &lt;script&gt;.</p>" in page
    assert "pair 1 &lt;i&gt;" in page
    assert "<script" not in page
    assert "Derived: nobody saw these, they follow from what was found." in page
    empty = run_report(bench, run, regroup(bench, run, {"flash": 0.99}))
    assert "Looked at to the end; the room &lt;b&gt;stays&lt;/b&gt; dark.</p>" in empty
    assert "derived from these" not in empty


@broken
def test_a_report_appears_although_every_hook_fails_and_says_which_where_and_why(
    bench, run, model, tmp_path
):
    facts = write_model_report(bench, model, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert facts.events == len(regroup(bench, run, {}).events) > 0
    assert page.count("What Flashes would add") == 2
    assert "the derive hook of domain &#x27;flashes&#x27; failed: RuntimeError: no pairs" in page
    assert where("no section") in page


@pairs
def test_an_evaluation_begins_with_what_matters_most_and_holds_the_section(
    bench, run, model, video, flashes, watch, tmp_path
):
    label(bench, video, *flashes.events)
    watch(video)
    evaluation = evaluate_model(bench, model.name, [video])
    write_report(evaluation, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert re.search(r'class="cards"><li><b>[\d.]+ %</b><span>of the labelled events found', page)
    assert "mean average precision, instants" in page
    assert "<h2>Pairs &amp; &lt;b&gt;more&lt;/b&gt;</h2>" in page


@broken
def test_an_evaluation_appears_although_the_section_fails(
    bench, run, model, video, flashes, watch, tmp_path
):
    label(bench, video, *flashes.events)
    watch(video)
    write_report(evaluate_model(bench, model.name, [video]), tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "RuntimeError: no section" in page
    assert "mean average precision, instants" in page


# --- taking videos in


@pytest.mark.parametrize("bench", ["ingest = IngestOptions(longest_seconds=2)"], indirect=True)
def test_a_clip_that_is_too_long_for_its_domain_is_refused_and_nothing_of_it_stays(bench, flashes):
    with pytest.raises(BadVideoError, match=r"lasts 0:04.000, and 'flashes' takes clips of up to"):
        ingest_file(bench, flashes.path, domain="flashes")
    (told,) = ingest_files(bench, [flashes.path], domain="flashes")
    assert (told.status, told.reason) == ("refused", "too_long_for_domain")
    assert bench.catalog.videos.list() == []
    assert [info.key for info in bench.storage.list()] == []
    assert ingest_file(bench, flashes.path).status == "added"


@pytest.mark.parametrize(
    ("bench", "wanted"),
    [("ingest = IngestOptions(always_proxy=True)", True), ("ingest = IngestOptions()", False)],
    indirect=["bench"],
)
def test_a_domain_can_want_a_proxy_of_every_video(bench, video, wanted, monkeypatch):
    assert needs_proxy(bench, video) is wanted
    assert describe_material(bench, video).to_json()["prefers_proxy"] is wanted
    monkeypatch.setattr(bench.jobs, "start", lambda job: job)
    job = start_preparation(bench, video)
    assert job.params["proxy"] is wanted


@pytest.mark.parametrize("bench", ["ingest = IngestOptions(longest_seconds=2)"], indirect=True)
def test_a_video_of_a_domain_without_its_plugin_is_taken_in_as_usual(bench, flashes):
    name = f"gone_{uuid4().hex[:6]}"
    assert ingest_file(bench, flashes.path, domain=name).status == "added"
