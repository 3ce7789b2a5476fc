"""Taking results along from the browser: the menu, a table, the report, a reel with a bar."""

import json

import pytest

from prismata.media.scanning import scan
from prismata.services.detect import DetectRequest, prepare_detection, run_detection

WAIT_MS = 60_000


@pytest.fixture
def detected(bench, video, add_bundle):
    model = add_bundle()
    outcome = run_detection(bench, prepare_detection(bench, DetectRequest(video.id, model.id)))
    assert outcome.result is not None
    return video


def download(page, name):
    with page.expect_download() as waiting:
        page.get_by_role("button", name=name).click()
    return waiting.value


def open_menu(page):
    page.get_by_role("button", name="Download", exact=True).click(timeout=WAIT_MS)
    page.get_by_role("button", name="Events as CSV").wait_for()


def test_a_result_is_taken_along_as_tables_a_report_and_a_reel(page, server, detected, flashes):
    page.goto(f"{server.url}/analyze")
    open_menu(page)
    table = download(page, "Events as JSON")
    assert table.suggested_filename == "flashes-events.json"
    (entry,) = json.loads(table.path().read_text())["videos"]
    assert len(entry["events"]) == len(flashes.events)
    assert download(page, "Captions as WebVTT").path().read_text().startswith("WEBVTT")
    report = download(page, "Report (HTML)")
    assert "<h1>What flash-detector found in flashes.mp4</h1>" in report.path().read_text()
    page.get_by_role("button", name="Make a highlight reel").click()
    page.get_by_role("button", name="Highlight reel,").wait_for(timeout=WAIT_MS)
    page.keyboard.press("Escape")
    reel = download(page, "Highlight reel,")
    assert reel.suggested_filename == "flashes-reel.mp4"
    assert scan(reel.path()).timeline.duration_us > 1_000_000


def test_a_search_is_taken_along(page, server, bench, video):
    labels = bench.catalog.events.list(origin="annotation")
    page.goto(f"{server.url}/events")
    open_menu(page)
    rows = download(page, "Events as CSV").path().read_text().splitlines()
    assert len(rows) == 1 + len(labels) > 1
    assert rows[0].startswith("video,label,kind,start_s,end_s,")
