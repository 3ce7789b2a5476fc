"""The house stands: imports go down, files stay small, the tools are content."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE = 500
VAGUE_NAMES = {"common", "helper", "helpers", "misc", "util", "utilities", "utils"}
OURS = ("src", "tests", "domains", "benchmarks", "docs")


def python_files():
    found = [path for folder in OURS for path in (ROOT / folder).rglob("*.py")]
    assert len(found) > 20, "this test looks in the wrong place"
    return found


def tool(*command):
    """Run a tool of this environment at the project's root; return its code and what it says."""
    program = Path(sys.executable).with_name(command[0])
    assert program.exists(), f"{command[0]} is not installed; run: pip install -e '.[dev]'"
    done = subprocess.run(
        [program, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("lint-imports", "--no-cache"),
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy",),
    ],
    ids=["imports only go down", "ruff has no complaint", "code is formatted", "types hold"],
)
def test_the_house_stands(command):
    exit_code, output = tool(*command)
    assert exit_code == 0, output


def test_files_are_short_enough_to_read():
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in python_files()}
    long = {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > LONGEST_FILE}
    assert not long, f"longer than {LONGEST_FILE} lines; two ideas live in one file"


def test_every_name_says_what_is_inside():
    parts = {
        str(path.relative_to(ROOT))
        for path in python_files()
        for part in path.relative_to(ROOT).with_suffix("").parts
        if VAGUE_NAMES & set(part.lower().split("_"))
    }
    assert not parts, "name it after what it does"


def test_every_room_says_what_it_is_for():
    silent = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "src/prismata").glob("*/__init__.py")
        if not path.read_text("utf-8").startswith('"""')
    ]
    assert not silent


def test_every_decision_has_a_number_and_a_status():
    pages = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    assert pages, "there are no decisions in docs/adr"
    numbers = [page.name[:4] for page in pages]
    assert all(re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", page.name) for page in pages), pages
    assert len(numbers) == len(set(numbers)), f"two decisions have one number: {numbers}"
    undecided = [
        page.name
        for page in pages
        if not re.search(
            r"^(\*\*)?Status(:\*\*|\*\*:|:) *\w+", page.read_text("utf-8"), re.MULTILINE
        )
    ]
    assert not undecided, "write a line `Status: accepted (date)`"


def test_no_page_knows_the_machine_it_was_written_on():
    suffixes = {".cfg", ".css", ".html", ".ipynb", ".js", ".json", ".md", ".py", ".toml", ".yml"}
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout, so nobody knows which files belong to the project")
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    telling = [
        str(path.relative_to(ROOT))
        for path in paths
        if path.suffix in suffixes and path.is_file() and str(ROOT) in path.read_text("utf-8")
    ]
    assert not telling, f"these files contain {ROOT}"
