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
    told = run("01_label_train_review.ipynb")
    assert told["decisions"]
    assert {item.reviewer for item in told["decisions"]} == {"you"}
    assert told["after"] > told["before"]
    assert told["after"] > 0.9


def test_a_new_domain_is_trained_measured_and_run_without_us(tmp_path, monkeypatch):
    """Notebooks 02 to 04 follow each other in one folder, so that one model is enough."""
    monkeypatch.chdir(tmp_path)
    made = run("02_a_new_domain.ipynb")
    assert made["model"].name == "lamps"
    assert "domain.py, line 14: SyntaxError" in made["failure"].sentence
    assert (made["points"] + made["segments"]) / 2 > 0.5, "by chance it is 0.1"

    measured = run("03_evaluation_and_thresholds.ipynb")
    at = measured["events_at"]
    low, high = (sum(len(at(name, t)) for name in measured["by_name"]) for t in (0.05, 1.0))
    assert low > high, "a higher threshold shows less"
    assert 0 < measured["choice"].f1 <= 1
    assert (tmp_path / "notebook-data" / "report.html").stat().st_size > 10_000

    alone = run("04_a_bundle_in_your_own_code.ipynb")
    assert alone["mine"].shape == alone["theirs"].scores.shape
    assert alone["mine"].max() > 0.5


def test_the_code_that_runs_a_bundle_alone_imports_nothing_of_ours():
    notebook = json.loads((NOTEBOOKS / "04_a_bundle_in_your_own_code.ipynb").read_text("utf-8"))
    (cell,) = [cell for cell in notebook["cells"] if "def scores_of" in "".join(cell["source"])]
    imports = {line.split()[1] for line in cell["source"] if line.startswith(("import", "from"))}
    assert imports == {"json", "numpy", "onnxruntime"}
    assert len(cell["source"]) <= 40


def test_notebooks_are_stored_without_what_they_printed():
    for path in NOTEBOOKS.glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        assert not any(cell.get("outputs") for cell in cells), path.name
