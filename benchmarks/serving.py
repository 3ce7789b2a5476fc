"""The whole workbench in a process of its own, for benchmarks that talk to it.

The same application that `prismata serve` runs, but with a secret that the benchmark knows, so that
it can sign permissions as the pages do. Not a benchmark itself.

    with ServedWorkbench(data_dir) as served:
        token = served.token("video", video_id)
        httpx.get(f"{served.url}/api/video/{video_id}", params={"token": token})
"""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import httpx

from prismata.services.access import Scope, mint_token

DOMAINS = Path(__file__).resolve().parents[1] / "domains"
START_SECONDS = 60


class ServedWorkbench:
    """A running workbench; killed at the end.

    Args:
        data_dir: Its data folder.
        database_url: Address of the catalog; empty for SQLite in the data folder.
        port: Where it listens; 0 for a free one, which stays the same over restarts.
    """

    def __init__(self, data_dir: Path, *, database_url: str = "", port: int = 0) -> None:
        self.data_dir = data_dir
        self.secret = secrets.token_bytes(32)
        self.port = port or _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = dict(os.environ, PRISMATA_DATA_DIR=str(data_dir))
        self._environment.setdefault("PRISMATA_DOMAINS_DIRS", str(DOMAINS))
        if database_url:
            self._environment["PRISMATA_DATABASE_URL"] = database_url
        self._log = data_dir / "server.log"
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, __file__, str(self.port), self.secret.hex()]
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("a") as log:
            self.process = subprocess.Popen(
                command, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if httpx.get(f"{self.url}/api/health", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise SystemExit(f"the server did not start:\n{self._log.read_text()}")

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.wait()

    def token(self, scope: Scope, subject: str) -> str:
        """Return a permission, signed as the pages sign theirs."""
        return mint_token(self.secret, scope, subject)

    @property
    def rss_mb(self) -> float:
        """Resident memory of the server process, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.kill()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Serve until killed."""
    import uvicorn

    from prismata.api import create_routes, hide_query_strings
    from prismata.cli.serve import WEBSOCKET_MAX_BYTES
    from prismata.settings import load_settings
    from prismata.ui import create_app
    from prismata.wiring import open_workbench

    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("secret")
    arguments = parser.parse_args()
    secret = bytes.fromhex(arguments.secret)
    with open_workbench(load_settings()) as bench:
        app = create_app(bench, secret, create_routes(bench, secret))
        hide_query_strings()
        uvicorn.run(
            app,
            host="127.0.0.1",
            port=arguments.port,
            log_level="warning",
            ws_max_size=WEBSOCKET_MAX_BYTES,
        )


if __name__ == "__main__":
    main()
