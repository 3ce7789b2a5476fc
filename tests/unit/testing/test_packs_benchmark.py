"""What the benchmark of the packs says of numbers; its trainings are not repeated here."""

from __future__ import annotations

import json
from pathlib import Path

import packs
import pytest

from prismata.domains import load_plugin
from prismata.testing.scenes import load_scene

DOMAINS = Path(packs.PROJECT) / "domains"


def names():
    return sorted(path.parent.name for path in DOMAINS.glob("*/scene.py"))


def test_every_pack_with_a_scene_has_a_course():
    assert sorted(packs.COURSES) == names()


@pytest.mark.parametrize("name", names())
def test_every_pack_expects_figures_that_the_benchmark_measures(name):
    domain = load_plugin(DOMAINS / name)()
    kinds = {item.kind for item in domain.event_types}
    known = {f"{kind}_map_{key}" for kind in kinds for key in packs.criteria(kind)}
    expected = load_scene(domain).expected
    assert set(expected) <= known
    assert {key.partition("_")[0] for key in expected} == kinds


def test_a_figure_below_what_is_expected_falls_short_and_so_does_a_missing_one():
    expected = {"point_map_0.5s": 0.5, "segment_map_0.5": 0.4, "point_map_1s": 0.1}
    checks = packs.compare({"point_map_0.5s": 0.5, "segment_map_0.5": 0.39}, expected)
    assert [check["ok"] for check in checks] == [True, False, False]


def test_earlier_rows_are_judged_by_what_is_expected_now(tmp_path):
    row = {"pack": "falls", "seed": 0, "metrics": {}, "checks": []}
    output = tmp_path / "run.log"
    output.write_text(f"falls, seed 0\n{json.dumps({'packs': [row]})}\n")
    (judged,) = packs.earlier_rows([output], lambda name: {"point_map_0.5s": 0.1})
    assert [check["ok"] for check in judged["checks"]] == [False]
    output.write_text("broken off")
    with pytest.raises(SystemExit, match="not the output of a finished run"):
        packs.earlier_rows([output], lambda name: {})
