"""Runtimes that report home by themselves are kept from it.

What they do when left alone is not shown by a test, because such a test would report. Take away
what `prismata.detection` and `import_openvino` do against it, and these tests fail.
"""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

# Sockets, files opened for writing and folders made, as far as Python does it; native code is
# seen by what it leaves in the home folder.
PROGRAM = """
import json, os, sys, time
done = []

def watch(event, args):
    if event.startswith("socket.") or event == "os.mkdir":
        done.append([event, str(args)])
    elif event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        done.append([event, str(args[0])])

sys.addaudithook(watch)
import numpy
from pathlib import Path
from prismata.detection.bundle import load_bundle
folder, runtime = sys.argv[1:]
model = load_bundle(Path(folder), runtime=runtime, threads=1)
model.encoder.encode(numpy.zeros((1, 32, 32, 3), numpy.uint8))
assert model.runtime.name == runtime
time.sleep(0.3)  # reports are sent from threads
reporting = sorted(name for name in sys.modules if "telemetry" in name and sys.modules[name])
print(json.dumps([done, reporting]))
"""


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_running_a_model_reports_to_nobody_and_writes_nothing(tmp_path, flash_bundle, runtime):
    if find_spec(runtime) is None:
        pytest.skip(f"{runtime} is not installed")
    home = tmp_path / "home"
    home.mkdir()
    ended = subprocess.run(
        [sys.executable, "-B", "-c", PROGRAM, str(flash_bundle), runtime],
        capture_output=True,
        text=True,
        check=False,
        # Nothing else: continuous integration is a variable that silences some of them.
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
    )
    assert ended.returncode == 0, ended.stderr
    done, reporting = json.loads(ended.stdout.splitlines()[-1])
    assert (done, reporting) == ([], [])
    assert list(home.rglob("*")) == []
