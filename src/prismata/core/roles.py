"""Roles: what a person may do, from looking to deciding who else may."""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["viewer", "annotator", "engineer", "admin"]
"""From least to most; each may do all that those before it may."""

DeedOutcome = Literal["done", "refused"]
"""What became of something that a person wanted to do."""

ROLES: tuple[Role, ...] = get_args(Role)

MAY: dict[Role, str] = {
    "viewer": "look at videos, labels, results and models, and download them",
    "annotator": "upload videos, label, run detections and judge what they found",
    "engineer": "train, search, publish models, change datasets and domains, remove videos",
    "admin": "say who may do what, and read who did what",
}
"""What each role adds to the one before it, for people."""


def is_at_least(role: Role | None, needed: Role) -> bool:
    """Say whether a role suffices; None is a person without one."""
    return role is not None and ROLES.index(role) >= ROLES.index(needed)
