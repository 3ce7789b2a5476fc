"""Events as downloads: tables, a report and a highlight reel, behind one button."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from time import monotonic

import streamlit as st

from prismata.catalog import DetectionRunRecord, VideoRecord
from prismata.catalog.event_search import EventFilter, EventOrder, FoundEvent
from prismata.services.derive import DerivedFound
from prismata.services.export_events import MIME_TYPES, EventFormat, exported
from prismata.services.outgoing import Outgoing, as_outgoing, provenance, regrouped, searched
from prismata.services.reel import kept_reel, reel_place, within
from prismata.services.regroup import Regrouped
from prismata.services.result_report import run_report
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.notices import plain

REEL_SECONDS = 90.0
REEL_EVENTS = 30
REEL_SIDE = 1280
"""A reel of a page stays something that is made while one waits; the command has no such bounds."""

TABLE_EVENTS = 20_000
"""Of a search in one download; `prismata events export` writes any number."""
PARQUET: tuple[EventFormat, ...] = ("parquet",) if find_spec("pyarrow") else ()

_ETA_FROM_SECONDS = 1.0
_TITLES: dict[EventFormat, str] = {
    "csv": "Events as CSV",
    "json": "Events as JSON",
    "parquet": "Events as Parquet",
    "vtt": "Captions as WebVTT",
}


@dataclass(frozen=True, slots=True)
class Download:
    """One entry of the menu."""

    title: str
    file_name: str
    mime: str
    make: Callable[[], bytes]
    help: str = ""


def show_run_outputs(
    video: VideoRecord, run: DetectionRunRecord, found: Regrouped, derived: DerivedFound
) -> None:
    """Show what one run's events, as they are grouped now, can be taken along as.

    Tables hold what is derived from them, too; the reel does not show it again.
    """
    bench = workbench()
    stem = Path(video.name).stem
    model = bench.catalog.models.get(run.model_id)
    made_with = provenance(
        bench,
        asked={"video": video.name, "run": run.id},
        models=[model],
        thresholds=found.thresholds,
    )
    events = partial(regrouped, bench, run, found, derived=derived)
    downloads = [
        Download(
            "Result as JSON",
            f"{stem}-detections.json",
            "application/json",
            lambda: bench.storage.get(run.result_key),
            "As the run left it, with its own thresholds and everything that was used.",
        ),
        *table_downloads(events, f"{stem}-events", ("csv", "json", "vtt"), made_with),
        Download(
            "Report (HTML)",
            f"{stem}-report.html",
            "text/html",
            lambda: run_report(bench, run, found).encode(),
            "One page that opens offline: timeline, stills, what it was made with.",
        ),
    ]
    listed = regrouped(bench, run, found, with_frames=False)
    surest = sorted(listed, key=lambda item: -(item.row.event.score or 0.0))
    show_outputs(downloads, surest, f"{stem}-reel.mp4")


def show_search_outputs(wanted: EventFilter, order: EventOrder, page: Sequence[FoundEvent]) -> None:
    """Show what the events of a search can be taken along as.

    Args:
        wanted: The search; tables hold at most `TABLE_EVENTS` of what it finds.
        order: What comes first.
        page: What is shown of it, for the reel.
    """
    bench = workbench()
    made_with = provenance(bench, asked=wanted.to_dict())

    def events() -> Iterable[Outgoing]:
        return islice(searched(bench, wanted, order=order), TABLE_EVENTS)

    formats: tuple[EventFormat, ...] = ("csv", "json", *PARQUET)
    downloads = table_downloads(events, "events", formats, made_with)
    shown = as_outgoing(bench, page, with_frames=False)
    kept = [item for item in shown if item.row.review_state != "rejected"]
    show_outputs(downloads, kept, "events-reel.mp4")


def table_downloads(
    events: Callable[[], Iterable[Outgoing]],
    stem: str,
    formats: Sequence[EventFormat],
    made_with: dict[str, object],
) -> list[Download]:
    """Return the entries for tables of events; nothing is made before somebody asks for it."""
    return [
        Download(
            _TITLES[name],
            f"{stem}.{name}",
            MIME_TYPES[name],
            lambda name=name: exported(events(), name, provenance=made_with),  # type: ignore[misc]
        )
        for name in formats
    ]


def show_outputs(downloads: Sequence[Download], events: Sequence[Outgoing], reel_name: str) -> None:
    """Show the menu, and under it a reel that was asked for.

    Args:
        downloads: Its entries.
        events: For the reel, the most wanted first; not all need fit.
        reel_name: File name of the reel.
    """
    chosen = within(events[:REEL_EVENTS], REEL_SECONDS)
    place = reel_place(workbench(), chosen, REEL_SIDE)
    key = hashlib.sha256(f"{reel_name}:{place.name}".encode()).hexdigest()[:12]
    with st.popover("Download", icon=":material/download:"):
        for item in downloads:
            st.download_button(
                item.title,
                item.make,
                file_name=item.file_name,
                mime=item.mime,
                icon=":material/download:",
                on_click="ignore",
                width="stretch",
                help=item.help or None,
                key=f"{item.title}:{key}",
            )
        if chosen:
            st.button(
                "Make a highlight reel",
                icon=":material/movie:",
                width="stretch",
                key=f"reel:{key}",
                help=_reel_help(len(chosen), len(events)),
                on_click=state.select,
                args=(state.REEL, place.name),
            )
    if chosen and state.chosen(state.REEL) == place.name:
        _show_reel(chosen, reel_name)


def _show_reel(events: Sequence[Outgoing], name: str) -> None:
    """Make a reel with a bar that says how far it is, then offer it."""
    with st.empty():
        path = kept_reel(workbench(), events, max_side=REEL_SIDE, on_progress=_Bar().move)
        st.download_button(
            f"Highlight reel, {_size_of(path)}",
            path.read_bytes,
            file_name=name,
            mime="video/mp4",
            icon=":material/movie:",
            on_click="ignore",
        )


class _Bar:
    """A bar that says how far it is and how long it takes; moved a few times a second."""

    def __init__(self) -> None:
        self._began = self._shown = monotonic()
        self._bar = st.progress(0.0, text="Cutting …")

    def move(self, done: int, total: int, name: str) -> None:
        """Move it."""
        now = monotonic()
        if now - self._shown < 0.25 and done < total:
            return
        self._shown = now
        words = f"{done / total:.0%} · {name}"
        passed = now - self._began
        if passed > _ETA_FROM_SECONDS:
            words += f" · about {passed * (total - done) / done:.0f} s left"
        self._bar.progress(done / total, text=plain(words))


def _reel_help(shown: int, count: int) -> str:
    around = "a second before and after each, exact to the frame, without sound"
    if shown == count:
        return f"All {count} events in one MP4: {around}." if count > 1 else f"One MP4: {around}."
    return (
        f"The first {shown} of {count} events in one MP4: {around}. `prismata events reel` makes "
        "longer ones."
    )


def _size_of(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.0f} kB"
