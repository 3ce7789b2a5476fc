"""Health: is everything there that the work needs; one verdict a part."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal

from prismata.catalog import open_catalog
from prismata.core.errors import NotFoundError, UserError
from prismata.core.runtimes import available_runtimes, machine_facts
from prismata.domains import DomainRegistry
from prismata.media import READERS
from prismata.settings import Settings
from prismata.storage import open_storage

Verdict = Literal["ok", "degraded", "error"]

LOW_DISK_GB = 2.0


@dataclass(frozen=True, slots=True)
class PartHealth:
    """One part of the workbench."""

    part: str
    verdict: Verdict
    message: str
    """What is true, and what to do if it is not ok."""


def check_health(settings: Settings) -> list[PartHealth]:
    """Check every part on its own; a broken one never hides another."""
    checks: dict[str, Callable[[Settings], tuple[Verdict, str]]] = {
        "python": _python,
        "data folder": _data_folder,
        "catalog": _catalog,
        "storage": _storage,
        "video readers": _readers,
        "detection": _detection,
        "training": _training,
        "weights": _weights,
        "workbench": _workbench,
        "domains": _domains,
    }
    report = []
    for part, check in checks.items():
        try:
            verdict, message = check(settings)
        except UserError as error:
            verdict, message = "error", str(error)
        report.append(PartHealth(part, verdict, message))
    return report


def _python(settings: Settings) -> tuple[Verdict, str]:
    del settings
    return "ok", f"{sys.version.split()[0]} on {sys.platform}"


def _data_folder(settings: Settings) -> tuple[Verdict, str]:
    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.resolve().parents) if path.exists())
    free_gb = shutil.disk_usage(existing).free / 1e9
    if free_gb < LOW_DISK_GB:
        return "degraded", f"{folder}: only {free_gb:.1f} GB are free; make room"
    return "ok", f"{folder}: {free_gb:.0f} GB free"


def _catalog(settings: Settings) -> tuple[Verdict, str]:
    catalog = open_catalog(settings.catalog_url)
    try:
        videos = len(catalog.videos.list())
    finally:
        catalog.close()
    kind = settings.catalog_url.partition(":")[0].partition("+")[0]
    return "ok", f"{kind}, {videos} videos"


def _storage(settings: Settings) -> tuple[Verdict, str]:
    storage = open_storage(settings)
    key = "health/probe.txt"
    try:
        storage.put(key, b"ok")
        if storage.get(key) != b"ok":
            return "error", f"{settings.storage_backend}: what was written is not what is read"
        storage.delete(key)
    except NotFoundError as error:
        return "error", f"{settings.storage_backend}: {error}"
    finally:
        storage.close()
    return "ok", f"{settings.storage_backend}: write, read and delete work"


def _readers(settings: Settings) -> tuple[Verdict, str]:
    del settings
    return "ok", ", ".join(READERS)


def _detection(settings: Settings) -> tuple[Verdict, str]:
    facts = machine_facts()
    options = available_runtimes(facts)
    usable = [option for option in options if option.usable]
    parts = []
    for runtime in dict.fromkeys(option.runtime for option in options):
        ways = [
            option.precision if option.device == "cpu" else f"{option.precision} on {option.device}"
            for option in usable
            if option.runtime == runtime
        ]
        if ways:
            parts.append(f"{runtime} {facts.versions[runtime]} ({', '.join(ways)})")
    # A package that is not installed would otherwise be told once for each precision.
    reasons = dict.fromkeys(option.why_not for option in options if not option.usable)
    message = "; ".join([*parts, *reasons])
    runtime, precision = settings.detect_runtime, settings.detect_precision
    fitting = [
        option
        for option in usable
        if runtime in ("auto", option.runtime) and precision in ("auto", option.precision)
    ]
    if not fitting and runtime != "pytorch":
        asked = " in ".join(word for word in (runtime, precision) if word != "auto")
        return "degraded", f"the settings ask for {asked}, which cannot be had here: {message}"
    return "ok", message


def _training(settings: Settings) -> tuple[Verdict, str]:
    del settings
    missing = [name for name in ("torch", "torchvision", "onnx") if find_spec(name) is None]
    if missing:
        return "degraded", (
            f"no training here, {', '.join(missing)} is not installed: "
            'pip install "prismata[train]" (detection works without)'
        )
    return "ok", f"torch {version('torch')}, torchvision {version('torchvision')}"


def _weights(settings: Settings) -> tuple[Verdict, str]:
    storage = open_storage(settings)
    try:
        stored = [info.key for info in storage.list("weights/")]
    finally:
        storage.close()
    folder = settings.weights_dir
    files = (
        [path.name for path in folder.rglob("*") if path.suffix in (".onnx", ".pth", ".pt")]
        if folder and folder.is_dir()
        else []
    )
    if stored or files:
        return "ok", ", ".join(sorted([*(key.removeprefix("weights/") for key in stored), *files]))
    return "degraded", (
        "no pretrained encoder weights: put files below weights/ of the storage or set "
        "PRISMATA_WEIGHTS_DIR; until then only training from scratch is possible (--train-encoder "
        "--weights none)"
    )


def _workbench(settings: Settings) -> tuple[Verdict, str]:
    del settings
    try:
        return "ok", f"streamlit {version('streamlit')}"
    except PackageNotFoundError:
        return "degraded", 'no workbench in the browser: pip install "prismata[ui]"'


def _domains(settings: Settings) -> tuple[Verdict, str]:
    DomainRegistry.refresh([folder for folder in settings.domain_folders if folder.is_dir()])
    names = ", ".join(domain.name for domain in DomainRegistry.list()) or "none"
    failures = DomainRegistry.failures()
    if failures:
        broken = "; ".join(item.sentence for item in failures)
        return "degraded", f"{names}; broken: {broken}"
    return "ok", names
