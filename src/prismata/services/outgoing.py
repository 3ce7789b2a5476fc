"""Which events go out: of a search, or of finished runs under other thresholds.

Both give the same rows, so every kind of output can be had of either.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prismata._version import __version__
from prismata.catalog import DetectionRunRecord, ModelRecord, ReviewDecision, VideoRecord
from prismata.catalog.event_search import EventFilter, EventOrder, FoundEvent
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.events import Event
from prismata.core.jobs import JobState
from prismata.core.time import FrameTimeline
from prismata.domains import DomainRegistry, HookFailure
from prismata.formats.result_rows import DERIVED, ResultRow
from prismata.services.derive import DerivedFound, derive_found
from prismata.services.event_search import all_events, model_names
from prismata.services.regroup import Regrouped, regroup
from prismata.services.review_items import card_of
from prismata.services.workbench import Workbench

_Place = tuple[str, int, int]
KEPT_TIMELINES = 64
RUN_FILTERS = ("event_type", "video", "min_score", "max_score", "min_seconds", "max_seconds")
"""What of a filter can be asked of events that are stored nowhere."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event on its way out."""

    video: VideoRecord
    row: ResultRow


class FrameTables:
    """Timelines of the videos that come by, the latest `KEPT_TIMELINES` of them.

    Args:
        bench: The workbench.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._kept: OrderedDict[str, FrameTimeline] = OrderedDict()

    def of(self, video: VideoRecord) -> FrameTimeline:
        """Return a video's timeline.

        Raises:
            NotFoundError: If it is missing from storage.
        """
        if video.id not in self._kept:
            self._kept[video.id] = self._bench.timeline(video)
            if len(self._kept) > KEPT_TIMELINES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(video.id)
        return self._kept[video.id]

    def with_frames(self, row: ResultRow, video: VideoRecord) -> ResultRow:
        """Return a row with the frames of its event."""
        timeline, event = self.of(video), row.event
        last_us = timeline.duration_us - 1
        first = timeline.index_at(min(event.start_us, last_us))
        end = timeline.index_at(min(max(event.start_us, event.end_us - 1), last_us))
        return replace(row, start_frame=first, end_frame=end)


class Judgements:
    """What reviewers decided of what models found, looked up by where it lies.

    A decision is about a candidate of a model in a video, and becomes a label of its own; the
    detection itself does not change, so what it is worth is told from here.

    Args:
        bench: The workbench.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._known: dict[tuple[str, str], dict[_Place, ReviewDecision]] = {}

    def told(self, row: ResultRow, video: VideoRecord, model_id: str | None) -> ResultRow:
        """Return a detection's row with the newest decision about it; other rows as they are."""
        if model_id is None or row.review_state != "none":
            return row
        decision = self._of(row.domain, video.id, model_id).get(_place(row.event))
        if decision is None:
            return row
        return replace(row, review_state=decision.decision, reviewer=decision.reviewer)

    def _of(self, domain: str, video_id: str, model_id: str) -> dict[_Place, ReviewDecision]:
        if (video_id, model_id) not in self._known:
            if len(self._known) >= KEPT_TIMELINES:
                self._known.clear()
            made = self._bench.catalog.reviews.list(domain, model_id=model_id, video_id=video_id)
            self._known[video_id, model_id] = {
                (item.event_type, item.start_us, item.end_us): item for item in made
            }
        return self._known[video_id, model_id]


def searched(
    bench: Workbench,
    wanted: EventFilter,
    *,
    order: EventOrder = "newest",
) -> Iterator[Outgoing]:
    """Yield the events that a search finds, in its order.

    Raises:
        NotFoundError: If there is no such domain, or a frame table is missing.
        InvalidInputError: As the search.
    """
    return as_outgoing(bench, all_events(bench, wanted, order=order))


def as_outgoing(
    bench: Workbench, events: Iterable[FoundEvent], *, with_frames: bool = True
) -> Iterator[Outgoing]:
    """Yield events that a search found, with everything that is told of them.

    Args:
        bench: The workbench.
        events: What was found.
        with_frames: Also the frames, for which each video's frame table is loaded.
    """
    models, titles = model_names(bench), _titles()
    tables, judged = FrameTables(bench), Judgements(bench)
    videos: dict[str, VideoRecord] = {}
    for found in events:
        record = found.record
        if record.video_id not in videos:
            videos[record.video_id] = bench.catalog.videos.get(record.video_id)
        video = videos[record.video_id]
        row = ResultRow(
            video=found.video_name,
            event=record.event,
            title=titles.get((record.domain, record.event.event_type), record.event.event_type),
            domain=record.domain,
            origin=record.origin,
            review_state=record.review_state,
            reviewer=record.reviewer,
            author=record.author,
            model=models.get(record.model_id or "", ""),
            created_at=record.created_at,
            id=record.id,
        )
        row = judged.told(row, video, record.model_id)
        yield Outgoing(video, tables.with_frames(row, video) if with_frames else row)


def newest_runs(bench: Workbench, model: ModelRecord, video: str = "") -> list[DetectionRunRecord]:
    """Return a model's newest finished run on each video whose name has this part, by name.

    Raises:
        NotFoundError: If there is none.
    """
    videos = {item.id: item for item in bench.catalog.videos.list()}
    newest: dict[str, DetectionRunRecord] = {}
    for run in bench.catalog.detections.list(model_id=model.id):
        known = videos.get(run.video_id)
        if run.state is JobState.SUCCEEDED and known and video.casefold() in known.name.casefold():
            newest.setdefault(run.video_id, run)
    if not newest:
        raise NotFoundError(
            f"model {model.name!r} has no finished run"
            + (f" on a video with {video!r} in its name" if video else "")
            + f"; run `prismata detect VIDEO --model {model.name}` first"
        )
    return sorted(newest.values(), key=lambda run: videos[run.video_id].name)


def of_runs(
    bench: Workbench,
    runs: Iterable[DetectionRunRecord],
    thresholds: Mapping[str, float],
    wanted: EventFilter | None = None,
    *,
    on_failure: Callable[[HookFailure], None] = lambda _failure: None,
) -> Iterator[Outgoing]:
    """Yield the events of finished runs under thresholds, run by run and by time.

    What the domain derives from them comes in between, with the origin `derived`.

    Args:
        bench: The workbench.
        runs: Runs that succeeded.
        thresholds: Event type → threshold; those not named stay as each run had them.
        wanted: Only events that fit; it may ask for what `RUN_FILTERS` name.
        on_failure: Told of a domain whose hook failed, so that there are no derived events.

    Raises:
        NotFoundError: If a run has no stored scores.
        InvalidInputError: If a threshold cannot be used or more is asked of the events.
    """
    wanted = wanted or EventFilter()
    if refused := sorted(set(wanted.to_dict()) - set(RUN_FILTERS)):
        raise InvalidInputError(
            f"events of a model's runs are grouped anew and stored nowhere, so they cannot be "
            f"chosen by {refused[0]}; by {', '.join(RUN_FILTERS)}, or leave the model out"
        )
    for run in runs:
        found = regroup(bench, run, thresholds)
        derived = derive_found(bench, run, found)
        if derived.failure is not None:
            on_failure(derived.failure)
        yield from regrouped(bench, run, found, wanted, derived=derived)


def regrouped(
    bench: Workbench,
    run: DetectionRunRecord,
    found: Regrouped,
    wanted: EventFilter | None = None,
    *,
    with_frames: bool = True,
    derived: DerivedFound | None = None,
) -> list[Outgoing]:
    """Return the events of one run that were grouped already.

    One that lies exactly where the run stored one comes with what was decided of that.

    Args:
        bench: The workbench.
        run: The run.
        found: Its events.
        wanted: Only those that fit.
        with_frames: Also the frames.
        derived: What follows from them; comes along, by time, with the origin `derived`.
    """
    video = bench.catalog.videos.get(run.video_id)
    model = bench.catalog.models.get(run.model_id)
    # Not by score: the stored track rounds it.
    stored = {
        _place(item.event): item for item in bench.catalog.events.list(detection_run_id=run.id)
    }
    titles = {item.name: item.title for item in found.event_types}
    tables, judged = FrameTables(bench), Judgements(bench)
    outgoing = []
    for event in found.events:
        if wanted is not None and not _fits(event, video, wanted):
            continue
        known = stored.get(_place(event))
        row = ResultRow(
            video=video.name,
            event=event,
            title=titles[event.event_type],
            domain=model.domain,
            review_state=known.review_state if known else "none",
            reviewer=known.reviewer if known else "",
            model=model.name,
            created_at=run.finished_at,
            id=known.id if known else "",
        )
        row = judged.told(row, video, model.id)
        outgoing.append(Outgoing(video, tables.with_frames(row, video) if with_frames else row))
    for item in derived.events if derived else ():
        if wanted is None or _fits(item.event, video, wanted):
            row = ResultRow(
                video=video.name,
                event=item.event,
                title=item.title,
                domain=model.domain,
                origin=DERIVED,
                model=model.name,
                created_at=run.finished_at,
            )
            outgoing.append(Outgoing(video, tables.with_frames(row, video) if with_frames else row))
    if derived and derived.events:
        outgoing.sort(key=lambda item: (item.row.event.start_us, item.row.event.end_us))
    return outgoing


def provenance(
    bench: Workbench,
    *,
    asked: Mapping[str, Any],
    models: Sequence[ModelRecord] | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return what events were made with, as JSON values.

    Args:
        bench: The workbench.
        asked: The conditions that the events were chosen by.
        models: Whose events they may be; None: all models there are.
        thresholds: Event type → threshold that was asked for beside the runs' own.
    """
    known = bench.catalog.models.list() if models is None else models
    return {
        "program": f"prismata {__version__}",
        "asked": dict(asked),
        "thresholds": dict(thresholds or {}),
        "models": {model.name: describe_model(model) for model in known},
    }


def describe_model(model: ModelRecord) -> dict[str, Any]:
    """Return who a model is: versions, the digests of its files and `ModelCard.digest`."""
    card = card_of(model)
    return {
        "domain": model.domain,
        "domain_version": model.domain_version,
        "dataset_version": card.dataset_version or None,
        "replays": card.replays,
        "sha256": card.digest if card.files else None,
        "files": dict(sorted(card.files.items())),
    }


def _titles() -> dict[tuple[str, str], str]:
    return {
        (domain.name, item.name): item.title
        for domain in DomainRegistry.list()
        for item in domain.event_types
    }


def _place(event: Event) -> _Place:
    return event.event_type, event.start_us, event.end_us


def _fits(event: Event, video: VideoRecord, wanted: EventFilter) -> bool:
    seconds = (event.end_us - event.start_us) / 1e6
    score = event.score if event.score is not None else 0.0
    return (
        wanted.event_type in ("", event.event_type)
        and wanted.video.casefold() in video.name.casefold()
        and (wanted.min_score is None or score >= wanted.min_score)
        and (wanted.max_score is None or score <= wanted.max_score)
        and (wanted.min_seconds is None or seconds >= wanted.min_seconds)
        and (wanted.max_seconds is None or seconds <= wanted.max_seconds)
    )
