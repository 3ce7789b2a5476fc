"""What a door opens stays small: each entry point, imported in an interpreter of its own."""

import importlib.util
import json
import subprocess
import sys

import pytest

LARGE = {"torch", "torchvision", "streamlit", "boto3"}
CATALOG_AND_TABLES = {"sqlalchemy", "sklearn", "pandas"}
VIDEO = {"av", "cv2", "decord"}

STAYS_OUT = {
    "prismata": LARGE | CATALOG_AND_TABLES | VIDEO | {"numpy"},
    "prismata.core": LARGE | CATALOG_AND_TABLES | VIDEO,
    "prismata.domains": LARGE | CATALOG_AND_TABLES | VIDEO,
    "prismata.catalog": LARGE | {"alembic"},
    "prismata.cli.main": LARGE,
    "prismata.detection": LARGE | CATALOG_AND_TABLES,
    "prismata.detection.__main__": LARGE | CATALOG_AND_TABLES,
    "prismata.jobs": LARGE | VIDEO | {"sklearn", "pandas"},
    "prismata.media": LARGE,
    "prismata.services": LARGE,
    "prismata.storage": LARGE,
    "prismata.wiring": LARGE | {"alembic"},
}


def modules_after(import_name):
    """Import one module in a fresh interpreter; return every top-level module it loaded."""
    program = f"import json, sys, {import_name}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name.split(".")[0] for name in json.loads(done.stdout)}


@pytest.mark.parametrize("entry", sorted(STAYS_OUT))
def test_importing_an_entry_point_leaves_the_large_libraries_outside(entry):
    assert not modules_after(entry) & STAYS_OUT[entry]


@pytest.mark.torch
def test_the_probe_sees_torch_where_torch_is_used():
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed, so nothing can load it")
    assert "torch" in modules_after("torch.nn")
