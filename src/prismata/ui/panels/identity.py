"""Who is before the page: whoever signed in, else who they say they are."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from prismata.core.roles import MAY, ROLES, Role
from prismata.services.people import clean_name
from prismata.ui import state
from prismata.ui.context import roster, signed_in, workbench

_LOOK_EVERY_SECONDS = 2.0


def is_signed_in() -> bool:
    """Say whether an identity provider knows this visitor."""
    return bool(signed_in())


def current_user() -> str:
    """Return the name that is stored with what this visitor does.

    Signed in, it is what the provider calls them. Otherwise it is what the visitor typed in this
    browser, or else the name the workbench was started with.
    """
    return signed_in() or state.chosen(state.USER) or workbench().settings.author


def current_role() -> Role | None:
    """Return what this visitor may do; None if nobody has said yet."""
    return roster().role_of(current_user())


def rename(name: str) -> None:
    """Take the name that a visitor gave who is not signed in."""
    if not is_signed_in() and (clean := clean_name(name)):
        state.select(state.USER, clean)


def needs_login() -> bool:
    """Say whether people sign in here; if not, everybody may do everything."""
    return roster().needs_login


def is_admitted() -> bool:
    """Say whether this visitor may see pages at all; if not, show what they can do about it."""
    if not needs_login():
        return True
    person = signed_in()
    if not person:
        _offer_sign_in()
        return False
    if not st.session_state.get(state.CAME):
        st.session_state[state.CAME] = True
        roster().came(person, at=_signed_in_at())
    if current_role() is None:
        _explain_waiting(person)
        return False
    return True


def _signed_in_at() -> datetime:
    """Return when the provider said who this is; every page that is opened anew asks."""
    issued = str(st.user.get("iat", ""))
    return datetime.fromtimestamp(int(issued), UTC) if issued.isdigit() else datetime.now(UTC)


def show_account() -> None:
    """Show who is signed in, what they may do, and the way out."""
    role = current_role()
    who, out = st.columns([3, 1], vertical_alignment="center")
    with who:
        st.text(f"{current_user()} · {role}")  # as markdown an address would be a link
        if role is not None:
            st.caption(f"You may {'; '.join(_all_that(role))}.")
    out.button("Sign out", icon=":material/logout:", width="stretch", on_click=st.logout)


def _all_that(role: Role) -> list[str]:
    return [MAY[each] for each in ROLES[: ROLES.index(role) + 1]]


def _offer_sign_in() -> None:
    with _centred(360):
        st.subheader("Prismata", anchor=False)
        if st.user.get("is_logged_in", False):
            st.markdown(
                "Your provider told neither a verified e-mail address nor another name for you, so "
                "nothing can be kept under your name."
            )
            st.button("Sign out", on_click=st.logout, width="stretch")
            return
        st.markdown("Find moments in video. Sign in to go on.")
        st.button(
            "Sign in", type="primary", icon=":material/login:", width="stretch", on_click=st.login
        )


def _explain_waiting(person: str) -> None:
    with _centred(480):
        st.subheader("You are signed in, but may do nothing yet", anchor=False)
        st.text(person)
        st.markdown(
            "An administrator has to say what you may do: on the page **People**, or with "
            "`prismata people set`. This page goes on by itself then."
        )
        st.button("Sign out", icon=":material/logout:", on_click=st.logout)

    @st.fragment(run_every=_LOOK_EVERY_SECONDS)
    def look() -> None:
        if current_role() is not None:
            st.rerun()

    look()


def _centred(width: int) -> st.delta_generator.DeltaGenerator:
    return st.container(horizontal_alignment="center").container(width=width, border=True)
