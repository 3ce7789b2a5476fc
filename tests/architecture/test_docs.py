"""The documents say what the code does: names, rooms, settings and links."""

import ast
import re
import runpy
from pathlib import Path

import pytest

from prismata.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def public_names(source):
    """Classes, functions and type aliases of a module: what others may import by name."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    constants = {name for name in names if name.isupper()}
    return {name for name in names - constants - {"logger"} if not name.startswith("_")}


@pytest.mark.parametrize(
    "module", sorted((ROOT / "src/prismata/core").glob("[a-z]*.py")), ids=lambda path: path.stem
)
def test_the_glossary_explains_every_public_name_of_the_core(module):
    names = public_names(module.read_text("utf-8"))
    assert names
    explained = set(re.findall(r"`(\w+)`", (DOCS / "glossary.md").read_text("utf-8")))
    assert sorted(names - explained) == []


def test_the_picture_of_the_house_shows_exactly_the_rooms_there_are():
    table = re.findall(r"^\| `(\w+)/`", (DOCS / "house.md").read_text("utf-8"), re.MULTILINE)
    rooms = [path.parent.name for path in (ROOT / "src/prismata").glob("*/__init__.py")]
    assert sorted(table) == sorted(rooms)


def test_the_settings_page_is_the_one_the_settings_make():
    generate = runpy.run_path(str(DOCS / "generate_settings.py"))
    page = generate["PAGE"].read_text("utf-8")
    assert page == generate["render"](), "run: python docs/generate_settings.py"


def test_every_setting_is_explained():
    page = (DOCS / "settings.md").read_text("utf-8")
    assert Settings.model_fields
    for name, field in Settings.model_fields.items():
        assert field.description, f"{name} has no description"
        assert f"`PRISMATA_{name.upper()}`" in page
        assert field.description.replace("|", "\\|") in page


def markdown_pages():
    pages = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "domains").rglob("*.md")]
    return sorted(pages)


@pytest.mark.parametrize("page", markdown_pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_inside_the_project_leads_somewhere(page):
    links = re.findall(r"\]\((?!\w+:|#)([^)\s#]+)", page.read_text("utf-8"))
    broken = [link for link in links if not (page.parent / link).exists()]
    assert not broken


def test_the_changelog_has_room_for_the_next_change():
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## \[Unreleased\]$", changelog, re.MULTILINE)
