"""One suite, two databases: SQLite in a file always, PostgreSQL when one can be reached."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from prismata.catalog import (
    Catalog,
    DetectionRunRecord,
    JobRecord,
    ModelRecord,
    TrainingRunRecord,
    VideoRecord,
    open_catalog,
)
from prismata.catalog.schema import METADATA
from prismata.core.events import Event

PROBED_URL = "postgresql://postgres@127.0.0.1:5432/test"
START = datetime(2031, 2, 3, 4, 5, 6, 789_012, UTC)
POSTGRES = pytest.param("postgresql", marks=pytest.mark.postgres)


@dataclass
class FakeClock:
    """A clock that stands still until it is told to move."""

    now: datetime = START

    def reset(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Maker:
    """Fills a catalog with things that most tests need but do not care about."""

    catalog: Catalog

    def video(self, name: str = "clip.mp4", **changes: Any) -> VideoRecord:
        fields: dict[str, Any] = {
            "name": name,
            "storage_key": f"videos/{name}",
            "sha256": uuid4().hex * 2,
            "size_bytes": 5_000_000_000,
            "container": "mov,mp4",
            "codec": "h264",
            "width": 1920,
            "height": 1080,
            "rotation": 90,
            "frame_count": 250,
            "duration_us": 10_000_001,
            "first_pts_us": -23_220,
            "min_step_us": 39_999,
            "max_step_us": 40_001,
            "timeline_key": f"timelines/{name}",
        }
        return self.catalog.videos.add(**(fields | changes))[0]

    def model(self, name: str = "cricket-cnn_lstm-1", **changes: Any) -> ModelRecord:
        fields: dict[str, Any] = {
            "name": name,
            "domain": "cricket",
            "domain_version": 3,
            "bundle_key": f"models/{name}/",
            "kind": "bundle",
            "card": {"name": name, "thresholds": {"hit": 0.1}},
        }
        return self.catalog.models.add(**(fields | changes))

    def runs(self, job: JobRecord, name: str = "t") -> tuple[DetectionRunRecord, TrainingRunRecord]:
        """Enter a detection run with an event, and a training run, for the job."""
        catalog = self.catalog
        detection = catalog.detections.start(
            video_id=self.video(f"{name}.mp4").id,
            model_id=self.model(name).id,
            job_id=job.id,
            settings={},
        )
        catalog.detections.add_events(detection.id, [Event.point("hit", 1, 0.5)])
        version = catalog.datasets.create(
            domain="cricket",
            domain_version=1,
            seed=1,
            video_splits={},
            groups={},
            content=(),
            author="anna",
        )
        training = catalog.runs.start(
            name=name, domain="cricket", dataset_version_id=version.id, recipe={}, job_id=job.id
        )
        return detection, training


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Engine]:
    url = os.environ.get("PRISMATA_TEST_POSTGRES_URL", PROBED_URL)
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"), connect_args={"connect_timeout": 3}
    )
    try:
        engine.connect().close()
    except OperationalError as error:
        engine.dispose()
        pytest.skip(f"no PostgreSQL at hand: {str(error.orig).splitlines()[0]}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def make_schema(postgres_server: Engine) -> Iterator[Callable[[], str]]:
    """Make an empty schema of the server and return the address that leads into it."""
    made: list[str] = []

    def make() -> str:
        schema = f"prismata_test_{uuid4().hex}"
        with postgres_server.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        made.append(schema)
        inside = {"options": f"-csearch_path={schema}", "application_name": schema}
        url = postgres_server.url.set(drivername="postgresql").update_query_dict(inside)
        return url.render_as_string(hide_password=False)

    yield make
    for schema in made:
        with postgres_server.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))


@dataclass
class Shared:
    """One open catalog for the whole session: opening and warming up takes the longest."""

    url: str
    clock: FakeClock
    catalog: Catalog
    raw: Engine
    """The same database, past the catalog's back."""

    def clear(self) -> None:
        self.clock.reset()
        with self.raw.begin() as connection:
            for table in reversed(METADATA.sorted_tables):
                connection.execute(table.delete())


@contextmanager
def shared_at(url: str) -> Iterator[Shared]:
    clock = FakeClock()
    with open_catalog(url, clock=clock) as catalog:
        raw = connect(url)
        yield Shared(url, clock, catalog, raw)
        raw.dispose()


@pytest.fixture(scope="session")
def shared_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    with shared_at(f"sqlite:///{tmp_path_factory.mktemp('catalog') / 'catalog.db'}") as shared:
        yield shared


@pytest.fixture(scope="session")
def shared_postgresql(make_schema: Callable[[], str]) -> Iterator[Shared]:
    with shared_at(make_schema()) as shared:
        yield shared


@pytest.fixture(params=["sqlite", POSTGRES])
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, backend: str, tmp_path: Path) -> str:
    """Address of a database with nothing in it."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path / 'new folder' / 'empty.db'}"
    return request.getfixturevalue("make_schema")()


@pytest.fixture
def shared(request: pytest.FixtureRequest, backend: str) -> Shared:
    chosen: Shared = request.getfixturevalue(f"shared_{backend}")
    chosen.clear()
    return chosen


@pytest.fixture
def url(shared: Shared) -> str:
    return shared.url


@pytest.fixture
def clock(shared: Shared) -> FakeClock:
    return shared.clock


@pytest.fixture
def catalog(shared: Shared) -> Catalog:
    """An empty catalog whose clock stands still."""
    return shared.catalog


@pytest.fixture
def raw(shared: Shared) -> Engine:
    return shared.raw


@pytest.fixture
def make(catalog: Catalog) -> Maker:
    return Maker(catalog)


def connect(url: str) -> Engine:
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
