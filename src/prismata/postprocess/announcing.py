"""When to speak of a run that is still going: at once, then now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prismata.core.events import Event
from prismata.postprocess.runs import Run

PAUSE_SECONDS = 1.0
"""Between two announcements of one run."""


class Announcer:
    """Remembers which runs were announced, when, and as what.

    Args:
        clock: Seconds on a steady clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: dict[str, tuple[float, Event]] = {}

    def due(self, runs: Iterable[Run]) -> list[Run]:
        """Return which open runs to announce now: new ones, and changed ones after a pause."""
        now = self._clock()
        due = []
        for run in runs:
            told = self._told.get(run.id)
            if told is None or (told[1] != run.event and now - told[0] >= PAUSE_SECONDS):
                self._told[run.id] = now, run.event
                due.append(run)
        return due

    def forget(self, run_id: str) -> None:
        """Let go of a run that has closed."""
        self._told.pop(run_id, None)
