"""The published checks for this domain."""

from __future__ import annotations

from pathlib import Path

from prismata.testing.domain_contract import DomainContract


class TestFights(DomainContract):
    folder = Path(__file__).parents[1]
