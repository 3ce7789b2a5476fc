"""How videos of a domain are taken in, as the domain declares it."""

from __future__ import annotations

from prismata.catalog import VideoRecord
from prismata.core.errors import BadVideoError, NotFoundError
from prismata.core.time import FrameTimeline, format_time, to_us
from prismata.domains import IngestOptions
from prismata.services.renditions import load_playability
from prismata.services.workbench import Workbench


def ingest_options(bench: Workbench, domain_name: str) -> IngestOptions:
    """Return what a domain says; the usual without a domain, or without its plugin."""
    if not domain_name:
        return IngestOptions()
    try:
        return bench.domain(domain_name).ingest
    except NotFoundError:
        # A video outlives its plugin.
        return IngestOptions()


def needs_proxy(bench: Workbench, video: VideoRecord) -> bool:
    """Say whether a proxy belongs to a video: browsers need it, or its domain wants it.

    Raises:
        NotFoundError: If its file is missing from storage.
        BadVideoError: If it cannot be read any more.
    """
    wanted = ingest_options(bench, video.domain).always_proxy
    return wanted or not load_playability(bench, video).exact


def check_length(bench: Workbench, name: str, timeline: FrameTimeline, domain_name: str) -> None:
    """Check that a video is no longer than its domain takes.

    Raises:
        BadVideoError: If it is; says how long both are.
    """
    longest = ingest_options(bench, domain_name).longest_seconds
    if longest is not None and timeline.duration_us > to_us(longest):
        raise BadVideoError(
            f"{name!r} lasts {format_time(timeline.duration_us)}, and {domain_name!r} takes clips "
            f"of up to {format_time(to_us(longest))}; cut it, or take it in without a domain",
            reason="too_long_for_domain",
        )
