"""A result in the station: what is dragged there regroups everywhere, a choice is explained."""

import re

import pytest

from prismata.services.detect import DetectRequest, prepare_detection, run_detection
from prismata.services.ingest import ingest_file

STATION = ".frame-of-station.result[data-ready]"


@pytest.fixture
def video(bench, flashes):
    """Nobody has labelled it: what is found there is to be judged."""
    return ingest_file(bench, flashes.path, domain="flashes").video


@pytest.fixture
def detected(bench, video, add_bundle):
    prepared = prepare_detection(bench, DetectRequest(video.id, add_bundle().id))
    run_detection(bench, prepared)
    return prepared.run


@pytest.fixture
def opened(page, server, detected):
    page.goto(f"{server.url}/analyze")
    page.locator(STATION).wait_for()
    page.locator(".suggestions").get_by_text(re.compile(r"\d+ open")).wait_for()
    return page


def test_an_event_is_chosen_explained_and_judged(opened, bench, video, flashes):
    page = opened
    page.get_by_role("button", name="Next", exact=True).click()
    page.get_by_text(re.compile("^Why A · Flash at")).wait_for()
    page.get_by_text(re.compile("The score reached")).wait_for()
    stills = page.locator("figure img")
    stills.last.wait_for()
    assert stills.count() == 3
    page.wait_for_function(
        "() => [...document.querySelectorAll('figure img')].every((img) => img.naturalWidth > 0)"
    )
    page.locator(STATION).get_by_role("button", name="Accept", exact=True).click()
    page.locator('.saved[data-state="saved"]').wait_for()
    (label,) = bench.catalog.events.list(video_id=video.id, origin="annotation")
    assert label.review_state == "accepted"
    assert label.attributes["source"]["run"]
    # Looking at what was found does not say that the rest was watched.
    assert bench.catalog.labels.sheet(video.id, "flashes").coverage == ()


def test_a_threshold_dragged_on_the_curve_moves_the_slider_and_the_table(
    opened, bench, server, detected
):
    page = opened
    page.get_by_text(re.compile(r"^\d+ events? in")).wait_for()
    canvas = page.locator(f"{STATION} .timeline canvas").first
    box = canvas.bounding_box()
    x = box["x"] + box["width"] * 0.6
    found = None
    for offset in range(10, int(box["height"]), 2):
        page.mouse.move(x, box["y"] + offset)
        if canvas.evaluate("node => getComputedStyle(node).cursor") == "ns-resize":
            found = box["y"] + offset
            break
    assert found is not None, "no threshold line under the pointer"
    page.mouse.down()
    page.mouse.move(x, found - 6, steps=3)
    page.mouse.up()
    page.wait_for_function(
        """() => {
          const shown = document.querySelector('[data-testid="stSliderThumbValue"]');
          return Number(shown?.innerText) > 0.5;
        }"""
    )
    page.get_by_role("slider", name="Threshold").focus()
    page.keyboard.press("Home")
    page.get_by_text("0.01", exact=True).first.wait_for()
    assert len(bench.catalog.detections.list()) == 1, "no model ran for it"
