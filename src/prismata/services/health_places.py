"""Health of where things live and of who works: disk, memory, clocks, catalog, storage, workers."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from prismata.catalog import newest_revision
from prismata.catalog.state import CatalogState, look_at_catalog
from prismata.catalog.tables import ALIVE_SECONDS
from prismata.core.errors import NotFoundError, PrismataError
from prismata.core.jobs import ResourceClass
from prismata.core.machine import available_memory_mb, is_small_machine, memory_limit_mb
from prismata.services.findings import Finding
from prismata.settings import Settings
from prismata.storage import StorageBackend, open_storage

LOW_DISK_GB = 2.0

TYPICAL_DETECTION_MB = 310.0
"""What a ResNet18 took on 720p at most: benchmarks/results/runtimes.md."""

SKEW_SECONDS = 5.0
REFUSED_SKEW_SECONDS = 15 * 60.0
"""From here on S3 refuses what is asked of it."""


def data_folder(settings: Settings) -> Finding:
    """Whether the data folder can be written, and the disks' room."""
    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing) as probe:
            probe.write(b"ok")
            probe.flush()
    except OSError as error:
        return "error", (
            f"{existing} cannot be written ({error.strerror}); give the user that runs this the "
            "right to, or name another folder in PRISMATA_DATA_DIR"
        )
    free_gb = shutil.disk_usage(existing).free / 1e9
    if free_gb < LOW_DISK_GB:
        return "degraded", f"{folder}: only {free_gb:.1f} GB are free; make room"
    passing = Path(tempfile.gettempdir())
    passing_gb = shutil.disk_usage(passing).free / 1e9
    if passing_gb < LOW_DISK_GB:
        return "degraded", (
            f"{folder}: {free_gb:.0f} GB free, but only {passing_gb:.1f} GB in {passing}, where "
            "large objects pass through; make room or set TMPDIR"
        )
    return "ok", f"{folder}: writable, {free_gb:.0f} GB free"


def memory(settings: Settings) -> Finding:
    """Whether one detection fits into the memory that is free."""
    free, limit = available_memory_mb(), memory_limit_mb()
    if free is None or limit is None:
        return "ok", "this system does not tell; detections are not held back"
    learned = _largest_detection(settings)
    needed = learned or TYPICAL_DETECTION_MB
    whose = "the largest so far" if learned else "a ResNet18 on 720p"
    facts = f"{free:.0f} of {limit:.0f} MB are free, a detection takes about {needed:.0f} ({whose})"
    if free < needed:
        return "degraded", (
            f"{facts}; close other programs, give it more memory, or set "
            "PRISMATA_WORKER_CPU_SLOTS=0 here and let another machine detect"
        )
    small = settings.machine_profile == "small" or (
        settings.machine_profile == "auto" and is_small_machine()
    )
    return "ok", f"{facts}; the {'small' if small else 'normal'} profile is used"


def _largest_detection(settings: Settings) -> float | None:
    try:
        return _state(settings).largest_detection_mb
    except PrismataError:
        return None  # What is wrong with the catalog is told by its own part.


def _state(settings: Settings) -> CatalogState:
    return look_at_catalog(settings.catalog_url, seen_within_seconds=ALIVE_SECONDS)


def clock(settings: Settings) -> Finding:
    """How far this machine's clock is from the database server's and the store's."""
    skews: dict[str, float] = {}
    ahead = _state(settings).clock_ahead_seconds
    if ahead is not None:
        skews["the database server's"] = ahead
    if settings.storage_backend == "s3":
        with open_storage(settings) as storage:
            skews["the store's"] = _store_ahead(storage)
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if not skews:
        return "ok", f"{now}; there is no other clock to compare it with"
    told = ", ".join(
        f"{abs(skew):.1f} s {'behind' if skew > 0 else 'ahead of'} {whose}"
        for whose, skew in skews.items()
    )
    worst = max(abs(skew) for skew in skews.values())
    if worst < SKEW_SECONDS:
        return "ok", f"{now}; {told}"
    advice = "have it set by NTP (chrony, systemd-timesyncd)"
    if worst < REFUSED_SKEW_SECONDS:
        return "degraded", f"{now}; this clock is {told}; {advice}"
    return "error", f"{now}; this clock is {told}, and S3 refuses requests from 15 min on; {advice}"


def _store_ahead(storage: StorageBackend) -> float:
    """Return how far the store's clock is ahead, to a second: it tells no more."""
    key = f"health/{uuid4().hex}.txt"
    before = datetime.now(UTC)
    theirs = storage.put(key, b"ok").modified
    after = datetime.now(UTC)
    storage.delete(key)
    if before.replace(microsecond=0) <= theirs <= after:
        return 0.0
    return (theirs - (before + (after - before) / 2)).total_seconds()


def catalog(settings: Settings) -> Finding:
    """Whether the database answers and has this program's schema; migrates nothing."""
    state = _state(settings)
    if state.revision is None:
        return "ok", f"{state.where}: there is no catalog yet; the first command makes it"
    if state.steps_behind:
        return "degraded", (
            f"{state.where}: {state.steps_behind} migrations behind (schema {state.revision}, this "
            f"program has {newest_revision()}); write a backup (prismata backup), then the first "
            "command that opens it brings it up to date"
        )
    return "ok", f"{state.where}: schema {state.revision}, {state.videos} videos"


def workers(settings: Settings) -> Finding:
    """Whether somebody takes the jobs that wait."""
    state = _state(settings)
    if state.waiting is None:
        return "ok", "nobody can be asked: there is no catalog of this program's schema"
    slots = {
        resource: sum(worker.slots.get(resource, 0) for worker in state.workers)
        for resource in ResourceClass
    }
    if settings.dispatcher == "local":
        for resource, number in settings.worker_slots.items():
            slots[resource] += number
    alone = {resource: number for resource, number in state.waiting.items() if not slots[resource]}
    seen = ", ".join(f"{worker.name}" for worker in state.workers) or "none"
    if alone:
        listed = ", ".join(f"{number} {resource}" for resource, number in alone.items())
        return "degraded", (
            f"jobs wait that nobody takes: {listed}; workers seen within a minute: {seen}. Start "
            f"one with such slots: prismata worker --{next(iter(alone))} 1"
        )
    itself = "; the workbench takes jobs itself" if settings.dispatcher == "local" else ""
    waiting = sum(state.waiting.values())
    if not state.workers and not itself:
        return "degraded", (
            "no worker was seen within a minute and the workbench takes no jobs itself "
            f"(PRISMATA_DISPATCHER is {settings.dispatcher}); start one: prismata worker"
        )
    return "ok", f"seen within a minute: {seen}{itself}; {waiting} jobs wait"


def storage(settings: Settings) -> Finding:
    """Whether the storage takes, gives and removes an object."""
    with open_storage(settings) as backend:
        # A name of its own: two that look at once must not take each other's away.
        key = f"health/{uuid4().hex}.txt"
        try:
            backend.put(key, b"ok")
            if backend.get(key) != b"ok":
                return "error", f"{settings.storage_backend}: what was written is not what is read"
            backend.delete(key)
        except NotFoundError as error:
            return "error", f"{settings.storage_backend}: {error}"
    return "ok", f"{settings.storage_backend}: write, read and delete work"
