"""Search: try a handful of settings within a time budget, tell which of them did best.

A search is a job of its own kind. What it trains is thrown away; runs and models in the catalog are
those of whole trainings.
"""

from __future__ import annotations

import hashlib
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prismata._version import __version__
from prismata.catalog import DatasetVersionRecord, JobRecord
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.jobs import JobState, ResourceClass
from prismata.core.ports import (
    Assignment,
    ChildLimits,
    ChildOutcome,
    MessageHandler,
    ignore_message,
)
from prismata.services.admission import job_need_mb
from prismata.services.datasets import DatasetPlan, create_dataset, plan_dataset
from prismata.services.near_duplicates import Subject, read_report
from prismata.services.search_space import (
    Base,
    DrawnTrials,
    LeftOut,
    Space,
    check_space,
    default_space,
    draw_trials,
)
from prismata.services.train import (
    DECLARED_MB,
    SAVE_SECONDS,
    TRAIN_CHILD,
    ChosenDetector,
    TrainRequest,
)
from prismata.services.workbench import LiveJob, Workbench

DEFAULT_MINUTES = 20.0
DEFAULT_TRIALS = 12

STATE_FILE = "state.json"
"""Beside the checkpoints: how far each trial has come; the job's result has the same parts."""

_FORMAT = 1
"""Of the state; another one is not gone on from."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What a person asks for."""

    training: TrainRequest
    """The training that settings are looked for; its name of a model says nothing here."""
    space: Space | None = None
    """Setting → values to try; None: `default_space` of the recipe."""
    trials: int = DEFAULT_TRIALS
    minutes: float = DEFAULT_MINUTES
    """Of training. Videos are read before, once, as for any training."""


@dataclass(frozen=True, slots=True)
class PreparedSearch:
    """A search that is about to run."""

    job: JobRecord
    dataset: DatasetVersionRecord
    drawn: DrawnTrials
    note: str
    """Anything unusual about the split and shared footage; empty if there is nothing."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of settings, and how it did."""

    number: int
    """From 1, in the order in which they were drawn."""
    settings: Mapping[str, Any]
    scores: tuple[float, ...]
    """Its best validation score when it reached each rung."""
    curve: tuple[float, ...]
    """The validation score of every epoch."""
    seconds: float
    failed: str
    """Why it could not be trained; empty if it could."""

    @property
    def score(self) -> float | None:
        """At the highest rung that it has reached; None before the first."""
        return self.scores[-1] if self.scores else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "trial": self.number,
            "settings": dict(self.settings),
            "rung": len(self.scores),
            "epochs": len(self.curve),
            "score": self.score,
            "scores": list(self.scores),
            "curve": list(self.curve),
            "seconds": round(self.seconds, 2),
            "failed": self.failed,
        }


@dataclass(frozen=True, slots=True)
class SearchReport:
    """How a search stands, or how it ended."""

    job: JobRecord
    trials: tuple[Trial, ...]
    """Best first: by the rung that they have reached, then by their score there."""
    rungs: tuple[tuple[int, int], ...]
    """Of each rung, how many trials and after how many epochs; empty before the first."""
    spent_seconds: float
    ended: str
    """`one_left`, `time`, or empty while it goes on or if it was stopped."""
    left_out: tuple[LeftOut, ...] = field(default=())

    @property
    def best(self) -> Trial | None:
        """The trial that did best; None before one has reached the first rung."""
        first = self.trials[0]
        return first if first.scores and not first.failed else None

    def training(self) -> TrainRequest:
        """Return the whole training of the best trial, on the same split.

        Raises:
            NotFoundError: If no trial has reached the first rung.
        """
        if self.best is None:
            raise NotFoundError(
                "no trial of this search has reached its first rung yet, so nothing is best"
            )
        params = self.job.params
        return TrainRequest(
            params["domain"],
            params["recipes"][self.best.number - 1],
            params["clip"],
            val_share=params["split"]["val_share"],
            test_share=params["split"]["test_share"],
            fixed_groups=params["split"]["fixed"],
            seed=params["split"]["seed"],
        )

    def train_command(self) -> str:
        """Return the command that trains the best trial to its end, as a shell reads it.

        Raises:
            NotFoundError: If no trial has reached the first rung.
        """
        wanted = self.training()
        words = ["prismata", "train", wanted.domain]
        recipe = dict(wanted.recipe)
        if architecture := recipe.pop("architecture", ""):
            words += ["--architecture", architecture]
        if recipe.get("seed") == wanted.seed:
            del recipe["seed"]
        for name, value in recipe.items():
            text = value if isinstance(value, str) else json.dumps(value)
            words += ["--set", f"{name}={text}"]
        words += ["--seed", str(wanted.seed)] if wanted.seed else []
        for option, share, default in (
            ("--val-share", wanted.val_share, 0.2),
            ("--test-share", wanted.test_share, 0.0),
        ):
            words += [option, f"{share:g}"] if share != default else []
        for group, split in wanted.fixed_groups.items():
            words += [f"--{split}-group", group]
        return shlex.join(words)

    def sentences(self) -> list[str]:
        """Return what a person should know beside the table."""
        told = []
        if self.ended == "time":
            begun = sum(bool(trial.scores or trial.failed) for trial in self.trials)
            told.append(
                f"The search ended by time, after {self.job.params['minutes']:g} minutes: "
                f"{begun} of {len(self.trials)} trials reached the first rung. The best so far is "
                "told, among trials that were trained for as many epochs; ask for the same again "
                "to go on from here."
            )
        elif self.ended == "one_left":
            last = self.rungs[-1][1]
            told.append(
                f"One of {len(self.trials)} trials is left; the last ones were compared after "
                f"{last} epoch{'s' if last > 1 else ''}."
            )
        elif self.job.state.is_final and self.best is not None:
            told.append(
                "The search was stopped before its end; ask for the same again to go on from here."
            )
        told += _failures(self.trials)
        told += [f"{item.sentence}." for item in self.left_out]
        if self.best is not None:
            told += self._doubts(self.best)
            told.append(
                "The best trial was chosen by its validation score, so that score is too good to "
                "be an estimate; measure the trained model on videos that are held out."
            )
        return told

    def _doubts(self, best: Trial) -> list[str]:
        """Say where the best is hardly better than others."""
        if not best.score:
            return [
                "No trial found an event of the validation videos so far, so their order says "
                "nothing; train for more epochs, or label more."
            ]
        same = [
            trial.number
            for trial in self.trials
            if not trial.failed
            and (len(trial.scores), trial.score) == (len(best.scores), best.score)
        ]
        if len(same) > 1:
            numbers = ", ".join(str(number) for number in sorted(same))
            return [
                f"Trials {numbers} have the same score after as many epochs; of them the one drawn "
                "first is told."
            ]
        return []

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        params = self.job.params
        best = self.best
        return {
            "job": self.job.id,
            "domain": params["domain"],
            "dataset_version": params["dataset"],
            "minutes": params["minutes"],
            "spent_seconds": round(self.spent_seconds, 2),
            "ended": self.ended or None,
            "rungs": [{"trials": trials, "epochs": epochs} for trials, epochs in self.rungs],
            "trials": [trial.to_dict() for trial in self.trials],
            "best": None if best is None else best.number,
            "train_command": None if best is None else self.train_command(),
            "left_out": [
                {"what": item.what, "reason": item.reason, "combinations": item.combinations}
                for item in self.left_out
            ],
            "sentences": self.sentences(),
        }


def draw_for(bench: Workbench, request: SearchRequest) -> DrawnTrials:
    """Return what a search would try; nothing is begun.

    Raises:
        InvalidInputError: If the time budget, the settings or the number of trials cannot be used.
        NotFoundError: If the domain does not exist.
    """
    if not (math.isfinite(request.minutes) and request.minutes > 0):
        raise InvalidInputError(
            f"a time budget of {request.minutes:g} minutes leaves no time to train; give more than "
            f"0, for example {DEFAULT_MINUTES:g}"
        )
    if request.training.recipe.get("mining_folds"):
        raise InvalidInputError(
            "a search compares trainings that do without mining; leave mining_folds out here and "
            "give it to the training of the best"
        )
    base = Base(bench.domain(request.training.domain), request.training.recipe)
    space = default_space(base) if request.space is None else check_space(request.space)
    return draw_trials(space, base, trials=request.trials, seed=request.training.seed)


def prepare_search(bench: Workbench, request: SearchRequest) -> PreparedSearch:
    """Freeze the labels and enter the job into the catalog.

    Raises:
        InvalidInputError: If there is nothing to learn from or to choose by, or what is to be tried
            cannot be used.
        BusyError: If a search of this domain is running.
    """
    bench.check_shared_storage("a search")
    wanted = request.training
    domain = bench.domain(wanted.domain)
    domain.clip.changed(wanted.clip)
    drawn = draw_for(bench, request)
    split: dict[str, Any] = {
        "seed": wanted.seed,
        "val_share": wanted.val_share,
        "test_share": wanted.test_share,
        "fixed": dict(wanted.fixed_groups),
    }
    _check_choosable(plan_dataset(bench, wanted.domain, **split), wanted.domain)
    dataset, plan = create_dataset(bench, wanted.domain, **split)
    base = Base(domain, {"seed": wanted.seed, **wanted.recipe})
    params = {
        "domain": wanted.domain,
        "subject": wanted.domain,
        "dataset": dataset.name,
        "dataset_version_id": dataset.id,
        "split": split,
        "clip": dict(wanted.clip),
        "settings": list(drawn.trials),
        "recipes": [base.recipe(varied) for varied in drawn.trials],
        "left_out": [[item.what, item.reason, item.combinations] for item in drawn.left_out],
        "minutes": request.minutes,
    }
    subject = Subject(dataset.name, dataset.domain, plan.splits, plan.groups)
    notes = (plan.note, read_report(bench, subject).warning())
    job = bench.catalog.jobs.submit(
        "search",
        params,
        author=bench.settings.author,
        dedupe_key=_dedupe_key(wanted.domain),
        resource_class=ResourceClass(bench.settings.train_on),
        needs_mb=_memory_need_mb(bench, params),
    )
    return PreparedSearch(job, dataset, drawn, " ".join(part for part in notes if part))


def run_search(
    bench: Workbench, prepared: PreparedSearch, *, on_message: MessageHandler = ignore_message
) -> ChildOutcome:
    """Search in a child process and wait for its end; the outcome says how it went."""
    return bench.jobs.run_job(prepared.job.id, on_message=on_message)


def start_search(bench: Workbench, prepared: PreparedSearch) -> LiveJob:
    """Search in the background; `latest_search` and `read_search` tell how far it is."""
    return bench.jobs.start(prepared.job)


def assign_search(bench: Workbench, job: JobRecord) -> Assignment:
    """Return what an attempt at a search consists of; it goes on from what was done before."""
    params = job.params
    request = {
        "task": "search",
        "settings": bench.settings.to_request(),
        "domain": params["domain"],
        "dataset_version_id": params["dataset_version_id"],
        "clip": params["clip"],
        "recipes": params["recipes"],
        "seconds": params["minutes"] * 60,
        "plan": _plan_digest(params),
        "lease": {"job_id": job.id, "token": job.lease_token},
    }
    # An epoch, or the first look at a long video, may be silent for long.
    limits = ChildLimits(
        stall_seconds=max(1800.0, bench.settings.stall_seconds), save_seconds=SAVE_SECONDS
    )
    return Assignment(TRAIN_CHILD, request, limits)


def latest_search(bench: Workbench, domain_name: str) -> JobRecord | None:
    """Return the latest search of a domain, whatever became of it."""
    jobs = bench.catalog.jobs.list(dedupe_key=_dedupe_key(domain_name), limit=1)
    return jobs[0] if jobs else None


def read_search(bench: Workbench, job: JobRecord) -> SearchReport:
    """Return how a search stands, by its result, or by what has been stored of it so far."""
    params = job.params
    known: Mapping[str, Any] = job.result or _stored_state(bench, params)
    standings = known.get("standings") or [{} for _ in params["settings"]]
    trials = [
        Trial(
            place + 1,
            varied,
            tuple(standing.get("scores", ())),
            tuple(standing.get("curve", ())),
            float(standing.get("seconds", 0.0)),
            str(standing.get("failed", "")),
        )
        for place, (varied, standing) in enumerate(zip(params["settings"], standings, strict=True))
    ]
    order = known.get("ranking") or range(len(trials))
    return SearchReport(
        job,
        tuple(trials[place] for place in order),
        tuple((rung["trials"], rung["epochs"]) for rung in known.get("rungs", ())),
        float(known.get("spent_seconds", 0.0)),
        str(known.get("ended", "")) if job.state is JobState.SUCCEEDED else "",
        tuple(LeftOut(*item) for item in params["left_out"]),
    )


def search_prefix(domain: str, plan: str = "") -> str:
    """Return the key below which a search keeps its state and checkpoints, or all of a domain."""
    return f"searches/{domain}/" + (f"{plan}/" if plan else "")


def _failures(trials: Sequence[Trial]) -> list[str]:
    """Return a sentence for each reason why trials failed."""
    by_reason: dict[str, list[int]] = {}
    for trial in trials:
        if trial.failed:
            by_reason.setdefault(trial.failed, []).append(trial.number)
    return [
        f"Trial{'s' if len(numbers) > 1 else ''} {', '.join(map(str, sorted(numbers)))} failed: "
        f"{reason}."
        for reason, numbers in by_reason.items()
    ]


def _stored_state(bench: Workbench, params: Mapping[str, Any]) -> dict[str, Any]:
    try:
        key = search_prefix(params["domain"], _plan_digest(params)) + STATE_FILE
        state: dict[str, Any] = json.loads(bench.storage.get(key))
    except (NotFoundError, ValueError):
        return {}
    fits = len(state.get("standings", ())) == len(params["settings"])
    return state if fits else {}


def _plan_digest(params: Mapping[str, Any]) -> str:
    """Return what a search may go on from: the same trials on the same data, by the same program.

    Not the time: whoever asks for the same again is given more of it.
    """
    parts = [
        _FORMAT,
        __version__,
        params["domain"],
        params["dataset_version_id"],
        params["clip"],
        params["recipes"],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _check_choosable(planned: DatasetPlan, domain_name: str) -> None:
    """Refuse data by which nothing can be chosen.

    Raises:
        InvalidInputError: If no video, or no labelled event, is there for validation.
    """
    splits = planned.split.splits
    if "val" not in splits.values():
        raise InvalidInputError(
            f"a search chooses by validation videos, and {domain_name!r} has none in this split; "
            "label videos of another group, or move a group there (--val-group)"
        )
    labelled = {item.video_id for item in planned.labels if item.review_state != "rejected"}
    if not any(splits.get(video_id) == "val" for video_id in labelled):
        raise InvalidInputError(
            f"a search chooses by validation videos, and those of {domain_name!r} hold no labelled "
            "event in this split; label one, or move a group that has some there (--val-group)"
        )


def _memory_need_mb(bench: Workbench, params: Mapping[str, Any]) -> float:
    def detectors(recipes: list[dict[str, Any]]) -> set[ChosenDetector]:
        return {ChosenDetector.of({"training": recipe}) for recipe in recipes}

    wanted = detectors(params["recipes"])

    def is_like(job: JobRecord) -> bool:
        return (
            job.params.get("domain") == params["domain"]
            and detectors(job.params["recipes"]) == wanted
        )

    declared = max(DECLARED_MB["frozen" if one.frozen else "whole"] for one in wanted)
    return job_need_mb(bench, "search", is_like, declared)


def _dedupe_key(domain_name: str) -> str:
    return f"search:{domain_name}"
