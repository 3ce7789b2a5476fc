"""Review: what a model found goes by one after the other; a key accepts, rejects or corrects it."""

from __future__ import annotations

import streamlit as st

from prismata.catalog import ModelRecord
from prismata.core.jobs import JobState
from prismata.domains import Domain
from prismata.services.datasets import create_dataset
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.label_station.mount import mount_review
from prismata.ui.panels.identity import current_user
from prismata.ui.panels.notices import plain, show_notice, show_waiting_notices
from prismata.ui.panels.permission import deed, may, why_not
from prismata.ui.panels.pickers import pick_domain


def show() -> None:
    """Show the page."""
    for key, name in ((state.DOMAIN, "domain"), (state.REVIEW_MODEL, "model")):
        if not state.chosen(key) and (value := state.from_address(name)):
            state.select(key, value)
    show_waiting_notices()
    choices = st.columns([2, 3, 2], vertical_alignment="bottom")
    with choices[0]:
        domain = pick_domain()
    if domain is None:
        return
    with choices[1]:
        model = _pick_model(domain)
    if model is None:
        return
    with choices[2]:
        st.button(
            "Freeze a dataset version",
            icon=":material/inventory_2:",
            width="stretch",
            disabled=not may("engineer"),
            on_click=_freeze,
            args=(domain,),
            help=why_not("engineer")
            or "With everything accepted, corrected and rejected so far; Train uses it.",
        )
    state.keep_in_address(domain=domain.name, model=model.id)
    if closed := why_not("annotator", "reviewing"):
        show_notice("info", closed)
        return
    mount_review(domain, current_user(), model=model.id)


def _pick_model(domain: Domain) -> ModelRecord | None:
    """Let people choose among the domain's models that have found something to look at."""
    catalog = workbench().catalog
    ran = {run.model_id for run in catalog.detections.list() if run.state is JobState.SUCCEEDED}
    models = {model.id: model for model in catalog.models.list(domain.name) if model.id in ran}
    if not models:
        st.markdown(
            f"**Nothing to review in {plain(domain.title)} yet.** Run a model on a video under "
            "**Analyze**, or `prismata detect VIDEO`; what it finds comes here."
        )
        return None
    usual = catalog.models.latest(domain.name)
    titles = {
        model.id: model.name + ("" if model.stage == "candidate" else f" · {model.stage}")
        for model in models.values()
    }
    default = usual.id if usual else ""
    return models[state.choose("Model", titles, state.REVIEW_MODEL, default=default)]


@deed("freeze_dataset", "engineer")
def _freeze(domain: Domain) -> str:
    version, plan = create_dataset(workbench(), domain.name)
    rejected = sum(item_state == "rejected" for _, _, item_state in version.content)
    state.notify(
        "success",
        f"dataset version {version.name} holds {len(version.content) - rejected} events and "
        f"{rejected} rejected ones as hard negatives; train on it under Train. {plan.note}".strip(),
    )
    return version.name
