"""An OpenID Connect provider on this machine, for tests and for trying out roles: it believes you.

Speaks the code flow (OpenID Connect Core 1.0, section 3.1) as far as a workbench needs it. The page
that asks for a password elsewhere asks for a name here, so it is for this machine only:

    python -m prismata.testing.oidc --port 9000
"""

from __future__ import annotations

import argparse
import html
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "prismata"
CLIENT_SECRET = "believes-you"  # noqa: S105 - of a provider that checks no password either
METADATA_PATH = "/.well-known/openid-configuration"


class OidcProvider:
    """The provider; `url` is its issuer.

    Args:
        port: Of this machine; 0 = any that is free.
    """

    def __init__(self, port: int = 0) -> None:
        self._key = RSAKey.generate_key(2048, parameters={"kid": "only", "alg": "RS256"})
        self._codes: dict[str, dict[str, Any]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider._get(self)

            def do_POST(self) -> None:
                provider._post(self)

            def log_message(self, *arguments: object) -> None:
                del arguments

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def serve(self) -> None:
        """Answer until `close` is called from another thread."""
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()

    def _get(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == METADATA_PATH:
            _answer_json(request, self._metadata())
        elif parts.path == "/jwks":
            _answer_json(request, {"keys": [self._key.as_dict(private=False)]})
        elif parts.path == "/authorize" and "as" not in asked:
            _answer(request, 200, _page(asked), "text/html; charset=utf-8")
        elif parts.path == "/authorize":
            code = secrets.token_urlsafe(16)
            self._codes[code] = asked
            back = urlencode({"code": code, "state": asked.get("state", "")})
            request.send_response(302)
            request.send_header("Location", f"{asked['redirect_uri']}?{back}")
            request.end_headers()
        elif parts.path == "/logout":
            request.send_response(302)
            request.send_header("Location", asked.get("post_logout_redirect_uri", "/"))
            request.end_headers()
        else:
            _answer(request, 404, "there is no such page", "text/plain")

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        sent = request.rfile.read(int(request.headers.get("Content-Length", "0"))).decode()
        asked = {name: values[0] for name, values in parse_qs(sent).items()}
        told = self._codes.pop(asked.get("code", ""), None)
        if request.path != "/token" or told is None:
            _answer_json(request, {"error": "invalid_grant"}, 400)
            return
        now = int(time.time())
        name = told["as"]
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "sub": f"id-{name}",
            "email": name,
            "email_verified": told.get("verified", "yes") == "yes",
            "name": name.partition("@")[0].title(),
            "nonce": told.get("nonce", ""),
            "iat": now,
            "exp": now + 3600,
        }
        token = jwt.encode({"alg": "RS256", "kid": "only"}, claims, self._key)
        _answer_json(
            request,
            {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "id_token": token},
        )

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "end_session_endpoint": f"{self.url}/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }


@contextmanager
def running_provider(port: int = 0) -> Iterator[OidcProvider]:
    """Run a provider beside the caller."""
    provider = OidcProvider(port)
    thread = threading.Thread(target=provider.serve, name="oidc-provider", daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.close()
        thread.join()


def _page(asked: dict[str, str]) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in asked.items()
    )
    return (
        "<!doctype html><title>Sign in</title><h1>Who are you?</h1>"
        f'<form action="/authorize">{hidden}<label>E-mail <input name="as" type="email" required>'
        "</label> <button>Sign in</button></form>"
    )


def _answer_json(request: BaseHTTPRequestHandler, told: dict[str, Any], status: int = 200) -> None:
    _answer(request, status, json.dumps(told), "application/json")


def _answer(request: BaseHTTPRequestHandler, status: int, text: str, kind: str) -> None:
    content = text.encode()
    request.send_response(status)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    request.wfile.write(content)


def main() -> None:
    """Run until Ctrl-C."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--port", type=int, default=9000)
    provider = OidcProvider(parser.parse_args().port)
    print(  # noqa: T201 - a program for the terminal
        f"PRISMATA_OIDC_METADATA_URL={provider.url}{METADATA_PATH}\n"
        f"PRISMATA_OIDC_CLIENT_ID={CLIENT_ID}\nPRISMATA_OIDC_CLIENT_SECRET={CLIENT_SECRET}",
        flush=True,
    )
    provider.serve()


if __name__ == "__main__":
    main()
