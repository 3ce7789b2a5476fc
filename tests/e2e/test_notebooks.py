"""The notebooks run from the first cell to the last, and show what they promise."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"

pytestmark = pytest.mark.torch


def run(name):
    """Run the cells of a notebook in one namespace and return it."""
    namespace = {"__name__": "notebook"}
    for cell in json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            exec(compile(source, f"{name}:{cell['id']}", "exec"), namespace)  # noqa: S102
    return namespace


def test_reviewing_what_a_first_model_found_makes_a_better_second_one():
    told = run("label_train_review.ipynb")
    assert told["decisions"]
    assert {item.reviewer for item in told["decisions"]} == {"you"}
    assert told["after"] >= told["before"]
    assert told["after"] > 0.9


def test_notebooks_are_stored_without_what_they_printed():
    for path in NOTEBOOKS.glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert not any(cell.get("outputs") for cell in cells), path.name
