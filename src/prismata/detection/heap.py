"""The C library's heap, asked to keep less for later. Does nothing where that is not glibc."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_M_ARENA_MAX = -8
"""`mallopt(3)`; the number is part of glibc's interface."""


def use_one_arena() -> None:
    """Let all threads share one heap; to be called before threads begin.

    By default every thread gets one of its own, each with what it once needed. Here few threads
    allocate, and large blocks: one heap costs no measurable time and saves 11 MB of 250
    (benchmarks/results/detection_engine.md).
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def return_freed_memory() -> None:
    """Give back what has been freed, as after reading and packing weights.

    For ResNet18 in fp32 that is 94 MB; decoding and encoding would come on top of it.
    """
    malloc_trim = _of_glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _of_glibc(name: str) -> Any:  # noqa: ANN401 - a foreign function
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), name, None)
