"""The keyboard of the station: heard wherever the focus is, and never taken from who is writing."""

import pytest

TYPES = '[{ name: "run", kind: "segment", hotkey: "h" }, { name: "shot", kind: "point" }]'

SCENE = (
    """async () => {
  const { KeyListener } = await import("/assets/keys.js");
  const { KeyMap } = await import("/assets/keymap.js");
  const place = document.createElement("div");
  place.innerHTML = `<div id="around"><button id="outside">outside</button><input id="form"></div>`;
  document.body.append(place);
  const holder = document.createElement("div");
  document.body.append(holder);
  const shadow = holder.attachShadow({ mode: "open" });
  shadow.innerHTML = `<div id="host" tabindex="-1" style="height: 99px">
    <textarea id="note"></textarea>
    <input id="box" type="checkbox"><button id="button">press</button>
    <select id="choice"><option>one</option><option>two</option></select>
    <div id="list" role="listbox" tabindex="0" data-own-keys></div></div>`;
  const said = [];
  const around = [];
  // What Streamlit does with bare letters, and what a page does with everything.
  document.addEventListener("keydown", (event) => around.push(event.key));
  const state = { blocked: false };
  const listener = new KeyListener({
    host: shadow.getElementById("host"),
    keymap: new KeyMap(TYPES),
    onAction: (action) => { said.push(action); return action !== "go_to"; },
    onClassDown: (type) => said.push(`${type} down`),
    onClassUp: (type) => said.push(`${type} up`),
    onRelease: () => said.push("release"),
    isBlocked: () => state.blocked,
  });
  window.scene = { shadow, said, around, listener, state, host: shadow.getElementById("host"),
    take: () => [said.splice(0), around.splice(0)] };
}"""
).replace("TYPES", TYPES)


@pytest.fixture
def page(player_page):
    player_page.evaluate(SCENE)
    return player_page


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
    return page.evaluate("() => scene.take()")


def test_keys_work_with_the_focus_anywhere_and_reach_nobody_else(page):
    said, around = press(page, "j", "ArrowRight", "Shift+ArrowLeft", "Control+z", "Shift+?")
    assert said == ["shuttle_back", "step_forward", "step_back_10", "undo", "cheat_sheet"]
    assert [key for key in around if key not in ("Shift", "Control")] == []
    page.evaluate("() => scene.host.focus()")
    assert press(page, "Space")[0] == ["play"]


def test_letters_typed_into_fields_are_left_alone(page):
    for field in ("form", "note"):
        page.locator(f"#{field}").focus()
        said, around = press(page, "r", "c", "j", "h", "Space", "1", "ArrowLeft")
        assert said == []
        assert len(around) == 7
        assert page.locator(f"#{field}").input_value() == "rcjh 1"


def test_streamlits_own_letters_do_nothing_while_the_station_is_there(page):
    said, around = press(page, "r", "c")
    assert (said, around) == ([], [])
    page.locator("#outside").focus()
    assert press(page, "r", "c") == [[], []]


def test_a_held_class_key_is_one_press_and_one_release(page):
    page.keyboard.down("h")
    page.keyboard.down("h")
    page.keyboard.down("h")
    page.keyboard.up("h")
    said, around = page.evaluate("() => scene.take()")
    assert said == ["run down", "run up"]
    assert around == []


def test_held_arrows_step_on_but_a_held_space_plays_once(page):
    for key in ("ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.down(key)
    page.keyboard.up("ArrowRight")
    for key in ("Space", "Space"):
        page.keyboard.down(key)
    page.keyboard.up("Space")
    assert page.evaluate("() => scene.take()")[0] == ["step_forward"] * 3 + ["play"]


def test_two_class_keys_can_be_down_and_are_released_by_their_own_key(page):
    for key in ("h", "1"):
        page.keyboard.down(key)
    page.keyboard.up("h")
    page.keyboard.down("Shift")
    page.keyboard.up("1")
    page.keyboard.up("Shift")
    assert page.evaluate("() => scene.take()")[0] == ["run down", "shot down", "run up", "shot up"]


def test_controls_keep_the_keys_that_work_them(page):
    page.locator("#button").focus()
    assert press(page, "Space", "Enter", "ArrowLeft", "j")[0] == ["step_back", "shuttle_back"]
    page.locator("#box").focus()
    assert press(page, "Space")[0] == []
    assert page.locator("#box").is_checked()
    page.locator("#choice").focus()
    assert press(page, "ArrowDown", "o")[0] == []
    page.locator("#list").focus()
    assert press(page, "ArrowDown", "Enter", "Delete", "j")[0] == ["shuttle_back"]
    page.locator("#outside").focus()
    assert press(page, "Space")[0] == []


def test_tab_goes_to_the_next_event_on_the_stage_and_to_the_next_control_elsewhere(page):
    page.evaluate("() => scene.host.focus()")
    assert press(page, "Tab", "Shift+Tab")[0] == ["next_event", "previous_event"]
    said, _ = press(page, "Escape", "Tab")
    assert said == ["deselect"]
    assert page.evaluate("() => scene.shadow.activeElement.id") == "note"
    press(page, "Tab")
    assert page.evaluate("() => scene.shadow.activeElement.id") == "box"


def test_what_the_station_does_nothing_with_goes_its_way(page):
    said, around = press(page, "g", "q", "F2")
    assert said == ["go_to"]
    assert around == ["g", "q", "F2"]


def test_behind_a_dialog_keys_do_nothing(page):
    page.evaluate("() => { scene.state.blocked = true; }")
    assert press(page, "j", "h")[0] == []


def test_a_hidden_station_has_no_keyboard(page):
    page.evaluate("() => { scene.host.style.display = 'none'; }")
    assert press(page, "j", "r") == [[], ["j", "r"]]


def test_losing_the_keyboard_releases_what_is_held_once(page):
    page.keyboard.down("h")
    page.evaluate("() => window.dispatchEvent(new Event('blur'))")
    page.keyboard.up("h")
    assert page.evaluate("() => scene.take()")[0] == ["run down", "release"]
    page.evaluate("() => window.dispatchEvent(new Event('pagehide'))")
    assert page.evaluate("() => scene.take()")[0] == ["release"]


def test_a_closed_listener_hears_nothing(page):
    page.evaluate("() => scene.listener.close()")
    assert press(page, "j", "r") == [[], ["j", "r"]]
    page.evaluate("() => window.dispatchEvent(new Event('blur'))")
    assert page.evaluate("() => scene.take()")[0] == []
