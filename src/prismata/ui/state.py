"""What a visit remembers; the only file that names keys of the session state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import streamlit as st

from prismata.domains import CheckResult, Domain
from prismata.services.access import Scope
from prismata.ui.context import signed_token, signed_url

DOMAIN = "domain"
VIDEO = "video"
MODEL = "model"
LABEL_STATION = "label.station"
REVIEW_INBOX = "review.inbox"
REVIEW_MODEL = "review.model"
LABEL_AT = "label.at"
LIBRARY_RAIL = "label.library"
USER = "user"
CAME = "came"
PEOPLE_NAME = "people.name"
PEOPLE_ROLE = "people.role"
PEOPLE_TABLE = "people.table"
DEEDS_PERSON = "deeds.person"
DEEDS_REFUSED = "deeds.refused"
RESULT_TABLE = "analyze.table"
RESULT_EVENT = "analyze.event"
RESULT_ROW = "analyze.row"
MISTAKE_TABLE = "train.mistakes"
VIDEO_TABLE = "library.table"
PLAYER = "player"
UPLOAD = "upload"
QUEUE = "detect.queue"
QUEUE_SUBMITTED = "detect.submitted"
DETECT_FROM = "detect.from"
DETECT_DOMAIN = "detect.domain"
DETECT_SEARCH = "detect.search"
DETECT_NEW_ONLY = "detect.new_only"
DETECT_VIDEOS = "detect.videos"
DETECT_PLACES = "detect.places"
DETECT_COARSE = "detect.coarse"
DETECT_AGAIN = "detect.again"
DETECT_OPENED = "detect.opened"
RECIPE = "train.recipe"
SEED = "train.seed"
EPOCHS = "train.epochs"
SEARCH_TRIES = "train.search.tries"
SEARCH_MINUTES = "train.search.minutes"
SEARCH_TRIALS = "train.search.trials"
PREVIEW = "train.preview"
PREVIEW_SEED = "train.preview.seed"
JOB_TABLE = "jobs.table"
JOBS_ENDED = "jobs.ended"
EVENTS_SAVED = "events.saved"
EVENTS_DOMAIN = "events.domain"
EVENTS_TYPE = "events.type"
EVENTS_ORIGIN = "events.origin"
EVENTS_STATE = "events.state"
EVENTS_ORDER = "events.order"
EVENTS_VIDEO = "events.video"
EVENTS_REVIEWER = "events.reviewer"
EVENTS_SINCE = "events.since"
EVENTS_UNTIL = "events.until"
EVENTS_MIN_SCORE = "events.score.from"
EVENTS_MAX_SCORE = "events.score.to"
EVENTS_MIN_SECONDS = "events.seconds.from"
EVENTS_MAX_SECONDS = "events.seconds.to"
EVENTS_SAVE_AS = "events.save"
EVENTS_PAGES = "events.pages"
EVENTS_ASKED = "events.asked"
EVENTS_TABLE = "events.table"
REEL = "reel"
COMPARE_FIRST = "compare.first"
COMPARE_SECOND = "compare.second"
COMPARE_SHOWN = "compare.shown"
COMPARE_TABLE = "compare.table"
COMPARED = "compare.result"

_VERDICTS = "domains.verdicts"
_NOTICES = "notices"
_ADDRESSES = "addresses"

NoticeKind = Literal["success", "info", "error"]


def choose(
    label: str,
    options: Mapping[str, str],
    key: str,
    *,
    default: str = "",
    collapsed: bool = False,
) -> str:
    """Show a select box whose choice survives page changes and runs; return the chosen id.

    Streamlit forgets a widget that a page does not show, so the choice is kept beside it.

    Args:
        label: What is chosen.
        options: Id → what people read; not empty.
        key: One of this file's names.
        default: Id that is chosen at first; the first one if there is none such.
        collapsed: Hide the label from the eye, not from a screen reader.
    """
    kept = st.session_state.get(key)
    if kept not in options:
        kept = default if default in options else next(iter(options))
    widget = f"{key}.widget"
    st.session_state[key] = st.session_state[widget] = kept
    return st.selectbox(
        label,
        list(options),
        format_func=lambda item: options.get(item, item),
        key=widget,
        on_change=_keep,
        args=(key, widget),
        label_visibility="collapsed" if collapsed else "visible",
    )


def _keep(key: str, widget: str) -> None:
    st.session_state[key] = st.session_state[widget]


def select(key: str, value: str) -> None:
    """Choose something in the name of the user, for example the video just uploaded."""
    st.session_state[key] = value


def threshold_key(model_id: str, event_type: str) -> str:
    """Return the name of a threshold's slider: whoever moves it elsewhere moves the slider."""
    return f"threshold:{model_id}:{event_type}"


def notify(kind: NoticeKind, sentence: str) -> None:
    """Have a sentence shown in the next run."""
    st.session_state.setdefault(_NOTICES, []).append((kind, sentence))


def take_notices() -> list[tuple[NoticeKind, str]]:
    """Return the sentences to show, once."""
    taken: list[tuple[NoticeKind, str]] = st.session_state.pop(_NOTICES, [])
    return taken


def address(scope: Literal["video", "model"], subject: str) -> str:
    """Return the address of a video or model, the same one for the whole visit."""
    return _remembered(f"{scope}:{subject}", lambda: signed_url(scope, subject))


def upload_permission() -> str:
    """Return the permission to upload, the same one for the whole visit."""
    return permission("upload", "")


def permission(scope: Scope, subject: str) -> str:
    """Return a signed permission, the same one for the whole visit: a new one reloads a player."""
    return _remembered(f"{scope}|{subject}", lambda: signed_token(scope, subject))


def forget_permissions() -> None:
    """Make all permissions anew in this run, because some are too old or of another process."""
    st.session_state.pop(_ADDRESSES, None)


def keep_in_address(**values: str) -> None:
    """Put choices into the page's address, so that a reload, a link or a restart finds them."""
    for name, value in values.items():
        if st.query_params.get(name) != value:
            st.query_params[name] = value


def take_from_address(name: str) -> str:
    """Return what the page's address says and take it out, as it was meant for once."""
    value = from_address(name)
    if value:
        del st.query_params[name]
    return value


def from_address(name: str) -> str:
    """Return what the page's address says; empty if nothing."""
    return str(st.query_params.get(name) or "")


def chosen(key: str) -> str:
    """Return what is chosen; empty if nothing."""
    return str(st.session_state.get(key) or "")


def _remembered(name: str, make: Callable[[], str]) -> str:
    known: dict[str, str] = st.session_state.setdefault(_ADDRESSES, {})
    if name not in known:
        known[name] = make()
    return known[name]


def selected_rows(key: str) -> list[int]:
    """Return the rows that are selected in a table, by position."""
    table: Any = st.session_state.get(key)
    rows: list[int] = list(table["selection"]["rows"]) if table else []
    return rows


def keep_verdicts(domain: Domain, verdicts: list[CheckResult]) -> None:
    """Keep what the checks say of a domain as it is now."""
    st.session_state.setdefault(_VERDICTS, {})[domain.name] = (domain, verdicts)


def verdicts(domain: Domain) -> list[CheckResult]:
    """Return what the checks said of this domain; empty if it was not checked as it is now."""
    kept: dict[str, tuple[Domain, list[CheckResult]]] = st.session_state.get(_VERDICTS, {})
    checked, said = kept.get(domain.name, (None, []))
    return said if checked is domain else []
