"""Successive halving: every trial for a few epochs, the best of them for more, until one is left.

After Jamieson and Talwalkar 2016 (arXiv 1502.07943), without knowing what a trial is: what has been
scored decides what comes next and nothing else, so a search that is stopped anywhere and goes on
asks for the same pieces in the same order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from prismata.core.errors import InvalidInputError

KEEP_ONE_IN = 3

Ending = Literal["one_left", "time"]
"""`one_left`: nothing is to be compared any more; `time`: the budget is spent."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One round: so many trials are compared after so many epochs, counted from their start."""

    trials: int
    epochs: int


@dataclass(frozen=True, slots=True)
class Piece:
    """What is to be done next: to train one trial on until it has reached a rung."""

    trial: int
    rung: int
    epochs: int


@dataclass(slots=True)
class Standing:
    """How far one trial has come."""

    scores: list[float] = field(default_factory=list)
    """Its best validation score so far, when it had reached each rung."""
    curve: list[float] = field(default_factory=list)
    """The validation score of every epoch."""
    seconds: float = 0.0
    """What these epochs took, validation included."""
    failed: str = ""
    """Why it cannot be trained, as a sentence; it is compared with nobody."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def plan_rungs(trials: int, epochs: int, *, keep_one_in: int = KEEP_ONE_IN) -> tuple[Rung, ...]:
    """Return the rungs of a search.

    The last one compares trials that have been trained to the end of their schedule; each one
    before it comes after a third of the epochs and is for three times the trials. A rung that would
    train nobody any further is left out.

    Args:
        trials: How many there are.
        epochs: Of a whole training.
        keep_one_in: Of so many trials one goes on, rounded up.

    Raises:
        InvalidInputError: If there are fewer than two trials, or less than one epoch.
    """
    if trials < 2:
        raise InvalidInputError(f"a search compares at least 2 trials, not {trials}")
    if epochs < 1 or keep_one_in < 2:
        raise InvalidInputError(
            f"a search trains for at least 1 epoch and keeps one in 2 or more, not {epochs} and "
            f"one in {keep_one_in}"
        )
    sizes = [trials]
    while (size := math.ceil(sizes[-1] / keep_one_in)) > 1:
        sizes.append(size)
    last = len(sizes) - 1
    planned = [
        Rung(size, max(1, math.ceil(epochs / keep_one_in ** (last - place))))
        for place, size in enumerate(sizes)
    ]
    return tuple(
        rung
        for place, rung in enumerate(planned)
        if place == 0 or rung.epochs > planned[place - 1].epochs
    )


def competitors(
    rungs: Sequence[Rung], standings: Sequence[Standing], rung: int
) -> tuple[int, ...] | None:
    """Return the trials of a rung, best first; None while the rung before it is not over.

    Ties go to the trial that comes first. The place of one that fails stays empty, so who competes
    in a rung never changes once it is known.
    """
    if rung == 0:
        return tuple(range(len(standings)))
    before = competitors(rungs, standings, rung - 1)
    if before is None or any(_is_open(standings[trial], rung - 1) for trial in before):
        return None
    able = [trial for trial in before if len(standings[trial].scores) >= rung]
    able.sort(key=lambda trial: (-standings[trial].scores[rung - 1], trial))
    return tuple(able[: rungs[rung].trials])


def next_piece(rungs: Sequence[Rung], standings: Sequence[Standing]) -> Piece | None:
    """Return what is to be done next; None if one trial is left, or none."""
    for number, rung in enumerate(rungs):
        able = competitors(rungs, standings, number)
        if able is None:
            return None
        if number and len(able) < 2:
            return None
        for trial in able:
            if _is_open(standings[trial], number):
                return Piece(trial, number, rung.epochs)
    return None


def ranking(standings: Sequence[Standing]) -> tuple[int, ...]:
    """Return the trials, best first: by the rung they have reached, then by their score there.

    So trials are only compared after as many epochs. Ties go to the one that comes first; those
    that failed or were not begun are at the end.
    """

    def key(trial: int) -> tuple[bool, int, float, int]:
        scores = standings[trial].scores
        return bool(standings[trial].failed), -len(scores), -scores[-1] if scores else 0.0, trial

    return tuple(sorted(range(len(standings)), key=key))


def epochs_planned(rungs: Sequence[Rung]) -> int:
    """Return the epochs of a whole search, if no trial stops early."""
    befores = (0, *(rung.epochs for rung in rungs[:-1]))
    return sum(
        rung.trials * (rung.epochs - before) for rung, before in zip(rungs, befores, strict=True)
    )


class TimeBudget:
    """Seconds that may be spent on training, and what is known about how long things take.

    Args:
        seconds: All of them.
        spent: How many are gone already.
    """

    def __init__(self, seconds: float, spent: float = 0.0) -> None:
        self.seconds = seconds
        self.spent = spent

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left."""
        return self.spent >= self.seconds

    def has_time_for(self, piece: Piece, standings: Sequence[Standing]) -> bool:
        """Say whether a piece will be over in time, by what an epoch has taken so far.

        By the trial's own epochs, or those of all others if it has none; what nobody knows has
        time as long as any is left.
        """
        own = standings[piece.trial]
        measured = [own] if own.curve else [item for item in standings if item.curve]
        epochs = sum(len(item.curve) for item in measured)
        each = sum(item.seconds for item in measured) / epochs if epochs else 0.0
        ahead = max(0, piece.epochs - len(own.curve))
        return not self.is_spent and self.spent + each * ahead <= self.seconds


def run_halving(
    rungs: Sequence[Rung],
    standings: Sequence[Standing],
    train: Callable[[Piece], bool],
    has_time: Callable[[Piece], bool],
) -> Ending:
    """Do one piece after the other until one trial is left or the time is spent.

    Args:
        rungs: As `plan_rungs` made them.
        standings: Of each trial; what an earlier attempt has done is not done again.
        train: Does one piece and writes it into the standing: one more of the scores, or why it
            failed. Returns False if the time was up before its end; then nothing is written.
        has_time: Asked before each piece.
    """
    while (piece := next_piece(rungs, standings)) is not None:
        if not (has_time(piece) and train(piece)):
            return "time"
    return "one_left"


def _is_open(standing: Standing, rung: int) -> bool:
    return not standing.failed and len(standing.scores) <= rung
