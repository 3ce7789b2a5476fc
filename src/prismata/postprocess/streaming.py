"""Scores to events while they arrive; the one piece of grouping logic there is.

For each event type on its own:

1. A *run* is a stretch of neighbouring instants whose score is at least `leave`. It counts if its
   highest score reaches `threshold`; other runs are as if they were not there.
2. A run's edges lie where the straight line between the last instant outside and the first instant
   inside crosses `leave`. A run that starts with the track starts at its first instant; one that is
   still on at the end lasts one more sampling step, at most to the end of the video.
3. Runs whose edges are closer than `min_gap_seconds` are one.
4. A segment event is the run from edge to edge; a point event is the mean of the run's instants
   weighted by how far each score lies above `leave` (unweighted if none does). Instants in a
   bridged gap have no weight. Runs are centred, not peak-picked, because overlapping windows make
   flat plateaus on which a peak is arbitrary.
5. The event's score is the highest of its run.

Scores are compared as float32, the precision they are stored in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from prismata.core.errors import InvalidInputError
from prismata.core.events import Event, EventType
from prismata.core.recipes import GroupingRule
from prismata.core.time import to_us
from prismata.postprocess.runs import Run, Stretch


class _TypeGrouper:
    """Groups one event type's scores."""

    def __init__(self, event_type: EventType, rule: GroupingRule) -> None:
        self._type = event_type
        self._threshold = float(np.float32(rule.threshold))
        self._leave = np.float32(rule.leave)
        self._min_gap_us = to_us(rule.min_gap_seconds)
        self._min_us = to_us(rule.min_seconds)
        self._open: Stretch | None = None
        self._pending: Stretch | None = None
        self._previous: tuple[int, float] | None = None

    def push(self, times_us: NDArray[np.int64], scores: NDArray[np.float32]) -> list[Run]:
        """Take `(K,)` instants and scores, K > 0; return the runs that nothing can change."""
        inside = scores >= self._leave
        changes = np.flatnonzero(inside[1:] != inside[:-1]) + 1
        closed: list[Run] = []
        starts = [0, *changes.tolist()]
        for start, stop in zip(starts, [*starts[1:], int(times_us.size)], strict=True):
            if inside[start]:
                closed += self._enter(times_us[start:stop], scores[start:stop])
            else:
                closed += self._outside(times_us[start:stop], float(scores[start]))
            self._previous = int(times_us[stop - 1]), float(scores[stop - 1])
        return closed

    def finish(self, end_us: int) -> list[Run]:
        """Close everything; a run that is still on lasts until `end_us`."""
        self._close(end_us)
        return self._emit()

    def open_runs(self) -> list[Run]:
        """Return the run that has reached the threshold and was not returned yet, if there is one.

        A segment counts from when it is as long as it has to be, so what was shown once never
        vanishes.
        """
        run, counts = self._pending, self._open is not None and self._open.peak >= self._threshold
        if self._open is not None and counts:
            run = run.joined(self._open) if run is not None else self._open
        if run is None:
            return []
        run_id = self._id(run)
        if self._type.kind == "point":
            return [Run(run_id, Event.point(self._type.name, run.centre_so_far_us(), run.peak))]
        end_us = max(run.last_us if run is not self._pending else run.end_us, run.start_us + 1)
        if end_us - run.start_us < self._min_us:
            return []
        return [Run(run_id, Event.segment(self._type.name, run.start_us, end_us, run.peak))]

    def _id(self, run: Stretch) -> str:
        return f"{self._type.name}:{run.start_us}"

    def _enter(self, times_us: NDArray[np.int64], scores: NDArray[np.float32]) -> list[Run]:
        closed: list[Run] = []
        if self._open is None:
            edge = self._crossing(int(times_us[0]), float(scores[0]))
            self._open = Stretch(edge)
            closed = self._emit_before(edge)
        self._open.take(times_us, scores)
        if self._type.kind == "point":
            self._open.weigh(times_us, scores, self._leave)
        return closed

    def _outside(self, times_us: NDArray[np.int64], first_score: float) -> list[Run]:
        if self._open is not None:
            self._close(self._crossing(int(times_us[0]), first_score))
        return self._emit_before(int(times_us[-1]))

    def _crossing(self, time_us: int, score: float) -> int:
        """Return where the line from the previous instant, on the other side, crosses `leave`."""
        if self._previous is None:
            return time_us
        before_us, before = self._previous
        share = (float(self._leave) - before) / (score - before)
        return before_us + round((time_us - before_us) * share)

    def _close(self, end_us: int) -> None:
        run, self._open = self._open, None
        if run is None or run.peak < self._threshold:
            return
        run.end_us = end_us
        if self._pending is None:
            self._pending = run
        else:
            # Had it been far enough away, the pending run would have been emitted by now.
            self._pending.absorb(run)

    def _emit_before(self, edge_us: int) -> list[Run]:
        """Emit the pending run if a run that starts at `edge_us` or later cannot join it."""
        if self._pending is None or edge_us - self._pending.end_us < self._min_gap_us:
            return []
        return self._emit()

    def _emit(self) -> list[Run]:
        run, self._pending = self._pending, None
        if run is None:
            return []
        if self._type.kind == "point":
            event = Event.point(self._type.name, run.centre_us(self._leave), run.peak)
            return [Run(self._id(run), event)]
        # A single instant exactly at `leave` touches the line; an event still has a length.
        end_us = max(run.end_us, run.start_us + 1)
        if end_us - run.start_us < self._min_us:
            return []
        event = Event.segment(self._type.name, run.start_us, end_us, run.peak)
        return [Run(self._id(run), event)]


def _by_event(run: Run) -> Event:
    return run.event


class StreamingGrouper:
    """Groups scores as they arrive, in chunks of any size; the chunking never changes the events.

    Args:
        event_types: Their order is the order of the score columns.
        rules: Event type name → rule.

    Raises:
        InvalidInputError: If an event type has no rule.
    """

    def __init__(self, event_types: Sequence[EventType], rules: Mapping[str, GroupingRule]) -> None:
        missing = [item.name for item in event_types if item.name not in rules]
        if missing:
            raise InvalidInputError(
                f"event type {missing[0]!r} has no grouping rule; there are rules for "
                f"{', '.join(sorted(rules)) or 'none'}"
            )
        self._groupers = [_TypeGrouper(item, rules[item.name]) for item in event_types]
        self._last_us: int | None = None
        self._step_us: int | None = None
        self._finished = False

    def push(self, times_us: NDArray[np.int64], scores: NDArray[np.float32]) -> list[Event]:
        """Return the events whose run has closed for good, by time; see `push_runs`."""
        return [run.event for run in self.push_runs(times_us, scores)]

    def finish(self, duration_us: int) -> list[Event]:
        """Return the remaining events, by time; see `finish_runs`."""
        return [run.event for run in self.finish_runs(duration_us)]

    def push_runs(self, times_us: NDArray[np.int64], scores: NDArray[np.float32]) -> list[Run]:
        """Return the runs that have closed for good, by time.

        Args:
            times_us: `(K,)` int64, increasing, after everything pushed before; K may be 0.
            scores: `(K, C)` float32 in [0, 1].

        Raises:
            InvalidInputError: If the shapes or times do not fit, or scores are not numbers in
                [0, 1].
        """
        self._check(times_us, scores)
        if not times_us.size:
            return []
        if times_us.size > 1:
            self._step_us = int(times_us[-1] - times_us[-2])
        elif self._last_us is not None:
            self._step_us = int(times_us[-1]) - self._last_us
        self._last_us = int(times_us[-1])
        columns = np.asarray(scores, dtype=np.float32)
        closed: list[Run] = []
        for index, grouper in enumerate(self._groupers):
            closed += grouper.push(times_us, columns[:, index])
        return sorted(closed, key=_by_event)

    def finish_runs(self, duration_us: int) -> list[Run]:
        """Return the remaining runs, by time; nothing can be pushed afterwards.

        Raises:
            InvalidInputError: If instants were pushed that lie outside the video.
        """
        if self._finished:
            raise InvalidInputError("this grouper is finished; make a new one for another video")
        if self._last_us is not None and self._last_us >= duration_us:
            raise InvalidInputError(
                f"scores were given up to {self._last_us} us, but the video lasts {duration_us} us"
            )
        self._finished = True
        end_us = duration_us
        if self._last_us is not None and self._step_us is not None:
            end_us = min(duration_us, self._last_us + self._step_us)
        closed = [run for grouper in self._groupers for run in grouper.finish(end_us)]
        return sorted(closed, key=_by_event)

    def open_runs(self) -> list[Run]:
        """Return the runs that have reached their threshold and have not been returned yet.

        Their events are what they would be if the video ended here. Each will be returned by
        `push_runs` or `finish_runs` under the same id; until then its score never falls, and a
        segment's start never moves. The cost does not depend on how long a run is.
        """
        return [run for grouper in self._groupers for run in grouper.open_runs()]

    def _check(self, times_us: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        if self._finished:
            raise InvalidInputError("this grouper is finished; make a new one for another video")
        expected = (times_us.size, len(self._groupers))
        if scores.shape != expected:
            raise InvalidInputError(f"expected scores of shape {expected}, not {scores.shape}")
        if not times_us.size:
            return
        if np.any(np.diff(times_us) <= 0) or (
            self._last_us is not None and int(times_us[0]) <= self._last_us
        ):
            raise InvalidInputError(
                "instants must increase, within a chunk and from chunk to chunk"
            )
        if not bool(np.all((scores >= 0) & (scores <= 1))):
            raise InvalidInputError("scores must lie in [0, 1] and be numbers")
