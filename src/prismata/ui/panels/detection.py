"""One detection run: events as they are found, then the result with its timeline and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from prismata.catalog import DetectionRunRecord, VideoRecord
from prismata.core.events import Event, EventType
from prismata.domains import Wording
from prismata.services.derive import DerivedFound, derive_found, domain_of_run
from prismata.services.lineage import model_lineage
from prismata.services.regroup import Regrouped, regroup
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.event_table import show_event_table
from prismata.ui.panels.notices import guarded, plain, show_notice
from prismata.ui.panels.outputs import show_run_outputs
from prismata.ui.panels.progress import show_progress
from prismata.ui.times import Seek, middle_of_frame

_REFRESH_SECONDS = 1.0
_KEPT_ON_CANCEL = "Cancelling keeps no result of this run; labels and earlier results stay."


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run under the thresholds that are set now."""

    run: DetectionRunRecord
    found: Regrouped
    truth: tuple[Event, ...]
    """What people labelled on this video, of the events that the model knows."""


def show_running(run: DetectionRunRecord) -> None:
    """Show how far a running detection is, refreshed each second until it ends."""

    @st.fragment(run_every=_REFRESH_SECONDS)
    def live() -> None:
        guarded(look)()

    def look() -> None:
        catalog = workbench().catalog
        now = catalog.detections.get(run.id)
        if now.state.is_final or now.job_id is None:
            st.rerun()
        show_progress(catalog.jobs.get(now.job_id), what_is_kept=_KEPT_ON_CANCEL)

    live()


def load_detection(
    video: VideoRecord,
    run: DetectionRunRecord,
    thresholds: Mapping[str, float],
    grouping: Mapping[str, Mapping[str, float]] | None = None,
) -> Result:
    """Return a finished run under the given rules, and what people labelled there."""
    bench = workbench()
    found = regroup(bench, run, thresholds, grouping=grouping)
    model = bench.catalog.models.get(run.model_id)
    known = {item.name for item in found.event_types}
    labels = bench.catalog.events.list(video_id=video.id, domain=model.domain, origin="annotation")
    truth = tuple(
        item.event
        for item in labels
        if item.review_state not in ("rejected", "unsure") and item.event.event_type in known
    )
    return Result(run, found, truth)


def show_events(video: VideoRecord, result: Result) -> int | None:
    """Show what was found as a table with downloads; return the position of the chosen event."""
    run, found = result.run, result.found
    domain = domain_of_run(workbench(), run)
    words = domain.wording if domain else Wording()
    st.markdown(f"**{plain(words.count(len(found.events)))}** in {plain(video.name)}")
    st.caption(plain(_how(run)))
    if not found.events:
        said = words.nothing
        st.markdown(
            plain(f"{said[:1].upper()}{said[1:]}. Lower the threshold, or look at the curve.")
        )
    rows = []
    if found.events:
        key = f"{state.RESULT_TABLE}:{run.id}:{hash(found.events)}"
        rows = show_event_table(
            found.events, found.event_types, key=key, calibration=found.calibration
        )
    derived = derive_found(workbench(), run, found)
    _show_derived(derived, found.event_types)
    show_run_outputs(video, run, found, derived)
    with st.expander("Where this comes from", icon=":material/account_tree:"):
        for sentence in model_lineage(workbench(), run.model_id).sentences():
            st.markdown(plain(sentence))
    return rows[0] if rows else None


def seek_to(video: VideoRecord, result: Result, row: int) -> Seek:
    """Return where a player is to go for the event in a row of the table."""
    event = result.found.events[row]
    middle = middle_of_frame(workbench().timeline(video), event.start_us)
    return Seek(middle, f"{result.run.id}:{event.start_us}:{event.event_type}")


def _show_derived(derived: DerivedFound, others: Sequence[EventType]) -> None:
    """Show what follows from the events that are shown, and why it does not if that failed."""
    if derived.failure is not None:
        show_notice("error", f"Nothing is derived here: {derived.failure}.")
    if derived.events:
        with st.expander(f"{len(derived.events)} derived", icon=":material/functions:"):
            st.caption("Nobody saw these: they follow from the events above, and change with them.")
            show_event_table(
                [item.event for item in derived.events],
                [*others, *derived.types],
                extra={"What": [item.title for item in derived.events]},
            )


def _how(run: DetectionRunRecord) -> str:
    words = [run.runtime]
    if run.wall_seconds is not None:
        words.append(f"{run.wall_seconds:.1f} s")
    if run.peak_rss_mb:
        words.append(f"peak {run.peak_rss_mb:.0f} MB")
    return " · ".join(word for word in words if word)
