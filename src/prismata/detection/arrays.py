"""Arrays of a whole video, computed once and kept: decoded frames and encoded features.

The key names everything the numbers depend on: the video's content, the encoder's content, the
sampling and the size. A second training run, or another head on the same encoder, decodes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.core.time import FrameTimeline, SamplePlan
from prismata.detection.feature_cache import FeatureCache, FeatureKey
from prismata.detection.frames import FrameBatches
from prismata.detection.runtimes import FrameEncoder
from prismata.detection.windows import repeated

BATCH = 8
SAMPLES_AT_ONCE = 256
"""Rows of features written together where a frame stands for many samples."""
FEATURE_BYTES = 5 * 10**9
"""Default bound of the features: that of `PRISMATA_FEATURE_CACHE_GB`."""

Progress = Callable[[int, int], None]
Chunk = NDArray[np.uint8] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VideoSource:
    """A video file with what is known about it."""

    path: Path
    sha256: str
    timeline: FrameTimeline


class ArrayCache:
    """A folder of arrays, read through the page cache (memory-mapped).

    Args:
        folder: Where.
        feature_bytes: Bound of the features, which detection shares.
    """

    def __init__(self, folder: Path, *, feature_bytes: int = FEATURE_BYTES) -> None:
        self._folder = folder
        self._features = FeatureCache(folder / "features", feature_bytes)

    def frames(
        self,
        video: VideoSource,
        *,
        target_fps: float,
        size: tuple[int, int],
        on_progress: Progress = lambda _done, _total: None,
    ) -> NDArray[np.uint8]:
        """Return the `(K, H, W, 3)` uint8 frames of the K instants of the sampling.

        Raises:
            BadVideoError: If the video cannot be decoded.
        """
        plan = video.timeline.sample(target_fps)
        shape = (len(plan), size[1], size[0], 3)
        path = self._path("frames", [video.sha256, target_fps, list(size)])

        def chunks() -> Iterator[Chunk]:
            for batch in FrameBatches(
                video.path, plan, timeline=video.timeline, size=size, batch=BATCH
            ):
                yield from repeated(batch.frames, batch.repeats, at_most=BATCH)

        frames: NDArray[np.uint8] = self._get(path, shape, np.uint8, chunks, on_progress)
        return frames

    def features(
        self,
        video: VideoSource,
        encoder: FrameEncoder,
        *,
        encoder_sha256: str,
        target_fps: float,
        on_progress: Progress = lambda _done, _total: None,
    ) -> NDArray[np.float32]:
        """Return the `(K, F)` float32 features of the K instants of the sampling.

        Each distinct frame is decoded and encoded once. A detection in fp32 without a motion gate
        finds the same entry, and leaves its own for training.

        Raises:
            BadVideoError: If the video cannot be decoded.
            InvalidInputError: If the cache is too small for this video; known before any work.
        """
        plan = video.timeline.sample(target_fps)
        size = (encoder.width, encoder.height)
        key = FeatureKey(video.sha256, f"{encoder_sha256}:fp32", target_fps, *size)
        shape = (len(plan), encoder.feature_size)
        if not self._features.has_room(shape):
            raise InvalidInputError(
                f"the features of {video.path.name!r} need {shape[0] * shape[1] * 4 / 1e6:.0f} MB, "
                "more than the cache of features may hold; raise PRISMATA_FEATURE_CACHE_GB"
            )
        stored = self._features.open(key, shape)
        if stored is None:
            self._encode_all(video, encoder, plan, key, on_progress)
            stored = self._features.open(key, shape)
        if stored is None:
            raise InvalidInputError(
                f"the features of {video.path.name!r} were written and are gone already: the cache "
                "is too small for all who use it now; raise PRISMATA_FEATURE_CACHE_GB"
            )
        on_progress(len(plan), len(plan))
        return stored

    def _encode_all(
        self,
        video: VideoSource,
        encoder: FrameEncoder,
        plan: SamplePlan,
        key: FeatureKey,
        on_progress: Progress,
    ) -> None:
        done = 0
        with self._features.writer(key, (len(plan), encoder.feature_size)) as writer:
            for batch in FrameBatches(
                video.path,
                plan,
                timeline=video.timeline,
                size=(encoder.width, encoder.height),
                batch=BATCH,
            ):
                features = encoder.encode(batch.frames)
                for samples in repeated(features, batch.repeats, at_most=SAMPLES_AT_ONCE):
                    writer.append(samples)
                done += sum(batch.repeats)
                on_progress(done, len(plan))

    def _path(self, kind: str, key: list[Any]) -> Path:
        name = hashlib.sha256(json.dumps(key).encode()).hexdigest()
        return self._folder / kind / name[:2] / f"{name}.npy"

    def _get(
        self,
        path: Path,
        shape: tuple[int, ...],
        dtype: type[np.generic],
        chunks: Callable[[], Iterator[Chunk]],
        on_progress: Progress,
    ) -> Any:  # noqa: ANN401 - the two callers state the dtype
        stored = self._load(path, shape, dtype)
        if stored is not None:
            on_progress(shape[0], shape[0])
            return stored
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed when complete: another process never sees half an array.
        temporary = path.with_name(f"{path.stem}.{os.getpid()}.part")
        try:
            array = np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape)
            row = 0
            for chunk in chunks():
                array[row : row + len(chunk)] = chunk
                row += len(chunk)
                on_progress(row, shape[0])
            array.flush()
            del array
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        return np.load(path, mmap_mode="r", allow_pickle=False)

    def _load(
        self, path: Path, shape: tuple[int, ...], dtype: type[np.generic]
    ) -> NDArray[np.generic] | None:
        """Return a stored array, or `None` if there is none or the file is damaged."""
        try:
            stored: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return stored if stored.shape == shape and stored.dtype == dtype else None
