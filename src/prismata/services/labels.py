"""Labels: import with a dry run, edit one by one, export, and a JSON mirror in storage."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from prismata.catalog import EventDraft, EventRecord, ReviewState, VideoRecord
from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.events import Event
from prismata.core.time import FrameTimeline, to_seconds
from prismata.domains import Domain
from prismata.formats import (
    ExportVideo,
    ImportPlan,
    plan_import,
    read_classic_json,
    read_events_csv,
    write_classic_json,
    write_events_csv,
    write_events_json,
    write_webvtt,
)
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
    file_format: Literal["auto", "csv", "classic"] = "auto"
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
    if chosen == "auto":
        chosen = "classic" if path.suffix.lower() == ".json" else "csv"
    if chosen == "classic":
        table = read_classic_json(
            data, path.name, label=options.event_type or domain.event_types[0].name
        )
    else:
        table = read_events_csv(data, path.name)
    return plan_import(
        table.rows,
        _Library(bench),
        domain.event_types,
        label_map=options.label_map,
        onset=options.onset,
    )


def apply_label_import(
    bench: Workbench, plan: ImportPlan, domain_name: str, *, replace: bool = False
) -> int:
    """Store what a plan says and return the number of labels stored.

    Each video is one transaction. Labels that are there already, to the microsecond, are not
    stored twice, so importing the same file again changes nothing.

    Args:
        bench: The workbench.
        plan: From `plan_label_import`.
        domain_name: The domain they belong to.
        replace: Put them in place of the labels that these videos have, instead of adding.

    Raises:
        InvalidInputError: If the plan holds nothing to store.
    """
    domain = bench.domain(domain_name)
    if not plan.videos:
        raise InvalidInputError(
            "nothing of this file can be imported; the dry run says what does not match"
        )
    stored = 0
    for planned in plan.videos:
        video = bench.catalog.videos.get(planned.video_id)
        timeline = bench.timeline(video)
        drafts = [_draft(item.event, timeline, "none") for item in planned.events]
        drafts += [_draft(item.event, timeline, "rejected") for item in planned.false_positives]
        events = bench.catalog.events
        if replace:
            events.replace_annotations(
                video.id, domain.name, domain.version, drafts, bench.settings.author
            )
        else:
            existing = {
                (item.event, item.review_state == "rejected")
                for item in events.list(video_id=video.id, domain=domain.name, origin="annotation")
            }
            drafts = [
                draft
                for draft in drafts
                if (draft.event, draft.review_state == "rejected") not in existing
            ]
            events.add_annotations(
                video.id, domain.name, domain.version, drafts, bench.settings.author
            )
        stored += len(drafts)
        write_mirror(bench, video, domain.name)
    return stored


def add_label(bench: Workbench, video: VideoRecord, domain_name: str, event: Event) -> EventRecord:
    """Store one annotation, with the frame it was made on.

    Raises:
        InvalidInputError: If the domain does not declare the event, or it lies outside the video.
    """
    domain = bench.domain(domain_name)
    declared = {item.name: item for item in domain.event_types}
    if event.event_type not in declared:
        raise InvalidInputError(
            f"{domain.name!r} has no event type {event.event_type!r}; it has {', '.join(declared)}"
        )
    if event.kind != declared[event.event_type].kind:
        raise InvalidInputError(
            f"{event.event_type!r} is a {declared[event.event_type].kind}, not a {event.kind}"
        )
    timeline = bench.timeline(video)
    frame = timeline.index_at(event.start_us)
    if event.end_us > timeline.duration_us:
        raise InvalidInputError(
            f"the event ends at {to_seconds(event.end_us):.3f} s, but {video.name!r} lasts "
            f"{to_seconds(timeline.duration_us):.3f} s"
        )
    record = bench.catalog.events.add_annotations(
        video.id, domain.name, domain.version, [event], bench.settings.author, [frame]
    )[0]
    write_mirror(bench, video, domain.name)
    return record


def delete_label(bench: Workbench, record: EventRecord) -> None:
    """Remove one annotation.

    Raises:
        ConflictError: If somebody changed it meanwhile.
    """
    bench.catalog.events.delete(record.id, record.revision)
    write_mirror(bench, bench.catalog.videos.get(record.video_id), record.domain)


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


def write_mirror(bench: Workbench, video: VideoRecord, domain_name: str) -> None:
    """Write a video's labels as JSON into storage, so that they can be read without a database."""
    records = list_labels(bench, video, domain_name)
    mirror: dict[str, Any] = {
        "video": video.name,
        "sha256": video.sha256,
        "domain": domain_name,
        "events": [_mirrored(item) for item in records],
    }
    key = f"labels/{domain_name}/{video.sha256}.json"
    bench.storage.put(key, json.dumps(mirror, indent=1, ensure_ascii=False).encode())


def _mirrored(item: EventRecord) -> dict[str, Any]:
    return {
        "id": item.id,
        "event_type": item.event.event_type,
        "kind": item.event.kind,
        "start_us": item.event.start_us,
        "end_us": item.event.end_us,
        "frame_index": item.frame_index,
        "review_state": item.review_state,
        "author": item.author,
        "revision": item.revision,
    }


def _draft(event: Event, timeline: FrameTimeline, review_state: ReviewState) -> EventDraft:
    """Return a draft that also keeps the frame on screen where the event starts."""
    frame = timeline.index_at(min(event.start_us, timeline.duration_us - 1))
    return EventDraft(event, frame_index=frame, review_state=review_state)
