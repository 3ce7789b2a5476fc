"""Turn what a child writes into bounded lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

LOG_LINES = 100
LOG_LINE_CHARACTERS = 2000
_CUT = " […]"


class LineSplitter:
    """Cut a byte stream into lines without ever holding more than `max_bytes` of one line.

    Args:
        max_bytes: A longer line comes out as its first `max_bytes`, marked as cut; the rest of it
            is dropped.
        ends: Every byte that ends a line.
    """

    def __init__(self, *, max_bytes: int, ends: bytes = b"\n") -> None:
        self._max_bytes = max_bytes
        self._ends = bytes.maketrans(ends, b"\n" * len(ends))
        self._pending = bytearray()
        self._skipping = False

    def feed(self, chunk: bytes) -> Iterator[str]:
        """Yield each line that `chunk` completes, without its end."""
        *complete, rest = chunk.translate(self._ends).split(b"\n")
        for part in complete:
            yield from self._add(part)
            if not self._skipping:
                yield self._take()
            self._skipping = False
        yield from self._add(rest)

    def finish(self) -> Iterator[str]:
        """Yield what is left without an end."""
        if self._pending:
            yield self._take()

    def _add(self, part: bytes) -> Iterator[str]:
        if self._skipping:
            return
        room = self._max_bytes - len(self._pending)
        self._pending += part[:room]
        if len(part) > room:
            self._skipping = True
            yield self._take() + _CUT

    def _take(self) -> str:
        line = self._pending.decode("utf-8", errors="replace")
        self._pending.clear()
        return line


class LogTail:
    """The last lines a child printed, for a person who wants to know why it failed."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LOG_LINES)

    def add(self, line: str) -> None:
        """Keep a line; blank ones say nothing and push out one that does."""
        line = line.rstrip()
        if line:
            self._lines.append(
                line if len(line) <= LOG_LINE_CHARACTERS else line[:LOG_LINE_CHARACTERS] + _CUT
            )

    def lines(self) -> tuple[str, ...]:
        """Oldest first."""
        return tuple(self._lines)
