"""Signing in with an identity provider: Streamlit does it, and the gate before our routes reads it.

Streamlit keeps who is signed in in a signed cookie that scripts cannot read. It looks for its
settings in a file; ours come from `Settings`, so they are handed over in memory.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping

from streamlit.auth_util import get_cookie_with_chunks
from streamlit.runtime.secrets import secrets_singleton
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from prismata.services.people import name_of_claims
from prismata.settings import Settings


def set_up_sign_in(settings: Settings) -> None:
    """Tell Streamlit about the provider, if people sign in."""
    if settings.login == "none":
        return
    secret = settings.login_secret.get_secret_value() or secrets.token_urlsafe(32)
    secrets_singleton.merge_programmatic_secrets(
        {
            "auth": {
                "redirect_uri": f"{settings.public_url}/oauth2callback",
                "cookie_secret": secret,
                "client_id": settings.oidc_client_id,
                "client_secret": settings.oidc_client_secret.get_secret_value(),
                "server_metadata_url": settings.oidc_metadata_url,
            }
        }
    )


def who_is_signed_in(public_url: str, cookies: Mapping[str, str]) -> str:
    """Return the name of the person that the cookies of a request prove; empty if nobody.

    Args:
        public_url: Where people reach the workbench; a cookie made for another is no proof.
        cookies: Of the request.
    """

    def one(name: str) -> bytes | None:
        # HTTP says that cookies are Latin-1; the server decoded them so.
        value = cookies.get(name, "").encode("latin-1", errors="replace")
        return decode_signed_value(get_cookie_secret(), name, value)

    found = get_cookie_with_chunks(one, USER_COOKIE_NAME)
    try:
        told = json.loads(found or b"")
    except ValueError:
        return ""
    is_ours = isinstance(told, dict) and told.get("origin") == public_url
    return name_of_claims(told) if is_ours and told.get("is_logged_in") is True else ""
