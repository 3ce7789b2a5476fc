"""People: one's own account; for administrators also who may do what, and who did what."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from prismata.catalog import PersonRecord
from prismata.core.roles import MAY, ROLES, Role
from prismata.services.people import remove_person, set_role
from prismata.ui import state
from prismata.ui.context import roster, workbench
from prismata.ui.panels.identity import current_user, show_account
from prismata.ui.panels.notices import plain, show_waiting_notices
from prismata.ui.panels.permission import deed, may

_SHOWN_DEEDS = 200
_NO_ROLE = "none yet"


def show() -> None:
    """Show the page."""
    show_account()
    show_waiting_notices()
    if not may("admin"):
        return
    roles, deeds = st.tabs([":material/badge: Roles", ":material/history: Who did what"])
    with roles:
        _show_roles()
    with deeds:
        _show_deeds()


def _show_roles() -> None:
    people = workbench().catalog.people.list()
    waiting = sum(_role(person) is None for person in people)
    if waiting:
        st.markdown(f"**{waiting} waiting for a role.**")
    table, form = st.columns([3, 2], gap="large")
    with table:
        chosen = _show_table(people)
    with form:
        _show_form(chosen)
    if always := ", ".join(sorted(workbench().settings.admin_names)):
        st.caption(plain(f"Always an admin, by PRISMATA_ADMINS: {always}."))
    st.markdown("\n".join(f"- **{role}**: may {MAY[role]}" for role in ROLES))
    st.caption("Each role may also do what those above it may.")


def _show_table(people: list[PersonRecord]) -> PersonRecord | None:
    if not people:
        st.markdown(
            "**Nobody is known yet.** Who signs in comes here; you can also add people before."
        )
        return None
    frame = pd.DataFrame(
        {
            "Name": [person.name for person in people],
            "Role": [_role(person) or _NO_ROLE for person in people],
            "Last signed in": [_when(person) for person in people],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        key=state.PEOPLE_TABLE,
        on_select="rerun",
        selection_mode="single-row",
    )
    rows = [row for row in state.selected_rows(state.PEOPLE_TABLE) if row < len(people)]
    return people[rows[0]] if rows else None


def _role(person: PersonRecord) -> Role | None:
    return roster().role_of(person.name)


def _when(person: PersonRecord) -> str:
    return f"{person.seen_at:%Y-%m-%d %H:%M} UTC" if person.seen_at else "never"


def _show_form(chosen: PersonRecord | None) -> None:
    # A form of its own for each person, so that the fields begin with what is true of them.
    about = chosen.name if chosen else ""
    with st.form(f"people:{about}"):
        name = st.text_input(
            "Name at the identity provider",
            about,
            placeholder="anna@example.com",
            disabled=chosen is not None,
            help="Usually the e-mail address.",
        )
        now = chosen.role if chosen and chosen.role else "annotator"
        role = st.selectbox("Role", ROLES, index=ROLES.index(now))
        if st.form_submit_button("Give this role", type="primary"):
            _set_role(name, role)
            st.rerun()
    if chosen is not None:
        st.button(
            f"Remove {chosen.name}",
            icon=":material/person_remove:",
            help="They may do nothing any more; what they did stays.",
            on_click=_remove,
            args=(chosen.name,),
        )
    else:
        st.caption("Choose a row to change somebody's role.")


# These two are written down by the service, for the command line too.
@deed("set_role", "admin")
def _set_role(name: str, role: Role) -> None:
    record = set_role(workbench(), current_user(), name, role)
    state.notify("success", f"{record.name} is {record.role} now.")


@deed("remove_person", "admin")
def _remove(name: str) -> None:
    remove_person(workbench(), current_user(), name)
    state.notify("success", f"{name} may do nothing here any more.")


def _show_deeds() -> None:
    who, refused = st.columns([2, 3], vertical_alignment="bottom")
    person = who.text_input("Only of", key=state.DEEDS_PERSON, placeholder="anna@example.com")
    only_refused = refused.toggle("Only what was refused", key=state.DEEDS_REFUSED)
    found = workbench().catalog.deeds.list(
        person=person.strip(), outcome="refused" if only_refused else None, limit=_SHOWN_DEEDS
    )
    if not found:
        st.markdown("**Nothing like this was done yet.**")
        return
    columns = {
        "When (UTC)": [f"{item.at:%Y-%m-%d %H:%M:%S}" for item in found],
        "Who": [item.person for item in found],
        "What": [item.action.replace("_", " ") for item in found],
        "To what": [item.subject for item in found],
        "Outcome": [item.outcome for item in found],
    }
    st.dataframe(pd.DataFrame(columns), hide_index=True)
    st.caption(
        "Labels and verdicts have a history of their own, in each video. All of this: "
        "`prismata audit`."
    )
