"""Groups by a pattern of the videos' names: shown while it is typed, stored by a button."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from prismata.catalog import Split
from prismata.core.errors import UserError
from prismata.core.time import to_seconds
from prismata.services.dataset_groups import GroupPlan, apply_groups, plan_groups
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.notices import plain, show_notice
from prismata.ui.panels.permission import deed, may, why_not

PARTS: dict[Split, str] = {"train": "training", "val": "validation", "test": "held out"}
"""What people read of a split."""


def show_video_groups(domain_name: str, *, seed: int) -> None:
    """Ask for a pattern, show the groups and splits it makes, and offer to store the groups."""
    with st.expander("Groups by a pattern of names"):
        pattern = st.text_input(
            "Pattern",
            key=f"groups:{domain_name}",
            placeholder=r"match_(\d+)",
            help="A regular expression, looked for anywhere in a name. What its parentheses catch "
            "is the group; a video that it does not match keeps its group.",
        )
        if not pattern:
            return
        try:
            plan = plan_groups(workbench(), domain_name, pattern, seed=seed)
        except UserError as error:
            show_notice("error", str(error))
            return
        _show_plan(plan)
        count = len(plan.changed)
        if count:
            st.button(
                f"Move {count} video{'' if count == 1 else 's'} to these groups",
                icon=":material/folder_copy:",
                disabled=not may("engineer"),
                help=why_not("engineer"),
                on_click=_apply,
                args=(plan,),
            )
        else:
            st.caption("All videos are in these groups already.")


def _show_plan(plan: GroupPlan) -> None:
    groups = {
        "Group": [group.name for group in plan.groups],
        "Videos": [group.videos for group in plan.groups],
        "Known minutes": [round(to_seconds(group.known_us) / 60, 1) for group in plan.groups],
        "Events": [group.events for group in plan.groups],
        "Part": [PARTS[group.split] if group.split else "none yet" for group in plan.groups],
    }
    videos = {
        "Video": [item.video.name for item in plan.videos],
        "Group now": [item.before for item in plan.videos],
        "Group": [item.after for item in plan.videos],
    }
    st.dataframe(pd.DataFrame(groups), hide_index=True)
    st.dataframe(pd.DataFrame(videos), hide_index=True)
    for note in plan.notes:
        st.caption(plain(note))


@deed("group_videos", "engineer")
def _apply(plan: GroupPlan) -> str:
    changed = apply_groups(workbench(), plan)
    state.notify("success", f"{changed} videos are in another group now.")
    return f"{changed} videos"
