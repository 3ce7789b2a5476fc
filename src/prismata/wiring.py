"""Introductions: from settings to a workbench; the only place that picks implementations."""

from __future__ import annotations

import logging

from prismata.catalog import open_catalog
from prismata.domains import DomainRegistry
from prismata.jobs import ChildSupervisor, JobRunner
from prismata.services.workbench import Workbench
from prismata.settings import Settings, load_settings
from prismata.storage import StorageBackend, open_storage


def open_workbench(settings: Settings | None = None) -> Workbench:
    """Open storage, catalog, domains and the job engine as the settings say.

    Raises:
        UserError: If a setting cannot be used or something cannot be reached.
    """
    chosen = settings or load_settings()
    logging.basicConfig(level=chosen.log_level, format="%(levelname)s %(name)s %(message)s")
    discover_domains(chosen)
    catalog = open_catalog(chosen.catalog_url)
    return Workbench(
        settings=chosen,
        storage=open_storage(chosen),
        catalog=catalog,
        jobs=JobRunner(catalog.jobs, ChildSupervisor()),
    )


def discover_domains(settings: Settings) -> None:
    """Load the domain plugins; broken ones are kept as failures, for people to see."""
    DomainRegistry.discover([folder for folder in settings.domain_folders if folder.is_dir()])


def get_storage_backend(settings: Settings | None = None) -> StorageBackend:
    """Return the storage that `PRISMATA_STORAGE_BACKEND` chooses (the classic entry point)."""
    return open_storage(settings or load_settings())
