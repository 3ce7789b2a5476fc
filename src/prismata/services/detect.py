"""Detection: one model on one stored video, in an isolated child, results into the catalog."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prismata.catalog import DetectionRunRecord, JobRecord, ModelRecord, VideoRecord
from prismata.core.errors import InvalidInputError, NotFoundError, UnavailableError
from prismata.core.jobs import FailureCause, JobState
from prismata.core.logs import keep_log_ids
from prismata.core.modelcard import ModelCard
from prismata.core.ports import (
    Assignment,
    ChildLimits,
    ChildOutcome,
    ChildRunner,
    MessageHandler,
)
from prismata.core.scores import ScoreTrack
from prismata.services.admission import (
    PROFILE_FIELDS,
    Admission,
    Arithmetic,
    Profile,
    admit,
    memory_need,
    wished_profile,
)
from prismata.services.detect_model import bring_model
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
    profile: Profile | None = None,
    held_mb: float = 0.0,
    may_wait: bool = False,
    admission: Admission | None = None,
) -> PreparedDetection:
    """Enter job and run into the catalog.

    Args:
        bench: The workbench.
        request: What a person asks for.
        profile: How much memory it may take; None = as the settings say.
        held_mb: What a warm child holds already.
        may_wait: It need not fit into the memory that is free now; it then waits until it does.
        admission: What was found for a video with pictures of the same size; None = found here.

    Raises:
        UnavailableError: If there is too little memory; nothing was entered.
        BusyError: If the same work waits or runs already: this video, model and settings.
        NotFoundError: If video or model do not exist.
    """
    video = bench.catalog.videos.find(request.video)
    model = choose_model(bench, request, video)
    if admission is None:
        wanted = _arithmetic(bench, request)
        profile = profile or wished_profile(bench.settings.machine_profile)
        try:
            admission = admit(bench, model, video, wanted, profile=profile, held_mb=held_mb)
        except UnavailableError:
            if not may_wait:
                raise
            admission = Admission("small", memory_need(bench, model, video, wanted, "small"))
    settings = {"thresholds": dict(request.thresholds), "reader": request.reader}
    asked = {**_asked(bench, request), "profile": admission.profile}
    params = {
        "video": video.name,
        "model": model.name,
        **settings,
        "asked": asked,
        "batch": request.batch,
    }
    job = bench.catalog.jobs.submit(
        "detect",
        params,
        author=bench.settings.author,
        dedupe_key=work_key(bench, video, model, request),
        needs_mb=admission.need.mb,
        detection={"video_id": video.id, "model_id": model.id, "settings": settings},
    )
    run = bench.catalog.detections.list(job_id=job.id)[0]
    return PreparedDetection(job, run, video, model, admission)


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
    return bench.jobs.run_job(prepared.job.id, on_message=on_message, runner=runner)


def start_detection(bench: Workbench, prepared: PreparedDetection) -> LiveJob:
    """Detect in the background; job, run and provisional events in the catalog tell the rest."""
    return bench.jobs.start(prepared.job)


def assign_detection(bench: Workbench, job: JobRecord) -> Assignment:
    """Return what an attempt at a detection consists of; brings video and model to local files.

    Raises:
        NotFoundError: If the run, its video or its model are gone.
        UnavailableError: If the storage cannot be reached.
    """
    runs = bench.catalog.detections.list(job_id=job.id)
    if not runs:
        raise NotFoundError("the run of this detection is gone, with its video; there is no work")
    run = runs[0]
    keep_log_ids(run_id=run.id)
    if run.state is JobState.SUCCEEDED:  # stored, but whoever did it was stopped before saying so
        return Assignment((), {}, ChildLimits(), finished={"run_id": run.id})
    video = bench.catalog.videos.get(run.video_id)
    model = bench.catalog.models.get(run.model_id)
    asked = dict(job.params["asked"])
    notes = []
    if job.failures.get(FailureCause.OUT_OF_MEMORY):
        asked["profile"] = "smallest"
        notes = _lost_memory_notes(bench, job)
    with ExitStack() as bringing:
        on_disk = bring_model(bench, model, bringing)
        child_request = {
            **_child_request(bench, job, video, asked, bringing),
            **on_disk.fields,
        }
        recording = Recording(bench, job, run, video, child_request, asked, notes)
        return Assignment(
            on_disk.argv,
            child_request,
            _limits(bench),
            on_message=recording.on_message,
            on_success=recording.on_success,
            notes=notes,
            resources=bringing.pop_all(),
        )


def work_key(
    bench: Workbench, video: VideoRecord, model: ModelRecord, request: DetectRequest
) -> str:
    """Return what two detections share that would find the same: video, model and settings."""
    found_with = [_thresholds(model, request), _asked(bench, request)]
    digest = hashlib.sha256(json.dumps(found_with, sort_keys=True).encode()).hexdigest()
    return f"detect:{video.id}:{model.id}:{digest[:16]}"


def find_finished(
    bench: Workbench, video: VideoRecord, model: ModelRecord, request: DetectRequest
) -> DetectionRunRecord | None:
    """Return the newest run that found what this request would find; None if there is none.

    The same model, thresholds, reader, runtime and precision ("auto" is the same as "auto"); where
    a profile is asked for, one that has it.
    """
    thresholds = _thresholds(model, request)
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


def _thresholds(model: ModelRecord, request: DetectRequest) -> dict[str, float]:
    card = ModelCard.from_json(json.dumps(model.card)).with_thresholds(dict(request.thresholds))
    return {name: rule.threshold for name, rule in card.rules.items()}


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
    job: JobRecord,
    video: VideoRecord,
    asked: Mapping[str, Any],
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
    measures_floors = bool(asked.get("measure_floors"))
    batch = int(job.params.get("batch") or 0)
    return {
        "video": str(resources.enter_context(bench.storage.local_copy(video.storage_key))),
        "video_sha256": video.sha256,
        "timeline": str(timeline),
        "reader": asked["reader"],
        "threads": settings.detect_threads,
        "thresholds": dict(job.params["thresholds"]),
        "scores_path": str(folder / "scores.npz"),
        "sketch_path": str(folder / "sketch.npz"),
        "runtime": asked["runtime"],
        "precision": asked["precision"],
        "coarse": asked["coarse"],
        "measure_floors": measures_floors,
        # A profile is of the whole work, so nothing is taken from the cache for it.
        "cache": cache if settings.feature_cache_bytes and not measures_floors else None,
        **({"batch": batch} if batch else {}),
        **PROFILE_FIELDS[asked["profile"]],
    }


def _lost_memory_notes(bench: Workbench, job: JobRecord) -> list[str]:
    lost = [
        attempt
        for attempt in bench.catalog.jobs.attempts(job.id)
        if attempt.cause is FailureCause.OUT_OF_MEMORY
    ]
    peak = max((attempt.peak_rss_mb or 0.0 for attempt in lost), default=0.0)
    return [
        f"The first attempt ran out of memory at {peak:.0f} MB; this is the second one, with one "
        "thread and the smallest batches."
    ]


def _limits(bench: Workbench) -> ChildLimits:
    return ChildLimits(
        memory_mb=bench.settings.child_memory_mb, stall_seconds=bench.settings.stall_seconds
    )
