"""What is known of a video in a domain: time that somebody watched, and time that labels fill."""

from __future__ import annotations

from collections.abc import Iterable

from prismata.catalog import EventRecord, VideoRecord
from prismata.core.coverage import CoverageSpan, known_spans, unknown_spans
from prismata.core.errors import NotFoundError
from prismata.core.events import Event
from prismata.core.time import TimeSpan, to_us
from prismata.evaluation.thresholds import PRODUCT_TOLERANCE_US
from prismata.services.workbench import Workbench


def known_time(
    bench: Workbench,
    video: VideoRecord,
    domain_name: str,
    coverage: Iterable[CoverageSpan],
    labels: Iterable[EventRecord],
) -> tuple[TimeSpan, ...]:
    """Return the stretches of a video of which something is known.

    Args:
        bench: The workbench.
        video: The video.
        domain_name: A point makes known what lies within this domain's tolerance.
        coverage: From the video's sheet.
        labels: Its annotations. What a person is unsure of is unknown, watched or not: it is
            neither an event nor surely none.
    """
    common_us, own_us = tolerance_of(bench, domain_name), tolerances_of(bench, domain_name)
    doubtful: list[Event] = []
    sure: list[Event] = []
    for item in labels:
        (doubtful if item.review_state == "unsure" else sure).append(item.event)

    def known(spans: Iterable[CoverageSpan], events: Iterable[Event]) -> tuple[TimeSpan, ...]:
        return known_spans(
            spans,
            events,
            duration_us=video.duration_us,
            tolerance_us=common_us,
            tolerances_us=own_us,
        )

    unseen = unknown_spans(known(coverage, ()), duration_us=video.duration_us)
    clear = unknown_spans([*unseen, *known((), doubtful)], duration_us=video.duration_us)
    watched = [CoverageSpan(span.start_us, span.end_us, "watched") for span in clear]
    return known(watched, sure)


def unknown_time(bench: Workbench, video: VideoRecord, domain_name: str) -> tuple[TimeSpan, ...]:
    """Return the stretches of a video of which nothing is known, as its labels are now.

    Raises:
        NotFoundError: If there is no such video.
    """
    coverage = bench.catalog.labels.sheet(video.id, domain_name).coverage
    labels = bench.catalog.events.list(video_id=video.id, domain=domain_name, origin="annotation")
    known = known_time(bench, video, domain_name, coverage, labels)
    return unknown_spans(known, duration_us=video.duration_us)


def tolerance_of(bench: Workbench, domain_name: str) -> int:
    """Return a domain's tolerance for instants in microseconds; the product's without a plugin."""
    try:
        return to_us(bench.domain(domain_name).tolerance_seconds)
    except NotFoundError:
        # A model outlives its plugin, and its figures do not depend on one.
        return PRODUCT_TOLERANCE_US


def tolerances_of(bench: Workbench, domain_name: str) -> dict[str, int]:
    """Return the tolerance of each event type in microseconds; empty without a plugin."""
    try:
        return bench.domain(domain_name).tolerances_us()
    except NotFoundError:
        return {}
