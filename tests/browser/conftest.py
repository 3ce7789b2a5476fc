"""The whole program as a person gets it: `prismata serve` in a process, a browser before it."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from player_page import PlayerPage

from prismata.core.events import Event
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.testing.synth import render_flashes

CHROMIUM = Path("/usr/bin/chromium")
WAIT_MS = 30_000


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


class ForkedProcess:
    """What a server is watched by that is not our child; named as in `subprocess.Popen`."""

    def __init__(self, pid):
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    def poll(self):
        """None while it runs; how it ended only its parent knows."""
        return 0 if self._has_ended(0) else None

    def wait(self, timeout):
        if not self._has_ended(timeout):
            raise subprocess.TimeoutExpired("prismata serve", timeout)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number):
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def close(self):
        os.close(self._handle)

    def _has_ended(self, seconds):
        return bool(select.select([self._handle], [], [], seconds)[0])


class WarmServer:
    """A process with everything imported, which becomes a running workbench in no time."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("warm_server.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._made = []

    def launch(self, arguments, environment, log):
        request = {"arguments": arguments, "environment": environment, "log": str(log)}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        self._made.append(ForkedProcess(int(self._process.stdout.readline())))
        return self._made[-1]

    def close(self):
        for process in self._made:
            process.close()
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)


def launch_by_command(arguments, environment, log):
    """Start a workbench as people do."""
    with log.open("a") as target:
        return subprocess.Popen(
            [sys.executable, "-m", "prismata", *arguments],
            env=environment,
            stdout=target,
            stderr=subprocess.STDOUT,
        )


class Server:
    """A running workbench."""

    def __init__(self, settings, log, launch):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        if os.environ.get("PRISMATA_LOGIN") == "oidc":
            os.environ["PRISMATA_PUBLIC_URL"] = self.url
        self.environment = dict(
            os.environ,
            PRISMATA_DATA_DIR=str(settings.data_dir),
            PRISMATA_DOMAINS_DIRS=settings.domains_dirs,
            PRISMATA_USER="ada",
            PRISMATA_DETECT_THREADS="1",
        )
        self._start(launch)

    def start_again(self):
        """Start it after `kill`, by the command itself, on the same port with the same data."""
        self._start(launch_by_command)

    def _start(self, launch):
        self.process = launch(["serve", "--port", str(self.port)], self.environment, self.log)
        self._wait()

    def kill(self):
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.wait(30)

    def _wait(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            if self._listens() and self.answers():
                return
            time.sleep(0.02)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()}")

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def answers(self):
        try:
            return httpx.get(f"{self.url}/api/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()

    def detection_child(self):
        """The process that detects, as soon as there is one."""
        return self.child("prismata.detection")

    def child(self, module):
        """The process that runs a module of ours, as soon as there is one."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for pid in descendants(self.process.pid):
                words = command_line(pid)
                # The warden between has the child's command behind its own.
                if words[1:3] == ["-m", module]:
                    return pid
            time.sleep(0.005)
        raise AssertionError(f"no child with {module} appeared")


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


def descendants(root):
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = entry.read_text()
        except OSError:
            continue
        parents[int(entry.parent.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {root}
    for _ in range(5):
        found |= {pid for pid, parent in parents.items() if parent in found}
    return found - {root}


@pytest.fixture
def long_video(bench, tmp_path):
    """A minute: long enough to catch its detection in the act."""
    made = render_flashes(tmp_path / "minute.mp4", seconds=60, seed=8, size=(96, 64), fps=20)
    return ingest_file(bench, made.path, domain="flashes").video


@pytest.fixture
def video(bench, flashes):
    stored = ingest_file(bench, flashes.path, domain="flashes").video
    for event in flashes.events:
        add_label(bench, stored, "flashes", Event.point("flash", event.start_us))
    return stored


@pytest.fixture(scope="session")
def warm_server():
    warm = WarmServer()
    yield warm
    warm.close()


@pytest.fixture
def server(bench, settings, tmp_path, warm_server):
    running = Server(settings, tmp_path / "server.log", warm_server.launch)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser():
    if not CHROMIUM.exists():
        pytest.skip(f"there is no browser at {CHROMIUM}")
    if sys.platform != "linux":
        pytest.skip("looks into /proc for the detection child")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture
def site(bench):
    """The player alone on a page, without Streamlit."""
    with PlayerPage(bench) as served:
        yield served


@pytest.fixture
def player_page(browser, site):
    """A page of `site`, with `window.bench` ready."""
    context = browser.new_context(viewport={"width": 800, "height": 600})
    opened = context.new_page()
    opened.set_default_timeout(2 * WAIT_MS)
    opened.goto(site.url)
    opened.wait_for_function("() => window.bench")
    yield opened
    context.close()


@pytest.fixture
def outside():
    """Addresses outside our own server that a page asked for."""
    return []


@pytest.fixture
def page(browser, server, outside):
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    opened = context.new_page()
    opened.set_default_timeout(WAIT_MS)
    own = (server.url, server.url.replace("http", "ws"), "data:", "blob:")
    opened.on(
        "request",
        lambda request: None if request.url.startswith(own) else outside.append(request.url),
    )
    yield opened
    context.close()
