"""Many detections into the queue: each a job of its own, and nothing that was asked for before.

Jobs of the catalog survive whoever submitted them; `queue_view` tells how they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from prismata.catalog import DetectionRunRecord, JobRecord, ModelRecord, VideoRecord
from prismata.core.errors import BusyError, ConflictError, InvalidInputError, UserError
from prismata.core.jobs import JobState
from prismata.services.admission import Admission
from prismata.services.detect import (
    DetectRequest,
    choose_model,
    find_finished,
    prepare_detection,
    start_detection,
)
from prismata.services.intake import request_from_json, submit_intake
from prismata.services.video_sources import LibrarySource, VideoSource
from prismata.services.workbench import Workbench

QueueAction = Literal["cancel", "pause", "resume", "first", "up", "retry"]

_ENDED_BADLY = (JobState.FAILED, JobState.CANCELLED)


@dataclass(slots=True)
class Submission:
    """What became of what was asked for."""

    submitted: list[JobRecord] = field(default_factory=list)
    finished: list[tuple[VideoRecord, DetectionRunRecord]] = field(default_factory=list)
    """Found before with the same model and settings; the result is there."""
    active: list[str] = field(default_factory=list)
    """Names of what waits or runs already, whoever asked for it."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Name and one sentence."""

    def sentence(self) -> str:
        """Return how many there are of each, for a person."""
        told = [f"{len(self.submitted)} submitted"]
        if self.finished:
            told.append(f"{len(self.finished)} already done")
        if self.active:
            told.append(f"{len(self.active)} waiting or running already")
        if self.refused:
            told.append(f"{len(self.refused)} refused")
        return ", ".join(told)


def submit_detections(
    bench: Workbench,
    sources: Sequence[VideoSource],
    request: DetectRequest,
    *,
    again: bool = False,
) -> Submission:
    """Queue a detection for each source; one that cannot be queued does not stop the others.

    Files and objects that are not in the library yet are taken in first, by jobs of their own.

    Args:
        bench: The workbench.
        sources: What `find_sources` returned, or videos of the library.
        request: What is asked for; its `video` is not looked at.
        again: Run also what has been found before.
    """
    submission = Submission()
    admissions: dict[tuple[str, int, int], Admission] = {}
    for source in sources:
        try:
            if isinstance(source, LibrarySource):
                _submit_video(bench, source.video, request, submission, admissions, again=again)
            else:
                submission.submitted.append(submit_intake(bench, source, request))
        except BusyError:
            submission.active.append(source.name)
        except UserError as error:
            submission.refused.append((source.name, str(error)))
    return submission


def _submit_video(
    bench: Workbench,
    video: VideoRecord,
    request: DetectRequest,
    submission: Submission,
    admissions: dict[tuple[str, int, int], Admission],
    *,
    again: bool,
) -> None:
    asked = replace(request, video=video.id)
    model = choose_model(bench, asked, video)
    finished = None if again else find_finished(bench, video, model, asked)
    if finished is not None:
        submission.finished.append((video, finished))
        return
    # What a run takes depends on model and picture, and is learned from all runs before: once.
    size = (model.id, video.width, video.height)
    prepared = prepare_detection(
        bench, replace(asked, model=model.id), may_wait=True, admission=admissions.get(size)
    )
    admissions[size] = prepared.admission
    start_detection(bench, prepared)
    submission.submitted.append(prepared.job)


def act_on_job(
    bench: Workbench, action: QueueAction, job_id: str, *, runs_here: bool = True
) -> JobRecord:
    """Do to one job what a person asks; return it, or the new one that `retry` made.

    Args:
        bench: The workbench.
        action: What is asked for.
        job_id: The job.
        runs_here: This process stays, so it may run what waits now; False: workers look by
            themselves.

    Raises:
        NotFoundError: If there is no such job.
        ConflictError: If it is too late for that.
        BusyError: If the same work was asked for again already.
        InvalidInputError: If there is no such action, or this kind of job is not tried again here.
    """
    actions: dict[str, Callable[[Workbench, str], JobRecord]] = {
        "cancel": _cancel,
        "pause": lambda bench, job_id: bench.catalog.queue_order.hold(job_id),
        "resume": lambda bench, job_id: bench.catalog.queue_order.release(job_id),
        "first": lambda bench, job_id: bench.catalog.queue_order.move_first(job_id),
        "up": _move_up,
        "retry": retry_job,
    }
    if action not in actions:
        raise InvalidInputError(f"there is no action {action!r}; there are {', '.join(actions)}")
    job = actions[action](bench, job_id)
    if runs_here and action in ("resume", "retry"):
        bench.jobs.start(job)
    return job


def retry_job(bench: Workbench, job_id: str) -> JobRecord:
    """Queue again, as a new job, what a detection or intake that ended badly was to do.

    Raises:
        NotFoundError: If there is no such job, or its video or model is gone.
        ConflictError: If it has not ended badly.
        BusyError: If the same is waiting or running already.
        InvalidInputError: If it is another kind of job.
    """
    job = bench.catalog.jobs.get(job_id)
    if job.state not in _ENDED_BADLY:
        raise ConflictError(
            f"this {job.kind} job is {job.state}; only one that failed or was cancelled can be "
            "tried again"
        )
    if job.kind == "intake":
        return bench.catalog.jobs.submit(
            "intake",
            job.params,
            author=bench.settings.author,
            dedupe_key=job.dedupe_key,
            resource_class=job.resource_class,
        )
    if job.kind != "detect":
        raise InvalidInputError(
            f"a {job.kind} job is started again where it was started the first time; detections "
            "can be tried again here"
        )
    return prepare_detection(bench, _request_of(bench, job), may_wait=True).job


def _request_of(bench: Workbench, job: JobRecord) -> DetectRequest:
    """Return what was asked for; the run knows its video and model also after a renaming."""
    runs = bench.catalog.detections.list(job_id=job.id)
    params, asked = job.params, job.params["asked"]
    return request_from_json(
        {
            "video": runs[0].video_id if runs else params["video"],
            "model": runs[0].model_id if runs else params["model"],
            "thresholds": params["thresholds"],
            "reader": params["reader"],
            "batch": params.get("batch") or 0,
            "runtime": asked["runtime"],
            "precision": asked["precision"],
            "coarse": asked["coarse"],
        }
    )


def _cancel(bench: Workbench, job_id: str) -> JobRecord:
    bench.jobs.cancel(job_id)
    return bench.catalog.jobs.get(job_id)


def _move_up(bench: Workbench, job_id: str) -> JobRecord:
    """Put a job before the one of its kind that is before it; the first one stays."""
    job = bench.catalog.jobs.get(job_id)
    waiting = sorted(
        bench.catalog.jobs.list(job.kind, JobState.QUEUED),
        key=lambda item: (item.rank, item.created_at, item.id),
    )
    ids = [item.id for item in waiting]
    place = ids.index(job_id) if job_id in ids else 0
    # Where it does not wait any more, or is the first, the catalog says so or changes nothing.
    other = ids[place - 1] if place else job_id
    return bench.catalog.queue_order.move_before(job_id, other)


def models_for(bench: Workbench) -> list[ModelRecord]:
    """Return the models that can be chosen, those in production first."""
    models = bench.catalog.models.list()
    return sorted(models, key=lambda model: (model.stage != "production", model.stage == "retired"))


def videos_without_result(
    bench: Workbench, videos: Sequence[VideoRecord], model: ModelRecord
) -> list[VideoRecord]:
    """Return those of the videos in which this model has found nothing yet, as nobody ran it."""
    runs = bench.catalog.detections.list(model_id=model.id)
    seen = {run.video_id for run in runs if run.state is JobState.SUCCEEDED}
    return [video for video in videos if video.id not in seen]
