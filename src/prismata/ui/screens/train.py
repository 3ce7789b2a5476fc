"""Train: what there is to learn from, how, and what came of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd
import streamlit as st

from prismata.core.architectures import DEFAULT_ARCHITECTURE
from prismata.core.errors import UserError
from prismata.core.presets import PRESETS
from prismata.core.time import format_time
from prismata.domains import Domain
from prismata.services.datasets import DatasetPlan, plan_dataset
from prismata.services.label_checks import second_looks
from prismata.services.presets import offered_presets
from prismata.services.train import TrainRequest, prepare_training, start_training
from prismata.ui import state
from prismata.ui.context import can_train_here, workbench
from prismata.ui.panels.models import show_models
from prismata.ui.panels.notices import plain, show_notice, show_waiting_notices
from prismata.ui.panels.permission import deed, may, why_not
from prismata.ui.panels.pickers import pick_domain
from prismata.ui.panels.search import offer_search, show_latest_search
from prismata.ui.panels.shared_footage import show_shared_footage
from prismata.ui.panels.training_preview import show_training_preview
from prismata.ui.panels.training_run import show_training_run
from prismata.ui.panels.video_groups import PARTS, show_video_groups


def show() -> None:
    """Show the page."""
    domain = pick_domain()
    if domain is None:
        show_waiting_notices()
        return
    data, start = st.columns([3, 2], gap="large")
    with data:
        st.subheader("1 · Data")
        plan = _show_data(domain)
    chosen = DEFAULT_ARCHITECTURE
    with start:
        st.subheader("2 · Recipe")
        if plan is not None:
            chosen = _show_start(domain)
        else:
            st.caption("Comes when there are labels.")
        show_waiting_notices()
    if plan is not None:
        show_training_preview(domain, plan, architecture=chosen)
    show_latest_search(domain)
    runs = workbench().catalog.runs.list(domain=domain.name)
    if runs:
        st.subheader("Latest run")
        show_training_run(domain, runs[0])
    show_models(domain.name)


def _show_data(domain: Domain) -> DatasetPlan | None:
    bench = workbench()
    labels = [
        item
        for item in bench.catalog.events.list(domain=domain.name, origin="annotation")
        if item.review_state not in ("rejected", "unsure")
    ]
    if not labels:
        st.markdown(
            f"**Nothing is labelled for {plain(domain.title)} yet.** Mark a few events under "
            f"**Label** above, or import them with `prismata labels import FILE --domain "
            f"{domain.name}`."
        )
        return None
    try:
        planned = plan_dataset(bench, domain.name, seed=_seed())
    except UserError as error:
        show_notice("error", str(error))
        return None
    counts = Counter((item.video_id, item.event.event_type) for item in labels)
    _show_videos(domain, planned, counts)
    if planned.split.note:
        show_notice("info", planned.split.note)
    if doubtful := second_looks(bench, domain.name):
        show_notice("info", doubtful)
    show_video_groups(domain.name, seed=_seed())
    show_shared_footage(domain.name, planned)
    return planned


def _show_videos(domain: Domain, planned: DatasetPlan, counts: Counter[tuple[str, str]]) -> None:
    videos, plan = planned.videos, planned.split
    parts = Counter(plan.splits.values())
    total = sum(counts.values())
    words = [f"{parts[split]} for {word}" for split, word in PARTS.items() if parts[split]]
    st.markdown(f"**{total} labels in {len(videos)} videos**, {', '.join(words)}")
    columns: dict[str, list[Any]] = {
        "Video": [video.name for video in videos],
        "Part": [PARTS[plan.splits[video.id]] for video in videos],
        "Group": [video.group_name for video in videos],
        "Length": [format_time(video.duration_us) for video in videos],
    }
    if planned.known:
        columns["Known"] = [
            format_time(sum(span.duration_us for span in planned.known[video.id]))
            if video.id in planned.known
            else "all"
            for video in videos
        ]
    for item in domain.event_types:
        columns[item.title] = [counts[video.id, item.name] for video in videos]
    height = min(320, 38 + 35 * len(videos))
    st.dataframe(pd.DataFrame(columns), hide_index=True, height=height)
    st.caption("Videos of one group always stay in one part, so that validation sees new scenes.")
    if planned.known:
        st.caption(
            "Known is what somebody watched or labelled. The rest teaches nothing: it is not taken "
            "for time without events."
        )


def _show_start(domain: Domain) -> str:
    """Show the recipes and the button; return the architecture that is chosen."""
    if not can_train_here():
        st.markdown(
            "**Training needs PyTorch, which is not installed here.** Everything else works."
        )
        st.code('pip install "prismata[train]"', language="bash")
        return DEFAULT_ARCHITECTURE
    names, first = offered_presets(domain)
    chosen = st.radio(
        "Recipe",
        names,
        index=first,
        format_func=lambda name: PRESETS[name].title,
        captions=[PRESETS[name].summary for name in names],
        key=f"{state.RECIPE}:{domain.name}",
        label_visibility="collapsed",
    )
    if domain.preset:
        st.caption(plain(f"{domain.title} is made for: {PRESETS[domain.preset].title}."))
    with st.expander("More"):
        epochs = st.number_input(
            "Most epochs", 1, 500, 30, key=state.EPOCHS, help="It stops early by itself."
        )
        st.number_input("Seed", 0, 10_000, key=state.SEED, help="Same seed, same split and run.")
    st.button(
        "Start training",
        icon=":material/play_arrow:",
        type="primary",
        width="stretch",
        disabled=not may("engineer"),
        help=why_not("engineer"),
        on_click=_start,
        args=(domain.name,),
    )
    offer_search(
        domain, {**PRESETS[chosen].recipe, "epochs": int(epochs)}, choice=chosen, seed=_seed()
    )
    return str(PRESETS[chosen].recipe["architecture"])


def _seed() -> int:
    return int(state.chosen(state.SEED) or 0)


@deed("train", "engineer")
def _start(domain: str) -> str:
    # What is chosen when the button is pressed: the page may not have run since the last choice.
    recipe = state.chosen(f"{state.RECIPE}:{domain}")
    settings = {**PRESETS[recipe].recipe, "epochs": int(state.chosen(state.EPOCHS))}
    bench = workbench()
    prepared = prepare_training(bench, TrainRequest(domain, settings, seed=_seed()))
    start_training(bench, prepared)
    return prepared.run.name
