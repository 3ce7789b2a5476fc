"""Detection: one model on one stored video, in an isolated child, results into the catalog."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prismata.catalog import DetectionRunRecord, JobRecord, ModelRecord, VideoRecord
from prismata.core.errors import InvalidInputError, NotFoundError, PrismataError, UserError
from prismata.core.jobs import FailureCause
from prismata.core.modelcard import ModelCard
from prismata.core.ports import ChildLimits, ChildOutcome, ChildRunner, MessageHandler
from prismata.core.scores import ScoreTrack
from prismata.services.admission import (
    PROFILE_FIELDS,
    Admission,
    Arithmetic,
    Profile,
    admit,
    wished_profile,
)
from prismata.services.detect_model import ModelOnDisk, bring_model
from prismata.services.detect_recording import PreparedDetection, Recording
from prismata.services.workbench import LiveJob, Workbench


@dataclass(frozen=True, slots=True)
class DetectRequest:
    """What a person asks for."""

    video: str
    """Name or id."""
    model: str = ""
    """Name or id; empty = the domain's model in production, else its newest."""
    domain: str = ""
    """Only needed to choose a model."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    reader: str = "pyav"
    runtime: str = ""
    """Empty = as `PRISMATA_DETECT_RUNTIME` says; likewise `precision`."""
    precision: str = ""
    batch: int = 0
    """Frames encoded at once; 0 = chosen."""
    coarse: bool = False
    """Only look at key frames: many times faster, and events between them are missed."""
    measure_floors: bool = False
    """Also measure decoding alone and encoding alone, for a profile; takes about as long again."""


def choose_model(bench: Workbench, request: DetectRequest, video: VideoRecord) -> ModelRecord:
    """Return the model asked for, or the one to use for the domain.

    Raises:
        NotFoundError: If there is none; says how to get one.
        InvalidInputError: If it is not clear which domain is meant.
    """
    if request.model:
        return bench.catalog.models.find(request.model)
    domain = request.domain or video.domain
    if not domain:
        known = sorted({model.domain for model in bench.catalog.models.list()})
        if len(known) != 1:
            raise InvalidInputError(
                f"{video.name!r} belongs to no domain, so no model can be chosen; name one with "
                f"--model or --domain ({', '.join(known) or 'there is no model yet'})"
            )
        domain = known[0]
    model = bench.catalog.models.latest(domain)
    if model is None:
        raise NotFoundError(
            f"there is no model for {domain!r} yet; train one with `prismata train {domain}`"
        )
    return model


def prepare_detection(
    bench: Workbench,
    request: DetectRequest,
    *,
    on_disk: ModelOnDisk | None = None,
    profile: Profile | None = None,
    held_mb: float = 0.0,
) -> PreparedDetection:
    """Enter job and run into the catalog and bring video and model to local files.

    Args:
        bench: The workbench.
        request: What a person asks for.
        on_disk: The model, if it has been brought already and stays.
        profile: How much memory it may take; None = as the settings say.
        held_mb: What a warm child holds already.

    Raises:
        UnavailableError: If there is too little memory; nothing was entered.
        BusyError: If the same model is already running on the same video.
        NotFoundError: If video or model do not exist.
    """
    video = bench.catalog.videos.find(request.video)
    model = choose_model(bench, request, video)
    wanted = _arithmetic(bench, request)
    profile = profile or wished_profile(bench.settings.machine_profile)
    admission = admit(bench, model, video, wanted, profile=profile, held_mb=held_mb)
    asked = {**_asked(bench, request), "profile": admission.profile}
    settings = {"thresholds": dict(request.thresholds), "reader": request.reader}
    job = bench.catalog.jobs.submit(
        "detect",
        {"video": video.name, "model": model.name, **settings, "profile": admission.profile},
        author=bench.settings.author,
        dedupe_key=f"detect:{video.id}:{model.id}",
    )
    resources = ExitStack()
    try:
        run = bench.catalog.detections.start(
            video_id=video.id, model_id=model.id, settings=settings, job_id=job.id
        )
        on_disk = on_disk or bring_model(bench, model, resources)
        child_request = {
            **_child_request(bench, request, video, admission, resources),
            **on_disk.fields,
        }
    except BaseException as error:
        resources.close()
        _abandon(bench, job, error)
        raise
    return PreparedDetection(
        job, run, video, model, on_disk.argv, child_request, asked, admission, resources
    )


def run_detection(
    bench: Workbench,
    prepared: PreparedDetection,
    *,
    on_message: MessageHandler = lambda _message: None,
    runner: ChildRunner | None = None,
) -> ChildOutcome:
    """Detect in a child process and wait for its end; the outcome says how it went.

    Args:
        bench: The workbench.
        prepared: What `prepare_detection` returned.
        on_message: Gets every message of the child.
        runner: Of `bench.jobs.session()`, for several videos in one child.
    """
    recording = Recording(bench, prepared, on_message)
    with prepared.resources:
        return bench.jobs.run_job(
            prepared.job.id,
            prepared.argv,
            prepared.request,
            limits=_limits(bench),
            on_message=recording.on_message,
            on_success=recording.on_success,
            on_failure=recording.on_failure,
            retry=recording.retry,
            runner=runner,
        )


def start_detection(bench: Workbench, prepared: PreparedDetection) -> LiveJob:
    """Detect in the background; job, run and provisional events in the catalog tell the rest."""
    recording = Recording(bench, prepared, lambda _message: None, close_when_done=True)
    try:
        return bench.jobs.start_in_background(
            prepared.job.id,
            prepared.argv,
            prepared.request,
            limits=_limits(bench),
            on_message=recording.on_message,
            on_success=recording.on_success,
            on_failure=recording.on_failure,
            retry=recording.retry,
        )
    except PrismataError:
        prepared.resources.close()
        raise


def find_finished(
    bench: Workbench, video: VideoRecord, model: ModelRecord, request: DetectRequest
) -> DetectionRunRecord | None:
    """Return the newest run that found what this request would find; None if there is none.

    The same model, thresholds, reader, runtime and precision ("auto" is the same as "auto"); where
    a profile is asked for, one that has it.
    """
    card = ModelCard.from_json(json.dumps(model.card)).with_thresholds(dict(request.thresholds))
    thresholds = {name: rule.threshold for name, rule in card.rules.items()}
    asked = _asked(bench, request)
    for run in bench.catalog.detections.list(video_id=video.id, model_id=model.id):
        if not run.result_key:
            continue
        used = {name: rule["threshold"] for name, rule in run.settings["rules"].items()}
        was_asked = run.settings.get("asked", {})
        if used == thresholds and all(was_asked.get(key) == asked[key] for key in asked):
            return run
    return None


def load_scores(bench: Workbench, run: DetectionRunRecord) -> ScoreTrack:
    """Return the stored score track of a finished run.

    Raises:
        NotFoundError: If the run has none.
    """
    if not run.scores_key:
        raise NotFoundError(f"this detection run is {run.state} and has no scores")
    with bench.storage.local_copy(run.scores_key) as path:
        return ScoreTrack.load(path)


def load_result(bench: Workbench, run: DetectionRunRecord) -> dict[str, Any]:
    """Return the stored DetectionResult of a finished run.

    Raises:
        NotFoundError: If the run has none.
    """
    if not run.result_key:
        raise NotFoundError(f"this detection run is {run.state} and has no result")
    result: dict[str, Any] = json.loads(bench.storage.get(run.result_key))
    return result


def _arithmetic(bench: Workbench, request: DetectRequest) -> Arithmetic:
    return Arithmetic(
        request.runtime or bench.settings.detect_runtime,
        request.precision or bench.settings.detect_precision,
    )


def _asked(bench: Workbench, request: DetectRequest) -> dict[str, Any]:
    wanted = _arithmetic(bench, request)
    asked: dict[str, Any] = {
        "reader": request.reader,
        "runtime": wanted.runtime,
        "precision": wanted.precision,
        "coarse": request.coarse,
    }
    return asked | ({"measure_floors": True} if request.measure_floors else {})


def _child_request(
    bench: Workbench,
    request: DetectRequest,
    video: VideoRecord,
    admission: Admission,
    resources: ExitStack,
) -> dict[str, Any]:
    """Return what the child is told of video, settings and places, without the model."""
    settings = bench.settings
    folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="prismata-run-")))
    timeline = folder / "timeline.npz"
    timeline.write_bytes(bench.storage.get(video.timeline_key))
    cache = {
        "folder": str(settings.cache_dir.resolve() / "features"),
        "max_bytes": settings.feature_cache_bytes,
    }
    wanted = _arithmetic(bench, request)
    return {
        "video": str(resources.enter_context(bench.storage.local_copy(video.storage_key))),
        "video_sha256": video.sha256,
        "timeline": str(timeline),
        "reader": request.reader,
        "threads": settings.detect_threads,
        "thresholds": dict(request.thresholds),
        "scores_path": str(folder / "scores.npz"),
        "runtime": wanted.runtime,
        "precision": wanted.precision,
        "coarse": request.coarse,
        "measure_floors": request.measure_floors,
        # A profile is of the whole work, so nothing is taken from the cache for it.
        "cache": cache if settings.feature_cache_bytes and not request.measure_floors else None,
        **({"batch": request.batch} if request.batch else {}),
        **PROFILE_FIELDS[admission.profile],
    }


def _abandon(bench: Workbench, job: JobRecord, error: BaseException) -> None:
    """Give the job up that never started, with its detection run."""
    for run in bench.catalog.detections.list(job_id=job.id):
        cause = FailureCause.USER_ERROR if isinstance(error, UserError) else FailureCause.BUG
        bench.catalog.detections.fail(run.id, cause, str(error) or type(error).__name__)
    bench.catalog.jobs.request_cancel(job.id)


def _limits(bench: Workbench) -> ChildLimits:
    return ChildLimits(
        memory_mb=bench.settings.child_memory_mb, stall_seconds=bench.settings.stall_seconds
    )
