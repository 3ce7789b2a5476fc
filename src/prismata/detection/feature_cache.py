"""Features of whole videos, computed once: by training or detection, for both.

One file for each video, encoder and sampling. It begins with a line of JSON that says how large the
array behind it is and what its checksum is; a file that does not keep that promise is removed and
computed anew. What was not used for longest goes first when the cache is full.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from prismata.core.recipes import MotionGate

HEADER_BYTES = 256
FORMAT = 1
"""To be raised when the frames that models see change too: resizing, colours, sampling."""
_DAY_SECONDS = 24 * 3600.0
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FeatureKey:
    """Everything that features depend on."""

    video_sha256: str
    encoder_key: str
    """Which encoder in which precision; see `LoadedModel.encoder_key`."""
    target_fps: float
    width: int
    height: int
    motion_gate: MotionGate | None = None
    reader: str = "pyav"
    """Readers agree on which frame, not on every bit of it."""

    def digest(self) -> str:
        """Return the name that features of this key go by; equal keys have the same name."""
        gate = self.motion_gate
        facts = asdict(self) | {
            # As numbers, 5 and 5.0 are equal, but JSON writes them differently.
            "target_fps": float(self.target_fps),
            "motion_gate": gate and {name: float(value) for name, value in asdict(gate).items()},
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


class FeatureCache:
    """A folder of features, bounded; safe for several processes at once.

    Args:
        folder: Where; made when it is needed.
        max_bytes: Bound of all entries together; 0 = nothing is kept.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder, self._max_bytes = folder, max_bytes

    def open(self, key: FeatureKey, shape: tuple[int, int]) -> NDArray[np.float32] | None:
        """Return the `(K, F)` float32 features as a read-only memory map, or None.

        None also if the cache is off, or if the entry is damaged or of another shape; such an entry
        is removed.
        """
        if not self._max_bytes:
            return None
        path = self._path(key)
        try:
            with path.open("rb") as source:
                features = _read(source, shape)
        except FileNotFoundError:
            return None
        if features is None:
            path.unlink(missing_ok=True)
            return None
        with contextlib.suppress(FileNotFoundError):
            os.utime(path)  # used now
        return features

    def has_room(self, shape: tuple[int, int]) -> bool:
        """Tell whether an entry of this shape may be kept at all."""
        return _entry_bytes(shape) <= self._max_bytes

    @contextmanager
    def writer(
        self, key: FeatureKey, shape: tuple[int, int], *, optional: bool = False
    ) -> Iterator[FeatureWriter]:
        """Collect the features of a video and keep them when the block ends.

        They are kept if exactly K rows came and no exception did; otherwise nothing is left behind.
        What would not fit, even alone, is not begun: it would only drive out everything else.

        Args:
            key: What the features depend on.
            shape: `(K, F)`.
            optional: A disk that is full or cannot be written to means only that nothing is kept.

        Raises:
            OSError: If the disk cannot be written to and this is not optional.
        """
        forgiven = OSError if optional else ()
        path, target = self._path(key), None
        temporary = path.with_name(f"{path.stem}.{os.getpid()}.{time.monotonic_ns()}.part")
        try:
            if self.has_room(shape):
                self._folder.mkdir(parents=True, exist_ok=True)
                self._remove_abandoned()
                target = temporary.open("wb")
        except forgiven:
            target = None
        writer = FeatureWriter(target, shape, forgiven=forgiven)
        try:
            yield writer
            with contextlib.suppress(*([OSError] if optional else [])):
                if target is not None and writer.finish():
                    target.close()
                    temporary.replace(path)
                    self._make_room(path)
        finally:
            if target is not None:
                with contextlib.suppress(OSError):
                    target.close()
                temporary.unlink(missing_ok=True)

    def _path(self, key: FeatureKey) -> Path:
        return self._folder / f"{key.digest()}.features"

    def _make_room(self, newest: Path) -> None:
        """Remove what was not used for longest, the newest entry last."""
        entries = []
        for path in self._folder.glob("*.features"):
            with contextlib.suppress(FileNotFoundError):
                facts = path.stat()
                entries.append((path == newest, facts.st_mtime_ns, facts.st_size, path))
        total = sum(size for _, _, size, _ in entries)
        for _, _, size, path in sorted(entries):
            if total <= self._max_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size

    def _remove_abandoned(self) -> None:
        """Remove what processes that died while writing have left."""
        limit = time.time() - _DAY_SECONDS
        for path in self._folder.glob("*.part"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < limit:
                    path.unlink()


class FeatureWriter:
    """Takes the rows of one array in order.

    Args:
        target: Where they go; None = nowhere.
        shape: `(K, F)`.
        forgiven: Exceptions of the disk after which nothing is kept and nobody is bothered.
    """

    def __init__(
        self,
        target: IO[bytes] | None,
        shape: tuple[int, int],
        *,
        forgiven: type[OSError] | tuple[()] = (),
    ) -> None:
        self._target, self._shape, self._forgiven = target, shape, forgiven
        self._rows, self._checksum = 0, 0
        if target is not None:
            target.seek(HEADER_BYTES)

    def append(self, features: NDArray[np.float32]) -> None:
        """Take the next `(n, F)` rows."""
        if self._target is None:
            return
        raw = np.ascontiguousarray(features, np.float32).tobytes()
        self._checksum = zlib.crc32(raw, self._checksum)
        self._rows += len(features)
        try:
            self._target.write(raw)
        except self._forgiven:
            self._target = None

    def finish(self) -> bool:
        """Write the header; say whether the array is complete."""
        if self._target is None or self._rows != self._shape[0]:
            return False
        if self._target.tell() != _entry_bytes(self._shape):
            return False  # rows of another length
        facts = {"format": FORMAT, "shape": list(self._shape), "crc32": self._checksum}
        self._target.seek(0)
        self._target.write(json.dumps(facts).encode().ljust(HEADER_BYTES))
        return True


def _entry_bytes(shape: tuple[int, int]) -> int:
    return HEADER_BYTES + shape[0] * shape[1] * np.dtype(np.float32).itemsize


def _read(source: IO[bytes], shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """Map the very file that was checked: its name may go, or be given to another, meanwhile."""
    if not _is_intact(source, shape):
        return None
    if 0 in shape:
        return np.zeros(shape, np.float32)
    return np.memmap(source, np.float32, mode="r", offset=HEADER_BYTES, shape=shape)


def _is_intact(source: IO[bytes], shape: tuple[int, int]) -> bool:
    try:
        facts = json.loads(source.read(HEADER_BYTES))
        promised = int(facts["crc32"])
        if facts["format"] != FORMAT or facts["shape"] != list(shape):
            return False
    except (ValueError, KeyError, TypeError):
        return False
    checksum, size = 0, HEADER_BYTES
    while chunk := source.read(_CHUNK_BYTES):
        checksum, size = zlib.crc32(chunk, checksum), size + len(chunk)
    return checksum == promised and size == _entry_bytes(shape)
