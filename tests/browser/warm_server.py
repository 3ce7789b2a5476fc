"""A process that has imported what a workbench needs, and forks one whenever it is asked to.

A start of `prismata serve` is mostly imports, more than a second of them on a slow machine; a fork
takes milliseconds. What is forked runs the same command with the same arguments, with an
environment of its own and no thread of anybody else.

Each line of standard input is a request as JSON: `arguments` (those of `prismata`), `environment`
(all of it) and `log` (the file that gets its output). The answer is a line with the process id.
"""

import json
import os
import signal
import sys

import alembic.command
import pandas as pd
import pyarrow as pa
import uvicorn

import prismata.api
import prismata.catalog
import prismata.cli.serve
import prismata.formats
import prismata.services.labels
import prismata.ui
from prismata.cli.main import run_command

IMPORTED = (alembic.command, pd, pa, uvicorn, prismata)


def main():
    # Nobody here waits for what was forked, so it must not stay as a zombie.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            become(request)
            code = run_command(request["arguments"])
            # The interpreter would spend a second on taking itself apart.
            sys.stdout.flush()
            os._exit(code)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def become(request):
    """Turn into the process that was asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(old, new)
    os.environ.clear()
    os.environ.update(request["environment"])


main()
