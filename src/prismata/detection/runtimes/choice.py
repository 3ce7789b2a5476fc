"""Which runtime drives a bundle, in which precision: what was asked, the card, the machine."""

from __future__ import annotations

from dataclasses import dataclass

from prismata.core.errors import InvalidInputError, UnavailableError
from prismata.core.modelcard import ModelCard
from prismata.core.runtimes import MachineFacts

_RUNTIMES = ("auto", "onnxruntime", "openvino")
_PRECISIONS = ("auto", "fp32", "bf16", "int8")
_OPENVINO_MACHINES = frozenset({"x86_64", "AMD64"})
"""Where OpenVINO was measured to be faster; elsewhere it runs only when it is asked for."""


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """What is to run; what really ran is in `RuntimeInfo`."""

    runtime: str
    precision: str
    device: str


def choose_runtime(
    wanted_runtime: str,
    wanted_precision: str,
    card: ModelCard,
    facts: MachineFacts,
    *,
    holds_int8: bool,
) -> RuntimeChoice:
    """Choose for a bundle.

    Automatic precision is int8 where the card accepts it, the bundle holds it and the processor
    is fast at it, otherwise fp32; bf16 is never chosen, because no card vouches for it. The
    automatic runtime is a GPU for fp32, otherwise OpenVINO on x86-64, otherwise ONNX Runtime.

    Args:
        wanted_runtime: `auto`, `onnxruntime` or `openvino`.
        wanted_precision: `auto`, `fp32`, `bf16` or `int8`.
        card: Of the model.
        facts: Of the machine.
        holds_int8: Whether the bundle has an 8-bit encoder.

    Raises:
        InvalidInputError: If a word is unknown, or the model does not allow what was asked for.
        UnavailableError: If this machine does not have what was asked for.
    """
    for what, word, words in (
        ("runtime", wanted_runtime, _RUNTIMES),
        ("precision", wanted_precision, _PRECISIONS),
    ):
        if word not in words:
            raise InvalidInputError(
                f"{what} {word!r} was asked for, but an exported model runs with "
                f"{', '.join(words)}; choose one of these"
            )
    refusal = _int8_refusal(card, holds_int8=holds_int8)
    if wanted_precision == "int8" and refusal:
        raise InvalidInputError(f"int8 was asked for, but {refusal}")
    # A GPU in fp32 is faster than 8 bits on a processor, and no card need vouch for it.
    if facts.cuda and wanted_runtime != "openvino" and wanted_precision in ("auto", "fp32"):
        return RuntimeChoice("onnxruntime", "fp32", "cuda")
    precision = wanted_precision
    if precision == "auto":
        precision = "int8" if not refusal and facts.fast_int8 else "fp32"
    runtime = wanted_runtime
    if runtime == "auto":
        runtime = "openvino" if precision == "bf16" or _prefers_openvino(facts) else "onnxruntime"
    unavailable = facts.why_not(runtime, precision)
    if unavailable:
        asked = [word for word in (wanted_runtime, wanted_precision) if word != "auto"]
        raise UnavailableError(f"{' in '.join(asked)} was asked for, but {unavailable}")
    return RuntimeChoice(runtime, precision, "cpu")


def _prefers_openvino(facts: MachineFacts) -> bool:
    return "openvino" in facts.versions and facts.architecture in _OPENVINO_MACHINES


def _int8_refusal(card: ModelCard, *, holds_int8: bool) -> str:
    """Return why the model must not run in int8, "" if it may."""
    if not card.quantization:
        return f"model {card.name!r} was exported without trying it; export it again, or use fp32"
    if card.quantization.get("accepted") is not True:
        reason = card.quantization.get("reason") or "its card does not accept it"
        return f"model {card.name!r} refuses it: {reason}; use fp32"
    if not holds_int8:
        return (
            f"model {card.name!r} holds no 8-bit encoder although its "
            "card accepts one; export it again, or use fp32"
        )
    return ""
