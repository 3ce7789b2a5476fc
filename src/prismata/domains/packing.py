"""A plugin folder as a pip package: a project with an entry point, ready for `pip wheel`.

Invariant: the plugin's files are copied as they are; the project appears complete or not at all.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from prismata.core.errors import ConflictError, InvalidInputError
from prismata.domains.checks import check_domain
from prismata.domains.loading import PLUGIN_FILE
from prismata.domains.scaffold_files import PYPROJECT
from prismata.domains.spec import Domain

PACKAGE = "prismata_domains"
"""Python package that the packages of all authors share; it has no `__init__.py`."""

_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.pyc", "build", "dist", "*.egg-info")


def distribution_name(domain_name: str) -> str:
    """Return what the pip package of a domain is called."""
    return f"prismata-domain-{domain_name.replace('_', '-')}"


def pack_domain(domain: Domain, to: Path) -> Path:
    """Write a project that pip can build and install, and return its folder.

    The version of the package is the domain's, `3` becomes `3.0`: raise either and pip sees it.

    Args:
        domain: A domain of a plugin folder.
        to: The folder that the project's folder is put into; made if it is not there.

    Raises:
        InvalidInputError: If the domain has no plugin folder of its own, or breaks a check.
        ConflictError: If the project is there already.
    """
    folder = domain.folder
    if folder is None or folder.name != domain.name or not (folder / PLUGIN_FILE).is_file():
        raise InvalidInputError(
            f"domain {domain.name!r} has no plugin folder of its own, so there is nothing to pack"
        )
    broken = [result for result in check_domain(domain, folder) if not result.ok]
    if broken:
        told = "; ".join(f"{result.name}: {result.message}" for result in broken)
        raise InvalidInputError(f"domain {domain.name!r} breaks its checks, mend it first: {told}")
    target = to / distribution_name(domain.name)
    if target.exists() or target.is_symlink():
        raise ConflictError(f"{target} exists already; remove it or name another folder with --to")
    to.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(dir=to, prefix=f".new-{target.name}-"))
    try:
        project = workshop / target.name
        shutil.copytree(folder, project / "src" / PACKAGE / domain.name, ignore=_LEFT_OUT)
        (project / "pyproject.toml").write_text(_pyproject(domain), encoding="utf-8")
        project.rename(target)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return target


def _pyproject(domain: Domain) -> str:
    return PYPROJECT.format(
        distribution=distribution_name(domain.name),
        version=f"{domain.version}.0",
        description=json.dumps(f"{domain.title}: events for Prismata", ensure_ascii=False),
        package=PACKAGE,
        name=domain.name,
        class_name=type(domain).__name__,
    )
