"""The timeline by hand: what is dragged, clicked, zoomed and pinched, and what it tells of that."""

import json
from pathlib import Path
from runpy import run_path

import pytest

# A file beside this one; tests are imported one by one, so it cannot be imported by name.
TimelineApp = run_path(str(Path(__file__).with_name("timeline_app.py")))["TimelineApp"]

FRAME_US = 40_000
DURATION_US = 100_000_000
TYPES = [
    {"name": "hold", "title": "Hold", "kind": "segment", "color": "#E69F00", "key": "1"},
    {"name": "tap", "title": "Tap", "kind": "point", "color": "#56B4E9", "key": "2"},
]


def event(name, start_us, end_us, event_type):
    kind = "point" if start_us == end_us else "segment"
    return {
        "id": name,
        "start_us": start_us,
        "end_us": end_us,
        "event_type": event_type,
        "kind": kind,
        "review_state": "none",
    }


CONFIG = {
    "frames": DURATION_US // FRAME_US,
    "frame_us": FRAME_US,
    "event_types": TYPES,
    "events": [
        event("first", 10_000_000, 20_000_000, "hold"),
        event("tapped", 30_000_000, 30_000_000, "tap"),
        event("second", 40_000_000, 50_000_000, "hold"),
        event("relic", 60_000_000, 62_000_000, "gone"),
    ],
    "ghosts": [event("ghost", 70_000_000, 80_000_000, "hold") | {"score": 0.8}],
    "coverage": [[0, 50_000_000, "watched"]],
}


@pytest.fixture(scope="module")
def app():
    with TimelineApp(CONFIG).running() as running:
        yield running


class Board:
    """The page with the timeline, in terms of lanes and times."""

    def __init__(self, page):
        self.page = page
        box = page.locator(".timeline").bounding_box()
        self.origin = (box["x"], box["y"])

    def at(self, us, row, share=0.5):
        """Where an instant lies in a row, on the page."""
        x, top, height = self.page.evaluate(
            """([us, name]) => {
              const { rows, view } = harness.timeline;
              const row = rows.find((row) => row.type?.name === name || row.kind === name);
              return [view.xOf(us), row.top, row.height];
            }""",
            [us, row],
        )
        return self.origin[0] + x, self.origin[1] + top + height * share

    def drag(self, start, end, *, keys=(), drop=True):
        mouse = self.page.mouse
        for key in keys:
            self.page.keyboard.down(key)
        mouse.move(*start)
        mouse.down()
        mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        mouse.move(*end)
        if drop:
            mouse.up()
        for key in keys:
            self.page.keyboard.up(key)

    def told(self, *names):
        """What the timeline told, of these kinds, oldest first."""
        return [
            detail
            for name, detail in self.page.evaluate("harness.told")
            if name in names or not names
        ]

    @property
    def view(self):
        return self.page.evaluate("[harness.timeline.view.startUs, harness.timeline.view.endUs]")


@pytest.fixture
def board(browser, app):
    """A wide window; the errors of the page are the test's."""
    context = browser.new_context(viewport={"width": 1440, "height": 700})
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(app.url)
    page.wait_for_selector("[data-ready]")
    yield Board(page)
    context.close()
    assert errors == []


def test_a_drag_on_an_empty_lane_makes_a_segment_on_frames(board):
    board.drag(board.at(55_011_000, "hold"), board.at(65_015_000, "hold"))
    (made,) = board.told("create")
    assert made["event_type"] == "hold"
    assert made["start_us"] % FRAME_US == made["end_us"] % FRAME_US == 0
    assert abs(made["start_us"] - 55_011_000) < 200_000
    assert abs(made["end_us"] - 65_015_000) < 200_000
    assert board.page.evaluate("harness.store.list().length") == len(CONFIG["events"])


def test_an_edge_snaps_to_a_neighbour_and_with_alt_it_does_not(board):
    near = board.at(20_000_000, "hold"), board.at(39_700_000, "hold")
    board.drag(*near)
    last = board.told("edit")[-1]
    assert last == {"id": "first", "changes": {"end_us": 40_000_000}, "final": True}
    assert board.told("select")[0] == {"id": "first", "edge": "end"}
    board.drag(*near, keys=["Alt"])
    free = board.told("edit")[-1]
    assert free["final"] is True
    assert 39_000_000 < free["changes"]["end_us"] < 40_000_000


def test_an_edge_cannot_pass_the_other_one(board):
    board.drag(board.at(20_000_000, "hold"), board.at(2_000_000, "hold"))
    assert board.told("edit")[-1]["changes"] == {"end_us": 10_000_000 + FRAME_US}


def test_a_moved_segment_keeps_its_length(board):
    board.drag(board.at(45_000_000, "hold"), board.at(57_000_000, "hold"))
    changes = board.told("edit")[-1]["changes"]
    assert changes["end_us"] - changes["start_us"] == 10_000_000
    assert abs(changes["start_us"] - 52_000_000) < 200_000


def test_escape_takes_a_drag_back(board):
    board.drag(board.at(45_000_000, "hold"), board.at(57_000_000, "hold"), drop=False)
    board.page.keyboard.press("Escape")
    board.page.mouse.up()
    assert board.told("edit")
    assert not any(edit["final"] for edit in board.told("edit"))
    assert board.page.evaluate("harness.timeline.draft") is None


def test_a_click_seeks_and_selects(board):
    board.page.mouse.click(*board.at(45_000_000, "hold"))
    assert board.told("select") == [{"id": "second", "edge": None}]
    board.page.mouse.click(*board.at(88_000_000, "hold"))
    assert board.told("select")[-1] == {"id": None, "edge": None}
    (_, seek) = board.told("seek")
    assert seek["final"]
    assert seek["us"] % FRAME_US == 0
    assert abs(seek["us"] - 88_000_000) < 200_000


def test_points_are_made_by_double_click_or_with_shift_only(board):
    board.page.mouse.click(*board.at(50_000_000, "tap"))
    assert board.told("create") == []
    board.page.mouse.dblclick(*board.at(80_000_000, "tap"))
    board.page.keyboard.down("Shift")
    board.page.mouse.click(*board.at(90_000_000, "tap"))
    board.page.keyboard.up("Shift")
    first, second = board.told("create")
    assert first["start_us"] == first["end_us"]
    assert abs(first["start_us"] - 80_000_000) < 200_000
    assert abs(second["start_us"] - 90_000_000) < 200_000


def test_a_ghost_is_told_and_a_lane_of_an_undeclared_type_takes_nothing_new(board):
    board.page.mouse.click(*board.at(75_000_000, "hold"))
    assert board.told("ghost") == [{"id": "ghost"}]
    board.drag(board.at(80_000_000, "gone"), board.at(90_000_000, "gone"))
    assert board.told("create") == []
    board.page.mouse.click(*board.at(61_000_000, "gone"))
    assert board.told("select")[-1] == {"id": "relic", "edge": None}


@pytest.mark.parametrize(
    ("keys", "state"), [([], "watched"), (["Shift"], "skipped"), (["Alt"], None)]
)
def test_coverage_is_painted_by_dragging(board, keys, state):
    board.drag(board.at(20_000_000, "coverage"), board.at(70_000_000, "coverage"), keys=keys)
    (painted,) = board.told("paint")
    assert painted["state"] == state
    assert abs(painted["start_us"] - 20_000_000) < 200_000
    assert abs(painted["end_us"] - 70_000_000) < 200_000


def test_the_wheel_zooms_about_the_pointer_down_to_single_frames(board):
    x, y = board.at(45_000_000, "hold")
    board.page.mouse.move(x, y)
    for _ in range(30):
        board.page.mouse.wheel(0, -300)
    start, end = board.view
    assert start < 45_000_000 < end
    assert end - start == pytest.approx(6 * FRAME_US)
    board.drag(board.at(start + 1.2 * FRAME_US, "hold"), board.at(start + 3.9 * FRAME_US, "hold"))
    assert board.told("create") == []  # it is inside an event, so that was moved
    assert board.told("edit")[-1]["changes"]["start_us"] % FRAME_US == 0
    for _ in range(40):
        board.page.mouse.wheel(0, 300)
    assert board.view == [0, DURATION_US]


def test_shift_and_wheel_and_the_ruler_and_the_minimap_pan(board):
    board.page.evaluate("harness.timeline.showView(40e6, 60e6)")
    board.page.mouse.move(*board.at(50_000_000, "hold"))
    board.page.keyboard.down("Shift")
    board.page.mouse.wheel(0, 200)
    board.page.keyboard.up("Shift")
    board.page.wait_for_function("harness.timeline.view.startUs > 40e6")
    board.page.evaluate("harness.timeline.showView(40e6, 60e6)")
    board.drag(board.at(55_000_000, "ruler"), board.at(50_000_000, "ruler"))
    start, end = board.view
    assert start == pytest.approx(45_000_000, abs=100_000)
    assert end - start == pytest.approx(20_000_000)
    left, right = board.at(start, "minimap")[0], board.at(end, "minimap")[0]
    whole = right - left
    y = board.at(0, "minimap")[1]
    board.drag((left + whole * 0.55, y), (left + whole * 0.75, y))
    assert board.view[0] == pytest.approx(65_000_000, abs=300_000)
    board.page.mouse.click(left + whole * 0.1, y)
    assert board.view == pytest.approx([0, 20_000_000], abs=300_000)


def test_the_playhead_stays_in_view_while_playing_unless_somebody_just_moved_the_view(board):
    board.page.evaluate("harness.timeline.showView(0, 10e6)")
    board.page.evaluate("harness.timeline.follow(30e6)")
    start, end = board.view
    assert start < 30_000_000 < end
    board.page.mouse.move(*board.at(start + 1_000_000, "hold"))
    board.page.mouse.wheel(0, -10)
    before = board.view
    board.page.evaluate("harness.timeline.follow(90e6)")
    assert board.view == before


def test_it_is_a_named_place_that_can_be_focused_and_says_what_it_shows(board):
    host = board.page.locator(".timeline")
    assert host.get_attribute("role") == "group"
    assert host.get_attribute("aria-label") == "Timeline of the video"
    host.focus()
    assert board.page.evaluate("document.activeElement.className") == "timeline"
    board.page.evaluate("harness.timeline.setSelection({ id: 'first', edge: null })")
    status = board.page.get_by_role("status")
    board.page.wait_for_function("document.querySelector('[role=status]').textContent !== ''")
    assert (
        "0:00.000 to 1:40.000 shown, 4 events; 1 suggested; selected: Hold" in status.text_content()
    )


def test_colours_follow_the_page(board):
    pixel = """() => {
      const canvas = document.querySelector(".timeline canvas");
      const row = harness.timeline.rows.find((row) => row.kind === "lane");
      const at = harness.timeline.view.xOf(90e6) * devicePixelRatio;
      return [...canvas.getContext("2d").getImageData(at, row.top + 10, 1, 1).data].slice(0, 3);
    }"""
    board.page.wait_for_function(f"({pixel})()[0] > 200")
    board.page.evaluate("document.documentElement.classList.add('dark')")
    board.page.wait_for_function(f"({pixel})()[0] < 40")


def test_two_fingers_zoom_and_one_pans(browser, app):
    context = browser.new_context(viewport={"width": 390, "height": 700}, has_touch=True)
    page = context.new_page()
    page.goto(f"{app.url}?view={json.dumps([40e6, 60e6])}")
    page.wait_for_selector("[data-ready]")
    board = Board(page)
    touch = context.new_cdp_session(page)

    def send(kind, *points):
        touched = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touched})

    (x, y) = board.at(52_000_000, "hold")
    send("touchStart", (x, y))
    for step in range(1, 9):
        send("touchMove", (x - 10 * step, y))
    send("touchEnd")
    start, end = board.view
    assert start > 42_000_000
    assert end - start == pytest.approx(20_000_000)
    assert board.told("create") == []
    send("touchStart", (x - 20, y), (x + 20, y))
    for step in range(1, 7):
        send("touchMove", (x - 20 - 8 * step, y), (x + 20 + 8 * step, y))
    send("touchEnd")
    start, end = board.view
    assert end - start < 10_000_000
    context.close()


def test_curves_copied_while_panning_look_like_curves_drawn_anew(board):
    told = board.page.evaluate(
        """async () => {
            const { CurveSource } = await import("/assets/timeline/curves.js");
            const { timeline } = harness;
            const tile = (level, index) => {
                const data = new Uint8Array(timeline.declared.length * 256 * 2);
                for (let at = 0; at < data.length / 2; at++) {
                    const time = (index * 256 + (at % 256)) * 2 ** level;
                    data[2 * at] = data[2 * at + 1] = Math.round(120 + 110 * Math.sin(time / 90));
                }
                return data;
            };
            const levels = Math.ceil(Math.log2(timeline.view.durationUs / 10000 / 256)) + 1;
            timeline.setCurves(new CurveSource({
                event_types: timeline.declared.map((type) => type.name),
                duration_us: timeline.view.durationUs, base_us: 10000, tile_bins: 256, levels,
                fetchTile: async (level, index) => tile(level, index),
            }));
            const frame = () => new Promise(
                (done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            const settle = async () => { for (let turn = 0; turn < 30; turn++) await frame(); };
            const pixels = () => {
                const { still } = timeline.painter;
                return still.getContext("2d").getImageData(0, 0, still.width, still.height).data;
            };
            timeline.showView(20e6, 50e6);
            await settle();
            timeline.panBy(0.21);
            await settle();
            const copied = pixels();
            const pictures = timeline.painter.curveSprites.made.size;
            timeline.painter.curveSprites.turn(NaN, 1, null);
            timeline.painter.curveSprites.turn = () => {};
            timeline.painter.ask("still");
            await frame();
            const drawn = pixels();
            const differ = (one, two, by) => one.reduce(
                (sum, value, at) => sum + (Math.abs(value - two[at]) > by), 0) / one.length;
            timeline.setCurves(null);
            await frame();
            const bare = pixels();
            return {
                pictures, other: differ(drawn, copied, 48), curve: differ(drawn, bare, 24),
            };
        }"""
    )
    assert told["pictures"] > 0, "nothing was copied, so nothing was compared"
    assert told["curve"] > 0.01, "no curve was drawn, so nothing was compared"
    assert told["other"] < told["curve"] / 10
