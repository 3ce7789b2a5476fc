"""A search for settings: asked for beside the recipe, followed and told below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from prismata.catalog import JobRecord
from prismata.core.errors import UserError
from prismata.core.jobs import JobState
from prismata.domains import Domain
from prismata.services.search import (
    DEFAULT_MINUTES,
    DEFAULT_TRIALS,
    SearchReport,
    SearchRequest,
    draw_for,
    latest_search,
    prepare_search,
    read_search,
    start_search,
)
from prismata.services.search_space import (
    MOST_TRIALS,
    SETTINGS,
    Base,
    default_space,
    format_settings,
    format_value,
    parse_tries,
)
from prismata.services.train import TrainRequest, prepare_training, start_training
from prismata.ui import state
from prismata.ui.context import can_train_here, workbench
from prismata.ui.panels.notices import guarded, plain, show_notice
from prismata.ui.panels.permission import deed, may, why_not
from prismata.ui.panels.progress import show_end, show_progress

_REFRESH_SECONDS = 1.0
_KEPT_ON_CANCEL = "What was trained so far is kept: the same search goes on from there."
_HEIGHT = 360
_COLOURS = ("#0072B2", "#D55E00", "#009E73")
"""Of the best three; the others are grey."""
_OTHERS = "#8A8A8A"
_SHAPES = ("circle", "square", "triangle-up")


def offer_search(domain: Domain, recipe: Mapping[str, Any], *, choice: str, seed: int) -> None:
    """Show what a search around a recipe would try, to be changed, and the button.

    Args:
        domain: What is trained for.
        recipe: Settings that a person chose, from which the search starts.
        choice: Name of that choice; another one has values of its own to try.
        seed: Of split, draw and training.
    """
    with st.expander("Search for settings", icon=":material/travel_explore:"):
        st.caption(
            "Trains many sets of settings for a few epochs and the best third of them for more, "
            "until one is left or the time is up. Validation videos choose. Nothing is published."
        )
        minutes = st.number_input(
            "Minutes of training",
            min_value=0.5,
            value=DEFAULT_MINUTES,
            step=5.0,
            format="%g",
            key=state.SEARCH_MINUTES,
            help="Videos are read once before, as for any training.",
        )
        trials = st.number_input(
            "Sets of settings", 2, MOST_TRIALS, DEFAULT_TRIALS, key=state.SEARCH_TRIALS
        )
        space = default_space(Base(domain, recipe))
        lines = "\n".join(
            f"{name}={','.join(format_value(value) for value in values)}"
            for name, values in space.items()
        )
        tries = st.text_area(
            "Values to try, one setting a line",
            lines,
            height=max(120, 21 * len(space) + 34),
            key=f"{state.SEARCH_TRIES}.{domain.name}.{choice}",
            help="What can be varied: "
            + ", ".join(f"{name} ({item.title.lower()})" for name, item in SETTINGS.items()),
        )
        training = TrainRequest(domain.name, recipe, seed=seed)
        request = _request(training, tries, int(trials), float(minutes))
        st.button(
            "Start search",
            icon=":material/search:",
            width="stretch",
            disabled=request is None or not may("engineer"),
            help=why_not("engineer"),
            on_click=_start_search,
            args=(request,),
        )


def show_latest_search(domain: Domain) -> None:
    """Show the latest search of a domain: refreshed each second while it goes, then its end."""
    job = latest_search(workbench(), domain.name)
    if job is None:
        return
    st.subheader("Latest search")
    st.caption(
        plain(
            f"on {job.params['dataset']} · at most {job.params['minutes']:g} minutes · asked for "
            f"{job.created_at:%Y-%m-%d %H:%M} UTC"
        )
    )
    if not job.state.is_final:
        _show_running(job)
        return
    if job.state is not JobState.SUCCEEDED:
        show_end(job)
    report = read_search(workbench(), job)
    _show_trials(report)
    for sentence in report.sentences():
        st.caption(plain(sentence))
    if report.best is not None and can_train_here():
        _offer_training(report)


def _request(
    training: TrainRequest, tries: str, trials: int, minutes: float
) -> SearchRequest | None:
    """Say what would be tried, or what is wrong with it."""
    try:
        space = parse_tries([line for line in tries.splitlines() if line.strip()])
        request = SearchRequest(training, space, trials, minutes)
        drawn = draw_for(workbench(), request)
    except UserError as error:
        show_notice("error", str(error))
        return None
    count = len(drawn.trials)
    of = f"{count} of {drawn.combinations} combinations are drawn"
    st.caption(of if count < drawn.combinations else f"All {count} combinations are tried")
    for item in drawn.left_out:
        st.caption(plain(f"{item.sentence}."))
    return request


def _show_running(job: JobRecord) -> None:
    @st.fragment(run_every=_REFRESH_SECONDS)
    def live() -> None:
        guarded(look)()

    def look() -> None:
        now = workbench().catalog.jobs.get(job.id)
        if now.state.is_final:
            st.rerun()
        show_progress(now, what_is_kept=_KEPT_ON_CANCEL)
        _show_trials(read_search(workbench(), now))

    live()


def _show_trials(report: SearchReport) -> None:
    if report.best is None:
        return
    table, chart = st.columns([3, 2], gap="large")
    with table:
        rows = [
            {
                "Trial": trial.number,
                "Score": trial.score,
                "Epochs": len(trial.curve),
                "Rung": "failed" if trial.failed else f"{len(trial.scores)} of {len(report.rungs)}",
                "Seconds": round(trial.seconds, 1),
                **{name: format_value(value) for name, value in trial.settings.items()},
            }
            for trial in report.trials
        ]
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            height=min(458, 38 + 35 * len(rows)),
            column_config={"Score": st.column_config.NumberColumn(format="%.3f")},
        )
    with chart:
        _show_chart(report)


def _show_chart(report: SearchReport) -> None:
    """Draw the best score so far against epochs, a line a trial, the rungs as upright lines."""
    rows = [
        {
            "Trial": str(trial.number),
            "Epoch": epoch,
            "Score": max(trial.curve[:epoch]),
            "Settings": format_settings(trial.settings),
            "is_rung": epoch in {rung for _, rung in report.rungs},
        }
        for trial in report.trials
        for epoch in range(1, len(trial.curve) + 1)
    ]
    if not rows:
        return
    best = [str(trial.number) for trial in report.trials if trial.scores][: len(_COLOURS)]
    frame = pd.DataFrame(rows)
    frame["place"] = [trial if trial in best else "others" for trial in frame["Trial"]]
    domain = [*best, "others"]
    colour = alt.Color(
        "place:N",
        scale=alt.Scale(domain=domain, range=[*_COLOURS[: len(best)], _OTHERS]),
        legend=alt.Legend(orient="bottom", title="Trial, best first"),
    )
    # The shape says the trial, too: colour is never alone.
    shape = alt.Shape(
        "place:N",
        scale=alt.Scale(domain=domain, range=[*_SHAPES[: len(best)], "stroke"]),
        legend=alt.Legend(orient="bottom", title="Trial, best first"),
    )
    whole = alt.Axis(tickMinStep=1, format="d")
    base = alt.Chart(frame).encode(
        x=alt.X("Epoch:Q", title="Epoch", axis=whole),
        y=alt.Y("Score:Q", title="Best score so far", scale=alt.Scale(domain=[0, 1.02])),
        color=colour,
        detail="Trial:N",
        tooltip=["Trial:N", "Epoch:Q", alt.Tooltip("Score:Q", format=".3f"), "Settings:N"],
    )
    is_other = alt.datum.place == "others"
    lines = [
        base.transform_filter(is_other).mark_line(strokeWidth=1, opacity=0.7),
        base.transform_filter(~is_other).mark_line(strokeWidth=2.5),
        base.transform_filter("datum.is_rung")
        .mark_point(size=70, filled=True, opacity=1)
        .encode(shape=shape),
    ]
    marks = pd.DataFrame([{"Epoch": epochs} for _, epochs in report.rungs])
    rungs = alt.Chart(marks).mark_rule(strokeDash=[3, 3], color=_OTHERS).encode(x="Epoch:Q")
    st.altair_chart(alt.layer(rungs, *lines).properties(height=_HEIGHT))
    told = ", then ".join(f"{trials} trials to epoch {epochs}" for trials, epochs in report.rungs)
    st.caption(f"Rungs: {told}.")


def _offer_training(report: SearchReport) -> None:
    assert report.best is not None  # noqa: S101 - only asked where there is one
    st.markdown(
        f"**Trial {report.best.number} did best**: {plain(format_settings(report.best.settings))}"
    )
    st.button(
        "Train with these settings",
        icon=":material/play_arrow:",
        type="primary",
        disabled=not may("engineer"),
        help=why_not("engineer")
        or "A whole training, with a model at its end, on the same split of today's labels.",
        on_click=_start_training,
        args=(report.training(),),
    )
    st.code(report.train_command(), language="bash", wrap_lines=True)


@deed("search", "engineer")
def _start_search(request: SearchRequest) -> str:
    bench = workbench()
    start_search(bench, prepare_search(bench, request))
    return request.training.domain


@deed("train", "engineer")
def _start_training(request: TrainRequest) -> str:
    bench = workbench()
    prepared = prepare_training(bench, request)
    start_training(bench, prepared)
    return prepared.run.name
