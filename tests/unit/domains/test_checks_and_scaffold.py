from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import prismata
from prismata.core.errors import ConflictError, InvalidInputError
from prismata.domains import (
    Attribute,
    DomainRegistry,
    EventType,
    check_domain,
    create_domain,
    load_plugin,
    parse_event_type,
)
from prismata.domains.checks import CHECK_NAMES
from prismata.testing.scene_contract import SceneContract

ROOT = Path(__file__).resolve().parents[3]


def failed(folder):
    """Check a plugin folder and return what fails, leaving out the two files it does not have."""
    results = check_domain(load_plugin(folder)(), folder)
    assert [result.name for result in results] == list(CHECK_NAMES)
    return {
        result.name: result.message
        for result in results
        if not result.ok and result.name not in ("readme", "tests")
    }


def event(name, hotkey, guide="First frame of it."):
    return f'EventType("{name}", hotkey="{hotkey}", guide="{guide}")'


def test_a_good_plugin_fails_nothing(write_plugin):
    assert failed(write_plugin("tennis")) == {}


@pytest.mark.parametrize("key", ["j", "J", "k", "l", "i", "o"])
def test_a_hotkey_that_steers_the_player_is_flagged(write_plugin, key):
    folder = write_plugin("tennis", event_types=f"({event('hit', key)},)")
    assert "belongs to the player" in failed(folder)["hotkeys"]


def test_one_hotkey_for_two_event_types_is_flagged(write_plugin):
    folder = write_plugin("tennis", event_types=f"({event('hit', 'h')}, {event('hop', 'H')})")
    assert failed(folder) == {"hotkeys": "hotkey 'h' belongs to 'hit' and 'hop'; give each its own"}


@pytest.mark.parametrize("guide", ["", "First frame", "First frame. Or the second.", "Hit! Now"])
def test_a_guide_is_exactly_one_sentence(write_plugin, guide):
    folder = write_plugin("tennis", event_types=f"({event('hit', 'h', guide)},)")
    assert list(failed(folder)) == ["guides"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("yield f'{events[0].start_us} is early'", "fails on an empty list: IndexError"),
        ("events.reverse(); yield from ()", "changes the list"),
        ("self.seen = getattr(self, 'seen', 0) + 1; yield f'{self.seen}'", "different things"),
        ("yield 3", "must yield sentences"),
        ("raise SystemError('no')", "fails on an empty list: SystemError: no"),
    ],
)
def test_a_review_hook_that_is_not_pure_or_fails_is_flagged(write_plugin, body, message):
    folder = write_plugin("tennis", extra=f"def review(self, events): {body}")
    found = failed(folder)
    assert list(found) == ["review"]
    assert message in found["review"]


def test_importing_something_heavy_is_flagged(write_plugin, tmp_path, monkeypatch):
    folder = write_plugin("tennis", extra="import sqlalchemy")
    assert "imports sqlalchemy; a domain is data" in failed(folder)["light"]


def test_a_plugin_that_loads_only_here_is_flagged(write_plugin):
    source = (write_plugin("tennis") / "domain.py").read_text()
    folder = write_plugin("tennis", source=f"import sys\nassert 'pytest' in sys.modules\n{source}")
    assert "does not load in a fresh interpreter: AssertionError" in failed(folder)["light"]


def test_the_sixtieth_line_is_one_too_many(write_plugin):
    source = (write_plugin("tennis") / "domain.py").read_text()
    missing = 59 - len(source.splitlines())
    assert failed(write_plugin("tennis", source=source + "\n" * missing)) == {}
    folder = write_plugin("tennis", source=source + "\n" * (missing + 1))
    assert failed(folder)["size"].startswith("domain.py has 60 lines")


def test_event_types_beyond_the_third_have_lines_of_their_own(write_plugin):
    event_types = f"({''.join(event(f'hit_{key}', key) + ', ' for key in 'abdef')})"
    source = (write_plugin("tennis", event_types=event_types) / "domain.py").read_text()
    missing = 77 - len(source.splitlines())
    assert failed(write_plugin("tennis", source=source + "\n" * missing)) == {}
    folder = write_plugin("tennis", source=source + "\n" * (missing + 1))
    assert failed(folder)["size"].startswith("domain.py has 78 lines; keep it under 78")


def test_a_report_section_has_lines_of_its_own(write_plugin):
    source = (write_plugin("tennis") / "domain.py").read_text().rstrip("\n")
    hook = "\n    def report_section(self, videos):\n        return None\n"
    missing = 119 - len((source + hook).splitlines())
    assert failed(write_plugin("tennis", source=source + hook + "\n" * missing)) == {}
    folder = write_plugin("tennis", source=source + hook + "\n" * (missing + 1))
    assert failed(folder)["size"].startswith("domain.py has 120 lines; keep it under 120")


def test_a_rule_without_event_type_is_flagged(write_plugin):
    folder = write_plugin("tennis")
    domain = load_plugin(folder)()
    type(domain).rules = {**domain.rules, "ghost": domain.rules["hit"]}
    results = {result.name: result for result in check_domain(domain, folder)}
    assert not results["declaration"].ok
    assert results["rules"].message == "rule 'ghost' belongs to no event type; remove or rename it"
    type(domain).rules = {}
    results = {result.name: result for result in check_domain(domain, folder)}
    assert "'hit' has no rule" in results["rules"].message


def test_readme_and_tests_are_asked_for(write_plugin):
    folder = write_plugin("tennis")
    verdicts = {r.name: r for r in check_domain(load_plugin(folder)(), folder)}
    assert "README.md cannot be read" in verdicts["readme"].message
    assert not verdicts["tests"].ok
    (folder / "README.md").write_text("# Tennis\nNothing about events.\n")
    verdicts = {r.name: r for r in check_domain(load_plugin(folder)(), folder)}
    assert "does not explain 'hit'" in verdicts["readme"].message


def test_the_readme_explains_attributes_too(write_plugin):
    folder = write_plugin(
        "tennis",
        event_types='(EventType("hit", guide="First frame.", attributes=(__import__("prismata")'
        '.Attribute("hand", "choice", ("left", "right")),)),)',
    )
    (folder / "README.md").write_text("# Tennis\n`hit` is a hit.\n")
    verdicts = {r.name: r for r in check_domain(load_plugin(folder)(), folder)}
    assert verdicts["declaration"].ok
    assert "does not explain attribute 'hand'" in verdicts["readme"].message
    (folder / "README.md").write_text("# Tennis\n`hit` is a hit with one `hand`.\n")
    verdicts = {r.name: r for r in check_domain(load_plugin(folder)(), folder)}
    assert verdicts["readme"].ok


@pytest.mark.parametrize(
    "event_types",
    [
        (),
        (
            EventType(
                "serve",
                attributes=(
                    Attribute("hand", "choice", ("left", "right"), title="Which hand"),
                    Attribute("speed", "number", guide="In km/h."),
                ),
            ),
        ),
        (EventType("serve", "segment"), EventType("contact", hotkey="1", title="Ball contact")),
        (
            EventType(
                "a", guide="A sentence that is so long " + 3 * "that it has to wrap " + "now."
            ),
        ),
        tuple(EventType(f"kind_{index}") for index in range(40)),
        (
            EventType("rest", "segment", min_seconds=0.5, max_seconds=60),
            EventType("jump", tolerance_seconds=0.25),
        ),
    ],
)
def test_a_new_domain_passes_every_check(tmp_path, event_types):
    files = create_domain(tmp_path / "plugins", "tennis_serve", event_types)
    folder = tmp_path / "plugins" / "tennis_serve"
    assert files == [
        folder / "domain.py", folder / "README.md", folder / "scene.py",
        folder / "tests" / "test_tennis_serve.py",
    ]  # fmt: skip
    (domain,) = DomainRegistry.discover([folder.parent], entry_points=False).domains
    assert [r.message for r in check_domain(domain, folder) if not r.ok] == []
    wanted = [item.name for item in event_types] or ["tennis_serve"]
    assert list(domain.event_names) == wanted
    declared = [item.attributes for item in domain.event_types]
    assert declared == [item.attributes for item in event_types] or not event_types
    bounds = [(i.min_seconds, i.max_seconds, i.tolerance_seconds) for i in domain.event_types]
    wanted = [(i.min_seconds, i.max_seconds, i.tolerance_seconds) for i in event_types]
    assert bounds == wanted or not event_types
    assert [item.name for item in folder.parent.iterdir()] == ["tennis_serve"]


def test_a_new_domain_is_clean_code_and_its_tests_pass(tmp_path):
    folder = tmp_path / "domains"
    create_domain(folder, "tennis_serve", [EventType("serve", "segment"), EventType("contact")])
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copy(ROOT / "domains" / "ruff.toml", folder)
    (tmp_path / "src").mkdir()  # imports are sorted by what lies there
    (tmp_path / "src" / "prismata").symlink_to(Path(prismata.__file__).parent)
    for command in (["check"], ["format", "--check"]):
        argv = [sys.executable, "-m", "ruff", *command, "--no-cache", "domains"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "domains"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    promises = sum(name.startswith("test_") for name in vars(SceneContract))
    assert f"{len(CHECK_NAMES) + promises} passed" in done.stdout, done.stdout + done.stderr


def test_a_window_is_as_long_as_it_is_said(tmp_path):
    create_domain(tmp_path, "chess", window_seconds=4)
    clip = load_plugin(tmp_path / "chess").clip
    assert (clip.num_frames, clip.target_fps) == (8, 2)
    with pytest.raises(InvalidInputError, match=r"a window lasts 0\.1 to 60 seconds, not 0"):
        create_domain(tmp_path, "poker", window_seconds=0)


def test_an_existing_folder_is_never_touched(tmp_path):
    (tmp_path / "tennis").mkdir()
    with pytest.raises(ConflictError, match="exists already, nothing was written"):
        create_domain(tmp_path, "tennis")
    assert list((tmp_path / "tennis").iterdir()) == []
    assert [item.name for item in tmp_path.iterdir()] == ["tennis"]


@pytest.mark.parametrize(
    ("name", "event_types", "title", "message"),
    [
        ("Tennis", [], "", "cannot be used as a name"),
        ("../tennis", [], "", "cannot be used as a name"),
        ("tennis", [EventType("hit"), EventType("hit")], "", "not all different"),
        ("tennis", [EventType("hit", hotkey="k")], "", "belongs to the player"),
        ("tennis", [EventType("a", hotkey="x"), EventType("b", hotkey="X")], "", "used twice"),
        ("tennis", [], 'The "best"', "without quotes"),
    ],
)
def test_what_cannot_become_a_plugin_is_refused_and_nothing_is_left(
    tmp_path, name, event_types, title, message
):
    with pytest.raises(InvalidInputError, match=message):
        create_domain(tmp_path / "plugins", name, event_types, title=title)
    assert list(tmp_path.iterdir()) == []


def test_event_types_are_spelled_name_kind_hotkey():
    assert parse_event_type("serve") == EventType("serve")
    assert parse_event_type("rally:segment") == EventType("rally", "segment")
    assert parse_event_type("rally:segment:r") == EventType("rally", "segment", hotkey="r")
    for text in ("rally:sometimes", "rally:segment:r:x", "", "rally:segment:rr"):
        with pytest.raises(InvalidInputError):
            parse_event_type(text)


def test_the_fence_bans_every_room_but_domains():
    config = tomllib.loads((ROOT / "domains" / "ruff.toml").read_text())
    banned = set(config["lint"]["flake8-tidy-imports"]["banned-api"])
    house = Path(prismata.__file__).parent
    modules = [item for item in house.iterdir() if item.is_dir() or item.suffix == ".py"]
    rooms = {item.stem for item in modules if not item.name.startswith(("_", "."))}
    missing = {f"prismata.{room}" for room in rooms - {"domains"}} - banned
    assert missing == set()


def test_the_fence_holds_for_domain_py_and_is_open_for_model_py(tmp_path):
    argv = [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251",
            "--output-format", "concise", "--stdin-filename"]  # fmt: skip
    source = (
        "import torch\nfrom prismata.media import reader\nfrom prismata.domains import Domain\n"
    )
    reports = {}
    for name in ("domain.py", "model.py"):
        done = subprocess.run(
            [*argv, str(ROOT / "domains" / "tennis" / name), "-"],
            input=source, capture_output=True, text=True, timeout=60, cwd=ROOT,
        )  # fmt: skip
        reports[name] = done.stdout.count("TID251")
    assert reports == {"domain.py": 2, "model.py": 0}
