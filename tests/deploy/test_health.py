"""The health check of the images, beside a real worker and a stand-in for the app."""

import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from prismata.catalog import open_catalog
from prismata.core.jobs import ResourceClass
from prismata.core.processes import NOBODY

HEALTH = Path(__file__).resolve().parents[2] / "docker/health.py"


def check(what, **environment):
    return subprocess.run(
        [sys.executable, str(HEALTH), what],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(("status", "expected"), [(200, 0), (503, 1)])
def test_an_app_is_well_when_it_says_so(status, expected):
    class App(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/api/health" else 404)
            self.end_headers()
            self.wfile.write(b'{"state": "as it is"}')

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    done = check("app", PRISMATA_PORT=str(server.server_address[1]))
    server.shutdown()
    server.server_close()
    assert (done.returncode, done.stdout) == (expected, '{"state": "as it is"}')


def test_an_app_that_cannot_be_reached_is_not_well():
    done = check("app", PRISMATA_PORT="9")
    assert done.returncode == 1
    assert "ConnectionRefusedError" in done.stdout


def test_a_worker_is_well_while_it_says_that_it_is_there(tmp_path):
    if shutil.which("prismata", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("the prismata command is not beside this Python")
    environment = {
        "PRISMATA_DATA_DIR": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    slots = {ResourceClass.CPU: 1}
    with open_catalog(f"sqlite:///{tmp_path / 'prismata.db'}") as catalog:
        catalog.workers.add("another-host:7", NOBODY, slots, version="")
        elsewhere = check("worker", **environment)
        catalog.workers.add(f"{socket.gethostname()}:7", NOBODY, slots, version="")
        here = check("worker", **environment)
    assert (elsewhere.returncode, elsewhere.stdout) == (1, "workers seen: another-host:7\n")
    assert here.returncode == 0
