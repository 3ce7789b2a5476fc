"""The models of a domain: which one is used, take one along, use another."""

from __future__ import annotations

import streamlit as st

from prismata.catalog import ModelRecord
from prismata.evaluation.report import format_percent
from prismata.services.models import card_sentences, promote_model, roll_back_model
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.notices import plain
from prismata.ui.panels.permission import deed, may, why_not

_SHOWN = 12
_STAGES = {
    "production": ":green[:material/check_circle:] in production",
    "candidate": "candidate",
    "retired": "retired",
}


def show_models(domain: str) -> None:
    """Show a domain's models, newest first; nothing if there is none."""
    models = workbench().catalog.models.list(domain=domain)
    if not models:
        return
    st.subheader("Models")
    can_roll_back = sum(model.promoted_at is not None for model in models) > 1
    for model in models[:_SHOWN]:
        with st.container(border=True):
            _show_model(model, can_roll_back=can_roll_back)
    if len(models) > _SHOWN:
        st.caption(f"{len(models) - _SHOWN} older ones: `prismata models list`")


def _show_model(model: ModelRecord, *, can_roll_back: bool) -> None:
    name, facts, actions = st.columns([2, 3, 2], vertical_alignment="center")
    name.markdown(f"**{plain(model.name)}**  \n{_STAGES[model.stage]}")
    facts.markdown(plain(" · ".join(_facts(model))))
    for sentence in card_sentences(model.card):
        facts.caption(plain(sentence))
    with actions, st.container(horizontal=True, horizontal_alignment="right"):
        if model.kind == "bundle":
            st.link_button(
                "Export",
                state.address("model", model.id),
                icon=":material/download:",
                help="The ONNX files with their card, zipped.",
            )
        if model.stage != "production":
            st.button(
                "Promote",
                icon=":material/upgrade:",
                key=f"promote:{model.id}",
                disabled=not may("engineer"),
                help=why_not("engineer")
                or "Detection of this domain uses it from now on; the one before is retired.",
                on_click=_promote,
                args=(model,),
            )
        elif can_roll_back:
            st.button(
                "Roll back",
                icon=":material/undo:",
                key=f"rollback:{model.id}",
                disabled=not may("engineer"),
                help=why_not("engineer")
                or "The model that this one took the place of is used again.",
                on_click=_roll_back,
                args=(model.domain,),
            )


def _facts(model: ModelRecord) -> list[str]:
    facts = [f"{model.created_at:%Y-%m-%d %H:%M} UTC", model.kind.replace("_", " ")]
    if encoder := model.card.get("encoder"):
        facts.append(f"encoder {encoder}")
    if dataset := model.card.get("dataset_version"):
        facts.append(f"data {dataset}")
    for split, word in (("test", "held out"), ("val", "validation")):
        report = model.card.get("metrics", {}).get(split) or {}
        for kind in ("points", "segments"):
            mean = report.get(kind) if isinstance(report, dict) else None
            if mean and mean["mean"] is not None:
                facts.append(f"mAP {kind} {format_percent(mean['mean'])} ({word})")
    return facts


@deed("roll_back_model", "engineer")
def _roll_back(domain: str) -> str:
    model = roll_back_model(workbench(), domain)
    state.notify("success", f"{model.name} is what {domain} uses again.")
    return model.name


@deed("promote_model", "engineer")
def _promote(model: ModelRecord) -> str:
    promote_model(workbench(), model.id)
    state.notify("success", f"{model.name} is what {model.domain} uses from now on.")
    return model.name
