"""What is known of a video in a domain: time that somebody watched, and time that labels fill."""

from __future__ import annotations

from collections.abc import Iterable

from prismata.catalog import EventRecord, VideoRecord
from prismata.core.coverage import CoverageSpan, known_spans, unknown_spans
from prismata.core.errors import NotFoundError
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
        labels: Its annotations; what a person is unsure of makes nothing known.
    """
    return known_spans(
        coverage,
        [item.event for item in labels if item.review_state != "unsure"],
        duration_us=video.duration_us,
        tolerance_us=_tolerance_us(bench, domain_name),
    )


def unknown_time(bench: Workbench, video: VideoRecord, domain_name: str) -> tuple[TimeSpan, ...]:
    """Return the stretches of a video of which nothing is known, as its labels are now.

    Raises:
        NotFoundError: If there is no such video.
    """
    coverage = bench.catalog.labels.sheet(video.id, domain_name).coverage
    labels = bench.catalog.events.list(video_id=video.id, domain=domain_name, origin="annotation")
    known = known_time(bench, video, domain_name, coverage, labels)
    return unknown_spans(known, duration_us=video.duration_us)


def _tolerance_us(bench: Workbench, domain_name: str) -> int:
    try:
        return to_us(bench.domain(domain_name).tolerance_seconds)
    except NotFoundError:
        # A model outlives its plugin, and its figures do not depend on one.
        return PRODUCT_TOLERANCE_US
