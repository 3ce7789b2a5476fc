"""Headers that tell browsers what pages of ours may do, and what other sites may do with them."""

from __future__ import annotations

from prismata.services.workbench import Workbench

_YEAR_SECONDS = 365 * 24 * 60 * 60


def security_headers(bench: Workbench) -> dict[str, str]:
    """Return the headers of every answer that does not bring its own.

    Streamlit compiles charts in the browser and puts styles into its elements, so scripts may
    `eval` and styles stand inline; but nothing comes from, or goes to, anywhere but the workbench
    and its own store.
    """
    store = f" {origin}" if (origin := bench.storage.browser_origin) else ""
    rules = {
        "default-src": "'self'",
        "script-src": "'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": f"'self' data: blob:{store}",
        "media-src": f"'self' data: blob:{store}",
        "font-src": "'self' data:",
        "connect-src": f"'self' data: blob:{store}",
        "worker-src": "'self' blob:",
        "frame-src": "'self'",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'self'",
    }
    headers = {
        "content-security-policy": "; ".join(f"{name} {what}" for name, what in rules.items()),
        "x-content-type-options": "nosniff",
        "x-frame-options": "SAMEORIGIN",
        # Addresses of videos carry tokens; no other site is told where somebody came from.
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    }
    if bench.settings.public_url.startswith("https://"):
        headers["strict-transport-security"] = f"max-age={_YEAR_SECONDS}"
    return headers
