"""The routes alone, over a real workbench."""

import warnings

import pytest
from starlette.applications import Starlette

from prismata.api import create_routes
from prismata.services.ingest import ingest_file

with warnings.catch_warnings():
    # Starlette would rather have httpx2 than the httpx that is installed; both work.
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", UserWarning)
    from starlette.testclient import TestClient

SECRET = b"s" * 32


@pytest.fixture
def open_client():
    """Open the routes over any workbench."""

    def build(bench):
        app = Starlette(routes=create_routes(bench, SECRET))
        return TestClient(app, follow_redirects=False)

    return build


@pytest.fixture
def client(bench, open_client):
    with open_client(bench) as opened:
        yield opened


@pytest.fixture
def video(bench, flashes):
    return ingest_file(bench, flashes.path, domain="flashes").video
