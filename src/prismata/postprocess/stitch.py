"""Which samples each window sees, and for which instant its score speaks.

Window n is centred at one sample of the plan and its score belongs to that sample's instant. At
both ends of the video the first or last sample repeats, so that the whole video has scores.
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
