"""Servers of one test's own that may be killed, restarted and emptied: PostgreSQL and Redis.

Each listens on a free loopback port, keeps its files in a temporary folder and is gone with it, so
nothing that others use on the machine is ever touched.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from prismata.core.errors import UnavailableError

_START_SECONDS = 30.0
_POSTGRES_USER = "postgres"


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PrivatePostgres:
    """A PostgreSQL server with one empty database; runs while the context lasts.

    Raises:
        UnavailableError: If its programs, or as root its user, are not on this machine.
    """

    def __init__(self) -> None:
        self._initdb, self._pg_ctl = (_postgres_program(name) for name in ("initdb", "pg_ctl"))
        self._as_user: tuple[str, ...] = ()
        self._folder = Path(tempfile.mkdtemp(prefix="prismata-postgres-"))
        if os.geteuid() == 0:  # it refuses to run as root
            try:
                shutil.chown(self._folder, _POSTGRES_USER)
            except LookupError as error:
                self._folder.rmdir()
                raise UnavailableError(
                    f"PostgreSQL does not run as root, and there is no user {_POSTGRES_USER} here; "
                    "install Debian's package postgresql, or run this as another user"
                ) from error
            self._as_user = ("runuser", "-u", _POSTGRES_USER, "--")
        self.port = free_port()
        self._runs = False

    @property
    def url(self) -> str:
        """Address of its one database."""
        return f"postgresql://{_POSTGRES_USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1"
        self._run(self._pg_ctl, "-w", "-o", options, "-l", str(self._folder / "log"), "start")
        self._runs = True

    def stop(self) -> None:
        """Stop it as in a power cut: nothing is written any more."""
        self._run(self._pg_ctl, "-m", "immediate", "stop")
        self._runs = False

    def __enter__(self) -> Self:
        try:
            self._run(self._initdb, "-A", "trust", "-U", _POSTGRES_USER, "-N")
            self.start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runs:
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_user, program, "-D", str(self._folder / "data"), *arguments]
        # Its own output to nowhere: a server that is started keeps it open.
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


class PrivateRedis:
    """A Redis server that keeps nothing on disk; runs while the context lasts.

    Raises:
        UnavailableError: If the program is not on this machine.
    """

    def __init__(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise UnavailableError("redis-server is not installed here; Debian's package is redis")
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="prismata-redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """Address of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = ["--port", str(self.port), "--save", "", "--appendonly", "no"]
        command = [self._program, *options, "--bind", "127.0.0.1", "--dir", str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise UnavailableError("redis-server did not start; try it by hand")
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill it: what was in it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def flush(self) -> None:
        """Empty it, as FLUSHALL does, while everybody stays connected."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            answer = connection.recv(64)
        if answer != b"+OK\r\n":
            raise UnavailableError(f"redis-server would not be emptied: {answer!r}")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _postgres_program(name: str) -> str:
    """Return where a program of the server is; Debian keeps them out of everybody's path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which(name, path=os.pathsep.join(map(str, folders))) or shutil.which(name)
    if found is None:
        raise UnavailableError(
            f"PostgreSQL's program {name} is not installed here; Debian's package is postgresql"
        )
    return found
