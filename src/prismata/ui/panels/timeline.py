"""One video's timeline: score curve, threshold, events; judged where labels exist."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from prismata.catalog import VideoRecord
from prismata.core.events import Event
from prismata.core.time import TimeSpan
from prismata.evaluation.report import EvaluationProtocol
from prismata.evaluation.timeline_svg import (
    VideoPicture,
    draw_timeline,
    plan_lanes,
    plan_unjudged_lanes,
)
from prismata.services.regroup import Regrouped
from prismata.ui.panels.component import mount


def show_timeline(
    video: VideoRecord, found: Regrouped, truth: Sequence[Event], unknown: Sequence[TimeSpan] = ()
) -> None:
    """Show the picture; a click seeks the player.

    Args:
        video: The video.
        found: Events and scores of one detection run.
        truth: What people labelled, if anything: then detections are marked right or wrong.
        unknown: Stretches that nobody watched and where no label lies: nothing there is judged.
    """
    picture = VideoPicture(
        video.id,
        video.name,
        video.duration_us,
        tuple(truth),
        found.events,
        found.track if len(found.track) else None,
        tuple(unknown) if truth else (),
    )
    if truth:
        protocol = EvaluationProtocol()
        criteria = {item.name: protocol.product(item.kind) for item in found.event_types}
        lanes = plan_lanes(picture, found.event_types, criteria, found.thresholds)
    else:
        lanes = plan_unjudged_lanes(picture, found.event_types, found.thresholds)
    mount(
        "timeline",
        key=f"timeline:{video.id}",
        data={"svg": draw_timeline(picture, lanes, "timeline"), "duration_us": video.duration_us},
    )
    if truth:
        st.caption(
            "Above the curve: labels (filled = found, hollow = missed). Below: detections "
            "(disc or full bar = right, cross = false alarm). "
            + ("Shaded: nobody watched, so nothing there is judged. " if unknown else "")
            + "Click to seek."
        )
    else:
        st.caption("The curve is the model's score, the dashed line its threshold. Click to seek.")
