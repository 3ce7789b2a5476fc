"""What a training will see, drawn: frames in the model's size, and what is true at each."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from prismata.core.errors import UserError
from prismata.core.events import EventType
from prismata.core.time import format_time
from prismata.domains import Domain
from prismata.services.datasets import DatasetPlan
from prismata.services.training_preview import PreviewStretch, preview_training
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.notices import plain, show_notice

_BAR, _GAP = 14, 2
_IN_A_ROW = 6
_BACKGROUND, _UNKNOWN = (214, 214, 214), (255, 255, 255)


def show_training_preview(domain: Domain, planned: DatasetPlan, *, architecture: str) -> None:
    """Offer a look at what the chosen recipe would see; nothing is decoded unasked."""
    if not st.toggle("Show what the model will see", key=state.PREVIEW):
        return
    seed = int(st.session_state.get(state.PREVIEW_SEED, 0))
    try:
        with st.spinner("Reading a few stretches…"):
            stretches = preview_training(
                workbench(), domain, planned, architecture=architecture, seed=seed
            )
    except UserError as error:
        show_notice("error", str(error))
        return
    columns = st.columns(2, gap="large")
    for place, stretch in enumerate(stretches):
        with columns[place % 2]:
            picture = _draw(stretch, domain.event_types)
            st.image(picture, caption=_caption(stretch, domain.event_types), width="stretch")
    first = stretches[0].frames if stretches else np.zeros((0, 0, 0, 3), np.uint8)
    st.caption(
        f"Frames as the model gets them: {first.shape[2]} x {first.shape[1]} pixels, "
        f"{domain.clip.target_fps:g} a second. The bar below a frame is coloured where an event "
        "type is true, grey where it is not, and empty where nobody knows."
    )
    st.button("Show others", icon=":material/casino:", on_click=_show_others, args=(seed,))


def _show_others(seed: int) -> None:
    st.session_state[state.PREVIEW_SEED] = seed + 1


def _draw(stretch: PreviewStretch, event_types: tuple[EventType, ...]) -> NDArray[np.uint8]:
    """Return one `(H', W', 3)` picture: frames in rows, a bar for each event type below each."""
    count, height, width = stretch.frames.shape[:3]
    row_height = height + len(event_types) * (_BAR + _GAP) + 3 * _GAP
    shape = (-(-count // _IN_A_ROW) * row_height, _IN_A_ROW * (width + _GAP) - _GAP, 3)
    picture = np.full(shape, 255, np.uint8)
    for place in range(count):
        row, left = place // _IN_A_ROW * row_height, place % _IN_A_ROW * (width + _GAP)
        picture[row : row + height, left : left + width] = stretch.frames[place]
        for column, event_type in enumerate(event_types):
            top = row + height + column * (_BAR + _GAP) + _GAP
            colour: tuple[int, ...] = _BACKGROUND
            if stretch.weights[place, column] == 0:
                colour = _UNKNOWN
            elif stretch.targets[place, column] > 0:
                colour = tuple(bytes.fromhex(event_type.color.lstrip("#")))
            picture[top : top + _BAR, left : left + width] = colour
    return picture


def _caption(stretch: PreviewStretch, event_types: tuple[EventType, ...]) -> str:
    titles = {item.name: item.title for item in event_types}
    about = "background, chosen by chance"
    if stretch.about is not None:
        name = stretch.about.event_type
        about = f"around {titles.get(name, name)}"
    marked = [
        f"{item.title} true in {int((stretch.targets[:, column] > 0).sum())} of "
        f"{len(stretch.times_us)} samples"
        for column, item in enumerate(event_types)
    ]
    return plain(
        f"{stretch.video.name} from {format_time(int(stretch.times_us[0]))}, {about}; "
        + ", ".join(marked)
    )
