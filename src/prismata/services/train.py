"""Training: freeze a dataset, start a training run as a job, follow it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prismata.catalog import (
    DatasetVersionRecord,
    JobRecord,
    ModelRecord,
    Split,
    TrainingRunRecord,
)
from prismata.core.errors import ConflictError, InvalidInputError, PrismataError
from prismata.core.jobs import JobState
from prismata.core.ports import ChildLimits, ChildOutcome, MessageHandler
from prismata.services.datasets import create_dataset
from prismata.services.workbench import LiveJob, Workbench

TRAIN_CHILD = (sys.executable, "-m", "prismata.worker.train")


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
    """By default `<domain>-<encoder>-<n>`."""


@dataclass(frozen=True, slots=True)
class PreparedTraining:
    """A training that is about to run."""

    job: JobRecord
    run: TrainingRunRecord
    dataset: DatasetVersionRecord
    note: str
    """Anything unusual about the split; empty if there is nothing."""
    request: dict[str, Any]
    """For the child."""


def prepare_training(bench: Workbench, request: TrainRequest) -> PreparedTraining:
    """Freeze the labels and enter job and run into the catalog.

    Raises:
        InvalidInputError: If there is nothing to learn from.
        BusyError: If a training of this domain is running.
    """
    bench.domain(request.domain).clip.changed(request.clip)
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
    return _prepare(bench, dataset, recipe, plan.note, request.model_name)


def prepare_resume(bench: Workbench, run_name: str) -> PreparedTraining:
    """Go on with an interrupted run from its last checkpoint, as a new run.

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
    if not old.checkpoint_key:
        raise InvalidInputError(
            f"the training run {old.name!r} stopped before its first checkpoint; start a new one"
        )
    dataset = bench.catalog.datasets.get(old.dataset_version_id)
    prepared = _prepare(bench, dataset, old.recipe, "", "")
    prepared.request["resume_from"] = old.checkpoint_key
    return prepared


def run_training(
    bench: Workbench,
    prepared: PreparedTraining,
    *,
    on_message: MessageHandler = lambda _message: None,
) -> ChildOutcome:
    """Train in a child process and wait for its end; the outcome says how it went."""
    return bench.jobs.run_job(
        prepared.job.id,
        TRAIN_CHILD,
        prepared.request,
        limits=_limits(bench),
        on_message=on_message,
        on_failure=_failure_handler(bench, prepared),
    )


def start_training(bench: Workbench, prepared: PreparedTraining) -> LiveJob:
    """Train in the background; the job and the run in the catalog tell how far it is."""
    return bench.jobs.start_in_background(
        prepared.job.id,
        TRAIN_CHILD,
        prepared.request,
        limits=_limits(bench),
        on_failure=_failure_handler(bench, prepared),
    )


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
    note: str,
    model_name: str,
) -> PreparedTraining:
    if bench.settings.storage_backend == "memory":
        raise InvalidInputError(
            "training runs in another process, which cannot see a storage that lives in memory; "
            "choose the local or s3 storage"
        )
    encoder = recipe["training"].get("encoder", "resnet18")
    catalog = bench.catalog
    job = catalog.jobs.submit(
        "train",
        {"domain": dataset.domain, "dataset": dataset.name, "recipe": recipe},
        author=bench.settings.author,
        dedupe_key=f"train:{dataset.domain}",
    )
    try:
        run = catalog.runs.start(
            name=catalog.runs.next_name(f"{dataset.domain}-run"),
            domain=dataset.domain,
            dataset_version_id=dataset.id,
            recipe=recipe,
            job_id=job.id,
        )
    except PrismataError:
        catalog.jobs.request_cancel(job.id)
        raise
    request = {
        "task": "train",
        "settings": bench.settings.to_request(),
        "run_id": run.id,
        "model_name": model_name or catalog.models.next_name(f"{dataset.domain}-{encoder}"),
    }
    return PreparedTraining(job, run, dataset, note, request)


def _failure_handler(bench: Workbench, prepared: PreparedTraining) -> Any:  # noqa: ANN401 - a closure
    def on_failure(outcome: ChildOutcome) -> None:
        run = bench.catalog.runs.get(prepared.run.id)
        if run.state.is_final:
            return
        if outcome.state is JobState.CANCELLED:
            bench.catalog.runs.cancel(run.id)
        else:
            bench.catalog.runs.fail(run.id, outcome.message or "the training failed")

    return on_failure


def _limits(bench: Workbench) -> ChildLimits:
    # One epoch of a big training is silent; the stall limit of detection would be too short.
    return ChildLimits(stall_seconds=max(1800.0, bench.settings.stall_seconds))
