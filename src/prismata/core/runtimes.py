"""Which libraries that run models are installed, and which arithmetic this machine is good at.

Looking costs milliseconds and imports nothing: package metadata and what the system says of its
processor. What really ran is known only to the process that ran it (`detection.runtimes`).
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType

# Names of one library's builds; whichever is installed provides the same module.
_PACKAGES = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "openvino": ("openvino",),
    "pytorch": ("torch",),
}
# As Linux names them: VNNI and AMX of x86-64, dot products and matrix products of ARM.
_INT8_FLAGS = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})
_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})

_CPU_INFO = Path("/proc/cpuinfo")
_DEVICES = Path("/dev")

_COMBINATIONS = (
    ("onnxruntime", "fp32", "cpu"),
    ("onnxruntime", "int8", "cpu"),
    ("onnxruntime", "fp32", "cuda"),
    ("openvino", "fp32", "cpu"),
    ("openvino", "bf16", "cpu"),
    ("openvino", "int8", "cpu"),
)


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What a choice of runtime depends on."""

    versions: Mapping[str, str]
    """Installed runtimes (`onnxruntime`, `openvino`, `pytorch`) and their versions."""
    architecture: str
    """As `platform.machine` says it, for example `x86_64` or `aarch64`."""
    fast_int8: bool
    """The processor multiplies 8-bit numbers into 32-bit sums in one instruction."""
    fast_bf16: bool
    cuda: bool
    """There is an NVIDIA device, and the installed ONNX Runtime is the build that can use one."""

    def why_not(self, runtime: str, precision: str, device: str = "cpu") -> str:
        """Return why this cannot be had here and what to do, "" if it can."""
        if (runtime, precision, device) not in _COMBINATIONS:
            places = [f"{p} on {d}" for r, p, d in _COMBINATIONS if r == runtime]
            return f"{runtime} runs exported models in {', '.join(places) or 'no precision'}"
        if runtime not in self.versions:
            return f'{runtime} is not installed: pip install "prismata[{runtime}]"'
        if device == "cuda" and not self.cuda:
            return "no NVIDIA device with the CUDA build of ONNX Runtime (onnxruntime-gpu) is here"
        if device == "cpu" and precision == "int8" and not self.fast_int8:
            return (
                "this processor has no 8-bit arithmetic that is fast and exact (VNNI, AMX or ARM "
                "dot products); use fp32"
            )
        if device == "cpu" and precision == "bf16" and not self.fast_bf16:
            return "this processor has no bf16 arithmetic (AVX512-BF16, AMX); use fp32"
        return ""


@dataclass(frozen=True, slots=True)
class RuntimeOption:
    """One way to run a model, and whether it can be had here."""

    runtime: str
    precision: str
    device: str
    usable: bool
    why_not: str
    """What is true and what to do; "" if usable."""


def machine_facts() -> MachineFacts:
    """Look at this machine."""
    versions = {}
    for runtime, packages in _PACKAGES.items():
        found = [_version(package) for package in packages]
        if any(found):
            versions[runtime] = next(filter(None, found))
    flags = _cpu_flags()
    return MachineFacts(
        versions=MappingProxyType(versions),
        architecture=platform.machine(),
        fast_int8=bool(flags & _INT8_FLAGS),
        fast_bf16=bool(flags & _BF16_FLAGS),
        cuda=bool(_version("onnxruntime-gpu")) and any(_DEVICES.glob("nvidia[0-9]*")),
    )


def available_runtimes(facts: MachineFacts | None = None) -> list[RuntimeOption]:
    """Return every way to run an exported model, the usable ones and the others."""
    facts = facts or machine_facts()
    refusals = [(option, facts.why_not(*option)) for option in _COMBINATIONS]
    return [RuntimeOption(*option, not refusal, refusal) for option, refusal in refusals]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _cpu_flags() -> frozenset[str]:
    """Return the flags of the first processor; none where the system does not tell (not Linux)."""
    try:
        with _CPU_INFO.open(encoding="utf-8") as lines:
            for line in lines:
                key, _, rest = line.partition(":")
                if key.strip() in ("flags", "Features"):
                    return frozenset(rest.split())
    except OSError:
        pass
    return frozenset()
