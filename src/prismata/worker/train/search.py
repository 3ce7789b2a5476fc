"""One search, start to ranking: videos read once, then trials trained on, rung by rung.

Each trial is trained by the same loop and with the same schedule as a whole training, and stopped
where a rung is reached. So the trial that reaches the last rung has gone exactly the way that
training it alone would go, and every comparison is made at one place of the schedule.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch

from prismata.catalog import DatasetVersionRecord
from prismata.core.child import EXIT_STOPPED, ChildReporter, asked_to_stop
from prismata.core.errors import InvalidInputError
from prismata.core.jobs import JobLease
from prismata.core.recipes import ClipSpec
from prismata.domains import Domain
from prismata.services.workbench import Workbench
from prismata.settings import Settings
from prismata.training.loop import Step, TrainingInterruptedError, train
from prismata.training.recipe import Recipe
from prismata.training.search import (
    Piece,
    TimeBudget,
    competitors,
    epochs_planned,
    next_piece,
    plan_rungs,
    ranking,
    run_halving,
)
from prismata.wiring import open_workbench
from prismata.worker.train.encoder_setup import EncoderSetup, set_up_encoder
from prismata.worker.train.gather import GatheredData, gather, relabelled
from prismata.worker.train.run import clip_for, new_detector, recipe_for, training_task
from prismata.worker.train.scope import learnable
from prismata.worker.train.search_state import SearchState

UPLOAD_EVERY_SECONDS = 30.0


def run_search(request: dict[str, Any], reporter: ChildReporter) -> dict[str, Any]:
    """Search, and return what the job keeps: rungs, standings, their ranking and how it ended.

    Request: `domain`, `dataset_version_id`, `clip`, `recipes` (one for each trial), `seconds` of
    training, `plan`, a digest of all but the time, and `lease`, what shows that this attempt may
    still write.
    """
    with open_workbench(Settings(**request["settings"])) as bench, ExitStack() as stack:
        return _Search(bench, request, reporter, stack).execute()


class _DivergedError(Exception):
    """The loss of a trial is not a number any more."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """A trial and everything that training it takes."""

    recipe: Recipe
    clip: ClipSpec
    data: GatheredData
    setup: EncoderSetup


class _Search:
    """The state that the pieces of one search share."""

    def __init__(
        self,
        bench: Workbench,
        request: dict[str, Any],
        reporter: ChildReporter,
        stack: ExitStack,
    ) -> None:
        self.bench, self.reporter, self.stack = bench, reporter, stack
        scope = learnable(
            bench.domain(request["domain"]),
            bench.catalog.datasets.get(request["dataset_version_id"]),
        )
        self.domain: Domain = scope.domain
        self.dataset: DatasetVersionRecord = scope.dataset
        self.chosen_clip: Mapping[str, Any] = request["clip"]
        self.recipes = [recipe_for(self.domain, recipe) for recipe in request["recipes"]]
        # No setting varies the epochs; where architectures differ, all are trained to their end.
        self.rungs = plan_rungs(len(self.recipes), max(one.epochs for one in self.recipes))
        self.planned = epochs_planned(self.rungs)
        lease = JobLease(request["lease"]["job_id"], request["lease"]["token"])
        self.state = SearchState(bench, self.domain.name, request["plan"], self.rungs, lease)
        self.seconds = float(request["seconds"])
        self.budget = TimeBudget(self.seconds)
        self.ready: list[_Ready] = []

    def execute(self) -> dict[str, Any]:
        """Do all steps in order."""
        self.ready = self._get_ready()
        self.state.take(
            [
                training_task(
                    self.dataset, self.domain, one.clip, one.recipe, one.setup
                ).data_digest
                for one in self.ready
            ]
        )
        self.budget.spent = self.state.spent_seconds
        self.reporter.started(runtime=f"pytorch {torch.__version__}", trials=len(self.ready))
        standings = self.state.standings
        with asked_to_stop() as stop:
            try:
                ended = run_halving(
                    self.rungs,
                    standings,
                    lambda piece: self._train(piece, stop.is_set),
                    lambda piece: self.budget.has_time_for(piece, standings),
                )
            except TrainingInterruptedError:
                raise SystemExit(EXIT_STOPPED) from None
        best = standings[ranking(standings)[0]]
        if best.failed or not best.scores:
            raise InvalidInputError(self._nothing_found())
        self.reporter.progress(1.0, 1.0, "done")
        return self.state.to_dict() | {"ended": ended}

    def _get_ready(self) -> list[_Ready]:
        """Read the videos once for all trials that see the same of them."""
        read: dict[tuple[object, ...], tuple[EncoderSetup, GatheredData]] = {}
        labelled: dict[tuple[object, ...], GatheredData] = {}
        ready = []
        for recipe in self.recipes:
            clip = clip_for(self.domain, recipe, self.chosen_clip)
            seen = (
                (recipe.frozen, recipe.encoder, recipe.weights),
                (clip.target_fps, clip.width, clip.height),
            )
            if seen not in read:
                # For an encoder that is trained it says, before anything is read, whether there is
                # something to begin with.
                setup = self._set_up(recipe, clip, len(read))
                read[seen] = setup, self._gather(recipe, clip, setup)
            setup, data = read[seen]
            true = (seen, recipe.architecture, recipe.dilation)
            if true not in labelled:
                labelled[true] = relabelled(data, self.dataset, self.domain, clip, recipe)
            ready.append(_Ready(recipe, clip, labelled[true], setup))
        return ready

    def _set_up(self, recipe: Recipe, clip: ClipSpec, number: int = 0) -> EncoderSetup:
        folder = self.state.folder / f"encoder-{number}"
        return set_up_encoder(self.bench, recipe, clip, folder, self.stack)

    def _gather(self, recipe: Recipe, clip: ClipSpec, setup: EncoderSetup) -> GatheredData:
        return gather(self.bench, self.dataset, self.domain, clip, recipe, setup, self.reporter)

    def _train(self, piece: Piece, is_stopped: Callable[[], bool]) -> bool:
        """Train a trial on to a rung; say whether it got there before the time was up.

        Raises:
            TrainingInterruptedError: If this process is to stop; everything is kept.
        """
        state, standing = self.state, self.state.standings[piece.trial]
        state.fetch(piece.trial)
        pace = _Pace(self, piece, is_stopped)
        try:
            # A kill may have come between the last epoch of a piece and its end.
            if len(standing.curve) < piece.epochs:
                self._train_on(piece, pace)
            standing.scores.append(state.note_curve(piece.trial))
        except (_DivergedError, InvalidInputError) as error:
            # Another trial may do: with a smaller rate, or with another dilation, that calls fewer
            # samples true.
            standing.failed = str(error)
        except TrainingInterruptedError:
            pace.count_time()
            if not pace.is_there:
                state.mirror(piece.trial)
                if is_stopped():
                    raise
                return False
            standing.scores.append(state.note_curve(piece.trial))
        pace.count_time()
        state.mirror(piece.trial)
        self._forget_losers(piece)
        self.reporter.event(
            {
                "kind": "trial",
                "trial": piece.trial + 1,
                "rung": piece.rung + 1,
                "epochs": len(standing.curve),
                "score": standing.scores[-1] if standing.scores else None,
                "seconds": round(standing.seconds, 2),
                "failed": standing.failed,
            }
        )
        return True

    def _train_on(self, piece: Piece, pace: _Pace) -> None:
        one = self.ready[piece.trial]
        # Training changes an encoder that is trained, so each piece begins with one of its own.
        setup = one.setup if one.recipe.frozen else self._set_up(one.recipe, one.clip)
        train(
            new_detector(one.recipe, setup, self.domain, one.clip),
            training_task(self.dataset, self.domain, one.clip, one.recipe, setup),
            one.data.videos["train"],
            one.data.videos["val"],
            checkpoint_path=self.state.checkpoint(piece.trial),
            on_epoch=pace.on_epoch,
            on_step=pace.on_step,
            is_to_stop=pace.is_to_stop,
        )

    def _forget_losers(self, piece: Piece) -> None:
        standings = self.state.standings
        following = next_piece(self.rungs, standings)
        if following is None:
            stay: tuple[int, ...] = ()
        elif following.rung > piece.rung:
            stay = competitors(self.rungs, standings, following.rung) or ()
        else:
            return
        self.state.forget_checkpoints([n for n in range(len(standings)) if n not in stay])

    def _nothing_found(self) -> str:
        failed = [one.failed for one in self.state.standings if one.failed]
        if failed:
            return f"no trial could be trained; of the first one: {failed[0]}"
        minutes = self.seconds / 60
        epochs = sum(len(one.curve) for one in self.state.standings)
        spent = sum(one.seconds for one in self.state.standings)
        first = self.rungs[0].epochs
        if not epochs:
            return (
                f"{minutes:g} minutes were not enough for one epoch of the first trial; give the "
                "search more time, or train fewer videos or a frozen encoder"
            )
        wanted = math.ceil(spent / epochs * first * len(self.ready) / 6) / 10
        return (
            f"{minutes:g} minutes were not enough for the first {first} epochs of one trial, at "
            f"{spent / epochs:.1f} s an epoch; all {len(self.ready)} of them take about "
            f"{wanted:g} minutes, and asking for the same again goes on from here"
        )


class _Pace:
    """Watches one piece: whether it is there, the time it takes, and whether to stop."""

    def __init__(self, search: _Search, piece: Piece, is_stopped: Callable[[], bool]) -> None:
        self._search, self._piece, self._is_stopped = search, piece, is_stopped
        self._standing = search.state.standings[piece.trial]
        self._since = self._uploaded = time.monotonic()
        self._note = f"trial {piece.trial + 1} of {len(search.ready)}, to epoch {piece.epochs}"
        self.is_there = False
        """Whether the rung has been reached."""

    def on_epoch(self, epoch: int, _epochs: int, row: dict[str, Any]) -> None:
        """Write down an epoch that is over; its checkpoint is on disk."""
        self._standing.curve.append(float(row["val_score"]))
        self.count_time()
        self._search.state.save()
        self.is_there = epoch >= self._piece.epochs
        if time.monotonic() - self._uploaded >= UPLOAD_EVERY_SECONDS and not self.is_there:
            self._search.state.mirror(self._piece.trial)
            self._uploaded = time.monotonic()
        self._tell()

    def on_step(self, step: Step) -> None:
        """Look whether there is a loss at all, and give a sign of life.

        Raises:
            _DivergedError: If it is not a number.
        """
        if not math.isfinite(step.loss):
            raise _DivergedError(
                f"its loss was not a number any more in epoch {step.epoch + 1}; a smaller learning "
                "rate may help"
            )
        self._tell()

    def is_to_stop(self) -> bool:
        """Say whether the training stops here: it is there, or asked to, or the time is up."""
        budget = self._search.budget
        is_late = budget.spent + time.monotonic() - self._since >= budget.seconds
        return self.is_there or self._is_stopped() or is_late

    def count_time(self) -> None:
        """Add what has passed since the last time to the trial's seconds and the budget's."""
        now = time.monotonic()
        passed, self._since = now - self._since, now
        self._standing.seconds += passed
        self._search.budget.spent += passed
        self._search.state.spent_seconds = self._search.budget.spent

    def _tell(self) -> None:
        search = self._search
        done = sum(len(standing.curve) for standing in search.state.standings)
        spent = search.budget.spent + time.monotonic() - self._since
        share = max(done / search.planned, spent / search.seconds)
        search.reporter.progress(round(min(0.999, share), 5), 1.0, self._note)
