from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prismata.domains import DomainRegistry, check_domain

FOLDER = Path(__file__).resolve().parents[2] / "domains"


@pytest.fixture(autouse=True)
def _empty_registry() -> Iterator[None]:
    DomainRegistry.clear()
    yield
    DomainRegistry.clear()


def test_every_plugin_folder_of_the_project_is_found_and_keeps_every_promise():
    found = DomainRegistry.discover([FOLDER], entry_points=False)
    assert found.failures == ()
    folders = {file.parent.name for file in FOLDER.glob("*/domain.py")}
    assert {domain.name for domain in found.domains} == folders
    assert {"ball_throw", "cricket", "falls", "fights"} <= folders
    for domain in found.domains:
        broken = [item for item in check_domain(domain, FOLDER / domain.name) if not item.ok]
        assert broken == []


def test_cricket_keeps_the_classic_recipe():
    DomainRegistry.discover([FOLDER], entry_points=False)
    cricket = DomainRegistry.get("cricket")
    clip, rule = cricket.clip, cricket.rules["delivery"]
    assert (clip.target_fps, clip.num_frames, clip.window_stride) == (10, 8, 4)
    assert (clip.width, clip.height, rule.threshold) == (224, 224, 0.5)
