"""Training: freeze a dataset, start a training run as a job, follow it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prismata.catalog import (
    DatasetVersionRecord,
    JobRecord,
    ModelRecord,
    Split,
    TrainingRunRecord,
)
from prismata.core.architectures import DEFAULT_ARCHITECTURE, find_architecture
from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError
from prismata.core.jobs import JobState, ResourceClass
from prismata.core.logs import keep_log_ids
from prismata.core.machine import nvidia_gpus
from prismata.core.ports import Assignment, ChildLimits, ChildOutcome, MessageHandler
from prismata.domains import DomainRegistry
from prismata.services.admission import job_need_mb
from prismata.services.datasets import create_dataset
from prismata.services.label_checks import second_looks
from prismata.services.near_duplicates import Subject, read_report
from prismata.services.workbench import LiveJob, Workbench

DECLARED_MB = {"frozen": 900.0, "whole": 1500.0}
"""What a training takes before any like it was seen; torch itself is half of the first."""

TRAIN_CHILD = (sys.executable, "-m", "prismata.worker.train")
TRAIN_TOGETHER = (sys.executable, "-m", "prismata.worker.train.launch")
"""Starts several of them under torchrun; how many is its argument, `auto` or a number."""

SAVE_SECONDS = 60.0
"""To end a step, write a checkpoint of some hundred megabytes and bring it into the storage: half
of what a spot machine has left when it hears that it goes."""


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What a person asks for; everything else follows from the domain."""

    domain: str
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """Settings of `training.recipe.Recipe` that differ from its defaults."""
    clip: Mapping[str, Any] = field(default_factory=dict)
    """Settings of `ClipSpec` that differ from the domain's."""
    val_share: float = 0.2
    test_share: float = 0.0
    fixed_groups: Mapping[str, Split] = field(default_factory=dict)
    seed: int = 0
    model_name: str = ""
    """By default `<domain>-<encoder>-<n>`, or `<domain>-<architecture>-<n>`."""
    processes: int | None = None
    """How many share the steps; by default what the settings of the machine say that trains. No
    part of the recipe: what is learned is the same up to rounding and dice of dropout."""


@dataclass(frozen=True, slots=True)
class PreparedTraining:
    """A training that is about to run."""

    job: JobRecord
    run: TrainingRunRecord
    dataset: DatasetVersionRecord
    note: str
    """Anything unusual about the split and shared footage; empty if there is nothing."""


def prepare_training(bench: Workbench, request: TrainRequest) -> PreparedTraining:
    """Freeze the labels and enter job and run into the catalog.

    Raises:
        InvalidInputError: If there is nothing to learn from, or the domain has a broken edit.
        BusyError: If a training of this domain is running.
    """
    bench.domain(request.domain).clip.changed(request.clip)
    _check_current(request.domain)
    dataset, plan = create_dataset(
        bench,
        request.domain,
        seed=request.seed,
        val_share=request.val_share,
        test_share=request.test_share,
        fixed=request.fixed_groups,
    )
    recipe = {
        "training": {"seed": request.seed, **request.recipe},
        "clip": dict(request.clip),
    }
    # What is known about shared footage is told; to look for it takes a person who asks.
    subject = Subject(dataset.name, dataset.domain, plan.splits, plan.groups)
    shared = read_report(bench, subject).warning()
    notes = (plan.note, shared, second_looks(bench, request.domain))
    note = " ".join(part for part in notes if part)
    return _prepare(
        bench,
        dataset,
        recipe,
        note=note,
        model_name=request.model_name,
        processes=request.processes,
    )


def _check_current(domain_name: str) -> None:
    """Refuse a domain whose last edit is broken: here it goes on, a new process cannot load it."""
    for failure in DomainRegistry.failures():
        if failure.name == domain_name and failure.kept_version is not None:
            raise InvalidInputError(
                f"{failure.sentence}. A training runs in a process of its own, which reads that "
                "file, so mend it first"
            )


def prepare_resume(
    bench: Workbench, run_name: str, *, processes: int | None = None
) -> PreparedTraining:
    """Go on with an interrupted run from its last checkpoint, as a new run.

    That is the copy in storage, or what lies on this machine if the run was here and came further:
    copies are made now and then, and none when storage is full.
    It may go on with another number of processes.

    Raises:
        NotFoundError: If there is no such run.
        ConflictError: If it finished.
        InvalidInputError: If it never wrote a checkpoint.
    """
    old = bench.catalog.runs.find(run_name)
    if old.state in (JobState.RUNNING, JobState.SUCCEEDED):
        raise ConflictError(
            f"the training run {old.name!r} is {old.state}; there is nothing to resume"
        )
    is_here = any(training_folder(bench, old.id).glob("*.pt"))
    if not old.checkpoint_key and not is_here:
        raise InvalidInputError(
            f"the training run {old.name!r} stopped before its first checkpoint; start a new one"
        )
    dataset = bench.catalog.datasets.get(old.dataset_version_id)
    return _prepare(
        bench,
        dataset,
        old.recipe,
        resume_from=old.checkpoint_key or "",
        resume_run=old.id,
        processes=processes,
    )


def training_folder(bench: Workbench, run_id: str) -> Path:
    """Return where a run keeps what it goes on from, on the machine that it runs on."""
    return bench.settings.cache_dir / "training" / run_id


def run_training(
    bench: Workbench,
    prepared: PreparedTraining,
    *,
    on_message: MessageHandler = lambda _message: None,
) -> ChildOutcome:
    """Train in a child process and wait for its end; the outcome says how it went."""
    return bench.jobs.run_job(prepared.job.id, on_message=on_message)


def start_training(bench: Workbench, prepared: PreparedTraining) -> LiveJob:
    """Train in the background; the job and the run in the catalog tell how far it is."""
    return bench.jobs.start(prepared.job)


def assign_training(bench: Workbench, job: JobRecord) -> Assignment:
    """Return what an attempt at a training consists of; it goes on from the last checkpoint.

    Raises:
        NotFoundError: If its run, or the model it has published, is gone.
    """
    runs = bench.catalog.runs.list(job_id=job.id)
    if not runs:
        raise NotFoundError("the run of this training is gone; start a new one")
    run = runs[0]
    keep_log_ids(run_id=run.id)
    # Published, but whoever did it was stopped before saying so.
    if run.state is JobState.SUCCEEDED:
        return Assignment(
            (), {}, ChildLimits(), finished=result_of_training(run, _published(bench, run))
        )
    request = {
        "task": "train",
        "settings": bench.settings.to_request(),
        "run_id": run.id,
        "model_name": job.params["model_name"],
        "resume_from": run.checkpoint_key or job.params.get("resume_from", ""),
        "resume_run": job.params.get("resume_run", ""),
        "lease": {"job_id": job.id, "token": job.lease_token},
    }
    # One epoch of a big training is silent; the stall limit of detection would be too short.
    limits = ChildLimits(
        stall_seconds=max(1800.0, bench.settings.stall_seconds), save_seconds=SAVE_SECONDS
    )
    return Assignment(_training_command(bench, job), request, limits)


def _training_command(bench: Workbench, job: JobRecord) -> tuple[str, ...]:
    """Return one process, or what starts several."""
    chosen = job.params.get("processes")
    processes = bench.settings.train_processes if chosen is None else str(chosen)
    # torch alone knows which GPUs this process may see; without two there is nothing to ask.
    if processes == "1" or (processes == "auto" and nvidia_gpus() < 2):
        return TRAIN_CHILD
    return (*TRAIN_TOGETHER, processes)


def result_of_training(run: TrainingRunRecord, model: ModelRecord) -> dict[str, Any]:
    """Return what is kept with the job of a training that published `model`."""
    card = model.card
    training = card["training"]
    return {
        "model": model.name,
        "model_id": model.id,
        "training_run": run.name,
        "dataset_version": card["dataset_version"],
        "epochs": training["epochs"],
        "best_epoch": training["best_epoch"],
        "stopped_early": training["epochs"] < training["recipe"]["epochs"],
        "seconds": run.metrics["seconds"],
        "thresholds": {name: rule["threshold"] for name, rule in card["rules"].items()},
        "metrics": card["metrics"],
        "calibration": card["calibration"],
        "parity": card["parity"],
        "quantization": card["quantization"],
        "motion_gate_cost": card["motion_gate_cost"],
    }


def _published(bench: Workbench, run: TrainingRunRecord) -> ModelRecord:
    for model in bench.catalog.models.list(run.domain):
        if model.training_run_id == run.id and model.kind != "checkpoint":
            return model
    raise NotFoundError(f"the model of the training run {run.name!r} is gone; train a new one")


def trained_model(bench: Workbench, outcome: ChildOutcome) -> ModelRecord:
    """Return the model that a successful training published.

    Raises:
        InvalidInputError: If the training did not succeed; says why.
    """
    if outcome.result is None:
        raise InvalidInputError(f"the training ended without a model: {outcome.message}")
    return bench.catalog.models.get(outcome.result["model_id"])


def _prepare(
    bench: Workbench,
    dataset: DatasetVersionRecord,
    recipe: dict[str, Any],
    *,
    note: str = "",
    model_name: str = "",
    resume_from: str = "",
    resume_run: str = "",
    processes: int | None = None,
) -> PreparedTraining:
    bench.check_shared_storage("training")
    if processes is not None and processes < 1:
        raise InvalidInputError(f"a training takes at least one process, not {processes}")
    chosen = ChosenDetector.of(recipe)
    catalog = bench.catalog
    params = {
        "domain": dataset.domain,
        "dataset": dataset.name,
        "recipe": recipe,
        "model_name": model_name or catalog.models.next_name(f"{dataset.domain}-{chosen.title}"),
        "resume_from": resume_from,
        "resume_run": resume_run,
        "processes": processes,
    }
    job = catalog.jobs.submit(
        "train",
        params,
        author=bench.settings.author,
        dedupe_key=f"train:{dataset.domain}",
        resource_class=ResourceClass(bench.settings.train_on),
        needs_mb=_memory_need_mb(bench, dataset.domain, chosen, processes),
        training={
            "name": catalog.runs.next_name(f"{dataset.domain}-run"),
            "domain": dataset.domain,
            "dataset_version_id": dataset.id,
            "recipe": recipe,
        },
    )
    return PreparedTraining(job, catalog.runs.list(job_id=job.id)[0], dataset, note)


@dataclass(frozen=True, slots=True)
class ChosenDetector:
    """What a recipe trains; models are named by it, and trainings of one take as much memory."""

    architecture: str
    encoder: str
    frozen: bool

    @classmethod
    def of(cls, recipe: Mapping[str, Any]) -> ChosenDetector:
        """Read what a person chose; the rest is the architecture's.

        Raises:
            InvalidInputError: If there is no such architecture.
        """
        settings = recipe.get("training", {})
        architecture = find_architecture(settings.get("architecture", DEFAULT_ARCHITECTURE))
        return cls(
            architecture.name,
            settings.get("encoder", architecture.encoder),
            settings.get("frozen", architecture.frozen),
        )

    @property
    def title(self) -> str:
        """The encoder tells models apart, as people choose by it, but only beside the classic."""
        if self.architecture == "cnn_lstm":
            return self.encoder
        return self.architecture.replace("_", "-")


def _memory_need_mb(
    bench: Workbench, domain: str, chosen: ChosenDetector, processes: int | None
) -> float:
    def is_like(job: JobRecord) -> bool:
        params = job.params
        same_ways = params.get("domain") == domain and params.get("processes") == processes
        return same_ways and ChosenDetector.of(params.get("recipe", {})) == chosen

    declared = DECLARED_MB["frozen" if chosen.frozen else "whole"] * (processes or 1)
    return job_need_mb(bench, "train", is_like, declared)
