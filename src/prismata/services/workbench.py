"""The workbench: everything a use case needs, handed to it by `wiring`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import Protocol, Self

from prismata.catalog import Catalog, JobRecord, VideoRecord
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.ports import ChildOutcome, ChildRunner, MessageHandler
from prismata.core.time import FrameTimeline
from prismata.domains import Domain, DomainRegistry
from prismata.settings import Settings
from prismata.storage import StorageBackend


class LiveJob(Protocol):
    """A job that runs, or waits for its turn."""

    job_id: str

    @property
    def outcome(self) -> ChildOutcome | None:
        """How it ended; None while it waits or runs."""
        ...

    def cancel(self) -> None:
        """Ask for the end; returns at once."""
        ...

    def wait(self, timeout_seconds: float | None = None) -> ChildOutcome | None:
        """Wait for the end; None if it still runs."""
        ...


class JobEngine(Protocol):
    """Runs queued jobs; the jobs room has one."""

    def begin(self) -> None:
        """Have jobs taken up that were queued before this process began."""
        ...

    def run_job(
        self,
        job_id: str,
        *,
        on_message: MessageHandler = ...,
        runner: ChildRunner | None = None,
    ) -> ChildOutcome:
        """Run it in this thread to its end; `runner` is one of `session`."""
        ...

    def start(self, job: JobRecord) -> LiveJob:
        """Have it run in the background, here or by a worker elsewhere."""
        ...

    def follow(self, job_id: str) -> LiveJob:
        """Return a handle on a job, whoever runs it."""
        ...

    def session(self) -> AbstractContextManager[ChildRunner]:
        """Return a runner that keeps one child warm for jobs that follow each other."""
        ...

    def cancel(self, job_id: str) -> None:
        """Call it off, wherever it is; nothing happens if it has ended."""
        ...

    def close(self) -> None:
        """Give back what runs here and refuse new ones."""
        ...


@dataclass(frozen=True, slots=True)
class Workbench:
    """The materials and the job engine, ready for use; close it when done."""

    settings: Settings
    storage: StorageBackend
    catalog: Catalog
    jobs: JobEngine
    _closing: ExitStack = field(default_factory=ExitStack, repr=False, compare=False)

    def at_close(self, action: Callable[[], None]) -> None:
        """Have something done when the workbench closes, while everything is still open."""
        self._closing.callback(action)

    def domain(self, name: str) -> Domain:
        """Return a domain.

        Raises:
            NotFoundError: If there is none; names what comes close, or why its plugin is broken.
        """
        return DomainRegistry.get(name)

    def timeline(self, video: VideoRecord) -> FrameTimeline:
        """Return the stored timeline of a video.

        Raises:
            NotFoundError: If it is missing from storage; says how to make it again.
        """
        try:
            return FrameTimeline.load(BytesIO(self.storage.get(video.timeline_key)))
        except NotFoundError as error:
            raise NotFoundError(
                f"the frame table of {video.name!r} is missing from storage; remove the video and "
                "ingest it again"
            ) from error

    def check_shared_storage(self, what: str) -> None:
        """Refuse work of another process on a storage that only this one has.

        Args:
            what: The work, as the sentence begins: `training`.

        Raises:
            InvalidInputError: If the storage lives in memory.
        """
        if self.settings.storage_backend == "memory":
            raise InvalidInputError(
                f"{what} runs in another process, which cannot see a storage that lives in memory; "
                "choose the local or s3 storage"
            )

    def close(self) -> None:
        """Stop running children, close the catalog and let go of local copies."""
        self._closing.close()
        with suppress(KeyboardInterrupt):
            self.jobs.close()
        self.catalog.close()
        self.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
