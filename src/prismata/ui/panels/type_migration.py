"""Labels whose event type the domain dropped: what becomes of them, shown before it is done."""

from __future__ import annotations

import streamlit as st

from prismata.core.errors import UserError
from prismata.core.time import to_us
from prismata.domains import Domain
from prismata.services.type_migration import (
    MigrationPlan,
    MigrationRules,
    UndeclaredType,
    apply_migration,
    find_undeclared,
    plan_migration,
)
from prismata.ui import state
from prismata.ui.context import workbench
from prismata.ui.panels.notices import plain, show_notice
from prismata.ui.panels.permission import deed, may, why_not

_LEAVE = ""
_RETIRE = "-"
_DEFAULT_SECONDS = 1.0


def show_type_migration(domain: Domain) -> None:
    """Ask what becomes of such labels, show it in numbers and offer to do it; nothing if none."""
    found = find_undeclared(workbench(), domain.name)
    if not found:
        return
    with st.container(border=True):
        st.markdown("**Labels of event types that this domain does not declare (any more)**")
        st.markdown("\n".join(f"- {plain(str(item))}" for item in found))
        rules = _ask(domain, found)
        if not rules.renames and not rules.retire:
            st.caption("They stay as they are until you choose. Nothing is lost meanwhile.")
            return
        try:
            plan = plan_migration(workbench(), domain.name, rules)
        except UserError as error:
            show_notice("error", str(error))
            return
        st.markdown("\n".join(f"- {plain(line)}" for line in plan.sentences()))
        st.button(
            f"Change {plan.changed} label{'' if plan.changed == 1 else 's'}",
            type="primary",
            icon=":material/sync_alt:",
            disabled=not may("engineer"),
            help=why_not("engineer"),
            on_click=_apply,
            args=(plan,),
        )


def _ask(domain: Domain, found: list[UndeclaredType]) -> MigrationRules:
    titles = {item.name: item.title for item in domain.event_types}
    declared = {item.name: item for item in domain.event_types}
    renames: dict[str, str] = {}
    retire: set[str] = set()
    needs_length = False
    for name in dict.fromkeys(item.name for item in found):
        choice = st.selectbox(
            f"“{plain(name)}” becomes",
            [_LEAVE, *declared, _RETIRE],
            format_func=lambda item: _in_words(item, titles),
            key=f"migrate:{domain.name}:{name}",
        )
        if choice == _RETIRE:
            retire.add(name)
        elif choice != _LEAVE:
            renames[name] = choice
            needs_length |= declared[choice].kind == "segment" and any(
                item.name == name and item.kind == "point" for item in found
            )
    length_us = None
    if needs_length:
        seconds = st.number_input(
            "Length of a segment that was a point, in seconds",
            min_value=0.001,
            value=_DEFAULT_SECONDS,
            key=f"migrate:{domain.name}:length",
        )
        length_us = to_us(seconds)
    return MigrationRules(renames, frozenset(retire), length_us)


def _in_words(choice: str, titles: dict[str, str]) -> str:
    if choice == _RETIRE:
        return "nothing: remove its labels (the history keeps them)"
    return titles.get(choice, "decide later")


@deed("migrate_types", "engineer")
def _apply(plan: MigrationPlan) -> str:
    changed = apply_migration(workbench(), plan)
    state.notify(
        "success", f"{changed} labels changed; the history of each video can take it back."
    )
    return f"{changed} labels of {plan.domain}"
