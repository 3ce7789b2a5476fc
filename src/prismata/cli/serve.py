"""`prismata serve`: pages and routes in one process."""

from __future__ import annotations

import secrets
import socket
import threading
import webbrowser
from importlib.util import find_spec
from typing import Annotated

import typer

from prismata.cli.console import announce
from prismata.core.errors import InvalidInputError, UnavailableError
from prismata.services.workbench import Workbench
from prismata.settings import load_settings
from prismata.wiring import open_workbench

NEEDED = ("streamlit", "starlette", "uvicorn")

WEBSOCKET_MAX_BYTES = 32 * 2**20
"""uvicorn's own limit of 16 MB drops a page whose tables are larger."""


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; by default PRISMATA_HOST, this machine only.")
    ] = "",
    port: Annotated[int, typer.Option(help="Port; by default PRISMATA_PORT.", min=0)] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = False,
) -> None:
    """Open the workbench in the browser; ends with Ctrl-C."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UnavailableError(
            f"the workbench in the browser needs {', '.join(missing)}, which is not installed: "
            'pip install "prismata[ui]"'
        )
    settings = load_settings()
    chosen_host, chosen_port = host or settings.host, port or settings.port
    check_port_free(chosen_host, chosen_port)
    with open_workbench(settings) as bench:
        bench.catalog.leases.reap()
        bench.jobs.begin()
        _serve(bench, chosen_host, chosen_port, browser=browser)


def check_port_free(host: str, port: int) -> None:
    """Try to listen there, before anything else is started.

    Raises:
        InvalidInputError: If the address is not ours or somebody listens there already.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InvalidInputError(
                f"the workbench was to listen on {host}:{port}, but that cannot be used "
                f"({error.strerror}); stop what listens there or choose another with --port"
            ) from error


def _serve(bench: Workbench, host: str, port: int, *, browser: bool) -> None:
    # Here and not above: `prismata serve --help` must not load the web stack.
    import uvicorn

    from prismata.api import create_routes, hide_query_strings
    from prismata.ui import create_app

    secret = secrets.token_bytes(32)
    app = create_app(bench, secret, create_routes(bench, secret))
    hide_query_strings()
    address = f"http://{_shown_host(host)}:{port}"
    log_format = bench.settings.log_format
    announce(f"Prismata is open at {address}  (Ctrl-C ends it)", log_format)
    if host not in ("127.0.0.1", "::1", "localhost"):
        announce("Everybody who reaches this address can use it; there is no login.", log_format)
    if browser:
        threading.Timer(1.5, webbrowser.open, (address,)).start()
    # `uvicorn.run` and not `streamlit run`: the latter's socket costs 44 ms a request.
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_config=None,  # its loggers pass on to ours
        log_level=bench.settings.log_level.lower(),
        ws_max_size=WEBSOCKET_MAX_BYTES,
    )


def _shown_host(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host
