"""Signatures on disk: made once for each video, found again by its digest."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prismata.media.signatures import FORMAT, SIDE


class SignatureCache:
    """A folder of signatures; safe to delete, safe for several processes at once.

    Two kilobytes for each second of video, 7 MB for an hour: there is no bound.

    Args:
        folder: Where; made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / f"v{FORMAT}"

    def load(self, sha256: str) -> NDArray[np.uint8] | None:
        """Return the `(K, S, S)` uint8 signature of a video as a read-only memory map, or None.

        None also if the file is damaged.
        """
        try:
            stored: NDArray[np.uint8] = np.load(
                self._path(sha256), mmap_mode="r", allow_pickle=False
            )
        except (OSError, ValueError, EOFError):
            return None
        fits = stored.ndim == 3 and stored.shape[1:] == (SIDE, SIDE) and stored.dtype == np.uint8
        return stored if fits else None

    def get(self, sha256: str, make: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Return the signature of a video; made and kept where there is none.

        A disk that cannot be written to means only that it is not kept.
        """
        stored = self.load(sha256)
        if stored is not None:
            return stored
        made = make()
        path = self._path(sha256)
        # Written beside and renamed: another process never sees half a signature.
        temporary = path.with_name(f"{path.stem}.{os.getpid()}.part")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with temporary.open("wb") as file:
                    np.save(file, made, allow_pickle=False)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        return made

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / f"{sha256}.npy"
