"""One training run: its epochs while it learns, its report when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from prismata.catalog import TrainingRunRecord
from prismata.core.jobs import JobState
from prismata.domains import Domain
from prismata.evaluation.report import NO_VALUE, format_percent
from prismata.services.models import motion_beside, motion_remark
from prismata.services.train import ChosenDetector
from prismata.ui.context import workbench
from prismata.ui.panels.mistakes import show_mistakes
from prismata.ui.panels.notices import guarded, plain, show_notice
from prismata.ui.panels.precision_recall import show_precision_recall
from prismata.ui.panels.progress import show_end, show_progress
from prismata.ui.panels.video_groups import PARTS

_REFRESH_SECONDS = 1.0
_KEPT_ON_CANCEL = "Cancelling keeps the last checkpoint; `prismata train --resume` goes on from it."
_CURVES = {"val_map_point": "points", "val_map_segment": "segments"}


def show_training_run(domain: Domain, run: TrainingRunRecord) -> None:
    """Show a run: refreshed each second while it goes, then with its report."""
    st.caption(plain(f"{run.name} · {_recipe(run)} · started {run.started_at:%Y-%m-%d %H:%M} UTC"))
    if run.state.is_final:
        _show_ended(domain, run)
        return

    @st.fragment(run_every=_REFRESH_SECONDS)
    def live() -> None:
        guarded(look)()

    def look() -> None:
        catalog = workbench().catalog
        now = catalog.runs.get(run.id)
        if now.state.is_final or now.job_id is None:
            st.rerun()
        show_progress(catalog.jobs.get(now.job_id), what_is_kept=_KEPT_ON_CANCEL)
        _show_curves(now.history)

    live()


def show_metrics(metrics: Mapping[str, Any]) -> None:
    """Show the event metrics of a model: a table a split, chance and motion beside the mean."""
    titles = {"train": "Training videos", "val": "Validation", "test": "Held out"}
    for split, title in titles.items():
        report = metrics.get(split)
        if not isinstance(report, Mapping) or not report.get("types"):
            continue
        words = [
            f"mAP of {kind} {format_percent(mean['mean'])} "
            f"(by chance {format_percent(mean['chance'])}{_by_motion(report, kind)})"
            for kind in ("points", "segments")
            if (mean := report.get(kind)) and mean["mean"] is not None
        ]
        st.markdown(f"**{title}** · {', '.join(words) or 'no average precision to report'}")
        st.dataframe(pd.DataFrame([_row(item) for item in report["types"]]), hide_index=True)
        remark = motion_remark(report)
        for note in (*report.get("notes", ()), *([remark] if remark else [])):
            st.caption(plain(note))


def _by_motion(report: Mapping[str, Any], kind: str) -> str:
    found = motion_beside(report, kind)
    return "" if found is None else f", by motion alone {format_percent(found[0])}{found[1]}"


def _show_ended(domain: Domain, run: TrainingRunRecord) -> None:
    if run.state is JobState.SUCCEEDED:
        report, curves = st.columns([3, 2], gap="large")
        with report:
            show_metrics(run.metrics)
        with curves:
            show_precision_recall(
                domain.event_types,
                run.metrics.get("curves", {}),
                chosen_on=PARTS[run.metrics.get("chosen_on", "val")],
            )
            _show_curves(run.history)
        show_mistakes(domain, run.metrics.get("mistakes", ()))
        return
    if run.job_id:
        show_end(workbench().catalog.jobs.get(run.job_id))
    elif run.error:
        show_notice("error", run.error)
    _show_curves(run.history)


def _show_curves(history: list[dict[str, Any]]) -> None:
    if not history:
        return
    frame = pd.DataFrame(history).set_index("epoch")
    precision = {
        f"mAP {title}": frame[name]
        for name, title in _CURVES.items()
        if name in frame and frame[name].notna().any()
    }
    last = history[-1]
    st.caption(f"Epoch {last['epoch']} · loss {last['train_loss']:.4f}")
    if len(frame) > 1:
        st.line_chart(frame["train_loss"], y_label="training loss", x_label="epoch", height=180)
        if precision:
            st.line_chart(
                pd.DataFrame(precision), y_label="validation", x_label="epoch", height=180
            )


def _row(item: Mapping[str, Any]) -> dict[str, str]:
    hourly = item["false_alarms_per_hour"]
    return {
        "Event": item["title"],
        "Labelled": str(item["num_truth"]),
        "Found": str(item["num_detected"]),
        "Counts as found": item["criterion"],
        "F1": format_percent(item["f1"]),
        "Precision": format_percent(item["precision"]),
        "Recall": format_percent(item["recall"]),
        "False alarms per hour": NO_VALUE if hourly is None else f"{hourly:.1f}",
    }


def _recipe(run: TrainingRunRecord) -> str:
    chosen = ChosenDetector.of(run.recipe)
    how = "frozen" if chosen.frozen else "trained"
    return f"{chosen.architecture} · encoder {chosen.encoder} ({how})"
