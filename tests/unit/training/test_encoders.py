import numpy as np
import pytest
import torch
from torch import nn

from prismata.core.architectures import CLIP_ENCODERS
from prismata.core.errors import InvalidInputError
from prismata.detection.runtimes import OnnxEncoder
from prismata.training.encoders import (
    ENCODERS,
    SHIFT,
    build_encoder,
    load_pretrained,
)
from prismata.training.export import export_encoder, max_difference
from prismata.training.gate_shift import BLOCK, GateShift
from prismata.training.heads import HeadSpec, build_head
from prismata.training.model import Detector

WIDTH, HEIGHT = 48, 32


def frames(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)


def moved(encoder):
    """Open the gates, as training does."""
    torch.manual_seed(1)
    for module in encoder.modules():
        if isinstance(module, GateShift):
            nn.init.normal_(module.gate.weight, std=0.5)
            nn.init.normal_(module.gate.bias, std=0.5)
    return encoder.eval()


@pytest.fixture(scope="module", params=sorted(CLIP_ENCODERS))
def clip_encoder(request):
    torch.manual_seed(0)
    return moved(build_encoder(request.param))


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_every_encoder_gives_features_of_the_size_that_it_says(name):
    encoder = build_encoder(name).eval()
    assert (encoder.block > 1) == (name in CLIP_ENCODERS)
    with torch.inference_mode():
        features = encoder(torch.from_numpy(frames(encoder.block)))
    assert features.shape == (encoder.block, encoder.feature_size)
    assert features.dtype == torch.float32


def test_an_encoder_nobody_knows_is_refused_with_a_list():
    with pytest.raises(InvalidInputError, match="no trainable encoder 'resnet9'; there is mobile"):
        build_encoder("resnet9")


def test_gate_shift_changes_nothing_before_it_has_learned():
    maps = torch.randn(8, 12, 5, 6)
    assert torch.equal(GateShift(12, block=4).eval()(maps), maps)


def test_gate_shift_gives_to_the_next_and_to_the_one_before_what_its_gates_say():
    torch.manual_seed(0)
    shift = GateShift(12, block=4, share=0.5)
    nn.init.constant_(shift.gate.bias, 0.4)  # weights stay 0: every gate is tanh(0.4)
    gate = float(np.tanh(0.4))
    maps = torch.randn(8, 12, 5, 6)
    with torch.inference_mode():
        found = shift.eval()(maps)
    expected = maps.clone()
    for start in (0, 4):
        for at in range(start, start + 4):
            before = maps[at - 1, :3] if at > start else 0
            after = maps[at + 1, 3:6] if at < start + 3 else 0
            expected[at, :3] += gate * (before - maps[at, :3])
            expected[at, 3:6] += gate * (after - maps[at, 3:6])
    assert torch.allclose(found, expected, atol=1e-6)


def test_a_clip_encoder_sees_neighbours_to_both_sides_but_not_beyond_its_block(clip_encoder):
    shown = frames(2 * BLOCK)
    changed = shown.copy()
    changed[BLOCK + 5] = 255 - changed[BLOCK + 5]
    with torch.inference_mode():
        before, after = (clip_encoder(torch.from_numpy(item)) for item in (shown, changed))
    differs = (before - after).abs().amax(dim=1).numpy() > 1e-6
    assert differs[BLOCK + 4 : BLOCK + 7].all()
    assert not differs[:BLOCK].any()


def test_stretches_are_encoded_apart_and_their_last_block_is_filled_up(clip_encoder):
    long = torch.from_numpy(frames(2 * BLOCK, seed=3))
    stretches = torch.stack([long[:40], long[24:64]])
    with torch.inference_mode():
        found = clip_encoder.encode_stretches(stretches)
        assert found.shape == (2, 40, clip_encoder.feature_size)
        for stretch, features in zip(stretches, found, strict=True):
            rest = torch.cat([stretch[BLOCK:], stretch[-1:].expand(24, -1, -1, -1)])
            expected = torch.cat([clip_encoder(stretch[:BLOCK]), clip_encoder(rest)])[:40]
            assert torch.allclose(features, expected, atol=1e-5)


@pytest.mark.parametrize("blocks", [1, 3])
def test_an_exported_clip_encoder_is_the_trained_one_for_any_number_of_blocks(
    clip_encoder, blocks, tmp_path
):
    path = tmp_path / "encoder.onnx"
    export_encoder(clip_encoder, path, width=WIDTH, height=HEIGHT)
    exported = OnnxEncoder(
        path, width=WIDTH, height=HEIGHT, threads=1, batch=clip_encoder.block * blocks
    )
    head = build_head("spot_rny002", clip_encoder.feature_size, 1, HeadSpec(hidden=8))
    trained = Detector(clip_encoder, head, 16).eval().encode(frames(blocks * BLOCK))
    assert trained.std() > 0.01
    assert max_difference(exported.encode(frames(blocks * BLOCK)), trained) <= 1e-4


def timm_names(state):
    """Rename torchvision's tensors to what timm calls them, as listed by timm 1.0.31."""
    parts = {"f.a": "conv1", "f.b": "conv2", "f.c": "conv3", "f.se": "se", "proj": "downsample"}
    renamed = {}
    for name, value in state.items():
        if name.startswith("stem."):
            new = name.replace("stem.0.", "stem.conv.").replace("stem.1.", "stem.bn.")
        else:
            _, _, unit, rest = name.split(".", 3)
            stage, number = unit.removeprefix("block").split("-")
            part = next(part for part in parts if rest.startswith(f"{part}."))
            tail = rest.removeprefix(f"{part}.").replace("0.", "conv.", 1).replace("1.", "bn.", 1)
            tail = rest.removeprefix(f"{part}.") if part == "f.se" else tail
            new = f"s{stage}.b{int(number) + 1}.{parts[part]}.{tail}"
        renamed[new] = value
    return renamed


@pytest.mark.parametrize("name", ["regnet_y_200mf", "regnet_y_200mf_gsm"])
def test_weights_of_a_regnet_load_under_timms_names_too(name):
    torch.manual_seed(4)
    published = build_encoder("regnet_y_200mf").eval()
    state = timm_names(published.backbone.state_dict())
    # Three of timm's own names, so that renaming back and forth cannot agree on a mistake.
    assert {"stem.conv.weight", "s1.b1.downsample.bn.running_mean", "s4.b7.se.fc2.bias"} <= set(
        state
    )
    encoder = build_encoder(name).eval()
    load_pretrained(encoder, {**state, "head.fc.weight": torch.zeros(1000, 368)})
    shown = torch.from_numpy(frames(BLOCK))
    with torch.inference_mode():
        assert torch.allclose(encoder(shown), published(shown), atol=1e-5)


def test_weights_of_another_network_are_refused_and_gate_shift_is_not_asked_for():
    encoder = build_encoder("regnet_y_200mf_gsm")
    with pytest.raises(InvalidInputError, match="do not fit the encoder"):
        load_pretrained(encoder, build_encoder("resnet18").backbone.state_dict())
    assert any(f".{SHIFT}." in name for name in encoder.backbone.state_dict())
