"""The HTML report of what a model found: of its newest runs, or of one run under thresholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prismata._version import __version__
from prismata.catalog import DetectionRunRecord, ModelRecord, VideoRecord
from prismata.core.errors import NotFoundError, UserError
from prismata.core.events import Event
from prismata.core.files import written_whole
from prismata.core.jobs import JobState
from prismata.core.replays import replays_in_data
from prismata.core.time import FrameTimeline
from prismata.domains import HookFailure, ReportVideo
from prismata.evaluation.results_html import (
    ResultsData,
    ShownEvent,
    VideoFailure,
    VideoResult,
    render_results,
)
from prismata.evaluation.timeline_svg import VideoPicture
from prismata.media.jpeg import encode_jpeg
from prismata.media.readers import open_video
from prismata.services.derive import derive_found, described_found, domain_of_run
from prismata.services.lineage import model_lineage
from prismata.services.outgoing import Outgoing, describe_model, regrouped
from prismata.services.own_sections import own_sections, result_words
from prismata.services.regroup import Regrouped, regroup
from prismata.services.workbench import Workbench

MAX_STILLS = 60
"""In one report; some 8 KB each."""
MAX_STILLS_A_VIDEO = 8
STILL_WIDTH = 240

ReportProgress = Callable[[int, int, str], None]
"""Called with videos done, videos in all, and the name of the one at hand."""


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What a report holds, for whoever asked for it."""

    videos: int
    events: int
    failures: int


@dataclass(frozen=True, slots=True)
class _Ended:
    """What became of a model's runs on one video."""

    video: VideoRecord
    good: DetectionRunRecord | None
    """The newest that succeeded."""
    bad: DetectionRunRecord | None
    """One that came after it, or the newest where none succeeded, if that did not succeed."""


def write_model_report(
    bench: Workbench,
    model: ModelRecord,
    path: Path,
    *,
    video: str = "",
    thresholds: Mapping[str, float] | None = None,
    title: str = "",
    on_progress: ReportProgress = lambda _done, _total, _name: None,
) -> ReportFacts:
    """Write what a model found in all videos whose name has this part; see `render_results`.

    Of each video counts the newest run that succeeded; a run after it that failed is told beside.

    Args:
        bench: The workbench.
        model: Whose runs.
        path: Where to; an existing file is replaced at the end.
        video: Part of the videos' names; capitals do not matter; empty = all.
        thresholds: Event type → threshold; those not named stay as each run had them.
        title: Of the page; by default the model's name.
        on_progress: Called after each video.

    Raises:
        NotFoundError: If the model has no run on any such video.
        InvalidInputError: If a threshold cannot be used.
    """
    ended, untouched = _newest(bench, model, video)
    if not ended:
        raise NotFoundError(
            f"model {model.name!r} has not been run"
            + (f" on a video with {video!r} in its name" if video else "")
            + f"; run `prismata detect VIDEO --model {model.name}` first"
        )
    good = [item.good for item in ended if item.good is not None]
    found = []
    for number, run in enumerate(good, start=1):
        found.append((run, regroup(bench, run, thresholds or {})))
        on_progress(number, 2 * len(good), bench.catalog.videos.get(run.video_id).name)
    notes = []
    if untouched:
        some = "1 video was" if len(untouched) == 1 else f"{len(untouched)} videos were"
        notes.append(
            f"{some} not looked at by this model and {'is' if len(untouched) == 1 else 'are'} not "
            f"in this report, for example {untouched[0]}."
        )
    failures = [_failure(item, item.bad) for item in ended if item.bad is not None]
    data = _collect(
        bench,
        model,
        found,
        failures=failures,
        notes=notes,
        title=title or f"What {model.name} found",
        on_progress=lambda done, name: on_progress(len(good) + done, 2 * len(good), name),
    )
    with written_whole(path) as unfinished:
        unfinished.write_text(render_results(data), encoding="utf-8")
    return ReportFacts(
        len(data.videos), sum(len(item.events) for item in data.videos), len(data.failures)
    )


def run_report(bench: Workbench, run: DetectionRunRecord, found: Regrouped) -> str:
    """Return the page of what one run found, grouped as it is shown now."""
    model = bench.catalog.models.get(run.model_id)
    video = bench.catalog.videos.get(run.video_id)
    title = f"What {model.name} found in {video.name}"
    return render_results(_collect(bench, model, [(run, found)], title=title))


def _collect(
    bench: Workbench,
    model: ModelRecord,
    found: Sequence[tuple[DetectionRunRecord, Regrouped]],
    *,
    title: str,
    failures: Sequence[VideoFailure] = (),
    notes: Sequence[str] = (),
    on_progress: Callable[[int, str], None] = lambda _done, _name: None,
) -> ResultsData:
    said = list(notes)
    videos = []
    a_video = max(1, min(MAX_STILLS_A_VIDEO, MAX_STILLS // max(1, len(found))))
    stills_left = MAX_STILLS
    decisions: Counter[str] = Counter()
    domain = domain_of_run(bench, found[0][0]) if found else None
    facts: list[ReportVideo] = []
    broken: list[HookFailure] = []
    for number, (run, grouped) in enumerate(found, start=1):
        listed = regrouped(bench, run, grouped, with_frames=False)
        outgoing = sorted(listed, key=lambda item: item.row.event)
        video = bench.catalog.videos.get(run.video_id)
        stills: dict[Event, bytes] = {}
        chosen = _surest([item.row.event for item in outgoing], min(a_video, stills_left))
        try:
            stills = _draw_stills(bench, video, chosen)
        except UserError as error:
            said.append(f"There are no stills of {video.name}: {error}.")
        stills_left -= len(stills)
        shown = tuple(
            ShownEvent(item.row.event, _decision(item), stills.get(item.row.event, b""))
            for item in outgoing
        )
        decisions.update(item.decision for item in shown if item.decision)
        picture = VideoPicture(video.id, video.name, video.duration_us, (), (), grouped.track)
        derived = derive_found(bench, run, grouped)
        broken += [derived.failure] if derived.failure else []
        if domain is not None:
            described = tuple(described_found(bench, run, domain, grouped.events))
            facts.append(ReportVideo(video.name, video.duration_us, described, derived.events))
        when = run.finished_at or run.created_at
        how = f"{when:%Y-%m-%d %H:%M} UTC · {run.runtime}"
        if run.wall_seconds:
            how += f" · {run.wall_seconds:.1f} s"
        follows = tuple((item.event, item.title) for item in derived.events)
        videos.append(
            VideoResult(picture, shown, grouped.thresholds, f"{when:%Y-%m-%d}", how, follows)
        )
        on_progress(number, video.name)
    if sum(len(item.events) for item in videos) > sum(
        bool(shown.still) for item in videos for shown in item.events
    ):
        said.append(f"Stills are of the surest events of each video, {MAX_STILLS} in all at most.")
    return ResultsData(
        title=title,
        event_types=found[0][1].event_types if found else (),
        videos=tuple(videos),
        failures=tuple(failures),
        notes=tuple(said),
        provenance=_provenance(bench, model, found, decisions),
        words=result_words(domain),
        sections=own_sections(domain, facts, failures=broken),
    )


def _newest(bench: Workbench, model: ModelRecord, part: str) -> tuple[list[_Ended], list[str]]:
    """Return what became of the runs by video, and which videos had none."""
    runs: dict[str, list[DetectionRunRecord]] = {}
    for run in bench.catalog.detections.list(model_id=model.id):  # newest first
        runs.setdefault(run.video_id, []).append(run)
    ended, untouched = [], []
    for video in sorted(bench.catalog.videos.list(), key=lambda item: item.name):
        if part.casefold() not in video.name.casefold():
            continue
        of_video = runs.get(video.id)
        if not of_video:
            if video.domain in ("", model.domain):
                untouched.append(video.name)
            continue
        good = next((run for run in of_video if run.state is JobState.SUCCEEDED), None)
        bad = of_video[0] if of_video[0].state is not JobState.SUCCEEDED else None
        ended.append(_Ended(video, good, bad))
    return ended, untouched


def _failure(ended: _Ended, run: DetectionRunRecord) -> VideoFailure:
    message = run.message
    if not run.state.is_final:
        message = "it has not ended yet"
    elif not message:
        message = run.cause.value.replace("_", " ") if run.cause else "somebody stopped it"
    if ended.good is not None:
        message += " (what an earlier run found is shown below)"
    when = run.finished_at or run.created_at
    return VideoFailure(ended.video.name, run.state.value, message, f"{when:%Y-%m-%d %H:%M} UTC")


def _surest(events: Sequence[Event], count: int) -> list[Event]:
    """Return the events with the highest scores, each type in its turn."""
    by_type: dict[str, list[Event]] = {}
    for event in sorted(events, key=lambda item: -(item.score or 0.0)):
        by_type.setdefault(event.event_type, []).append(event)
    chosen: list[Event] = []
    while len(chosen) < count and any(by_type.values()):
        for waiting in by_type.values():
            if waiting and len(chosen) < count:
                chosen.append(waiting.pop(0))
    return chosen


def _draw_stills(bench: Workbench, video: VideoRecord, events: list[Event]) -> dict[Event, bytes]:
    """Return a JPEG of each event: of its instant, or of the middle of its stretch."""
    if not events:
        return {}
    timeline = bench.timeline(video)
    indices = {event: _still_frame(event, timeline) for event in events}
    with (
        bench.storage.local_copy(video.storage_key) as path,
        open_video(path, timeline=timeline, threads=1) as reader,
    ):
        width, height = reader.displayed_size
        size = (STILL_WIDTH, max(1, round(height * STILL_WIDTH / width)))
        drawn = {
            frame.index: encode_jpeg(frame.pixels)
            for frame in reader.read(sorted(indices.values()), size=size)
        }
    return {event: drawn[index] for event, index in indices.items()}


def _still_frame(event: Event, timeline: FrameTimeline) -> int:
    middle_us = (event.start_us + event.end_us) // 2
    return timeline.index_at(min(max(0, middle_us), timeline.duration_us - 1))


def _decision(item: Outgoing) -> str:
    if item.row.review_state == "none":
        return ""
    by = f" by {item.row.reviewer}" if item.row.reviewer else ""
    return f"{item.row.review_state}{by}"


def _provenance(
    bench: Workbench,
    model: ModelRecord,
    found: Sequence[tuple[DetectionRunRecord, Regrouped]],
    decisions: Mapping[str, int],
) -> dict[str, str]:
    told = describe_model(model)
    used = {
        name: sorted({grouped.thresholds[name] for _, grouped in found})
        for name in (found[0][1].thresholds if found else ())
    }
    facts = {
        "Model": model.name,
        "SHA-256 of the model's files": told["sha256"] or "",
        **{f"SHA-256 of {name}": digest for name, digest in told["files"].items()},
        "Domain": f"{model.domain} (version {model.domain_version})",
        "Dataset version": told["dataset_version"] or "not trained here",
        "Replays in the data": replays_in_data(told["replays"]) if told["dataset_version"] else "",
        "Where it comes from": " ".join(model_lineage(bench, model.id).sentences()),
        "Thresholds": ", ".join(
            f"{name} " + " or ".join(f"{value:.2f}" for value in values)
            for name, values in used.items()
        ),
        "Runtime": ", ".join(sorted({run.runtime for run, _ in found if run.runtime})),
        "Judged by people": ", ".join(
            f"{count} {decision}" for decision, count in sorted(decisions.items())
        )
        or "nothing yet",
        "Written by": f"prismata {__version__}",
    }
    return {name: value for name, value in facts.items() if value}
