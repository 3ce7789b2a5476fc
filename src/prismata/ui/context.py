"""What the pages stand on: the one workbench of the process, who is signed in, our own addresses.

Streamlit runs the pages in threads of its own and hands them nothing, so they find it here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Literal

import streamlit as st

from prismata.core.errors import InternalError
from prismata.services.access import Scope, mint_token
from prismata.services.people import Roster, name_of_claims
from prismata.services.workbench import Workbench
from prismata.wiring import refresh_domains

_LOOK_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Context:
    bench: Workbench
    secret: bytes
    roster: Roster


_context: _Context | None = None
_looked_at: float | None = None


def set_workbench(bench: Workbench, secret: bytes) -> None:
    """Give the pages their workbench; the routes must know the same secret."""
    global _context, _looked_at
    _context, _looked_at = _Context(bench, secret, Roster(bench)), None


def workbench() -> Workbench:
    """Return the workbench of this process, in the name of who is signed in.

    Raises:
        InternalError: If nobody has set it.
    """
    bench = _require().bench
    if not (person := signed_in()):
        return bench
    return replace(bench, settings=bench.settings.model_copy(update={"user": person}))


def roster() -> Roster:
    """Return who may do what."""
    return _require().roster


def signed_in() -> str:
    """Return the name of who is signed in; empty where nobody is, or has to be."""
    if not _require().roster.needs_login or not st.user.get("is_logged_in", False):
        return ""
    return name_of_claims(st.user.to_dict())


def look_for_edited_domains() -> None:
    """Have plugins read that are new or were edited; looks once a second, whoever asks."""
    global _looked_at
    now = time.monotonic()
    if _looked_at is None or now - _looked_at >= _LOOK_EVERY_SECONDS:
        _looked_at = now
        refresh_domains(workbench().settings)


def signed_url(scope: Literal["video", "model"], subject: str) -> str:
    """Return a new address of a route; keep it, because another one makes a player start over."""
    return f"/api/{scope}/{subject}?token={signed_token(scope, subject)}"


def signed_token(scope: Scope, subject: str) -> str:
    """Return a new permission for a route."""
    context = _require()
    lives = context.bench.settings.permission_seconds
    return mint_token(context.secret, scope, subject, lives_seconds=lives)


def can_train_here() -> bool:
    """Say whether the train extra is installed; asks without importing it."""
    return find_spec("torch") is not None and find_spec("onnx") is not None


def _require() -> _Context:
    if _context is None:
        raise InternalError("the pages were started without a workbench; use `prismata serve`")
    return _context
