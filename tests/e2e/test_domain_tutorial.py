"""The tutorial for authors of domains, followed to the letter.

Every fenced block of `domains/README.md` that is marked `bash` or `python` is done, in order, in an
empty folder: a `python` block is the file that its first line names.
"""

import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed: nothing can be trained")

from prismata.cli.main import run_command
from prismata.domains import DomainRegistry

TUTORIAL = Path(__file__).resolve().parents[2] / "domains" / "README.md"
SERVE_SECONDS = 120
LEAST_MEAN_PRECISION = 0.5
"""Of points and segments, on a video that the model has never seen; by chance it is 0.1."""

pytestmark = pytest.mark.torch


def blocks():
    found = re.findall(r"^```(\w*)\n(.*?)^```$", TUTORIAL.read_text("utf-8"), re.DOTALL | re.M)
    assert {language for language, _ in found} == {"bash", "python"}, "what is a block to be run?"
    return found


class Reader:
    """Somebody who does what the page says, and keeps what was printed."""

    def __init__(self, capsys, port):
        self.said = {}
        self._capsys = capsys
        self._port = port

    def follow(self, language, text):
        if language == "python":
            name = text.splitlines()[0].removeprefix("# ")
            Path(name).write_text(text.partition("\n")[2])
            return
        for line in text.splitlines():
            self.said[line] = self._run(line)

    def _run(self, line):
        if line == "prismata serve":
            return self._serve()
        if not line.startswith("prismata "):
            return self._shell(line)
        self._capsys.readouterr()
        code = run_command(shlex.split(line)[1:])
        captured = self._capsys.readouterr()
        assert code == 0, f"{line}\n{captured.out}\n{captured.err}"
        return captured.out + captured.err

    def _shell(self, line):
        # `pip` is the one of this interpreter.
        command = re.sub(r"^pip\b", f"{shlex.quote(sys.executable)} -m pip", line)
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _serve(self):
        """Open the workbench, see that it answers, and end it as Ctrl-C does."""
        with subprocess.Popen([sys.executable, "-m", "prismata", "serve"]) as process:
            try:
                return self._answer(process)
            finally:
                process.send_signal(2)

    def _answer(self, process):
        address = f"http://127.0.0.1:{self._port}/"
        end = time.monotonic() + SERVE_SECONDS
        while time.monotonic() < end and process.poll() is None:
            try:
                with urllib.request.urlopen(address, timeout=10) as page:
                    return page.read().decode()
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the workbench does not answer")


@pytest.fixture
def reader(tmp_path, monkeypatch, capsys):
    """An empty folder, and settings as they are by default but for port, name and threads."""
    monkeypatch.chdir(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"PRISMATA_PORT": port, "PRISMATA_USER": "ada", "PRISMATA_DETECT_THREADS": 1}
    # pip is to build with what is here: nothing is fetched in a test.
    settings |= {"PIP_NO_INDEX": 1, "PIP_NO_BUILD_ISOLATION": 0, "COLUMNS": 160}
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    DomainRegistry.clear()
    return Reader(capsys, port)


def test_the_tutorial_leads_from_nothing_to_a_model_that_finds_events(reader, capsys):
    for language, text in blocks():
        reader.follow(language, text)
    said = reader.said
    assert "FAIL" not in said["prismata domains check tennis_serve"]
    assert "streamlit" in said["prismata serve"].lower()
    stored = said["prismata labels import videos/labels.csv --domain tennis_serve --apply"]
    assert int(re.search(r"(\d+) labels stored", stored)[1]) >= 20
    found = said["prismata detect new/tennis_serve-0077.mp4 --model first"]
    assert int(re.search(r"(\d+) events", found)[1]) >= 2
    measured = said["prismata evaluate first --video tennis_serve-0077.mp4"]
    means = [float(item) for item in re.findall(r"mAP \w+ (\d\.\d+)", measured)]
    assert len(means) == 2
    assert sum(means) / 2 >= LEAST_MEAN_PRECISION, measured
    moved = said["prismata labels migrate tennis_serve --rename contact=hit --apply"]
    assert int(re.search(r"(\d+) labels changed", moved)[1]) >= 8
    (wheel,) = Path("wheels").iterdir()
    assert wheel.name == "prismata_domain_tennis_serve-1.0-py3-none-any.whl"
