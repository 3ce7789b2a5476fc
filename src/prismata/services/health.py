"""Health: is everything there that the work needs; one verdict a part."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from prismata.core.runtimes import available_runtimes, machine_facts
from prismata.domains import DomainRegistry
from prismata.media import READERS
from prismata.media.features import codec_features
from prismata.services import health_places
from prismata.services.findings import Check, Finding, PartHealth, run_checks
from prismata.settings import Settings
from prismata.storage import open_storage


def check_health(settings: Settings, more: Mapping[str, Check] | None = None) -> list[PartHealth]:
    """Check every part on its own; a broken one never hides another.

    Args:
        settings: As the workbench has them.
        more: Checks of rooms that this one does not know.
    """
    return run_checks(settings, CHECKS | dict(more or {}))


def _python(settings: Settings) -> Finding:
    del settings
    return "ok", f"{sys.version.split()[0]} on {sys.platform}"


def _readers(settings: Settings) -> Finding:
    del settings
    features = codec_features()
    found = f"{', '.join(READERS)}; {features.library}"
    lacks = [
        *(f"decoding {name}" for name in features.cannot_decode),
        *(f"encoding {name}, which proxies and clips take" for name in features.cannot_encode),
    ]
    if lacks:
        return "degraded", (
            f"{found}, built without {', '.join(lacks)}; install PyAV's own package: "
            "pip install --force-reinstall --only-binary av av"
        )
    return "ok", f"{found}: {', '.join(features.decodes)}"


def _detection(settings: Settings) -> Finding:
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


def _training(settings: Settings) -> Finding:
    del settings
    missing = [name for name in ("torch", "torchvision", "onnx") if find_spec(name) is None]
    if missing:
        return "degraded", (
            f"no training here, {', '.join(missing)} is not installed: "
            'pip install "prismata[train]" (detection works without)'
        )
    return "ok", f"torch {version('torch')}, torchvision {version('torchvision')}"


def _weights(settings: Settings) -> Finding:
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


def _workbench(settings: Settings) -> Finding:
    del settings
    try:
        return "ok", f"streamlit {version('streamlit')}"
    except PackageNotFoundError:
        return "degraded", 'no workbench in the browser: pip install "prismata[ui]"'


def _domains(settings: Settings) -> Finding:
    DomainRegistry.refresh([folder for folder in settings.domain_folders if folder.is_dir()])
    names = ", ".join(domain.name for domain in DomainRegistry.list()) or "none"
    failures = DomainRegistry.failures()
    if failures:
        broken = "; ".join(item.sentence for item in failures)
        return "degraded", f"{names}; broken: {broken}"
    return "ok", names


CHECKS: dict[str, Check] = {
    "python": _python,
    "data folder": health_places.data_folder,
    "memory": health_places.memory,
    "clock": health_places.clock,
    "catalog": health_places.catalog,
    "storage": health_places.storage,
    "workers": health_places.workers,
    "video readers": _readers,
    "detection": _detection,
    "training": _training,
    "weights": _weights,
    "workbench": _workbench,
    "domains": _domains,
}
"""In the order of how much depends on them."""
