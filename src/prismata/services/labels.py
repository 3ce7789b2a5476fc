"""Labels: import with a dry run, edit one by one, export.

Everything is written through the label log, so open pages and the history see it too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from prismata.catalog import EventRecord, SheetRecord, VideoRecord
from prismata.core.coverage import CoverageSpan
from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError
from prismata.core.events import Event
from prismata.core.operations import (
    Operation,
    OperationKind,
    OperationResult,
    State,
    cover_state,
)
from prismata.core.time import FrameTimeline
from prismata.domains import Domain
from prismata.formats import (
    ExportVideo,
    ImportPlan,
    is_labels_v2,
    plan_import,
    read_classic_json,
    read_events_csv,
    read_labels_v2,
    write_classic_json,
    write_events_csv,
    write_events_json,
    write_webvtt,
)
from prismata.services.annotate import DomainRules
from prismata.services.label_mirror import write_mirror
from prismata.services.workbench import Workbench

ExportFormat = Literal["csv", "json", "classic", "webvtt"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = ("csv", "json", "classic", "webvtt")
MAX_LABEL_FILE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a label file is to be understood."""

    domain: str
    label_map: Mapping[str, str]
    """Label in the file → event type; the empty string ignores the label."""
    onset: Collection[str] = ()
    """Point event types for which a segment's start is the event."""
    file_format: Literal["auto", "csv", "classic", "labels-v2"] = "auto"
    """What the file is; by default as its name and content say. `labels-v2` is SoccerNet's."""
    event_type: str = ""
    """For the classic JSON, which names no label: the event type of its deliveries."""


class _Library(Mapping[str, tuple[str, FrameTimeline]]):
    """All videos by name; a timeline is read from storage only when a row needs it."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._videos = {video.name: video for video in bench.catalog.videos.list()}
        self._read: dict[str, tuple[str, FrameTimeline]] = {}

    def __getitem__(self, name: str) -> tuple[str, FrameTimeline]:
        if name not in self._read:
            video = self._videos[name]
            self._read[name] = (video.id, self._bench.timeline(video))
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._videos)

    def __len__(self) -> int:
        return len(self._videos)


def plan_label_import(bench: Workbench, path: Path, options: ImportOptions) -> ImportPlan:
    """Say what importing a file would do; nothing is written.

    Raises:
        NotFoundError: If the file or the domain does not exist.
        InvalidInputError: If the file cannot be read as labels.
    """
    domain = bench.domain(options.domain)
    if not path.is_file():
        raise NotFoundError(f"there is no label file {str(path)!r}")
    if path.stat().st_size > MAX_LABEL_FILE_BYTES:
        raise InvalidInputError(
            f"{path.name} is larger than {MAX_LABEL_FILE_BYTES // 2**20} MB, which no label file "
            "is; name the right file"
        )
    data = path.read_bytes()
    chosen = options.file_format
    if chosen == "auto" and path.suffix.lower() != ".json":
        chosen = "csv"
    elif chosen == "auto":
        chosen = "labels-v2" if is_labels_v2(data) else "classic"
    library = _Library(bench)
    if chosen == "labels-v2":
        table = read_labels_v2(data, path.name, videos=tuple(library))
    elif chosen == "classic":
        table = read_classic_json(
            data, path.name, label=options.event_type or domain.event_types[0].name
        )
    else:
        table = read_events_csv(data, path.name)
    return plan_import(
        table.rows,
        library,
        domain.event_types,
        label_map=options.label_map,
        onset=options.onset,
    )


def apply_label_import(
    bench: Workbench,
    plan: ImportPlan,
    domain_name: str,
    *,
    replace: bool = False,
    partial: bool = False,
) -> int:
    """Store what a plan says and return the number of labels stored.

    Each video is one transaction. Labels that are there already, to the microsecond, are not
    stored twice, so importing the same file again changes nothing.

    Args:
        bench: The workbench.
        plan: From `plan_label_import`.
        domain_name: The domain they belong to.
        replace: Put them in place of the labels that these videos have, instead of adding.
        partial: The file holds some of the labels of these videos. Otherwise it holds all: each
            video then counts as watched to its end, and where no label is there is nothing.

    Raises:
        InvalidInputError: If the plan holds nothing to store.
        ConflictError: If somebody changed labels while they were replaced; theirs stand.
    """
    domain = bench.domain(domain_name)
    if not (plan.num_events or plan.num_false_positives):
        raise InvalidInputError(
            "nothing of this file can be imported; the dry run says what does not match"
        )
    stored = 0
    for planned in plan.videos:
        if partial and planned.is_empty:
            continue
        video = bench.catalog.videos.get(planned.video_id)
        rules = DomainRules(domain, video, bench.timeline(video))
        wanted = dict.fromkeys((item.event, False) for item in planned.events)
        wanted |= dict.fromkeys((item.event, True) for item in planned.false_positives)
        for event, is_rejected in wanted:
            rules.check(_new_state(event, is_rejected=is_rejected), None)
        records = list_labels(bench, video, domain_name)
        existing = {_said(record) for record in records}
        new = [said for said in wanted if said not in existing]
        log = _Batch("import")
        for record in records if replace else ():
            if _said(record) not in wanted:
                log.add("delete", record.id, before=_state_of(record))
        for event, is_rejected in new:
            log.add("create", uuid4().hex, after=_new_state(event, is_rejected=is_rejected))
        sheet = bench.catalog.labels.sheet(video.id, domain_name)
        log.begin(sheet)
        if not partial:
            log.cover_whole(sheet, video)
        _check_all_applied(_write(bench, video, rules, log), video)
        stored += len(wanted) if replace else len(new)
    return stored


def coverage_line(*, partial: bool) -> str:
    """Return the line of a dry run that says what an import makes of unlabelled time."""
    if partial:
        return "partial: what was watched stays as it is; unlabelled time elsewhere is unknown"
    return (
        "complete: the videos above count as watched to their end, so where no label is there is "
        "nothing; if the file holds only some of the labels, import it as partial"
    )


def add_label(bench: Workbench, video: VideoRecord, domain_name: str, event: Event) -> EventRecord:
    """Store one annotation, with the frame it was made on.

    It says nothing about the rest of the video: nobody is taken to have watched it.

    Raises:
        InvalidInputError: If the domain does not declare the event, or it lies outside the video.
    """
    rules = DomainRules(bench.domain(domain_name), video, bench.timeline(video))
    state = _new_state(event, is_rejected=False)
    rules.check(state, None)
    log = _Batch("cli")
    event_id = uuid4().hex
    log.add("create", event_id, after=state)
    _check_all_applied(_write(bench, video, rules, log), video)
    return bench.catalog.events.get(event_id)


def delete_label(bench: Workbench, record: EventRecord) -> None:
    """Remove one annotation.

    Raises:
        NotFoundError: If it is gone already.
        ConflictError: If somebody changed it meanwhile.
    """
    bench.catalog.events.get(record.id)
    video = bench.catalog.videos.get(record.video_id)
    rules = DomainRules(bench.domain(record.domain), video, bench.timeline(video))
    log = _Batch("cli")
    log.add("delete", record.id, before=_state_of(record))
    _check_all_applied(_write(bench, video, rules, log), video)


def list_labels(bench: Workbench, video: VideoRecord, domain_name: str) -> list[EventRecord]:
    """Return a video's annotations of a domain, by time."""
    return bench.catalog.events.list(video_id=video.id, domain=domain_name, origin="annotation")


def export_labels(
    bench: Workbench,
    domain_name: str,
    export_format: ExportFormat,
    *,
    videos: Sequence[str] = (),
) -> str:
    """Return the annotations of a domain as text in the format asked for.

    Raises:
        NotFoundError: If a video or the domain does not exist.
        InvalidInputError: If the format holds one video, or one event type, and there are several.
    """
    domain = bench.domain(domain_name)
    catalog = bench.catalog
    chosen = [catalog.videos.find(name) for name in videos] or catalog.videos.list()
    exports = []
    for video in chosen:
        records = list_labels(bench, video, domain_name)
        if not records and not videos:
            continue
        exports.append(
            ExportVideo(
                video.name,
                tuple(item.event for item in records if item.review_state != "rejected"),
                bench.timeline(video),
                video.width,
                video.height,
                tuple(item.event for item in records if item.review_state == "rejected"),
            )
        )
    if export_format == "csv":
        return write_events_csv(exports)
    if export_format == "json":
        return write_events_json(exports)
    if len(exports) != 1:
        raise InvalidInputError(
            f"a {export_format} file holds one video, but {len(exports)} have labels; name one "
            "with --video"
        )
    if export_format == "classic":
        return write_classic_json(exports[0], label=_only_event_type(exports[0], domain))
    return write_webvtt(exports[0], domain.event_types)


def _only_event_type(video: ExportVideo, domain: Domain) -> str:
    """Return the event type of a video's labels; the classic file has room for one."""
    used = {event.event_type for event in (*video.events, *video.false_positives)}
    if len(used) > 1:
        raise InvalidInputError(
            f"a classic file holds one event type, but {video.name!r} has labels "
            f"{', '.join(sorted(used))}; export csv or json instead"
        )
    return next(iter(used), domain.event_types[0].name)


class _Batch:
    """Operations of one program run on one video, made one after the other.

    Args:
        client: What the log calls the program.
    """

    def __init__(self, client: str) -> None:
        self._client = client
        self.operations: list[Operation] = []

    def add(
        self,
        kind: OperationKind,
        event_id: str,
        *,
        before: State | None = None,
        after: State | None = None,
    ) -> None:
        """Add an operation."""
        self.operations.append(
            Operation(
                id=uuid4().hex,
                client=self._client,
                seq=len(self.operations),
                kind=kind,
                event_id=event_id,
                before=before,
                after=after,
            )
        )

    def cover_whole(self, sheet: SheetRecord, video: VideoRecord) -> None:
        """Add that a video was watched to its end, if the sheet does not say so."""
        if video.duration_us <= 0:
            return
        whole = (CoverageSpan(0, video.duration_us, "watched"),)
        if sheet.coverage != whole:
            before = cover_state(0, video.duration_us, sheet.coverage)
            after = cover_state(0, video.duration_us, whole)
            self.add("cover", "", before=before, after=after)

    def begin(self, sheet: SheetRecord) -> None:
        """Add that work on a video has begun, if nobody has said anything of it yet."""
        if sheet.status == "new":
            self.add("sheet", "", before={"status": "new"}, after={"status": "in_progress"})


def _write(
    bench: Workbench, video: VideoRecord, rules: DomainRules, log: _Batch
) -> tuple[OperationResult, ...]:
    """Write operations through the log, and the mirror after them."""
    if not log.operations:
        return ()
    name = rules.domain.name
    results = bench.catalog.labels.apply(
        video.id, name, log.operations, bench.settings.author, rules
    )
    write_mirror(bench, video, name)
    return results


def _check_all_applied(results: Sequence[OperationResult], video: VideoRecord) -> None:
    left = [result for result in results if result.status != "applied"]
    if left:
        raise ConflictError(
            f"{len(left)} of {len(results)} changes to the labels of {video.name!r} were not made, "
            f"the first because {left[0].message}; the others are stored"
        )


def _said(record: EventRecord) -> tuple[Event, bool]:
    """Return what a label says: an event, and whether it surely is not one."""
    return record.event, record.review_state == "rejected"


def _new_state(event: Event, *, is_rejected: bool) -> State:
    return {
        "start_us": event.start_us,
        "end_us": event.end_us,
        "event_type": event.event_type,
        "kind": event.kind,
        "review_state": "rejected" if is_rejected else "none",
        "attributes": {},
    }


def _state_of(record: EventRecord) -> State:
    state = _new_state(record.event, is_rejected=False)
    return state | {"review_state": record.review_state, "attributes": record.attributes}
