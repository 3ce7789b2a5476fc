"""The C library is really asked: its own account of its heaps says so."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, threading
from prismata.detection.heap import return_freed_memory, use_one_arena

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
if "one" in sys.argv:
    use_one_arena()
barrier = threading.Barrier(4)

def allocate():
    barrier.wait()
    block = libc.malloc(50_000)
    barrier.wait()
    libc.free(block)

threads = [threading.Thread(target=allocate) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
return_freed_memory()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def _heaps(*words: str) -> int:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], check=True, capture_output=True, text=True
    )
    return ended.stdout.count("<heap nr=")


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_threads_share_one_heap_where_it_was_asked_for() -> None:
    assert _heaps() > 1
    assert _heaps("one") == 1
