"""Which recipe a training begins with: what a person says, then a preset, then the usual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prismata.core.architectures import DEFAULT_ARCHITECTURE
from prismata.core.errors import InvalidInputError
from prismata.core.presets import PRESETS, find_preset
from prismata.domains import Domain


def start_recipe(domain: Domain, given: Mapping[str, Any], *, preset: str = "") -> dict[str, Any]:
    """Return the settings of a training that a person began with these.

    Without a word about preset or architecture the domain's preset counts. Whoever names an
    architecture wants that one as it is, so the domain's preset is left out then.

    Args:
        domain: What is trained for.
        given: Settings that the person gave; they go before those of a preset.
        preset: Name of a preset that the person chose; may be empty.

    Raises:
        InvalidInputError: If there is no such preset, or an architecture was given beside it.
    """
    if preset and "architecture" in given:
        raise InvalidInputError(
            f"preset {preset!r} has an architecture of its own; leave out one of the two"
        )
    name = preset or ("" if "architecture" in given else domain.preset)
    start = find_preset(name).recipe if name else {"architecture": DEFAULT_ARCHITECTURE}
    return {**start, **given}


def preset_words(domain: Domain, given: Mapping[str, Any], *, preset: str = "") -> str:
    """Say which preset `start_recipe` takes, and whose word that is; empty if none."""
    if preset:
        return f"preset {preset!r}: {find_preset(preset).title}"
    if "architecture" in given or not domain.preset:
        return ""
    title = find_preset(domain.preset).title
    return f"preset {domain.preset!r}, as {domain.name!r} declares: {title}"


def offered_presets(domain: Domain) -> tuple[list[str], int]:
    """Return the names of all presets, and the position of the one that stands chosen at first."""
    names = list(PRESETS)
    return names, names.index(domain.preset) if domain.preset else 0
