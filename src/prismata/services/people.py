"""People: who may do what here, and what they did, for pages, routes and commands."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from prismata.catalog import PersonRecord
from prismata.core.errors import ForbiddenError, InvalidInputError
from prismata.core.roles import MAY, ROLES, DeedOutcome, Role, is_at_least
from prismata.services.workbench import Workbench
from prismata.settings import Settings

MAX_NAME = 80

_ASK_AGAIN_SECONDS = 1.0
"""A player asks for many ranges a second; a role that was taken away ends this much later."""

_REFUSED_AGAIN_SECONDS = 60.0
"""Refusals of one kind are written down once in so long: who knocks all day fills no table."""

_MAX_REMEMBERED = 1000


def clean_name(name: str) -> str:
    """Return a name as it is stored: one line, composed characters, of bounded length."""
    printable = "".join(char for char in unicodedata.normalize("NFC", name) if char.isprintable())
    # A slash would end the name inside the subject of a permission.
    return printable.replace("/", " ").strip()[:MAX_NAME]


def name_of_claims(claims: Mapping[str, Any]) -> str:
    """Return the name under which an identity provider's person is known here; empty if none.

    The e-mail address, unless the provider says that nobody has verified it; without one the
    subject, which no two people of a provider share (OpenID Connect Core 1.0, section 2). Never
    the display name, which people choose themselves.
    """
    email = claims.get("email")
    if email and claims.get("email_verified") is not False:
        return clean_name(str(email)).lower()
    return clean_name(str(claims.get("sub") or ""))


def check_login(settings: Settings) -> None:
    """Check that people can sign in if they have to.

    Raises:
        InvalidInputError: If something that signing in takes is not set.
    """
    if settings.login == "none":
        return
    given = {
        "PRISMATA_PUBLIC_URL": settings.public_url,
        "PRISMATA_OIDC_METADATA_URL": settings.oidc_metadata_url,
        "PRISMATA_OIDC_CLIENT_ID": settings.oidc_client_id,
        "PRISMATA_OIDC_CLIENT_SECRET": settings.oidc_client_secret.get_secret_value(),
    }
    if missing := [name for name, value in given.items() if not value]:
        raise InvalidInputError(
            f"PRISMATA_LOGIN is oidc, but {' and '.join(missing)} is not set; the provider needs "
            f"{settings.public_url or 'https://…'}/oauth2callback as a redirect address and tells "
            "the rest"
        )
    secret = settings.login_secret.get_secret_value()
    if secret and len(secret) < 32:
        raise InvalidInputError(
            "PRISMATA_LOGIN_SECRET has fewer than 32 characters; make one with `python -c 'import "
            "secrets; print(secrets.token_urlsafe(32))'`"
        )


class Roster:
    """Who may do what; asks the catalog at most once a second for each person.

    Args:
        bench: The workbench.
    """

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._known: dict[str, tuple[float, Role | None]] = {}
        self._refused: dict[tuple[str, str, str], float] = {}

    @property
    def needs_login(self) -> bool:
        """Whether people have to sign in."""
        return self._bench.settings.login != "none"

    def role_of(self, person: str) -> Role | None:
        """Return somebody's role; None if they have none. Without a login everybody is admin."""
        settings = self._bench.settings
        if not self.needs_login or person in settings.admin_names:
            return "admin"
        now = time.monotonic()
        asked_at, role = self._known.get(person, (float("-inf"), None))
        if now - asked_at >= _ASK_AGAIN_SECONDS:
            found = self._bench.catalog.people.get(person) if person else None
            role = found.role if found is not None else None
            if role is None and person and settings.newcomer_role != "none":
                role = settings.newcomer_role
            _make_room(self._known)
            self._known[person] = (now, role)
        return role

    def check(self, person: str, needed: Role, action: str, subject: str = "") -> None:
        """Refuse what somebody may not do, and write down that they wanted to.

        Raises:
            ForbiddenError: If their role does not suffice.
        """
        if is_at_least(self.role_of(person), needed):
            return
        self.note_refusal(person, action, subject)
        raise ForbiddenError(refusal_of(self.role_of(person), needed))

    def check_own(self, person: str, author: str, action: str, subject: str) -> None:
        """Refuse to change what somebody else started to anybody but an engineer.

        Raises:
            ForbiddenError: If it is another's and the role does not suffice.
        """
        if person != author:
            self.check(person, "engineer", action, subject)

    def note(self, person: str, action: str, subject: str, outcome: DeedOutcome = "done") -> None:
        """Write down what somebody did."""
        self._bench.catalog.deeds.add(person or "somebody", action, subject, outcome)

    def note_refusal(self, person: str, action: str, subject: str) -> None:
        """Write down that somebody was refused; the same once a minute."""
        now, what = time.monotonic(), (person, action, subject)
        if now - self._refused.get(what, float("-inf")) >= _REFUSED_AGAIN_SECONDS:
            _make_room(self._refused)
            self._refused[what] = now
            self.note(person, action, subject, "refused")

    def came(self, person: str, *, at: datetime) -> None:
        """Note that somebody is here: administrators see whom they can give a role.

        Args:
            person: Who.
            at: When they signed in; each time is written down once, however often they come.
        """
        people = self._bench.catalog.people
        before = people.get(person)
        people.see(person)
        if before is None or before.seen_at is None or before.seen_at < at:
            self.note(person, "sign_in", "the workbench")


def refusal_of(role: Role | None, needed: Role, what: str = "this") -> str:
    """Say why somebody may not do something."""
    can = f"you are {_article(role)}" if role else "you have no role here yet"
    return f"{what} takes the role of {needed} ({MAY[needed]}), but {can}; ask an administrator"


def set_role(bench: Workbench, by: str, name: str, role: Role) -> PersonRecord:
    """Say what somebody may do from now on.

    Args:
        bench: The workbench.
        by: Who says so.
        name: About whom: as the provider tells it, usually an e-mail address.
        role: What they may do.

    Raises:
        InvalidInputError: If it is no name, or no role.
        ConflictError: If it takes the role from the last administrator.
    """
    if role not in ROLES:
        raise InvalidInputError(f"there is no role {role!r}; there are {', '.join(ROLES)}")
    person = _named(name)
    record = bench.catalog.people.set_role(person, role, keep_an_admin=_needs_admin(bench.settings))
    bench.catalog.deeds.add(by, "set_role", f"{person}: {role}", "done")
    return record


def remove_person(bench: Workbench, by: str, name: str) -> None:
    """Take somebody's role away; what they did stays.

    Raises:
        NotFoundError: If nobody of this name is known.
        ConflictError: If they are the last administrator.
    """
    person = _named(name)
    bench.catalog.people.remove(person, keep_an_admin=_needs_admin(bench.settings))
    bench.catalog.deeds.add(by, "remove_person", person, "done")


def _needs_admin(settings: Settings) -> bool:
    """Whether the catalog must keep an administrator, because no setting names one."""
    return settings.login != "none" and not settings.admin_names


def _named(name: str) -> str:
    person = clean_name(name)
    if "@" in person:
        person = person.lower()
    if not person:
        raise InvalidInputError("a person has a name: what the identity provider calls them")
    return person


def _article(role: Role) -> str:
    return f"an {role}" if role[0] in "aeiou" else f"a {role}"


def _make_room(known: dict[Any, Any]) -> None:
    """Forget the oldest entries before a dictionary that strangers fill grows without end."""
    while len(known) >= _MAX_REMEMBERED:
        known.pop(next(iter(known)))
