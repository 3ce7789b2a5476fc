"""Moving the storage: from the one that the settings name to another, and what to set then."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prismata.core.errors import InvalidInputError, UnavailableError
from prismata.settings import Settings
from prismata.storage import open_storage
from prismata.storage.moving import Journal, MovePlan, MoveProgress, MoveReport, StorageMove

_BUCKET = re.compile(r"s3://([^/]+)/?(.*)")


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a storage is to be moved."""

    where: str
    """`s3://bucket/prefix`, or a folder that is to be `PRISMATA_DATA_DIR`."""
    endpoint_url: str = ""
    region: str = ""

    def settings(self, now: Settings) -> Settings:
        """Return the settings with which the workbench would use it.

        Raises:
            InvalidInputError: If it is the storage that is in use now.
        """
        found = _BUCKET.fullmatch(self.where)
        if found is None and "://" in self.where:
            raise InvalidInputError(
                f"a storage cannot be moved to {self.where!r}; name s3://bucket/prefix or a folder"
            )
        changes: dict[str, Any] = (
            {"storage_backend": "local", "data_dir": Path(self.where)}
            if found is None
            else {
                "storage_backend": "s3",
                "s3_bucket": found[1],
                "s3_prefix": found[2].strip("/"),
                "s3_endpoint_url": self.endpoint_url,
                "s3_region": self.region,
            }
        )
        then = now.model_copy(update=changes)
        if _identity(then) == _identity(now):
            raise InvalidInputError(
                f"the storage is in {self.where} already, as the settings say; name another place"
            )
        return then


def plan_move(settings: Settings, destination: Destination) -> MovePlan:
    """Say what `move_storage` would do; nothing is read, written or made.

    Raises:
        InvalidInputError: If the destination cannot be used.
        UnavailableError: If a storage cannot be reached.
    """
    then = destination.settings(settings)
    if then.storage_backend == "local" and not then.storage_dir.exists():
        then = then.model_copy(update={"storage_backend": "memory"})  # as empty as that folder
    with _move(settings, then, read_back=False, journal_of=destination.settings(settings)) as move:
        return move.plan()


def move_storage(
    settings: Settings,
    destination: Destination,
    *,
    read_back: bool = True,
    on_progress: MoveProgress = lambda *_: None,
) -> MoveReport:
    """Copy the storage of the settings to a destination; the source stays as it is.

    Raises:
        InvalidInputError: If the destination cannot be used.
        ConflictError: If a copy does not read as it was written.
        UnavailableError: If a storage cannot be reached or has no room; what was copied is kept,
            and the next call goes on from there.
    """
    then = destination.settings(settings)
    with _move(settings, then, read_back=read_back) as move:
        if then.storage_backend == "local":
            _check_room(then.storage_dir, move.plan())
        return move.run(on_progress)


def settings_afterwards(settings: Settings, destination: Destination) -> dict[str, str]:
    """Return the variables that make workbench and workers use the destination."""
    then = destination.settings(settings)
    if then.storage_backend == "local":
        changes = {"PRISMATA_STORAGE_BACKEND": "local"}
        if then.data_dir.resolve() != settings.data_dir.resolve():
            changes["PRISMATA_DATA_DIR"] = str(then.data_dir.resolve())
            if not settings.database_url.get_secret_value():
                # The default lies in the data folder, and that is another one now.
                changes["PRISMATA_DATABASE_URL"] = settings.catalog_url
        return changes
    changes = {"PRISMATA_STORAGE_BACKEND": "s3", "PRISMATA_S3_BUCKET": then.s3_bucket}
    wanted = {
        "PRISMATA_S3_PREFIX": (then.s3_prefix, settings.s3_prefix),
        "PRISMATA_S3_ENDPOINT_URL": (then.s3_endpoint_url, settings.s3_endpoint_url),
        "PRISMATA_S3_REGION": (then.s3_region, settings.s3_region),
    }
    return changes | {name: new for name, (new, old) in wanted.items() if new or old}


@contextmanager
def _move(
    settings: Settings, then: Settings, *, read_back: bool, journal_of: Settings | None = None
) -> Iterator[StorageMove]:
    if settings.storage_backend == "memory":
        raise InvalidInputError("a storage in memory ends with its process and cannot be moved")
    pair = f"{_identity(settings)} {_identity(journal_of or then)}"
    name = f"{hashlib.sha256(pair.encode()).hexdigest()[:16]}.db"
    with (
        open_storage(settings) as source,
        open_storage(then) as target,
        Journal(settings.cache_dir / "moves" / name) as journal,
    ):
        yield StorageMove(source, target, journal, read_back=read_back)


def _identity(settings: Settings) -> str:
    if settings.storage_backend == "s3":
        prefix = settings.s3_prefix.strip("/")
        return f"s3 {settings.s3_endpoint_url} {settings.s3_bucket}/{prefix}"
    return f"{settings.storage_backend} {settings.storage_dir.resolve()}"


def _check_room(folder: Path, plan: MovePlan) -> None:
    free = shutil.disk_usage(folder).free
    if free < plan.to_copy.bytes:
        raise UnavailableError(
            f"{plan.to_copy.bytes / 1e9:.1f} GB are to be copied to {folder}, where "
            f"{free / 1e9:.1f} GB are free; nothing was copied, make room"
        )
