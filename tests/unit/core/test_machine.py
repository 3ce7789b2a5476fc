"""What a container allows, read from made-up control groups of both versions."""

import os
from pathlib import Path

import pytest

from prismata.core import machine

MB = 1024 * 1024


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 8 cores and 16 GB, 12 GB of them available, and no limits yet."""
    monkeypatch.setattr(machine, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "_CGROUP", tmp_path / "cgroup")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)), raising=False)
    write(tmp_path / "proc/meminfo", "MemTotal: 16777216 kB\nMemAvailable: 12582912 kB\n")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def v2(host: Path, group: str, **files: str) -> None:
    for name, text in files.items():
        write(host / "cgroup" / group / name.replace("_", ".", 1), text)


def test_without_control_groups_the_machine_is_ours(host: Path) -> None:
    assert machine.usable_cores() == 8
    assert machine.memory_limit_mb() == 16384
    assert machine.available_memory_mb() == 12288
    assert not machine.is_small_machine()


def test_version_2_the_tightest_group_above_us_counts(host: Path) -> None:
    write(host / "proc/self/cgroup", "0::/outer/inner\n")
    v2(host, "outer/inner", cpu_max="max 100000", memory_max="max", memory_current="1")
    v2(
        host,
        "outer",
        cpu_max="250000 100000",
        memory_max=str(2048 * MB),
        memory_current=str(1500 * MB),
        memory_stat=f"anon {900 * MB}\ninactive_file {400 * MB}\nactive_file {100 * MB}\n",
    )
    assert machine.usable_cores() == 2
    assert machine.memory_limit_mb() == 2048
    assert machine.available_memory_mb() == 2048 - 1500 + 500
    assert machine.is_small_machine()


def test_version_1_has_a_tree_for_each_controller(host: Path) -> None:
    write(host / "proc/self/cgroup", "4:memory:/box\n3:cpu,cpuacct:/box\n")
    write(host / "cgroup/cpu/box/cpu.cfs_quota_us", "150000")
    write(host / "cgroup/cpu/box/cpu.cfs_period_us", "100000")
    write(host / "cgroup/memory/box/memory.limit_in_bytes", str(2000 * MB))
    write(host / "cgroup/memory/box/memory.usage_in_bytes", str(1990 * MB))
    write(host / "cgroup/memory/box/memory.stat", f"total_inactive_file {90 * MB}\n")
    write(host / "cgroup/memory/memory.limit_in_bytes", str(2**63 - 4096))
    write(host / "cgroup/memory/memory.usage_in_bytes", "1")
    assert machine.usable_cores() == 2
    assert machine.memory_limit_mb() == 2000
    assert machine.available_memory_mb() == 100


def test_inside_a_container_our_group_is_the_root_it_sees(host: Path) -> None:
    write(host / "proc/self/cgroup", "0::/not/visible/here\n")
    write(host / "cgroup/memory.max", str(512 * MB))
    assert machine.memory_limit_mb() == 512


def test_a_quota_below_one_core_is_still_one_core(host: Path) -> None:
    write(host / "proc/self/cgroup", "0::/\n")
    write(host / "cgroup/cpu.max", "20000 100000")
    assert machine.usable_cores() == 1


def test_where_the_system_does_not_tell_nothing_is_invented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_PROC", tmp_path)
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    assert machine.memory_limit_mb() is None
    assert machine.available_memory_mb() is None
    assert not machine.is_small_machine()


def test_gpus_are_counted_by_their_device_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_DEV", tmp_path)
    assert machine.nvidia_gpus() == 0
    for name in ("nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm", "nvidia-modeset"):
        (tmp_path / name).touch()
    assert machine.nvidia_gpus() == 3
