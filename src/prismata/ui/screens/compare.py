"""Compare: two models on the same videos; what is gained and lost, and how their scores differ."""

from __future__ import annotations

import streamlit as st

from prismata.catalog import ModelRecord
from prismata.core.errors import NotFoundError
from prismata.core.jobs import JobState
from prismata.domains import Domain
from prismata.services.model_difference import ModelDifference, compare_findings
from prismata.services.review_items import newest_runs
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.model_difference import show_changes, show_summary
from prismata.ui.panels.notices import plain, show_notice, show_waiting_notices
from prismata.ui.panels.pickers import pick_domain


def show() -> None:
    """Show the page."""
    show_waiting_notices()
    choices = st.columns(3)
    with choices[0]:
        domain = pick_domain()
    if domain is None:
        return
    models = _models_of(domain)
    if len(models) < 2:
        st.markdown(
            f"**{plain(domain.title)} has {len(models) or 'no'} model{'s' if not models else ''}, "
            "and it takes two to compare.** Train one under **Train** above, or take in an ONNX "
            "file with `prismata models add`."
        )
        return
    with choices[1]:
        # What is there, beside what may take its place: the newest that is chosen on the right.
        used = next((key for key, model in models.items() if model.stage == "production"), "")
        usual = used or list(models)[1]
        first = _pick("First model", models, state.COMPARE_FIRST, usual)
    others = {key: model for key, model in models.items() if key != first.id}
    with choices[2]:
        second = _pick("Second model", others, state.COMPARE_SECOND)
    try:
        difference = _compare(first, second)
    except NotFoundError as error:
        show_notice("info", str(error))
        st.markdown("Detection is also on the page **Analyze**: choose the video and the model.")
        return
    show_summary(difference)
    show_changes(difference)


def _models_of(domain: Domain) -> dict[str, ModelRecord]:
    """Return a domain's models: those that have looked at a video first, then the newest first."""
    catalog = workbench().catalog
    ran = {run.model_id for run in catalog.detections.list() if run.state is JobState.SUCCEEDED}
    models = catalog.models.list(domain=domain.name)
    models.sort(key=lambda model: model.id not in ran)
    return {model.id: model for model in models}


def _pick(label: str, models: dict[str, ModelRecord], key: str, default: str = "") -> ModelRecord:
    titles = {
        model.id: model.name + ("" if model.stage == "candidate" else f" · {model.stage}")
        for model in models.values()
    }
    return models[state.choose(label, titles, key, default=default)]


def _compare(first: ModelRecord, second: ModelRecord) -> ModelDifference:
    """Compare, or return what was found before if neither runs nor labels have changed since.

    Choosing a row runs the page again, and intervals of many videos take seconds.
    """
    bench = workbench()
    asked = (
        [(model.id, run.id) for model in (first, second) for run in newest_runs(bench, model)],
        [(sheet.video_id, sheet.seq) for sheet in bench.catalog.labels.sheets(first.domain)],
    )
    kept = st.session_state.get(state.COMPARED)
    if kept is not None and kept[0] == asked:
        known: ModelDifference = kept[1]
        return known
    with st.spinner("Comparing"):
        difference = compare_findings(bench, first.id, second.id).without_scores()
    st.session_state[state.COMPARED] = (asked, difference)
    return difference
