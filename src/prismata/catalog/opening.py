"""Opening a catalog: one address in, repositories out."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from sqlalchemy import text

from prismata.catalog.annotators import AnnotatorRepository
from prismata.catalog.database import Clock, Database, parse_url, utc_now
from prismata.catalog.datasets import DatasetRepository
from prismata.catalog.detection_queue import DetectionQueue
from prismata.catalog.detections import DetectionRepository
from prismata.catalog.event_search import EventSearch
from prismata.catalog.events import EventRepository
from prismata.catalog.figures import FiguresRepository
from prismata.catalog.jobs import JobRepository
from prismata.catalog.labels import LabelLogRepository
from prismata.catalog.leases import LeaseRepository
from prismata.catalog.library import LibraryRepository
from prismata.catalog.live_scores import LiveScoresRepository
from prismata.catalog.models import ModelRepository
from prismata.catalog.people import DeedRepository, PeopleRepository
from prismata.catalog.queue_order import QueueOrder
from prismata.catalog.reviews import ReviewRepository
from prismata.catalog.runs import TrainingRunRepository
from prismata.catalog.upgrades import bring_up_to_date, check_up_to_date
from prismata.catalog.videos import VideoRepository
from prismata.catalog.workers import WorkerRepository


class Catalog:
    """Everything that is known, by table family; every call is one transaction.

    Made by `open_catalog`. May be used from any number of threads; a process that forks opens its
    own. Records that were returned never change.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.videos = VideoRepository(database)
        self.events = EventRepository(database)
        self.event_search = EventSearch(database)
        self.labels = LabelLogRepository(database)
        self.reviews = ReviewRepository(database)
        self.annotators = AnnotatorRepository(database)
        self.people = PeopleRepository(database)
        self.deeds = DeedRepository(database)
        self.library = LibraryRepository(database)
        self.datasets = DatasetRepository(database)
        self.models = ModelRepository(database)
        self.runs = TrainingRunRepository(database)
        self.detections = DetectionRepository(database)
        self.jobs = JobRepository(database)
        self.leases = LeaseRepository(database)
        self.queue_order = QueueOrder(database)
        self.detection_queue = DetectionQueue(database)
        self.live_scores = LiveScoresRepository(database)
        self.workers = WorkerRepository(database)
        self.figures = FiguresRepository(database)
        self.job_ends = database.job_ends
        """Hears of every job whose end is written by this process."""

    @property
    def where(self) -> str:
        """Where the catalog is, for people; never with a password."""
        return self._database.where

    def ping(self) -> None:
        """Check that the database answers.

        Raises:
            UnavailableError: If it does not.
        """
        with self._database.read() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close all connections; the catalog cannot be used afterwards."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_catalog(url: str, *, migrate: bool = True, clock: Clock = utc_now) -> Catalog:
    """Open the catalog at `url`; a SQLite file and its folder are created when missing.

    Args:
        url: `sqlite:///path/to/file.db` or `postgresql://user:password@host/database`.
        migrate: Create or upgrade the schema first. Any number of processes may do so at once.
        clock: Source of "now" for stored times and leases, as aware datetimes.

    Raises:
        InvalidInputError: If the address is of another kind, or the file is not a database.
        UnavailableError: If psycopg is not installed or the database cannot be reached.
        UserError: If the catalog is newer than this program, or older and `migrate` is off.
    """
    database = Database(parse_url(url), clock)
    try:
        if migrate:
            bring_up_to_date(database)
        else:
            check_up_to_date(database)
    except BaseException:
        database.close()
        raise
    return Catalog(database)
