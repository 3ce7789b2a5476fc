"""What a domain's rules and its review hook say about labels; it changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prismata.catalog import EventRecord, VideoRecord
from prismata.core.events import DescribedEvent, Event
from prismata.core.time import format_time
from prismata.domains import Domain, HookFailure, check_labels
from prismata.services.workbench import Workbench

NOT_ASSERTED = ("rejected", "unsure")
"""Nobody says that these happened, so no rule speaks about them."""


@dataclass(frozen=True, slots=True)
class LabelRemark:
    """A sentence about a label, or about all labels of a video."""

    sentence: str
    event: Event | None
    event_id: str
    """Of the label; empty if it is about none."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        event = self.event
        return {
            "sentence": self.sentence,
            "event_id": self.event_id or None,
            "event_type": event.event_type if event else None,
            "start_us": event.start_us if event else None,
            "end_us": event.end_us if event else None,
        }


@dataclass(frozen=True, slots=True)
class CheckedLabels:
    """Everything in one video's labels that is worth a second look."""

    video: VideoRecord
    labels: int
    """How many were looked at."""
    remarks: tuple[LabelRemark, ...]
    failure: HookFailure | None
    """Of the review hook; the rules spoke all the same."""

    def sentences(self) -> list[str]:
        """Return what people read: a line for each, the failure of the hook last."""
        return [item.sentence for item in self.remarks] + (
            [str(self.failure)] if self.failure else []
        )


def check_video(bench: Workbench, video: VideoRecord, domain_name: str) -> CheckedLabels:
    """Check the labels of a video.

    Raises:
        NotFoundError: If there is no such domain.
    """
    domain = bench.domain(domain_name)
    records = bench.catalog.events.list(video_id=video.id, domain=domain_name, origin="annotation")
    return check_records(domain, video, records)


def check_videos(
    bench: Workbench, domain_name: str, videos: Sequence[VideoRecord] = ()
) -> Iterator[CheckedLabels]:
    """Check the labels of videos, by default of all that have some.

    Raises:
        NotFoundError: If there is no such domain.
    """
    domain = bench.domain(domain_name)
    chosen = videos or bench.catalog.videos.list()
    by_video: dict[str, list[EventRecord]] = {}
    for record in bench.catalog.events.list(domain=domain_name, origin="annotation"):
        by_video.setdefault(record.video_id, []).append(record)
    for video in chosen:
        if videos or video.id in by_video:
            yield check_records(domain, video, by_video.get(video.id, []))


def check_records(
    domain: Domain, video: VideoRecord, records: Iterable[EventRecord]
) -> CheckedLabels:
    """Check labels of one video that somebody has loaded."""
    asserted = [item for item in records if item.review_state not in NOT_ASSERTED]
    ids: dict[Event, list[str]] = {}
    for item in reversed(asserted):
        ids.setdefault(_bare(item.event), []).append(item.id)
    reviewed = check_labels(
        domain, [DescribedEvent.of(item.event, item.attributes) for item in asserted]
    )
    remarks = []
    for remark in reviewed.remarks:
        event = None if remark.event is None else _bare(remark.event)
        known = ids.get(event, []) if event is not None else []
        remarks.append(LabelRemark(remark.sentence, event, known[-1] if known else ""))
    return CheckedLabels(video, len(asserted), tuple(remarks), reviewed.failure)


def second_looks(bench: Workbench, domain_name: str) -> str:
    """Say how many labels of a domain are worth a second look; empty if none is.

    Raises:
        NotFoundError: If there is no such domain.
    """
    checked = [item for item in check_videos(bench, domain_name) if item.sentences()]
    if not checked:
        return ""
    first = checked[0]
    about = first.remarks[0].event if first.remarks else None
    where = f"{first.video.name}, {format_time(about.start_us)}" if about else first.video.name
    count = sum(len(item.sentences()) for item in checked)
    things = "1 thing" if count == 1 else f"{count} things"
    videos = "1 video" if len(checked) == 1 else f"{len(checked)} videos"
    return (
        f"{things} in the labels of {videos} may be worth a second look: "
        f"{first.sentences()[0]} ({where}); "
        f"the page Label points at each, `prismata labels check --domain {domain_name}` lists all"
    )


def _bare(event: Event) -> Event:
    """Return an event as a key: hooks may hand back a copy with or without its attributes."""
    return Event(event.start_us, event.end_us, event.event_type, event.kind)
