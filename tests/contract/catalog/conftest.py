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
    ReviewDecision,
    TrainingRunRecord,
    VideoRecord,
    open_catalog,
)
from prismata.catalog.event_search import EventFilter
from prismata.catalog.schema import METADATA
from prismata.core.events import Event
from prismata.core.jobs import JobState, ResourceClass
from prismata.core.operations import Operation
from prismata.core.processes import NOBODY

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

    def everything(self) -> None:
        """Put rows into every table: labels and their log, reviews, jobs in every state, runs."""
        catalog = self.catalog
        done, running = (
            catalog.jobs.submit("detect", {"video": "ä\u2028", "n": 2**60, "x": 0.1}, author="anna")
            for _ in range(2)
        )
        detection, _ = self.runs(running)
        catalog.live_scores.add(detection.id, [0, 50_000], [[0.25, 1.0], [0.5, 0.0]])
        catalog.workers.add("box:1", NOBODY, {ResourceClass.CPU: 2}, version="0.1.0")
        for job in (done, running):
            claimed = catalog.leases.claim(job.id, lease_seconds=60)
        token = str(catalog.jobs.get(done.id).lease_token)
        catalog.leases.end_attempt(
            done.id, token, state=JobState.SUCCEEDED, result={"a": None}, peak_rss_mb=100.0
        )
        catalog.leases.heartbeat(running.id, str(claimed.lease_token), lease_seconds=60, note="½")
        queued = catalog.jobs.submit("ingest", {}, author="Ünal", dedupe_key="once")
        catalog.queue_order.hold(queued.id)
        catalog.event_search.save("sure ones", EventFilter(domain="cricket"), "anna")
        for name in ("anna", "Zoe", "Ünal", "zoe"):
            catalog.annotators.set_preferences(name, {"keys": {"hit": "h"}, "speed": 1.0})
        for name in ("anna@example.com", "Ünal"):
            catalog.people.see(name)
            catalog.deeds.add(name, "sign_in", "the workbench", "done")
        catalog.people.set_role("anna@example.com", "admin", keep_an_admin=True)
        self.labels(self.video("Zebra.mp4"))
        self.labels(self.video("äpfel.mp4"))
        catalog.jobs.submit("ingest", {"path": 'a"b'}, author="anna")

    def labels(self, video: VideoRecord) -> None:
        """Label a video, and keep a decision about a model's candidate with it."""
        state = {"start_us": 5, "end_us": 5, "event_type": "hit", "kind": "point"}
        after = state | {"review_state": "accepted", "attributes": {"speed": 12.5}}
        made = [
            Operation(uuid4().hex, "c" * 16, n, "create", uuid4().hex, None, after) for n in (1, 2)
        ]
        span = {"start_us": 0, "end_us": 9, "spans": [[0, 9, "watched"]]}
        cover = Operation(uuid4().hex, "c" * 16, 3, "cover", "", None, span)
        decision = ReviewDecision(
            id=made[0].id,
            video_id=video.id,
            domain="cricket",
            run_id="gone",
            model_id="gone",
            model_digest="0" * 64,
            event_id=made[0].event_id,
            event_type="hit",
            start_us=5,
            end_us=5,
            score=0.1 + 0.2,
            threshold=None,
            stratum="control",
            reason="control",
            doubt=1.0,
            decision="accepted",
            found=1,
            reviewer="anna",
            created_at=START,
            undone_at=None,
        )
        self.catalog.labels.apply_and_tell(
            video.id,
            "cricket",
            [*made, cover],
            "anna",
            AnyRules(),
            since=None,
            decisions=[decision],
        )


@dataclass(frozen=True)
class AnyRules:
    """A domain that allows everything."""

    domain_version: int = 3

    def frame_at(self, start_us: int) -> tuple[int, int]:
        return start_us // 40_000, start_us // 40

    def check(self, state: Any, standing: Any) -> None:
        pass


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


@pytest.fixture(scope="session")
def maker_type() -> type[Maker]:
    """For tests with catalogs of their own."""
    return Maker


@pytest.fixture
def make(catalog: Catalog) -> Maker:
    return Maker(catalog)


def connect(url: str) -> Engine:
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
