from dataclasses import replace

import pytest

from prismata.core.errors import InvalidInputError, UnavailableError
from prismata.core.runtimes import MachineFacts
from prismata.detection.bundle import read_card
from prismata.detection.runtimes import RuntimeChoice, choose_runtime

BARE = MachineFacts({"onnxruntime": "1"}, "x86_64", fast_int8=False, fast_bf16=False, cuda=False)
FAST = replace(BARE, fast_int8=True, fast_bf16=True)
OPENVINO = replace(FAST, versions={"onnxruntime": "1", "openvino": "2"})
GPU = replace(OPENVINO, cuda=True)
ARM = replace(OPENVINO, architecture="aarch64")

ACCEPTED = {"accepted": True, "reason": "no point lost"}
REFUSED = {"accepted": False, "reason": "average precision fell by 2.1 points"}


@pytest.fixture
def choose(flash_bundle):
    plain = read_card(flash_bundle)

    def choose(runtime, precision, facts, *, quantization=None, holds_int8=True):
        card = replace(plain, quantization=quantization or {})
        chosen = choose_runtime(runtime, precision, card, facts, holds_int8=holds_int8)
        assert isinstance(chosen, RuntimeChoice)
        return chosen.runtime, chosen.precision, chosen.device

    return choose


@pytest.mark.parametrize(
    ("facts", "quantization", "chosen"),
    [
        (BARE, {}, ("onnxruntime", "fp32", "cpu")),
        (BARE, ACCEPTED, ("onnxruntime", "fp32", "cpu")),
        (FAST, ACCEPTED, ("onnxruntime", "int8", "cpu")),
        (FAST, REFUSED, ("onnxruntime", "fp32", "cpu")),
        (FAST, {"accepted": "yes"}, ("onnxruntime", "fp32", "cpu")),
        (OPENVINO, {}, ("openvino", "fp32", "cpu")),
        (OPENVINO, ACCEPTED, ("openvino", "int8", "cpu")),
        (ARM, ACCEPTED, ("onnxruntime", "int8", "cpu")),
        (GPU, {}, ("onnxruntime", "fp32", "cuda")),
        (GPU, ACCEPTED, ("onnxruntime", "fp32", "cuda")),
    ],
)
def test_what_is_chosen_when_nothing_is_asked_for(choose, facts, quantization, chosen):
    assert choose("auto", "auto", facts, quantization=quantization) == chosen


def test_an_accepted_encoder_that_is_not_there_is_not_chosen(choose):
    assert choose("auto", "auto", FAST, quantization=ACCEPTED, holds_int8=False)[1] == "fp32"


@pytest.mark.parametrize(
    ("runtime", "precision", "facts", "chosen"),
    [
        ("onnxruntime", "auto", OPENVINO, ("onnxruntime", "int8", "cpu")),
        ("onnxruntime", "fp32", OPENVINO, ("onnxruntime", "fp32", "cpu")),
        ("auto", "fp32", OPENVINO, ("openvino", "fp32", "cpu")),
        ("auto", "bf16", OPENVINO, ("openvino", "bf16", "cpu")),
        ("openvino", "auto", ARM, ("openvino", "int8", "cpu")),
        ("auto", "bf16", ARM, ("openvino", "bf16", "cpu")),
        ("openvino", "auto", GPU, ("openvino", "int8", "cpu")),
        ("openvino", "fp32", GPU, ("openvino", "fp32", "cpu")),
        ("onnxruntime", "auto", GPU, ("onnxruntime", "fp32", "cuda")),
        ("auto", "int8", GPU, ("openvino", "int8", "cpu")),
        ("auto", "bf16", GPU, ("openvino", "bf16", "cpu")),
    ],
)
def test_what_is_asked_for_is_what_is_chosen(choose, runtime, precision, facts, chosen):
    assert choose(runtime, precision, facts, quantization=ACCEPTED) == chosen


@pytest.mark.parametrize(
    ("runtime", "precision", "facts", "sentence"),
    [
        (
            "openvino",
            "auto",
            FAST,
            "openvino was asked for, but openvino is not installed: "
            'pip install "prismata[openvino]"',
        ),
        (
            "auto",
            "bf16",
            FAST,
            'bf16 was asked for, but openvino is not installed: pip install "prismata[openvino]"',
        ),
        (
            "openvino",
            "bf16",
            replace(OPENVINO, fast_bf16=False),
            "openvino in bf16 was asked for, but this processor has no bf16 arithmetic "
            "(AVX512-BF16, AMX); use fp32",
        ),
        (
            "auto",
            "int8",
            BARE,
            "int8 was asked for, but this processor has no 8-bit arithmetic that is fast and exact "
            "(VNNI, AMX or ARM dot products); use fp32",
        ),
        (
            "onnxruntime",
            "bf16",
            GPU,
            "onnxruntime in bf16 was asked for, but onnxruntime runs exported models in fp32 on "
            "cpu, int8 on cpu, fp32 on cuda",
        ),
    ],
)
def test_what_this_machine_has_not_is_said(choose, runtime, precision, facts, sentence):
    with pytest.raises(UnavailableError) as caught:
        choose(runtime, precision, facts, quantization=ACCEPTED)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("quantization", "holds_int8", "sentence"),
    [
        ({}, False, "was exported without trying it; export it again, or use fp32"),
        (REFUSED, False, "refuses it: average precision fell by 2.1 points; use fp32"),
        ({"accepted": False}, True, "refuses it: its card does not accept it; use fp32"),
        (ACCEPTED, False, "holds no 8-bit encoder although its card accepts one; export it again"),
    ],
)
def test_a_model_that_does_not_allow_int8_says_why(choose, quantization, holds_int8, sentence):
    with pytest.raises(InvalidInputError, match=r"^int8 was asked for, but model 'fl") as caught:
        choose("auto", "int8", FAST, quantization=quantization, holds_int8=holds_int8)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("runtime", "precision"), [("pytorch", "auto"), ("tensorrt", "auto"), ("auto", "fp8")]
)
def test_unknown_words_are_refused_with_the_known_ones(choose, runtime, precision):
    with pytest.raises(InvalidInputError, match="was asked for, but an exported model runs with"):
        choose(runtime, precision, OPENVINO)
