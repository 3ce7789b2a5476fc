"""Introductions: from settings to a workbench; the only place that picks implementations."""

from __future__ import annotations

import os
import socket
from typing import Literal

from prismata._version import __version__
from prismata.catalog import Catalog, Claimant, open_catalog
from prismata.core.errors import InvalidInputError, UnavailableError
from prismata.core.logs import set_up_logging
from prismata.core.processes import this_process
from prismata.domains import DomainRegistry
from prismata.jobs import ChildSupervisor, JobEngine, JobRunner, Worker, WorkerTerms
from prismata.jobs.dispatch import Dispatcher, LocalDispatcher, NoDispatcher
from prismata.jobs.webhook import Webhook
from prismata.services.assignments import job_handlers
from prismata.services.workbench import Workbench
from prismata.settings import Settings, load_settings
from prismata.storage import StorageBackend, open_storage


def start_logging(settings: Settings) -> None:
    """Have this process log as the settings say; commands that open no workbench call it."""
    set_up_logging(settings.log_level, settings.log_format, settings.secrets)


def open_workbench(settings: Settings | None = None) -> Workbench:
    """Open storage, catalog, domains and the job engine as the settings say.

    Raises:
        UserError: If a setting cannot be used or something cannot be reached.
    """
    return _assemble(settings or load_settings())[0]


def open_worker(settings: Settings) -> tuple[Workbench, Worker]:
    """Open a workbench, and a worker that takes jobs of its catalog as the settings say.

    Raises:
        UserError: If a setting cannot be used or something cannot be reached.
    """
    bench, runner = _assemble(settings)
    return bench, _make_worker(settings, bench.catalog, runner, settings.worker_idle_seconds)


def _assemble(settings: Settings) -> tuple[Workbench, JobRunner]:
    start_logging(settings)
    discover_domains(settings)
    catalog = open_catalog(settings.catalog_url)
    claimant = Claimant(f"{socket.gethostname()}:{os.getpid()}", this_process())
    runner = JobRunner(catalog, ChildSupervisor(), claimant)
    engine = JobEngine(catalog, runner, _open_dispatcher(settings, catalog, runner))
    bench = Workbench(
        settings=settings, storage=open_storage(settings), catalog=catalog, jobs=engine
    )
    runner.handlers = job_handlers(bench)
    if url := settings.webhook_url.get_secret_value():
        webhook = Webhook(url, settings.webhook_secret.get_secret_value())
        catalog.job_ends.listen(webhook.job_ended)
        bench.at_close(webhook.close)
    return bench, runner


def _make_worker(
    settings: Settings, catalog: Catalog, runner: JobRunner, idle_seconds: float = 0.0
) -> Worker:
    terms = WorkerTerms(settings.worker_slots, version=__version__, idle_seconds=idle_seconds)
    return Worker(catalog, runner, terms)


def _open_dispatcher(settings: Settings, catalog: Catalog, runner: JobRunner) -> Dispatcher:
    if settings.dispatcher == "none":
        return NoDispatcher()
    if settings.dispatcher == "local":
        return LocalDispatcher(lambda: _make_worker(settings, catalog, runner))
    return _open_celery(settings)


def _open_celery(settings: Settings) -> Dispatcher:
    if not settings.broker_url.get_secret_value():
        raise InvalidInputError(
            "PRISMATA_DISPATCHER is celery, but PRISMATA_BROKER_URL is empty; name the broker, for "
            "example redis://127.0.0.1:6379/0"
        )
    try:
        from prismata.jobs.celery_dispatch import CeleryDispatcher
    except ModuleNotFoundError as error:
        raise UnavailableError(
            'PRISMATA_DISPATCHER is celery, which is not installed: pip install "prismata[celery]"'
        ) from error
    return CeleryDispatcher(settings.broker_url.get_secret_value())


def check_broker(settings: Settings) -> tuple[Literal["ok"], str]:
    """Say for `check_health` whether the broker answers.

    Raises:
        UserError: If it does not, or there is none and there should be.
    """
    if settings.dispatcher != "celery":
        return "ok", f"none is needed, PRISMATA_DISPATCHER is {settings.dispatcher}"
    _open_celery(settings).close()
    from prismata.jobs.celery_dispatch import reach_broker

    return "ok", f"{reach_broker(settings.broker_url.get_secret_value())} answers"


def discover_domains(settings: Settings) -> None:
    """Load the domain plugins; broken ones are kept as failures, for people to see."""
    DomainRegistry.discover([folder for folder in settings.domain_folders if folder.is_dir()])


def refresh_domains(settings: Settings) -> None:
    """Read plugins that are new or were edited; one that cannot be read stays what it was."""
    DomainRegistry.refresh([folder for folder in settings.domain_folders if folder.is_dir()])


def get_storage_backend(settings: Settings | None = None) -> StorageBackend:
    """Return the storage that `PRISMATA_STORAGE_BACKEND` chooses (the classic entry point)."""
    return open_storage(settings or load_settings())
