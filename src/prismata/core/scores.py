"""Score tracks: what a model thinks of every sampled instant, kept so that thresholds can move."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTrack:
    """Scores of C event types at K instants of one video.

    Raises:
        InvalidInputError: If the shapes disagree, times do not increase or scores leave [0, 1].
    """

    times_us: NDArray[np.int64]
    """`(K,)` int64, strictly increasing."""
    scores: NDArray[np.float32]
    """`(K, C)` float32 in [0, 1]; never NaN: an unscored instant is not in the track."""
    event_types: tuple[str, ...]
    """C names, the order of the columns."""

    def __post_init__(self) -> None:
        rows, columns = self.times_us.size, len(self.event_types)
        if self.scores.shape != (rows, columns):
            raise InvalidInputError(
                f"{rows} instants and {columns} event types need scores of shape "
                f"{(rows, columns)}, not {self.scores.shape}"
            )
        if rows > 1 and np.any(np.diff(self.times_us) <= 0):
            raise InvalidInputError("the instants of a score track must increase")
        if rows and not bool(np.all((self.scores >= 0) & (self.scores <= 1))):
            raise InvalidInputError("scores must lie in [0, 1] and be numbers")

    def __len__(self) -> int:
        return int(self.times_us.size)

    def column(self, event_type: str) -> NDArray[np.float32]:
        """Return the `(K,)` scores of one event type.

        Raises:
            InvalidInputError: If the track has no such event type.
        """
        if event_type not in self.event_types:
            raise InvalidInputError(
                f"no scores for {event_type!r}; this track has {', '.join(self.event_types)}"
            )
        column: NDArray[np.float32] = self.scores[:, self.event_types.index(event_type)]
        return column

    def save(self, path: Path) -> None:
        """Write as `.npz` (no pickles)."""
        np.savez_compressed(
            path, times_us=self.times_us, scores=self.scores, event_types=np.array(self.event_types)
        )

    @classmethod
    def load(cls, path: Path) -> ScoreTrack:
        """Read what `save` wrote.

        Raises:
            InvalidInputError: If the file is not a score track.
        """
        try:
            # numpy leaves a file that it opened itself open when it turns out to be no archive.
            with path.open("rb") as source, np.load(source, allow_pickle=False) as data:
                names = tuple(str(name) for name in data["event_types"])
                return cls(data["times_us"], data["scores"], names)
        except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
            raise InvalidInputError(f"{path.name} is not a score track: {error}") from error
