"""Many videos with one model: one warm child, failures that stay apart, and no work done twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prismata.catalog import DetectionRunRecord, ModelRecord, VideoRecord
from prismata.core.errors import NotFoundError, UserError
from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import ChildOutcome, ChildRunner, MessageHandler
from prismata.core.protocol import Message
from prismata.core.time import to_seconds
from prismata.services.admission import Profile
from prismata.services.batch_clock import BatchClock, BatchProgress
from prismata.services.detect import (
    DetectRequest,
    choose_model,
    find_finished,
    load_result,
    prepare_detection,
    run_detection,
)
from prismata.services.video_sources import VideoSource
from prismata.services.workbench import Workbench


@dataclass(frozen=True, slots=True)
class VideoReport:
    """What became of one video of a batch."""

    source: str
    """As it was named."""
    state: JobState
    video: str = ""
    """Its name in the library; empty if it did not get there."""
    model: str = ""
    run_id: str = ""
    cause: FailureCause | None = None
    message: str = ""
    """One sentence for a person; empty if all went well."""
    reason: str = ""
    """Stable code of a refused file, see `BadVideoError`."""
    exit_code: int = 0
    """Of the error that refused it before a child started; 0 = none did."""
    wall_seconds: float = 0.0
    peak_rss_mb: float = 0.0
    result: dict[str, Any] | None = None
    """The DetectionResult."""
    reused: bool = False
    """It had been found before, by a run with the same model and settings."""


ReportHandler = Callable[[VideoReport], None]
ProgressHandler = Callable[[BatchProgress], None]


def _ignore(_: object) -> None:
    return


def detect_many(
    bench: Workbench,
    sources: Sequence[VideoSource],
    request: DetectRequest,
    *,
    again: bool = False,
    on_video: ReportHandler = _ignore,
    on_progress: ProgressHandler = _ignore,
    on_message: MessageHandler = _ignore,
) -> list[VideoReport]:
    """Detect in videos one after the other; each is a job of its own.

    A video that cannot be used, fails or crashes the child is a line in the report, and the others
    go on. What has run before with the same model and settings is not run again, so a batch that
    was stopped goes on where it was.

    Args:
        bench: The workbench.
        sources: What `find_sources` returned.
        request: What is asked for; its `video` is not looked at.
        again: Run also what has run before.
        on_video: Gets the report of each video when it is done.
        on_progress: Told often where the batch stands.
        on_message: Gets every message of the child.

    Raises:
        KeyboardInterrupt: On Ctrl-C; the video at hand is cancelled, those before it stay done.
    """
    with bench.jobs.session() as runner:
        batch = _Batch(bench, sources, request, runner)
        batch.again, batch.on_progress, batch.forward = again, on_progress, on_message
        reports = []
        for index in range(len(sources)):
            report = batch.run_one(index)
            reports.append(report)
            on_video(report)
        return reports


class _Batch:
    """The state that videos of one batch share."""

    def __init__(
        self,
        bench: Workbench,
        sources: Sequence[VideoSource],
        request: DetectRequest,
        runner: ChildRunner,
    ) -> None:
        self.again = False
        self.on_progress: ProgressHandler = _ignore
        self.forward: MessageHandler = _ignore
        self._bench = bench
        self._sources = sources
        self._request = request
        self._runner = runner
        self._clock = BatchClock([_seconds(source.duration_us(bench)) for source in sources])
        self._index = 0
        self._share = 0.0
        self._held_mb = 0.0
        self._profile: Profile | None = None

    def run_one(self, index: int) -> VideoReport:
        """Do one video; whatever a person can be blamed for becomes its report."""
        self._index, self._share = index, 0.0
        self._clock.begin(index)
        worked = False
        report = VideoReport(self._sources[index].name, JobState.FAILED)
        try:
            report = self._detect(report)
            worked = not report.reused and not _came_from_cache(report.result)
        except UserError as error:
            report = replace(
                report,
                cause=FailureCause.USER_ERROR,
                message=str(error),
                reason=getattr(error, "reason", ""),
                exit_code=error.exit_code,
            )
        except OSError as error:
            report = replace(
                report,
                cause=FailureCause.STORAGE,
                message=f"{report.source} could not be read or stored: {error}",
            )
        finally:
            self._clock.end(counts=worked)
        return report

    def _detect(self, report: VideoReport) -> VideoReport:
        bench = self._bench
        self._tell("bringing it into the library")
        video = self._sources[self._index].take_in(bench, self._request.domain)
        self._clock.know(self._index, to_seconds(video.duration_us))
        request = replace(self._request, video=video.id)
        model = choose_model(bench, request, video)
        report = replace(report, video=video.name, model=model.name)
        finished = None if self.again else self._finished(video, model, request)
        if finished is not None:
            return _reused(report, *finished)
        prepared = prepare_detection(
            bench,
            request,
            profile=self._profile,
            held_mb=self._held_mb,
        )
        report = replace(report, run_id=prepared.run.id)
        outcome = run_detection(bench, prepared, on_message=self._on_message, runner=self._runner)
        self._learn_from(outcome, prepared.job.id)
        return _ended(bench, report, outcome)

    def _finished(
        self, video: VideoRecord, model: ModelRecord, request: DetectRequest
    ) -> tuple[DetectionRunRecord, dict[str, Any]] | None:
        run = find_finished(self._bench, video, model, request)
        if run is None:
            return None
        try:
            return run, load_result(self._bench, run)
        except NotFoundError:  # somebody tidied storage: then it has to be found again
            return None

    def _learn_from(self, outcome: ChildOutcome, job_id: str) -> None:
        if outcome.state is not JobState.SUCCEEDED and outcome.cause is not FailureCause.USER_ERROR:
            self._held_mb = 0.0  # its child is gone
        if self._bench.catalog.jobs.get(job_id).failures.get(FailureCause.OUT_OF_MEMORY):
            self._profile = "smallest"  # what was too much for one video is not tried on each

    def _on_message(self, message: Message) -> None:
        if message["type"] == "progress":
            total = message.get("total")
            self._share = min(1.0, message["done"] / total) if total else self._share
            self._tell(message.get("note") or "working")
        elif message["type"] == "memory":
            self._held_mb = float(message.get("rss_mb") or 0.0)
        self.forward(message)

    def _tell(self, note: str) -> None:
        clock = self._clock
        clock.move(self._share)
        self.on_progress(
            BatchProgress(
                self._index + 1,
                len(self._sources),
                self._sources[self._index].name,
                note,
                self._share,
                clock.total_share(),
                clock.eta_seconds(),
            )
        )


def _reused(report: VideoReport, run: DetectionRunRecord, result: dict[str, Any]) -> VideoReport:
    return replace(
        report,
        state=JobState.SUCCEEDED,
        run_id=run.id,
        wall_seconds=run.wall_seconds or 0.0,
        peak_rss_mb=run.peak_rss_mb or 0.0,
        result=result,
        reused=True,
    )


def _ended(bench: Workbench, report: VideoReport, outcome: ChildOutcome) -> VideoReport:
    run = bench.catalog.detections.get(report.run_id)
    return replace(
        report,
        state=outcome.state,
        cause=outcome.cause,
        message=run.message or outcome.message,
        wall_seconds=outcome.wall_seconds,
        peak_rss_mb=outcome.peak_rss_mb,
        result=load_result(bench, run) if outcome.result is not None else None,
    )


def _seconds(duration_us: int | None) -> float | None:
    return None if duration_us is None else to_seconds(duration_us)


def _came_from_cache(result: dict[str, Any] | None) -> bool:
    """Whether the result cost no decoding, which says nothing about the speed of others."""
    return result is not None and bool(result["settings"]["asked"]["from_cache"])
