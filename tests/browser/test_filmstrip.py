"""The filmstrip draws exactly the frames around an edge; picking one says where the edge lies."""

import cv2
import numpy as np
import pytest

from prismata.services.ingest import ingest_file
from prismata.testing.barcode import read_barcode, write_barcode_video

SCENE = """async ({ video, token, frames }) => {
  const { Api } = await import("/assets/api.js");
  const { Filmstrip } = await import("/assets/filmstrip.js");
  const api = new Api({ base: "", videoToken: token, labelsToken: "", annotatorToken: "", user: "ada", video, domain: "", onExpired: () => {} });
  const table = bench.FrameTable.fromSteps(new Uint32Array(await (await fetch(frames)).arrayBuffer()));
  const host = document.createElement("div");
  document.body.append(host);
  const strip = new Filmstrip(host, { api, frames: table, video });
  const said = [];
  strip.addEventListener("pick", (event) => said.push(event.detail.us));
  strip.addEventListener("next", () => said.push("next"));
  window.scene = { strip, table, said, host };
}"""  # noqa: E501


@pytest.fixture
def video(bench, tmp_path):
    """Eighty frames at uneven times."""
    steps = np.random.default_rng(4).integers(20_000, 90_000, 79)
    times = [0, *(int(us) for us in np.cumsum(steps))]
    made = write_barcode_video(tmp_path / "uneven.mp4", frames=80, pts_us=times, size=(320, 180))
    return ingest_file(bench, made).video


@pytest.fixture
def page(player_page, site, video):
    source = site.source(video)
    told = {
        "video": video.id,
        "token": site.permission("video", video.id),
        "frames": source["frames"],
    }
    player_page.evaluate(SCENE, told)
    return player_page


def show(page, edge, frame, kind="segment"):
    us = f"scene.table.{'endUs' if edge == 'end' and kind == 'segment' else 'startUs'}({frame})"
    page.evaluate(f"() => scene.strip.show({{ edge: '{edge}', us: {us}, kind: '{kind}' }})")


def numbers(page):
    """The number painted in each picture as it is drawn on the screen."""
    read = []
    for button in page.locator(".strip-frame").all():
        # The label of the frame lies over its picture.
        button.evaluate("(node) => { node.style.border = 'none'; node.textContent = ''; }")
        picture = cv2.imdecode(np.frombuffer(button.screenshot(), np.uint8), cv2.IMREAD_COLOR)
        read.append(read_barcode(picture))
    return read


def test_the_pictures_are_the_frames_they_are_called(page):
    show(page, "start", 40)
    assert numbers(page) == list(range(35, 46))
    labels = [button.get_attribute("aria-label") for button in page.locator(".strip-frame").all()]
    assert [label.split(",")[0] for label in labels] == [f"frame {n}" for n in range(35, 46)]
    assert page.locator(".strip-frame[aria-pressed=true]").get_attribute("aria-label") == labels[5]


def test_at_the_ends_of_the_video_there_are_fewer(page):
    show(page, "start", 1)
    assert numbers(page) == list(range(7))
    show(page, "end", 79)
    assert numbers(page) == list(range(74, 80))


def test_a_click_or_an_arrow_picks_and_enter_goes_to_the_next_edge(page):
    show(page, "end", 40)
    page.locator(".strip-frame", has_text="43").click()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    said = page.evaluate("() => scene.said")
    assert said == page.evaluate("() => [scene.table.endUs(43), scene.table.endUs(42), 'next']")
    show(page, "end", 42)
    focused = "() => document.activeElement.getAttribute('aria-pressed')"
    assert page.evaluate(focused) == "true"


def test_one_stop_for_the_tabulator_and_names_for_every_picture(page):
    show(page, "start", 40)
    stops = page.locator(".strip-frame[tabindex='0']")
    assert stops.count() == 1
    assert stops.get_attribute("aria-label").startswith("frame 40,")


def test_frames_that_cannot_be_drawn_are_told_not_left_blank(page, bench, video):
    bench.storage.delete(video.storage_key)
    show(page, "start", 40)
    page.get_by_text("These frames cannot be drawn: there is no object").wait_for()


def test_hidden_it_is_gone_and_forgets_its_picture(page):
    show(page, "start", 40)
    page.evaluate("() => scene.strip.hide()")
    assert page.locator(".strip").is_hidden()
    page.evaluate("() => scene.strip.close()")
    assert page.evaluate("() => scene.host.children.length") == 0
