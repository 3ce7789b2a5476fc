from importlib.metadata import PackageNotFoundError

import pytest

from prismata.core import runtimes
from prismata.core.runtimes import MachineFacts, available_runtimes, machine_facts

EVERYTHING = MachineFacts(
    versions={"onnxruntime": "1", "openvino": "2", "pytorch": "3"},
    architecture="x86_64",
    fast_int8=True,
    fast_bf16=True,
    cuda=True,
)
NOTHING = MachineFacts({"onnxruntime": "1"}, "x86_64", fast_int8=False, fast_bf16=False, cuda=False)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Let the test say what is installed, what the processor can do and which devices there are."""
    monkeypatch.setattr(runtimes, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(runtimes, "_DEVICES", tmp_path / "dev")

    def arrange(*, cpuinfo=None, packages=(), devices=()):
        if cpuinfo is not None:
            (tmp_path / "cpuinfo").write_text(cpuinfo)
        (tmp_path / "dev").mkdir()
        for name in devices:
            (tmp_path / "dev" / name).touch()

        def version(package):
            if package not in packages:
                raise PackageNotFoundError(package)
            return f"{package}-version"

        monkeypatch.setattr(runtimes, "version", version)
        return machine_facts()

    return arrange


@pytest.mark.parametrize(
    ("cpuinfo", "int8", "bf16"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_vnni avx512_bf16\n", True, True),
        ("flags : fpu avx2 avx_vnni\n", True, False),
        ("flags : fpu amx_bf16 amx_int8\n", True, True),
        ("flags : fpu avx2 avx512f\n", False, False),
        ("flags : not_avx_vnni bf16_not\n", False, False),
        ("Features\t: fp asimd asimddp\n", True, False),
        ("Features : fp i8mm bf16\n", True, True),
        ("vendor_id : somebody\n", False, False),
        (None, False, False),
    ],
)
def test_the_processor_says_what_it_is_fast_at(machine, cpuinfo, int8, bf16):
    facts = machine(cpuinfo=cpuinfo)
    assert (facts.fast_int8, facts.fast_bf16) == (int8, bf16)


def test_installed_packages_are_named_with_their_versions(machine):
    facts = machine(packages=("onnxruntime", "torch"))
    assert dict(facts.versions) == {
        "onnxruntime": "onnxruntime-version",
        "pytorch": "torch-version",
    }


@pytest.mark.parametrize(
    ("packages", "devices", "cuda"),
    [
        (("onnxruntime-gpu",), ("nvidia0",), True),
        (("onnxruntime-gpu",), ("nvidiactl", "null"), False),
        (("onnxruntime",), ("nvidia0",), False),
    ],
)
def test_cuda_needs_a_device_and_the_build_for_it(machine, packages, devices, cuda):
    facts = machine(packages=packages, devices=devices)
    assert facts.cuda is cuda
    assert "onnxruntime" in facts.versions


def test_every_combination_is_listed_with_its_reason():
    assert [option for option in available_runtimes(EVERYTHING) if not option.usable] == []
    refused = {
        (option.runtime, option.precision, option.device): option.why_not
        for option in available_runtimes(NOTHING)
        if not option.usable
    }
    assert len(available_runtimes(NOTHING)) == len(refused) + 1
    assert refused["openvino", "fp32", "cpu"] == (
        'openvino is not installed: pip install "prismata[openvino]"'
    )
    assert "no 8-bit arithmetic" in refused["onnxruntime", "int8", "cpu"]
    assert "no NVIDIA device" in refused["onnxruntime", "fp32", "cuda"]
    no_bf16 = MachineFacts({"openvino": "2"}, "x86_64", fast_int8=True, fast_bf16=False, cuda=False)
    assert "no bf16 arithmetic" in no_bf16.why_not("openvino", "bf16")


def test_what_cannot_be_combined_says_what_can():
    assert EVERYTHING.why_not("onnxruntime", "bf16") == (
        "onnxruntime runs exported models in fp32 on cpu, int8 on cpu, fp32 on cuda"
    )
