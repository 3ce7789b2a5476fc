"""Access: short-lived signed permissions that a page hands to the browser for our own routes.

Invariant: a token opens one thing (scope and subject) until one instant, and the secret never
leaves the process that made it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from base64 import urlsafe_b64encode
from typing import Literal

Scope = Literal[
    "video", "model", "upload", "labels", "annotator", "library", "queue", "review", "guide"
]

DAY_SECONDS = 24 * 60 * 60
"""How long a page can stay open before its player asks for a new address."""


def mint_token(
    secret: bytes, scope: Scope, subject: str, *, lives_seconds: int = DAY_SECONDS
) -> str:
    """Return a permission for one subject, as `<expiry>.<signature>`, safe in a URL.

    Args:
        secret: At least 32 random bytes, new at each start of the process.
        scope: What kind of thing it opens.
        subject: Which one: a video's or model's id; empty where the scope says it all.
        lives_seconds: How long it is good.
    """
    expires_at = int(time.time()) + lives_seconds
    return f"{expires_at}.{_signature(secret, scope, subject, expires_at)}"


def is_token_valid(secret: bytes, token: str, scope: Scope, subject: str) -> bool:
    """Say whether a token was made here, for this, and is still good."""
    expiry, _, signature = token.partition(".")
    if not (expiry.isascii() and expiry.isdigit() and len(expiry) <= 12):
        return False
    expected = _signature(secret, scope, subject, int(expiry))
    # Both as bytes: compare_digest refuses text that is not ASCII, and this text is a stranger's.
    same = hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))
    return same and time.time() < int(expiry)


def _signature(secret: bytes, scope: Scope, subject: str, expires_at: int) -> str:
    message = f"{scope}\n{subject}\n{expires_at}".encode()
    digest = hmac.new(secret, message, hashlib.sha256).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
