"""PyTorch, ONNX Runtime and OpenVINO find the same events; the program in benchmarks/, smaller."""

from importlib.util import find_spec

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from runtime_equality import FOOTAGE, compare, read_clips, resnet18

from prismata.testing.synth import render_flashes

pytestmark = pytest.mark.torch

LARGEST_SCORE_DIFFERENCE = 1e-4


def check(paths, folder, encoder_name):
    reference = resnet18(folder, None, encoder_name=encoder_name, size=(96, 96))
    figures = compare(folder, reference, read_clips(paths, reference.card.clip))
    assert figures["clips"] == len(paths)
    assert figures["rows"]["reference"]["events"] >= 2, "nothing is compared"
    expected = {"reference", "onnxruntime fp32"}
    if find_spec("openvino") is not None:
        expected.add("openvino fp32")
    assert expected <= figures["rows"].keys()
    for name in expected:
        row = figures["rows"][name]
        assert row["equal"], (name, row)
        assert row["score_difference"] < LARGEST_SCORE_DIFFERENCE, (name, row)


def test_the_same_events_in_invented_videos(tmp_path):
    paths = [
        render_flashes(tmp_path / f"{seed}.mp4", seconds=4, seed=seed, size=(128, 96)).path
        for seed in (1, 2)
    ]
    check(paths, tmp_path / "model", "tiny")


@pytest.mark.realdata
def test_the_same_events_in_real_videos(realdata, tmp_path):
    paths = [path for name in FOOTAGE for path in sorted((realdata / name).rglob("*.mp4"))]
    check(paths[:: len(paths) // 4], tmp_path / "model", "resnet18")
