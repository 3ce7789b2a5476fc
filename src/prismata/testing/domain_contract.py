"""The promises every domain plugin makes, as a pytest class for its authors to inherit.

    class TestTennisServe(DomainContract):
        folder = Path(__file__).parents[1]

Invariant: the plugin is loaded as discovery loads it, and the registry is left alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from prismata.domains.checks import CHECK_NAMES, CheckResult, check_domain
from prismata.domains.loading import load_plugin
from prismata.domains.spec import Domain


class DomainContract:
    """Loads the plugin in `folder` and runs every published check on it, each as its own test."""

    folder: ClassVar[Path]
    """The plugin's folder."""

    @pytest.fixture(scope="class")
    @classmethod
    def domain(cls) -> Domain:
        """The plugin's domain, freshly loaded; the registry is not touched."""
        return load_plugin(cls.folder)()

    @pytest.fixture(scope="class")
    @classmethod
    def results(cls, domain: Domain) -> dict[str, CheckResult]:
        """All checks' verdicts by name."""
        return {result.name: result for result in check_domain(domain, cls.folder)}

    @pytest.mark.parametrize("check", CHECK_NAMES)
    def test_the_plugin_passes(self, results: dict[str, CheckResult], check: str) -> None:
        """Each published check holds."""
        assert results[check].ok, results[check].message
