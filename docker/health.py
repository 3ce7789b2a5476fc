"""Is the program in this container well? `python health.py app` or `worker`; exit code 0 = yes.

An app is well when its own health route says so. A worker is well when it wrote into the catalog
lately that it is there; that its process exists says nothing.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys

_APP_SECONDS = 8
_WORKER_SECONDS = 25


def is_app_well() -> bool:
    """Ask the health route of the app on this machine."""
    port = int(os.environ.get("PRISMATA_PORT", "8501"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_APP_SECONDS)
    try:
        connection.request("GET", "/api/health")
        answer = connection.getresponse()
        sys.stdout.write(answer.read().decode())
    finally:
        connection.close()
    return answer.status == 200


def is_worker_well() -> bool:
    """Look whether a worker of this host was seen within the last half minute."""
    asked = subprocess.run(
        ["prismata", "jobs", "workers", "--json"],
        capture_output=True,
        text=True,
        timeout=_WORKER_SECONDS,
        check=True,
    )
    names = [worker["name"] for worker in json.loads(asked.stdout)]
    sys.stdout.write(f"workers seen: {', '.join(names) or 'none'}\n")
    return any(name.rpartition(":")[0] == socket.gethostname() for name in names)


def main(arguments: list[str]) -> int:
    """Return the exit code that a container engine wants: 0 or 1."""
    checks = {"app": is_app_well, "worker": is_worker_well}
    try:
        return 0 if checks[arguments[0]]() else 1
    except (OSError, ValueError, subprocess.SubprocessError, http.client.HTTPException) as error:
        sys.stdout.write(f"{type(error).__name__}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
