"""A workbench and workers as a team runs them, each in a process of its own, on one machine.

PostgreSQL, Redis (as Celery's broker), an S3 and a metadata service for each worker are the fleet's
own, so that all of it may be killed. Each process has a folder of its own, as machines have: what
they share lies in the catalog and in S3.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from prismata.core.errors import UnavailableError
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.testing.children import halt_descendant
from prismata.testing.private_servers import PrivatePostgres, PrivateRedis, free_port
from prismata.testing.s3_server import TEST_CREDENTIALS, LocalS3Server
from prismata.testing.spot_metadata import SpotMetadata
from prismata.wiring import open_workbench

Found = TypeVar("Found")

_PATIENCE_SECONDS = 300.0
_STOP_SECONDS = 60.0
_BEGINNING_SECONDS = 0.4
"""Of processor time: a detection child has then hardly imported what it needs."""


@dataclass(frozen=True, slots=True)
class FleetWorker:
    """One `prismata worker`."""

    process: subprocess.Popen[bytes]
    metadata: SpotMetadata
    """What its machine tells it."""
    folder: Path
    """Its data folder; its log lies beside it, with the ending `.log`."""


class Fleet:
    """Servers and processes while the context lasts; `bench` is a workbench that only asks.

    Args:
        folder: Where everybody's files go.
        plugins: Folder of domain plugins.
        environment: What processes inherit; the test's credentials of S3 are added. The caller's
            own process needs them too, see `TEST_CREDENTIALS`.
        settings: Of all of them, beside what makes them a fleet.

    Raises:
        UnavailableError: If PostgreSQL or Redis are not on this machine.
    """

    def __init__(
        self, folder: Path, plugins: Path, environment: Mapping[str, str], **settings: str
    ) -> None:
        self.folder = folder
        self.postgres = PrivatePostgres()
        self.redis = PrivateRedis()
        self.s3 = LocalS3Server()
        self.workers: list[FleetWorker] = []
        self.bench: Workbench
        """Set while the context lasts."""
        self._plugins = plugins
        self._environment = {**environment, **TEST_CREDENTIALS}
        self._stack = ExitStack()
        self._started = 0
        self._shared = settings

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.postgres)
            stack.enter_context(self.redis)
            stack.enter_context(self.s3.running())
            self._shared = self._shared | {
                "database_url": self.postgres.url,
                "broker_url": self.redis.url,
                "dispatcher": "celery",
                "storage_backend": "s3",
                "s3_bucket": self.s3.make_bucket(),
                "s3_endpoint_url": self.s3.endpoint_url,
                "domains_dirs": str(self._plugins),
                "feature_cache_gb": "0",
                "detect_threads": "1",
                "user": "fleet",
            }
            asker = Settings(data_dir=self.folder / "asker", **self._shared)  # type: ignore[arg-type]
            self.bench = stack.enter_context(open_workbench(asker))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def start_app(self) -> str:
        """Start `prismata serve`, wait until it answers, and return its address."""
        port = free_port()
        self._start("app", ["serve", "--port", str(port)], {})
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: health(address) == 200, "the app answers")
        return address

    def start_worker(self, *options: str) -> FleetWorker:
        """Start `prismata worker` on a spot machine of its own; `wait_for_workers` waits for it."""
        metadata = self._stack.enter_context(SpotMetadata())
        spot = {"spot": "aws", "spot_metadata_url": metadata.url}
        name = f"worker-{self._started}"
        process = self._start(name, ["worker", *options], spot)
        worker = FleetWorker(process, metadata, self.folder / name)
        self.workers.append(worker)
        return worker

    def wait_for_workers(self, count: int) -> None:
        """Wait until so many say in the catalog that they take jobs."""

        def there() -> bool:
            seen = self.bench.catalog.workers.list(seen_within_seconds=10)
            return sum(not worker.draining for worker in seen) >= count

        wait_for(there, f"{count} workers are there")

    def halt_detection(self) -> tuple[FleetWorker, int]:
        """Wait until a worker begins to detect, and halt its child there; return both."""

        def halted() -> tuple[FleetWorker, int] | None:
            for worker in self.workers:
                if child := halt_descendant(worker.process.pid, "prismata.detection"):
                    if cpu_seconds(child) < _BEGINNING_SECONDS:
                        return worker, child
                    os.kill(child, signal.SIGCONT)  # it may be about to end
            return None

        return wait_for(halted, "a worker detects", every=0.01)

    def stop_workers(self) -> None:
        """Tell all workers to stop, and wait for them."""
        for worker in self.workers:
            worker.process.send_signal(signal.SIGTERM)
        for worker in self.workers:
            worker.process.wait(_STOP_SECONDS)
        self.workers.clear()

    def _start(
        self, name: str, arguments: Sequence[str], settings: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        self._started += 1
        told = {**self._shared, **settings, "data_dir": str(self.folder / name)}
        environment = self._environment | {
            f"PRISMATA_{key.upper()}": value for key, value in told.items()
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "prismata", *arguments],
                env=environment,
                stdout=log,
                stderr=log,
            )
        self._stack.callback(_end, process)
        return process


def health(address: str) -> int:
    """Return the status of the app's health route; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"{address}/api/health", timeout=30) as answer:  # noqa: S310 - ours
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def cpu_seconds(pid: int) -> float:
    """Return processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(
    condition: Callable[[], Found | None],
    what: str,
    seconds: float = _PATIENCE_SECONDS,
    every: float = 0.05,
) -> Found:
    """Wait for something that holds, over a catalog that is away for a while; return it.

    Raises:
        AssertionError: If it does not happen in time; names `what`.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            if found := condition():
                return found
        except UnavailableError:
            pass
        if time.monotonic() > deadline:
            raise AssertionError(f"it never happened: {what}")
        time.sleep(every)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
