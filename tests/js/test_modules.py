"""The browser modules: their own tests run under Node, and their types are checked by tsc.

Running Prismata needs no Node; these two tests are skipped where it is missing.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ASSETS = HERE.parents[1] / "src/prismata/ui/label_station/assets"
OLDEST_NODE = (20, 19)
"""The first that takes a `.js` file with `import` in it for a module without being told."""

pytestmark = pytest.mark.node


@pytest.fixture(scope="session")
def node():
    """The program `node`."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("node is not installed; it is needed for the tests of the browser modules")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found = re.match(r"v(\d+)\.(\d+)", said.stdout)
    if found is None or tuple(map(int, found.groups())) < OLDEST_NODE:
        wanted = ".".join(map(str, OLDEST_NODE))
        pytest.skip(f"node {wanted} or newer is needed, this is {said.stdout.strip()}")
    return program


def test_the_tests_of_the_browser_modules_pass(node):
    files = sorted(path.name for path in HERE.glob("*.test.js"))
    assert files
    done = run([node, "--test", "--test-reporter=tap", *files])
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"^# pass (\d+)$", done.stdout, re.MULTILINE)
    assert passed is not None, done.stdout
    assert int(passed[1]) >= len(files), done.stdout


def test_the_types_of_the_browser_modules_are_right(node):
    tsc = HERE / "node_modules/typescript/bin/tsc"
    if not tsc.is_file():
        pytest.skip("TypeScript is not installed; `make test` installs it, or `npm ci` in tests/js")
    done = run([node, str(tsc), "-p", "."])
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_browser_module_is_too_long_to_read():
    lengths = {
        path.relative_to(ASSETS).as_posix(): len(path.read_text("utf-8").splitlines())
        for path in ASSETS.rglob("*.js")
    }
    assert lengths
    assert {name: count for name, count in lengths.items() if count > 500} == {}


def run(command):
    return subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
