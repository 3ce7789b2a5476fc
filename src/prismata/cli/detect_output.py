"""What `prismata detect` shows: bars, events as they are found, a table for each video, a sum."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from prismata.cli.console import (
    EXIT_CODES,
    EXIT_JOB_FAILED,
    BatchBars,
    batch_bars,
    format_left,
    notes,
    output,
    print_table,
)
from prismata.core.jobs import JobState
from prismata.core.profile import profile_rows
from prismata.core.protocol import Message
from prismata.core.time import format_time
from prismata.services.batch_clock import BatchProgress
from prismata.services.detect_batch import VideoReport


class BatchView:
    """Shows a batch while it runs.

    Args:
        count: Videos in all.
        shown: False: nothing is printed, only files are written.
        profile: Show each result's stages.
        to: Folder for results; None = nowhere.
    """

    def __init__(self, *, count: int, shown: bool, profile: bool, to: Path | None) -> None:
        self._count = count
        self._shown = shown
        self._profile = profile
        self._to = to
        self._reports: list[VideoReport] = []
        self._progress: BatchProgress | None = None
        self._stack = ExitStack()
        self._bars: BatchBars | None = None

    def __enter__(self) -> Self:
        bars = batch_bars(several=self._count > 1, enabled=self._shown)
        self._bars = self._stack.enter_context(bars)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()
        if self._shown and len(self._reports) > 1:
            notes.print(_sum_line(self._reports), markup=False)

    def on_progress(self, progress: BatchProgress) -> None:
        """Move the bars."""
        self._progress = progress
        if self._bars is not None:
            label = f"{progress.number} of {progress.count} videos"
            self._bars.show(f"{progress.name}:", progress.note, progress.share)
            self._bars.show_all(label, progress.total_share, progress.eta_seconds)

    def on_message(self, message: Message) -> None:
        """Show an event as soon as it is found."""
        if message["type"] == "event" and self._shown:
            event = message["event"]
            notes.print(
                f"  {format_time(event['start_us'])}  {event['event_type']}  {event['score']:.2f}",
                markup=False,
            )

    def on_video(self, report: VideoReport) -> None:
        """Show and write what became of one video."""
        self._reports.append(report)
        if self._shown:
            self._print(report)
        if self._to is not None and report.result is not None:
            _write(report, self._to, shown=self._shown)

    def _print(self, report: VideoReport) -> None:
        if report.result is None:
            notes.print(
                f"{self._place()}{report.video or report.source}: {report.state}: {report.message}",
                markup=False,
            )
            return
        _print_events(report)
        notes.print(self._place() + _how(report), markup=False)
        for note in report.result.get("notes", []):
            notes.print(note, markup=False)
        if self._profile:
            _print_profile(report.result)

    def _place(self) -> str:
        """Return "[3 of 20, about 5 min left] " where no bar says it."""
        if self._count == 1 or notes.is_terminal:
            return ""
        left = format_left(self._progress.eta_seconds) if self._progress else ""
        is_last = len(self._reports) == self._count
        words = f"{len(self._reports)} of {self._count}"
        return f"[{words}{f', {left}' if left and not is_last else ''}] "


def report_dict(report: VideoReport) -> dict[str, Any]:
    """Return what became of one video, as JSON values."""
    values: dict[str, Any] = {
        "source": report.source,
        "video": report.video,
        "model": report.model,
        "run_id": report.run_id,
        "state": report.state.value,
        "cause": report.cause.value if report.cause else None,
        "message": report.message,
        "reason": report.reason,
        "reused": report.reused,
        "wall_seconds": round(report.wall_seconds, 3),
        "peak_rss_mb": round(report.peak_rss_mb, 1),
    }
    return values | ({"result": report.result} if report.result is not None else {})


def summary_dict(reports: Sequence[VideoReport]) -> dict[str, int]:
    """Return how many videos ended how."""
    good = [report for report in reports if report.state is JobState.SUCCEEDED]
    reused = sum(report.reused for report in good)
    return {
        "videos": len(reports),
        "detected": len(good) - reused,
        "reused": reused,
        "failed": len(reports) - len(good),
        "events": sum(len(report.result["events"]) for report in good if report.result),
    }


def code_of(report: VideoReport) -> int:
    """Return the exit code that a report means."""
    if report.state is JobState.SUCCEEDED:
        return 0
    if report.state is JobState.CANCELLED:
        return 130
    if report.exit_code:
        return report.exit_code
    return EXIT_CODES.get(report.cause, EXIT_JOB_FAILED) if report.cause else EXIT_JOB_FAILED


def _sum_line(reports: Sequence[VideoReport]) -> str:
    total = summary_dict(reports)
    words = [f"{total['detected']} detected"]
    words += [f"{total['reused']} found before"] if total["reused"] else []
    words += [f"{total['failed']} failed"] if total["failed"] else []
    return f"{total['videos']} videos: {', '.join(words)}; {total['events']} events in all"


def _print_events(report: VideoReport) -> None:
    events = report.result["events"] if report.result else []
    if not events:
        output.print(f"{report.video}: 0 events", markup=False)
        return
    # What an older run left has no confidence, and a model without a calibration gives none.
    said = any(event.get("confidence") is not None for event in events)
    columns = ("event", "start", "end", "score", *(("confidence",) if said else ()), "frame")
    print_table(
        f"{report.video}: {len(events)} events",
        columns,
        [
            (
                event["event_type"],
                format_time(event["start_us"]),
                format_time(event["end_us"]) if event["kind"] == "segment" else "",
                f"{event['score']:.2f}",
                *((_percent(event.get("confidence")),) if said else ()),
                event["start_frame"],
            )
            for event in events
        ],
        right="start,end,score,confidence,frame",
    )


def _percent(confidence: float | None) -> str:
    return "" if confidence is None else f"{100 * confidence:.0f} %"


def _how(report: VideoReport) -> str:
    result = report.result or {}
    if report.reused:
        return (
            f"{report.video}: found before by {report.model} with these settings, at "
            f"{result['created_at']}; --again runs it again"
        )
    timing, runtime = result["timing_s"], result["runtime"]
    return (
        f"{report.model} · {runtime['name']} {runtime['version']} {runtime['precision']} · "
        f"{timing['total']:.1f} s for {result['video']['duration_s']:.1f} s of video · peak "
        f"{report.peak_rss_mb:.0f} MB"
    )


def _print_profile(result: dict[str, Any]) -> None:
    """Show where time and memory went, and what decoding and encoding take alone."""
    print_table(
        "where the time went (stages overlap)",
        ("stage", "seconds", "share", "alone", "times alone", "processor s", "MB after"),
        [
            (
                row.stage,
                f"{row.seconds:.2f}",
                f"{row.share:.0%}",
                "" if row.floor_seconds is None else f"{row.floor_seconds:.2f}",
                "" if row.ratio is None else f"{row.ratio:.2f}",
                "" if row.cpu_seconds is None else f"{row.cpu_seconds:.2f}",
                "" if row.memory_mb is None else f"{row.memory_mb:.0f}",
            )
            for row in profile_rows(result)
        ],
        right="seconds,share,alone,times alone,processor s,MB after",
    )
    memory = result.get("profile", {}).get("memory_mb", {})
    if all(memory.values()) and memory:
        notes.print(
            f"memory: {memory['model_open']:.0f} MB with the model open, {memory['all']:.0f} MB "
            f"after the run, {memory['peak']:.0f} MB at most"
        )


def _write(report: VideoReport, folder: Path, *, shown: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{Path(report.video).stem}-{report.run_id[:8]}.json"
    temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
    temporary.write_text(json.dumps(report.result, indent=1), encoding="utf-8")
    temporary.replace(target)
    if shown:
        notes.print(f"wrote {target}", markup=False)
