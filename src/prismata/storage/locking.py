"""Advisory file locks between processes and threads; the kernel frees them when a holder dies.

POSIX only (`flock`): the house's child processes need a POSIX system anyway.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_lock(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock `path`, waiting for it; the file is created and stays.

    Every call opens the file anew, so threads of one process exclude each other too.
    """
    descriptor = take_lock(path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def try_file_lock(path: Path) -> Iterator[bool]:
    """Hold the lock `path` exclusively if nobody else has it; yields whether we do."""
    try:
        descriptor = take_lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)


def take_lock(path: Path, operation: int) -> int:
    """Return a descriptor that holds the lock; closing it lets go.

    A holder may delete the lock file together with what it guards. Whoever waited for the deleted
    file holds a lock that nobody else can see, so it opens the file again.

    Raises:
        BlockingIOError: If `operation` has LOCK_NB and somebody else holds the lock.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, operation)
            if _is_still(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))
