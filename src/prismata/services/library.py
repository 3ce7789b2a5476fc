"""The library as annotators see it: which videos there are, and how far each one is labelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prismata.catalog import VideoOverview
from prismata.core.errors import InvalidInputError
from prismata.services.workbench import Workbench

STATUSES = ("new", "in_progress", "needs_review", "done")
MAX_ITEMS = 2000
FRESH = "new"
"""Status of a video on which nothing was done yet."""


@dataclass(frozen=True, slots=True)
class LibraryQuery:
    """What a person wants to see of the library."""

    domain: str
    text: str = ""
    """Part of a name or group, in any case; several words all have to be there."""
    status: str = ""
    assignee: str = ""
    whole: bool = False
    """Also videos that belong to other domains."""
    offset: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True)
class LibraryItem:
    """One video in one domain."""

    video: VideoOverview
    status: str
    assignee: str
    labels: int
    """Annotations of the domain, hard negatives not counted."""
    seen: float
    """Share of the video that somebody watched or skipped on purpose, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class LibraryPage:
    """A part of what fits a query."""

    total: int
    counts: Mapping[str, int]
    """How many have each status, of those that fit all but the status asked for."""
    assignees: tuple[str, ...]
    """Everybody who has a video of the domain."""
    items: tuple[LibraryItem, ...]


def list_library(bench: Workbench, query: LibraryQuery) -> LibraryPage:
    """Return the videos that fit, by name, with how far each is labelled in the domain.

    Raises:
        NotFoundError: If there is no such domain.
        InvalidInputError: If the status does not exist.
    """
    bench.domain(query.domain)
    if query.status and query.status not in STATUSES:
        raise InvalidInputError(
            f"there is no status {query.status[:40]!r}; there are {', '.join(STATUSES)}"
        )
    labels = bench.catalog.labels.count_by_video(query.domain)
    words = query.text.casefold().split()
    everything = bench.catalog.library.list(query.domain)
    found = [
        video
        for video in everything
        if (
            query.whole
            or video.domain in ("", query.domain)
            or video.status is not None
            or video.id in labels
        )
        and all(word in f"{video.name} {video.group_name}".casefold() for word in words)
        and query.assignee in ("", video.assignee)
    ]
    counts = dict.fromkeys(STATUSES, 0)
    for video in found:
        counts[video.status or FRESH] += 1
    fitting = [video for video in found if query.status in ("", video.status or FRESH)]
    page = fitting[query.offset : query.offset + min(query.limit, MAX_ITEMS)]
    covered = bench.catalog.library.covered(query.domain, [video.id for video in page])
    return LibraryPage(
        total=len(fitting),
        counts=counts,
        assignees=tuple(sorted({video.assignee for video in everything if video.assignee})),
        items=tuple(
            LibraryItem(
                video,
                video.status or FRESH,
                video.assignee or "",
                labels.get(video.id, 0),
                min(1.0, covered.get(video.id, 0) / video.duration_us),
            )
            for video in page
        ),
    )
