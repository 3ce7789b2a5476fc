"""Label files: what an import would do, before it does it; and the way out again."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from prismata.catalog import VideoRecord
from prismata.core.errors import UserError
from prismata.domains import Domain
from prismata.formats import ImportPlan
from prismata.services.labels import (
    ImportOptions,
    apply_label_import,
    export_labels,
    plan_label_import,
)
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.notices import plain, show_notice
from prismata.ui.panels.permission import deed, may, why_not

_LEAVE_OUT = ""


def show_label_files(domain: Domain, video: VideoRecord) -> None:
    """Show import and export of label files."""
    with st.expander("Label files", icon=":material/upload_file:"):
        imported, exported = st.columns(2, gap="medium")
        with imported:
            if may("annotator"):
                _show_import(domain)
            else:
                st.caption(why_not("annotator") or "")
        with exported:
            _show_export(domain, video)


def _show_import(domain: Domain) -> None:
    file = st.file_uploader(
        "Import labels: a CSV with the columns video, label, kind, start_s, end_s",
        type=["csv", "tsv", "json"],
        key=f"import:{domain.name}",
    )
    if file is None:
        return
    try:
        plan = _plan(domain, file, {})
        mapping = _show_mapping(domain, plan)
        if mapping:
            plan = _plan(domain, file, mapping)
    except UserError as error:
        show_notice("error", str(error))
        return
    st.markdown("\n".join(f"- {plain(line)}" for line in plan.summary_lines()))
    number = plan.num_events + plan.num_false_positives
    if number:
        is_complete = st.checkbox(
            "The file holds all labels of these videos",
            value=True,
            key=f"complete:{domain.name}",
            help="Then they count as watched to their end, and where no label is there is nothing. "
            "Otherwise unlabelled time stays unknown.",
        )
        st.button(
            f"Import {number} label{'' if number == 1 else 's'}",
            type="primary",
            icon=":material/download_done:",
            on_click=_apply,
            args=(plan, domain.name),
            kwargs={"is_partial": not is_complete},
        )


def _show_mapping(domain: Domain, plan: ImportPlan) -> dict[str, str]:
    """Ask what the unknown labels of the file mean here."""
    choices = {_LEAVE_OUT: "leave out"} | {item.name: item.title for item in domain.event_types}
    names = list(choices)
    return {
        item.label: st.selectbox(
            f"“{plain(item.label)}” in the file means",
            names,
            index=names.index(item.suggestion) if item.suggestion else 0,
            format_func=lambda name: choices[name],
            key=f"map:{domain.name}:{item.label}",
        )
        for item in plan.unknown_labels
    }


def _plan(domain: Domain, file: UploadedFile, label_map: dict[str, str]) -> ImportPlan:
    with tempfile.TemporaryDirectory(prefix="prismata-labels-") as folder:
        path = Path(folder) / Path(file.name).name
        path.write_bytes(file.getvalue())
        return plan_label_import(workbench(), path, ImportOptions(domain.name, label_map))


@deed("import_labels", "annotator")
def _apply(plan: ImportPlan, domain: str, *, is_partial: bool) -> str:
    stored = apply_label_import(workbench(), plan, domain, partial=is_partial)
    already = plan.num_events + plan.num_false_positives - stored
    rest = f"; {already} were there already" if already else ""
    state.notify("success", f"{stored} labels imported{rest}.")
    return f"{stored} labels of {domain}"


def _show_export(domain: Domain, video: VideoRecord) -> None:
    st.markdown("Export labels")
    for title, names, file_name in (
        ("All videos", (), f"{domain.name}-labels.csv"),
        ("This video", (video.name,), f"{Path(video.name).stem}-labels.csv"),
    ):
        st.download_button(
            title,
            partial(export_labels, workbench(), domain.name, "csv", videos=names),
            file_name=file_name,
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
