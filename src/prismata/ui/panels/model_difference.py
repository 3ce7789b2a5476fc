"""Two models beside each other: figures, what was gained and lost, both curves in one picture."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from prismata.core.time import format_time, to_seconds
from prismata.evaluation.overlay_svg import (
    ModelLine,
    Overlay,
    draw_overlay,
    marked,
    window_around,
)
from prismata.evaluation.pairing import EventPair
from prismata.services.compare import difference_sentences, metric_rows
from prismata.services.model_difference import (
    CHANGE_WORDS,
    CHANGES,
    VERDICT_WORDS,
    ModelDifference,
    VideoDifference,
    count_sentence,
    found_of,
    truth_of,
)
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.component import mount
from prismata.ui.panels.event_table import pick_row, title_of
from prismata.ui.panels.notices import plain
from prismata.ui.panels.player import show_moment

_MARGIN_US = 15_000_000
"""What is drawn before and after a moment; a whole match would hide it."""
_SHOWN = {"changed": "Gained and lost", "both": "Found by both", "all": "All"}


def show_summary(difference: ModelDifference) -> None:
    """Show how much was gained and lost, and metrics where there are labels."""
    first, second = plain(difference.first.name), plain(difference.second.name)
    gained, lost = (count_sentence(difference.counts(name)) for name in ("gained", "lost"))
    count = len(difference.videos)
    st.markdown(
        f"**{second} gained {gained} and lost {lost}** compared with {first}, on "
        f"{count} video{'' if count == 1 else 's'} that both have looked at."
    )
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.dataframe(_count_frame(difference), hide_index=True)
        st.caption(
            plain(f"The same event, and right, means {difference.criterion} here, ")
            + "each model at the threshold of its run."
        )
    with right:
        _show_metrics(difference)
    for sentence in difference.ignored():
        st.caption(plain(sentence))
    if difference.seen_by_one:
        number = len(difference.seen_by_one)
        title = f"{number} video{'' if number == 1 else 's'} only one of them has looked at"
        with st.expander(title, icon=":material/visibility_off:"):
            for sentence in difference.missing():
                st.markdown(plain(sentence))


def show_changes(difference: ModelDifference) -> None:
    """Show the events as a table; the chosen one plays beside both curves."""
    st.subheader("Event by event")
    choice, _ = st.columns([1, 3])
    with choice:
        shown = state.choose("Show", _SHOWN, state.COMPARE_SHOWN)
    pairs = [item for item in difference.pairs if _is_shown(item[1], shown)]
    if not pairs:
        st.markdown(
            "**Neither model found anything.** Lower a threshold under **Analyze**, or look at "
            "more videos."
            if not difference.pairs
            else "**Nothing of that kind.** Choose **All** to see what they found."
        )
        return
    table, moment = st.columns([1, 1], gap="large")
    with table:
        row = _show_table(difference, pairs, shown)
    with moment:
        _show_one(difference, *pairs[row])


def _is_shown(pair: EventPair, shown: str) -> bool:
    if shown == "changed":
        return pair.is_changed
    return shown == "all" or pair.change == "both"


def _count_frame(difference: ModelDifference) -> pd.DataFrame:
    counts = {change: difference.counts(change) for change in CHANGES}
    columns = [name for name in VERDICT_WORDS if any(each[name] for each in counts.values())]
    return pd.DataFrame(
        [
            {"": CHANGE_WORDS[change].capitalize(), "All": sum(each.values())}
            | {VERDICT_WORDS[name].capitalize(): each[name] for name in columns}
            for change, each in counts.items()
        ]
    )


def _show_metrics(difference: ModelDifference) -> None:
    comparison = difference.comparison
    if comparison is None:
        st.markdown(f"**No metrics.** {plain(difference.unmeasured)}")
        return
    names = comparison.first.model.name, comparison.second.model.name
    columns = ["Event", "Figure", *names]
    st.dataframe(
        pd.DataFrame(metric_rows(comparison), columns=columns), hide_index=True, height=230
    )
    for sentence in difference_sentences(comparison):
        st.caption(plain(sentence))


def _show_table(
    difference: ModelDifference, pairs: list[tuple[VideoDifference, EventPair]], shown: str
) -> int:
    """Show the events; return the position of the chosen one."""
    frame = pd.DataFrame([_columns(difference, item, pair) for item, pair in pairs])
    config = {
        "First": st.column_config.NumberColumn(
            format="%.2f", width="small", help=f"Score of {difference.first.name}"
        ),
        "Second": st.column_config.NumberColumn(
            format="%.2f", width="small", help=f"Score of {difference.second.name}"
        ),
        "Start": st.column_config.TextColumn(width="small", alignment="right"),
        "Moved": st.column_config.NumberColumn(
            format="%+.2f s", width="small", help="How much later the second one begins"
        ),
        "End moved": st.column_config.NumberColumn(
            format="%+.2f s", width="small", help="How much later the second one ends"
        ),
    }
    models = f"{difference.first.id}:{difference.second.id}"
    key = f"{state.COMPARE_TABLE}:{models}:{shown}:{hash(tuple(pair for _, pair in pairs))}"
    return pick_row(frame, config, key=key)


def _columns(
    difference: ModelDifference, item: VideoDifference, pair: EventPair
) -> dict[str, str | float | None]:
    row: dict[str, str | float | None] = {
        "What": CHANGE_WORDS[pair.change].capitalize(),
        "Start": format_time(pair.event.start_us),
        "Labels say": VERDICT_WORDS[pair.verdict],
        "Video": item.video.name,
    }
    if len(difference.event_types) > 1:
        row["Event"] = title_of(pair.event.event_type, difference.event_types)
    row["First"] = pair.first.score if pair.first else None
    row["Second"] = pair.second.score if pair.second else None
    if pair.start_change_us is not None and pair.end_change_us is not None:
        row["Moved"] = to_seconds(pair.start_change_us)
        if pair.event.kind == "segment":
            row["End moved"] = to_seconds(pair.end_change_us)
    return row


def _show_one(difference: ModelDifference, item: VideoDifference, pair: EventPair) -> None:
    video, event = item.video, pair.event
    st.markdown(
        f"**{CHANGE_WORDS[pair.change].capitalize()}** · {plain(video.name)} at "
        f"{format_time(event.start_us)} · labels say: {VERDICT_WORDS[pair.verdict]}"
    )
    show_moment(
        video,
        difference.first.domain,
        event.start_us,
        key=f"{item.runs[1].id}:{event.event_type}:{event.start_us}:{pair.change}",
        link="Open in the label station",
    )
    picture = _picture(difference, item, pair)
    mount(
        "timeline",
        key=f"overlay:{video.id}",
        data={
            "svg": draw_overlay(picture, "overlay"),
            "from_us": picture.window.start_us,
            "duration_us": picture.window.duration_us,
        },
    )
    st.caption(
        "Marks above the curves: labels (triangle or grey bar), then the first model; below: the "
        "second one. Full = right, cross = wrong, hollow = nobody judged. Click to seek."
    )


def _picture(difference: ModelDifference, item: VideoDifference, pair: EventPair) -> Overlay:
    bench, event = workbench(), pair.event
    event_type = next(kind for kind in difference.event_types if kind.name == event.event_type)
    first, second = found_of(bench, item)
    labels = truth_of(bench, item.video, difference.first.domain, [event_type])
    sides = (
        (difference.first, first, [(each.first, each.first_verdict) for each in item.pairs]),
        (difference.second, second, [(each.second, each.second_verdict) for each in item.pairs]),
    )
    lines = tuple(
        ModelLine(
            model.name,
            found.track,
            found.thresholds[event_type.name],
            marked(events, event_type),
        )
        for model, found, events in sides
    )
    return Overlay(
        title=f"Scores of two models in {item.video.name}",
        event_type=event_type,
        window=window_around(event.span, item.video.duration_us, margin_us=_MARGIN_US),
        chosen=event.span,
        models=(lines[0], lines[1]),
        truth=tuple(labels),
    )
