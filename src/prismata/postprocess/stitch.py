"""Which samples each window sees, and for which instant its score speaks.

Window n is centred at one sample of the plan and its score belongs to that sample's instant. At
both ends of the video the first or last sample repeats, so that the whole video has scores. Where a
head scores every sample of a window, each sample takes its scores from one window only, the one
whose centre is nearest: that one has seen most on both sides of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.core.scores import ScoreTrack


def window_centres(num_samples: int, stride: int = 1) -> NDArray[np.int64]:
    """Return the `(N,)` int64 sample indices at which windows are centred.

    They are 0, stride, 2 stride, … and always the last sample, so no stretch at the end of a video
    goes unscored whatever the stride.

    Raises:
        InvalidInputError: If there is no sample or the stride is not positive.
    """
    if num_samples < 1:
        raise InvalidInputError(f"windows need at least one sample, not {num_samples}")
    if stride < 1:
        raise InvalidInputError(f"the window stride must be at least 1, not {stride}")
    centres = np.arange(0, num_samples, stride, dtype=np.int64)
    if centres[-1] != num_samples - 1:
        centres = np.append(centres, np.int64(num_samples - 1))
    return centres


def window_indices(num_samples: int, num_frames: int, stride: int = 1) -> NDArray[np.int64]:
    """Return the `(N, T)` int64 sample indices of every window, in time order.

    A window of T = `num_frames` samples centred at c sees `c - T // 2` to `c + (T - 1) // 2`; for
    even T the centre is the first sample of the second half. Indices outside the video are clamped,
    which repeats the first or the last sample: a video shorter than one window still works.

    Raises:
        InvalidInputError: If there is no sample, or a number is not positive.
    """
    if num_frames < 1:
        raise InvalidInputError(f"a window needs at least one frame, not {num_frames}")
    centres = window_centres(num_samples, stride)
    offsets = np.arange(num_frames, dtype=np.int64) - num_frames // 2
    indices: NDArray[np.int64] = centres[:, None] + offsets[None, :]
    return indices.clip(0, num_samples - 1)


def scoring_windows(
    samples: NDArray[np.int64], num_samples: int, num_frames: int, stride: int, *, dense: bool
) -> NDArray[np.int64]:
    """Return the first and last sample of the window that each sample's score comes from.

    Args:
        samples: `(M,)` int64 that have scores: with `dense` any, else those at which a window is
            centred.
        num_samples: K, samples of the video.
        num_frames: T, samples in a window.
        stride: Samples between neighbouring centres.
        dense: Whether the head scores every sample of a window.

    Returns:
        `(M, 2)` int64, inside the video.

    Raises:
        InvalidInputError: If there is no sample or the stride is not positive.
    """
    centres = window_centres(num_samples, stride)
    last = np.minimum(centres + _samples_after(stride), num_samples - 1) if dense else centres
    window = np.minimum(np.searchsorted(last, samples), centres.size - 1)
    # The ends of a row of `window_indices`.
    ends = np.array([-(num_frames // 2), (num_frames - 1) // 2], dtype=np.int64)
    seen: NDArray[np.int64] = centres[window][:, None] + ends[None, :]
    return seen.clip(0, num_samples - 1)


def _samples_after(stride: int) -> int:
    """Return how many samples behind its centre take their scores from a window."""
    return (stride - 1) // 2


class DenseStitcher:
    """Keeps of every window's scores those of the samples around its centre, each sample once.

    Args:
        num_frames: T, samples in a window.
        stride: Samples between neighbouring centres, as many as are kept of each window.

    Raises:
        InvalidInputError: If windows are so far apart that samples between them have no scores.
    """

    def __init__(self, num_frames: int, stride: int) -> None:
        if not 1 <= stride <= num_frames:
            raise InvalidInputError(
                f"windows of {num_frames} samples cannot score every sample at a stride of "
                f"{stride}; it must lie in 1..{num_frames}"
            )
        self._before = num_frames // 2
        self._after = _samples_after(stride)
        self._next = 0

    def push(
        self, centres: NDArray[np.int64], scores: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Take the scores of windows that follow those before.

        Args:
            centres: `(M,)` int64 sample at which each is centred.
            scores: `(M, T, C)` float32.

        Returns:
            `(K,)` int64 samples, following those returned before, and their `(K, C)` scores.
        """
        return self._keep(centres, scores, centres + self._after)

    def finish(
        self, centres: NDArray[np.int64], scores: NDArray[np.float32], *, num_samples: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Take the last windows, the one at the end of the video among them; as `push`."""
        return self._keep(centres, scores, np.minimum(centres + self._after, num_samples - 1))

    def _keep(
        self,
        centres: NDArray[np.int64],
        scores: NDArray[np.float32],
        last: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Keep of every window the samples behind those of the one before, up to `last`."""
        end = int(last[-1]) + 1 if last.size else self._next
        samples = np.arange(self._next, max(self._next, end), dtype=np.int64)
        window = np.searchsorted(last, samples)
        self._next = max(self._next, end)
        return samples, scores[window, samples - centres[window] + self._before]


def build_track(
    times_us: NDArray[np.int64],
    centres: NDArray[np.int64],
    window_scores: NDArray[np.float32],
    event_types: Sequence[str],
) -> ScoreTrack:
    """Put window scores on the video's clock.

    Args:
        times_us: `(K,)` int64 instants of the sampling plan.
        centres: `(N,)` int64 sample index of each window's centre, increasing.
        window_scores: `(N, C)` float32 in [0, 1].
        event_types: C names, the order of the columns.

    Raises:
        InvalidInputError: If the shapes disagree, a centre is outside the plan or scores are not
            numbers in [0, 1].
    """
    if window_scores.ndim != 2 or window_scores.shape[0] != centres.size:
        raise InvalidInputError(
            f"{centres.size} windows need scores of shape ({centres.size}, event types), "
            f"not {window_scores.shape}"
        )
    if centres.size and (int(centres.min()) < 0 or int(centres.max()) >= times_us.size):
        raise InvalidInputError(
            f"windows are centred at samples {int(centres.min())} to {int(centres.max())}, "
            f"but the plan has samples 0 to {times_us.size - 1}"
        )
    scores = np.ascontiguousarray(window_scores, dtype=np.float32)
    return ScoreTrack(times_us[centres], scores, tuple(event_types))
