"""Domains: what each declares, what it is used for, what is broken and why."""

from __future__ import annotations

import streamlit as st

from prismata.core.errors import UserError
from prismata.domains import CheckResult, Domain, DomainFailure, DomainRegistry
from prismata.services.domain_list import (
    DomainItem,
    DomainOverview,
    DomainUse,
    check_domain_files,
    look_at_domains,
)
from prismata.ui import state
from prismata.ui.context import look_for_edited_domains, workbench
from prismata.ui.panels.domain_card import recipe_sentences, show_declaration
from prismata.ui.panels.notices import plain, refuse, show_notice, show_waiting_notices
from prismata.ui.panels.type_migration import show_type_migration

_LOOK_EVERY_SECONDS = 2.0


def show() -> None:
    """Show the page; it follows what is edited while it is open."""
    look_for_edited_domains()
    shown = _what_is_known()

    @st.fragment(run_every=_LOOK_EVERY_SECONDS)
    def follow() -> None:
        look_for_edited_domains()
        if _what_is_known() != shown:
            st.rerun()

    follow()
    show_waiting_notices()
    overview = look_at_domains(workbench())
    st.markdown(f"**{_summary(overview)}**")
    for failure in overview.failures:
        _show_failure(failure)
    for name, use in overview.missing.items():
        _show_missing(name, use)
    if not overview.items:
        st.markdown("A domain says which events there are. A folder with one file makes one:")
        st.code("prismata domains new tennis_serve", language="bash")
    for item in overview.items:
        with st.container(border=True):
            _show_domain(item)
    if overview.items:
        st.caption(
            "Another one: `prismata domains new NAME`. The way from there to a model that finds "
            "its events is written down in domains/README.md. What is edited is read again here."
        )


def _what_is_known() -> tuple[object, ...]:
    """Return something that differs as soon as a plugin was read again."""
    return (*(id(item) for item in DomainRegistry.list()), *DomainRegistry.failures())


def _summary(overview: DomainOverview) -> str:
    count, broken = len(overview.items), len(overview.failures)
    told = f"{count or 'No'} domain{'' if count == 1 else 's'}"
    return f"{told}{' yet' if not count else ''}{f', {broken} broken' if broken else ''}."


def _show_failure(failure: DomainFailure) -> None:
    show_notice("error", failure.sentence)
    with st.expander("For its author"):
        st.caption("Mend it: it is read again by itself. Nothing else is affected.")
        st.code(failure.traceback, language=None, wrap_lines=True)


def _show_missing(name: str, use: DomainUse) -> None:
    show_notice(
        "info",
        f"{use} belong to {name}, which no plugin declares. They stay as they are; put its folder "
        "back or install its package to use them",
    )


def _show_domain(item: DomainItem) -> None:
    domain, use = item.domain, item.use
    said, doing = st.columns([4, 1], vertical_alignment="top")
    said.markdown(f"**{plain(domain.title)}** · {plain(domain.name)} · version {domain.version}")
    said.markdown(plain(f"{use} · {_model_line(use)}"))
    if domain.guide:
        said.markdown(plain(domain.guide))
    with doing, st.container(horizontal=True, horizontal_alignment="right"):
        st.button(
            "Check",
            icon=":material/fact_check:",
            key=f"check:{domain.name}",
            help="Keys, guides, rules, review, size, tests, and whether it loads without torch.",
            on_click=_check,
            args=(domain,),
        )
    # Always there, so that what comes and goes in it does not close what is open below.
    with st.container():
        if item.failure is not None:
            _show_failure(item.failure)
        _show_verdicts(domain)
        if use.stray:
            show_type_migration(domain)
    with st.expander(f"What it declares: {_titles(domain)}"):
        show_declaration(domain)
        st.caption(plain(". ".join(_capital(line) for line in recipe_sentences(domain)) + "."))
        st.caption(plain(f"From {item.origin}"))


def _titles(domain: Domain) -> str:
    return plain(", ".join(item.title for item in domain.event_types))


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _model_line(use: DomainUse) -> str:
    if use.model_in_use:
        return f"{use.model_in_use} is in production"
    return "none of them is in production" if use.models else "nothing trained yet"


def _check(domain: Domain) -> None:
    try:
        state.keep_verdicts(domain, check_domain_files(domain))
    except UserError as error:
        refuse(error)


def _show_verdicts(domain: Domain) -> None:
    verdicts: list[CheckResult] = state.verdicts(domain)
    bad = [item for item in verdicts if not item.ok]
    if bad:
        show_notice("error", f"{len(bad)} of {len(verdicts)} checks fail")
        st.markdown("\n".join(f"- **{item.name}**: {plain(item.message)}" for item in bad))
    elif verdicts:
        show_notice("success", f"All {len(verdicts)} checks hold")
