"""What this process may use of the machine: cores and memory, as its container allows them.

A container sees the host's cores and the host's memory; the control group (v1 or v2) tells what is
really ours. Sizes are in MB of 2^20 bytes.
"""

from __future__ import annotations

import os
from pathlib import Path

_BYTES_PER_MB = 1024 * 1024
_NO_LIMIT = 1 << 60  # cgroup v1 writes "no limit" as a number close to 2^63
SMALL_MACHINE_MB = 3 * 1024
"""Up to here a machine counts as small: the 2 GB servers this is meant for, and a bit."""

_DEV = Path("/dev")
_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Cores this process may use: its affinity and its control group's quota, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:  # macOS
        cores = os.cpu_count() or 1
    quota = _core_quota()
    return max(1, min(cores, round(quota))) if quota is not None else cores


def nvidia_gpus() -> int:
    """Count the NVIDIA GPUs whose device files are here, without a library; only Linux has them."""
    return sum(path.name.removeprefix("nvidia").isdigit() for path in _DEV.glob("nvidia*"))


def memory_limit_mb() -> float | None:
    """Memory this process and those of its control group may use; the machine's if less.

    None where the system does not tell (only Linux does).
    """
    limits = [*_group_limits()]
    total = _meminfo("MemTotal")
    if total is not None:
        limits.append(total)
    return round(min(limits) / _BYTES_PER_MB, 1) if limits else None


def available_memory_mb() -> float | None:
    """Memory that could be taken now without swapping or being killed; None if nobody can tell.

    The least of what the machine has available and what each control group above us has left,
    where file pages that can be dropped count as left.
    """
    left = []
    available = _meminfo("MemAvailable")
    if available is not None:
        left.append(available)
    for folder, limit_name, usage_name, stat_names in _group_files():
        limit = _number(folder / limit_name)
        usage = _number(folder / usage_name)
        if limit is None or usage is None or limit >= _NO_LIMIT:
            continue
        stat = _table(folder / "memory.stat")
        droppable = sum(stat.get(name, 0) for name in stat_names)
        left.append(max(0, limit - usage + droppable))
    return round(min(left) / _BYTES_PER_MB, 1) if left else None


def is_small_machine() -> bool:
    """Whether the memory limit is at most `SMALL_MACHINE_MB`."""
    limit = memory_limit_mb()
    return limit is not None and limit <= SMALL_MACHINE_MB


def _core_quota() -> float | None:
    """Cores that the tightest control group above us allows; None = no quota."""
    quotas = []
    for folder in _groups(""):
        parts = _words(folder / "cpu.max")
        if len(parts) == 2 and parts[0].isdigit() and parts[1].isdigit():
            quotas.append(int(parts[0]) / int(parts[1]))
    for folder in _groups("cpu"):
        quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        if quota is not None and period and quota > 0:
            quotas.append(quota / period)
    return min(quotas) if quotas else None


def _group_limits() -> list[int]:
    limits = (_number(folder / limit_name) for folder, limit_name, _, _ in _group_files())
    return [limit for limit in limits if limit is not None and limit < _NO_LIMIT]


def _group_files() -> list[tuple[Path, str, str, tuple[str, ...]]]:
    """Return folder, names of limit and usage, and the droppable rows of `memory.stat`."""
    newer = [
        (folder, "memory.max", "memory.current", ("inactive_file", "active_file"))
        for folder in _groups("")
    ]
    older = [
        (
            folder,
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            ("total_inactive_file", "total_active_file"),
        )
        for folder in _groups("memory")
    ]
    return [*newer, *older]


def _groups(controller: str) -> list[Path]:
    """Return our control group and all above it; "" asks for version 2's single tree.

    Inside a container our group's path often does not exist below the mount; its root then is the
    container's own group.
    """
    for line in _lines(_PROC / "self/cgroup"):
        number, controllers, path = line.split(":", 2)
        if controller and controller not in controllers.split(","):
            continue
        if not controller and number != "0":
            continue
        root = _CGROUP / controller
        inner = root / path.lstrip("/")
        folders = [inner, *inner.parents]
        return [folder for folder in folders if folder.is_relative_to(root) and folder.is_dir()]
    return []


def _meminfo(name: str) -> int | None:
    for line in _lines(_PROC / "meminfo"):
        key, _, rest = line.partition(":")
        if key == name:
            return int(rest.split()[0]) * 1024
    return None


def _table(path: Path) -> dict[str, int]:
    rows = (line.split() for line in _lines(path))
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def _number(path: Path) -> int | None:
    words = _words(path)
    try:
        return int(words[0]) if words else None
    except ValueError:  # "max"
        return None


def _words(path: Path) -> list[str]:
    return [word for line in _lines(path) for word in line.split()]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except OSError:
        return []
