"""Mounting label station, library and review inbox; all that grows they fetch from our routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from prismata.catalog import VideoRecord
from prismata.core.events import EventType
from prismata.core.recipes import GroupingRule
from prismata.core.time import to_us
from prismata.domains import Domain, GuidePicture
from prismata.ui import state
from prismata.ui.times import Seek

_PACKAGE = "prismata"


def mount_station(
    video: VideoRecord, domain: Domain, user: str, *, at_us: int | None = None
) -> None:
    """Show the station on one video; it outlives reruns and keeps its place.

    Args:
        video: What is labelled.
        domain: Which events there are.
        user: Who labels; part of what the permissions say.
        at_us: The instant that a link led to; the station goes there once.
    """
    _mount_station(video, domain, user, more={"at_us": at_us})


def mount_result(
    video: VideoRecord,
    domain: Domain,
    user: str,
    *,
    run: str | None,
    rules: Mapping[str, GroupingRule],
    seek: Seek | None,
    on_threshold: Callable[[str, float], None],
    on_event: Callable[[str, int, int], None],
) -> None:
    """Show the station beside a result: player, curves with thresholds to drag, events to judge.

    Args:
        video: What was looked at.
        domain: Of the model.
        user: Who looks; part of what the permissions say.
        run: Id of a finished run; None while there is none.
        rules: Event type → rule by which its scores are grouped now.
        seek: Where the page wants the station to go, once per id.
        on_threshold: Gets an event type and the threshold that somebody dragged.
        on_event: Gets type, start and end (microseconds) of the event that somebody chose.
    """

    def told(name: str, act: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        def run_it() -> None:
            if value := st.session_state[state.LABEL_STATION].get(name):
                act(value)

        return run_it

    _mount_station(
        video,
        domain,
        user,
        more={
            "at_us": None,
            "result": {
                "run": run,
                "rules": {
                    name: {
                        "threshold": rule.threshold,
                        "min_gap_seconds": rule.min_gap_seconds,
                        "min_seconds": rule.min_seconds,
                    }
                    for name, rule in rules.items()
                },
                "seek": {"us": seek.us, "id": seek.id} if seek else None,
            },
        },
        on_threshold_change=told(
            "threshold", lambda value: on_threshold(value["event_type"], value["value"])
        ),
        on_ghost_change=told(
            "ghost",
            lambda value: on_event(value["event_type"], value["start_us"], value["end_us"]),
        ),
    )


def mount_library(
    domain: Domain,
    user: str,
    *,
    chosen: str,
    can_rename: bool,
    on_chosen: Callable[[str], None],
    on_user: Callable[[str], None],
) -> None:
    """Show the videos to choose from, with search, filters and progress.

    Args:
        domain: Whose labels and status are shown.
        user: Who looks.
        chosen: Id of the video on the page; may be empty.
        can_rename: Whether people say who they are here (nobody signs in).
        on_chosen: Gets the id of a video.
        on_user: Gets the name somebody gave.
    """

    def told(name: str) -> Callable[[], None]:
        def run() -> None:
            value: dict[str, Any] = st.session_state[state.LIBRARY_RAIL].get(name) or {}
            if text := str(value.get("value") or ""):
                (on_chosen if name == "chosen" else on_user)(text)

        return run

    _mount(
        "library_rail",
        "rail.js",
        data={
            "user": user,
            "can_rename": can_rename,
            "domain": {"name": domain.name, "title": domain.title},
            "chosen": chosen,
            "token": state.permission("library", user),
        },
        on_chosen_change=told("chosen"),
        on_user_change=told("user"),
        on_expired_change=state.forget_permissions,
    )


def mount_review(domain: Domain, user: str, *, model: str) -> None:
    """Show the review inbox of a model's findings; it outlives reruns.

    Args:
        domain: Which events there are.
        user: Who decides; part of what the permission says.
        model: Id of the model.
    """
    _mount(
        "review_inbox",
        "review.js",
        data={
            "user": user,
            "model": model,
            "domain": _describe(domain),
            "token": state.permission("review", f"{domain.name}/{user}"),
        },
        on_expired_change=state.forget_permissions,
    )


def _mount_station(
    video: VideoRecord,
    domain: Domain,
    user: str,
    *,
    more: Mapping[str, Any],
    **handlers: Callable[[], None],
) -> None:
    subject = f"{video.id}/{domain.name}/{user}"
    _mount(
        "label_station",
        "index.js",
        data={
            "user": user,
            "video": {"id": video.id, "name": video.name, "codec": video.codec},
            "domain": _describe(domain),
            "tokens": {
                "video": state.permission("video", video.id),
                "labels": state.permission("labels", subject),
                "annotator": state.permission("annotator", user),
                "guide": state.permission("guide", domain.name),
            },
            **more,
        },
        # A new value only asks for another run, in which the permissions are made anew.
        on_expired_change=state.forget_permissions,
        **handlers,
    )


_MOUNTED = {
    "label_station": ("station.css", state.LABEL_STATION),
    "library_rail": ("rail.css", state.LIBRARY_RAIL),
    "review_inbox": ("review.css", state.REVIEW_INBOX),
}
"""Component → style sheet and key."""


def _mount(name: str, script: str, **arguments: Any) -> None:  # noqa: ANN401 - Streamlit's own shape
    style, key = _MOUNTED[name]
    # Declared in each run, as in `panels.component`: another runtime must know it too.
    declared = st.components.v2.component(
        f"{_PACKAGE}.{name}",
        html=f'\n<div class="{name.replace("_", "-")}"></div>\n',
        css=style,
        js=script,
    )
    declared(key=key, **arguments)


def _describe(domain: Domain) -> dict[str, Any]:
    return {
        "name": domain.name,
        "title": domain.title,
        "guide": domain.full_guide,
        "tolerance_us": to_us(domain.tolerance_seconds),
        "tolerances_us": domain.tolerances_us(),
        "event_types": [
            _describe_type(item, domain.guide_pictures(item.name)) for item in domain.event_types
        ],
    }


def _describe_type(item: EventType, pictures: Sequence[GuidePicture]) -> dict[str, Any]:
    return {
        "name": item.name,
        "title": item.title,
        "kind": item.kind,
        "color": item.color,
        "key": item.hotkey,
        "guide": item.guide,
        "limits": _limits(item),
        "pictures": [
            {"name": picture.path.name, "caption": picture.caption} for picture in pictures
        ],
        "attributes": [
            {
                "name": attribute.name,
                "title": attribute.title,
                "kind": attribute.kind,
                "choices": list(attribute.choices),
                "guide": attribute.guide,
            }
            for attribute in item.attributes
        ],
    }


def _limits(item: EventType) -> str:
    """Say how long an event usually lasts, if its type says so."""
    low, high = item.min_seconds, item.max_seconds
    if low is not None and high is not None:
        return f"It lasts {low:g} to {high:g} s."
    if high is not None:
        return f"It lasts {high:g} s at most."
    return "" if low is None else f"It lasts {low:g} s at least."
