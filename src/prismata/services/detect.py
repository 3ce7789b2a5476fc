"""Detection: one model on one stored video, in an isolated child, results into the catalog."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prismata.catalog import DetectionRunRecord, JobRecord, ModelRecord, VideoRecord
from prismata.core.errors import InvalidInputError, NotFoundError, PrismataError, UserError
from prismata.core.events import Event
from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import ChildLimits, ChildOutcome, MessageHandler
from prismata.core.protocol import Message
from prismata.core.scores import ScoreTrack
from prismata.services.workbench import LiveJob, Workbench

DETECT_CHILD = (sys.executable, "-m", "prismata.detection")
TORCH_CHILD = (sys.executable, "-m", "prismata.worker.train")
BUNDLE_FILES = ("card.json", "encoder.onnx", "temporal.onnx")


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


@dataclass(slots=True)
class PreparedDetection:
    """A detection that is about to run; owns the local copies that the child reads."""

    job: JobRecord
    run: DetectionRunRecord
    video: VideoRecord
    model: ModelRecord
    argv: tuple[str, ...]
    request: dict[str, Any]
    resources: ExitStack


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


def prepare_detection(bench: Workbench, request: DetectRequest) -> PreparedDetection:
    """Enter job and run into the catalog and bring video and model to local files.

    Raises:
        BusyError: If the same model is already running on the same video.
        NotFoundError: If video or model do not exist.
    """
    video = bench.catalog.videos.find(request.video)
    model = choose_model(bench, request, video)
    settings = {"thresholds": dict(request.thresholds), "reader": request.reader}
    job = bench.catalog.jobs.submit(
        "detect",
        {"video": video.name, "model": model.name, **settings},
        author=bench.settings.author,
        dedupe_key=f"detect:{video.id}:{model.id}",
    )
    resources = ExitStack()
    try:
        run = bench.catalog.detections.start(
            video_id=video.id, model_id=model.id, settings=settings, job_id=job.id
        )
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="prismata-run-")))
        timeline = folder / "timeline.npz"
        timeline.write_bytes(bench.storage.get(video.timeline_key))
        child_request = {
            "video": str(resources.enter_context(bench.storage.local_copy(video.storage_key))),
            "timeline": str(timeline),
            "reader": request.reader,
            "threads": bench.settings.detect_threads,
            "thresholds": dict(request.thresholds),
            "scores_path": str(folder / "scores.npz"),
        }
        argv = _add_model(bench, model, folder, child_request, resources)
    except BaseException as error:
        resources.close()
        _abandon(bench, job, error)
        raise
    return PreparedDetection(job, run, video, model, argv, child_request, resources)


def run_detection(
    bench: Workbench,
    prepared: PreparedDetection,
    *,
    on_message: MessageHandler = lambda _message: None,
) -> ChildOutcome:
    """Detect in a child process and wait for its end; the outcome says how it went."""
    handlers = _Handlers(bench, prepared, on_message)
    with prepared.resources:
        return bench.jobs.run_job(
            prepared.job.id,
            prepared.argv,
            prepared.request,
            limits=_limits(bench),
            on_message=handlers.on_message,
            on_success=handlers.on_success,
            on_failure=handlers.on_failure,
        )


def start_detection(bench: Workbench, prepared: PreparedDetection) -> LiveJob:
    """Detect in the background; job, run and provisional events in the catalog tell the rest."""
    handlers = _Handlers(bench, prepared, lambda _message: None, close_when_done=True)
    try:
        return bench.jobs.start_in_background(
            prepared.job.id,
            prepared.argv,
            prepared.request,
            limits=_limits(bench),
            on_message=handlers.on_message,
            on_success=handlers.on_success,
            on_failure=handlers.on_failure,
        )
    except PrismataError:
        prepared.resources.close()
        raise


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


def event_from_result(raw: Mapping[str, Any]) -> Event:
    """Return the event that one entry of a DetectionResult describes."""
    return Event(
        int(raw["start_us"]),
        int(raw["end_us"]),
        str(raw["event_type"]),
        raw["kind"],
        float(raw["score"]),
    )


def _add_model(
    bench: Workbench,
    model: ModelRecord,
    folder: Path,
    request: dict[str, Any],
    resources: ExitStack,
) -> tuple[str, ...]:
    """Put the model into the request and return the child that can run it."""
    storage = bench.storage
    if model.kind == "foreign_onnx":
        request["foreign"] = {
            "path": str(
                resources.enter_context(storage.local_copy(f"{model.bundle_key}model.onnx"))
            ),
            "card": json.dumps(model.card),
            "normalization": model.card["training"].get("normalization", "imagenet"),
        }
        return DETECT_CHILD
    if model.kind == "checkpoint":
        request |= {
            "task": "detect",
            "settings": bench.settings.to_request(),
            "prefix": model.bundle_key,
        }
        return TORCH_CHILD
    bundle = folder / "bundle"
    bundle.mkdir()
    for name in BUNDLE_FILES:
        # Links, so that one folder holds what the storage keeps wherever its cache is.
        copy = resources.enter_context(storage.local_copy(model.bundle_key + name))
        (bundle / name).symlink_to(copy.resolve())
    for name in model.card.get("files", {}):
        if name not in BUNDLE_FILES:
            copy = resources.enter_context(storage.local_copy(model.bundle_key + name))
            (bundle / name).symlink_to(copy.resolve())
    request["bundle"] = str(bundle)
    return DETECT_CHILD


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


class _Handlers:
    """What happens in the catalog while one child runs and when it ends."""

    def __init__(
        self,
        bench: Workbench,
        prepared: PreparedDetection,
        forward: Callable[[Message], None],
        *,
        close_when_done: bool = False,
    ) -> None:
        self._bench = bench
        self._prepared = prepared
        self._forward = forward
        self._close_when_done = close_when_done
        self._peak_rss_mb = 0.0

    def on_message(self, message: Message) -> None:
        """Store provisional events at once; pass everything on."""
        if message["type"] == "event":
            event = event_from_result(message["event"])
            self._bench.catalog.detections.add_events(self._prepared.run.id, [event])
        elif message["type"] == "memory":
            self._peak_rss_mb = max(self._peak_rss_mb, float(message.get("peak_rss_mb") or 0.0))
        self._forward(message)

    def on_success(self, result: dict[str, Any]) -> dict[str, Any]:
        """Store result, scores and final events; return what is kept with the job."""
        bench, prepared = self._bench, self._prepared
        result = {key: value for key, value in result.items() if key not in ("type", "v")}
        result["video"] |= {"name": prepared.video.name, "sha256": prepared.video.sha256}
        result["peak_rss_mb"] = self._peak_rss_mb
        prefix = f"detections/{prepared.run.id}/"
        scores_key, result_key = f"{prefix}scores.npz", f"{prefix}result.json"
        bench.storage.put_file(scores_key, Path(prepared.request["scores_path"]))
        bench.storage.put(result_key, json.dumps(result, indent=1).encode())
        events = [event_from_result(raw) for raw in result["events"]]
        bench.catalog.detections.finish(
            prepared.run.id,
            events,
            runtime=_describe(result["runtime"]),
            result_key=result_key,
            scores_key=scores_key,
            peak_rss_mb=self._peak_rss_mb,
            wall_seconds=result["timing_s"]["total"],
            settings=result["settings"],
        )
        self._done()
        return {
            "run_id": prepared.run.id,
            "events": len(events),
            "runtime": result["runtime"],
            "timing_s": result["timing_s"],
            "peak_rss_mb": self._peak_rss_mb,
        }

    def on_failure(self, outcome: ChildOutcome) -> None:
        """Mark the run; nothing that looks like a result stays."""
        detections = self._bench.catalog.detections
        if detections.get(self._prepared.run.id).state.is_final:
            # Whoever took the job for lost has ended its run with it.
            self._done()
            return
        if outcome.state is JobState.CANCELLED:
            detections.cancel(self._prepared.run.id, outcome.message)
        else:
            detections.fail(
                self._prepared.run.id,
                outcome.cause or FailureCause.BUG,
                outcome.message,
                peak_rss_mb=outcome.peak_rss_mb or None,
                wall_seconds=outcome.wall_seconds,
            )
        self._done()

    def _done(self) -> None:
        if self._close_when_done:
            self._prepared.resources.close()


def _describe(runtime: Mapping[str, Any]) -> str:
    return (
        f"{runtime['name']} {runtime['version']} · {runtime['device']} · {runtime['precision']} · "
        f"{runtime['threads']} threads"
    )
