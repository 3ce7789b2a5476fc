"""What this visitor may do: asked before anything is done, and written down afterwards."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from prismata.core.errors import UserError
from prismata.core.roles import Role, is_at_least
from prismata.services.people import refusal_of
from prismata.ui.context import roster
from prismata.ui.panels.identity import current_role, current_user
from prismata.ui.panels.notices import refuse

P = ParamSpec("P")


def may(needed: Role) -> bool:
    """Say whether this visitor's role suffices; pages leave out or close what they may not do."""
    return is_at_least(current_role(), needed)


def why_not(needed: Role, what: str = "this") -> str | None:
    """Return the sentence that stands at a closed button or place; None if it is open."""
    role = current_role()
    return None if is_at_least(role, needed) else refusal_of(role, needed, what)


def deed(action: str, needed: Role) -> Callable[[Callable[P, str | None]], Callable[P, None]]:
    """Make a callback of a page one that checks the role, tells refusals and is written down.

    A closed button is a courtesy; this is the lock, because a page may be older than a role.

    Args:
        action: The word under which it is written down.
        needed: Role that it takes.

    Returns:
        What turns a callback that returns what it was done to, for people (None = nothing was
        done), into one that Streamlit can call.
    """

    def lock(work: Callable[P, str | None]) -> Callable[P, None]:
        @wraps(work)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            person = current_user()
            try:
                roster().check(person, needed, action)
                subject = work(*args, **kwargs)
            except UserError as error:
                refuse(error)
                return
            if subject is not None:
                roster().note(person, action, subject)

        return run

    return lock
