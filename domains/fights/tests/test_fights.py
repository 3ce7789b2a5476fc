"""The published checks for this domain and its scene."""

from __future__ import annotations

from pathlib import Path

from prismata.testing.domain_contract import DomainContract
from prismata.testing.scene_contract import SceneContract


class TestFights(DomainContract):
    folder = Path(__file__).parents[1]


class TestFightsScene(SceneContract):
    folder = Path(__file__).parents[1]
