"""What a domain's rules say about labels, as people meet it: beside their work, not in its way."""

import re

import pytest

from prismata.core.events import Event
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label

READY = ".frame-of-station[data-ready=true]"


@pytest.fixture
def lonely(bench, flashes):
    """A video with a release that has no flight."""
    video = ingest_file(bench, flashes.path, domain="ball_throw").video
    add_label(bench, video, "ball_throw", Event.point("release", 2_000_000))
    return video


def test_a_remark_leads_to_its_label_and_goes_when_the_label_is_right(page, server, lonely):
    page.goto(f"{server.url}/?domain=ball_throw&video={lonely.id}")
    page.locator(READY).wait_for()
    remarks = page.locator(".remarks")
    remarks.get_by_text("1 thing is worth a second look").click()
    remarks.get_by_role("button", name="'Release' at 0:02.000 has no 'Flight'").click()
    page.locator(".event-row.selected").wait_for()
    page.locator(".frame.exact").filter(has_text=re.compile(r"frame (?!0$)\d+")).wait_for()
    # A flight from there on is what was missing: the remark goes by itself.
    page.keyboard.press("f")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("f")
    remarks.wait_for(state="hidden")
    assert page.locator(".event-row").count() == 2
