"""`prismata serve`: pages and routes in one process."""

from __future__ import annotations

import secrets
import socket
import threading
import webbrowser
from functools import partial
from importlib.util import find_spec
from typing import Annotated

import typer

from prismata.cli.console import announce
from prismata.core.errors import InvalidInputError, UnavailableError
from prismata.services.people import check_login
from prismata.services.workbench import Workbench
from prismata.settings import Settings, load_settings
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
    settings = settings.model_copy(
        update={"host": host or settings.host, "port": port or settings.port}
    )
    check_login(settings)
    check_port_free(settings.host, settings.port)
    with open_workbench(settings) as bench:
        bench.catalog.leases.reap()
        bench.jobs.begin()
        _serve(bench, browser=browser)


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


def _serve(bench: Workbench, *, browser: bool) -> None:
    # Here and not above: `prismata serve --help` must not load the web stack.
    import uvicorn

    from prismata.api import create_gate, create_routes, hide_query_strings
    from prismata.ui import create_app, who_is_signed_in

    settings = bench.settings
    secret = secrets.token_bytes(32)
    routes = create_routes(bench, secret)
    gate = create_gate(bench, routes, partial(who_is_signed_in, settings.public_url))
    app = create_app(bench, secret, routes, [gate])
    hide_query_strings()
    host, port = settings.host, settings.port
    address = settings.public_url or f"http://{_shown_host(host)}:{port}"
    announce(f"Prismata is open at {address}  (Ctrl-C ends it)", settings.log_format)
    announce(_who_may_come(settings), settings.log_format)
    if browser:
        threading.Timer(1.5, webbrowser.open, (address,)).start()
    # `uvicorn.run` and not `streamlit run`: the latter's socket costs 44 ms a request.
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_config=None,  # its loggers pass on to ours
        log_level=settings.log_level.lower(),
        ws_max_size=WEBSOCKET_MAX_BYTES,
    )


def _who_may_come(settings: Settings) -> str:
    if settings.login != "none":
        return (
            "People sign in; what each may do is said with `prismata people` or on the page People."
        )
    if settings.is_local_only:
        return "Only this machine can reach it; there is no login."
    return "Everybody who reaches this address can use it; there is no login (PRISMATA_LOGIN)."


def _shown_host(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "localhost"
    return f"[{host}]" if ":" in host else host
