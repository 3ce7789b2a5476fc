"""Security: what of it really holds, found out by trying, not by reading the settings alone."""

from __future__ import annotations

import json
import os
import stat
import urllib.error
import urllib.request
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from prismata.catalog import open_catalog
from prismata.core.errors import UserError
from prismata.services.findings import Finding, PartHealth, run_checks
from prismata.services.people import check_login
from prismata.services.running_workbench import RouteProbe, WorkbenchProbe
from prismata.services.source_access import page_sources
from prismata.settings import LOOPBACK_HOSTS, Settings
from prismata.storage import open_storage

LOWEST_VERSIONS = {
    "torch": (2, 10),
    "onnx": (1, 21),
    "streamlit": (1, 61),
    "starlette": (1, 0),
}
"""Below these a crafted file or request does harm: CVE-2025-32434 and CVE-2026-24747 (torch loads
code from checkpoints), CVE-2026-34445 (onnx reads files outside of a model), CVE-2025-1684 and
`disabled` that only browsers heeded (streamlit)."""

_TIMEOUT_SECONDS = 5.0


def check_security(settings: Settings, routes: list[RouteProbe]) -> list[PartHealth]:
    """Check everything that keeps strangers out, each on its own.

    Args:
        settings: As the workbench has them.
        routes: What a running workbench is asked as nobody; empty = it is not asked.
    """
    return run_checks(
        settings,
        {
            "who may come": _who_may_come,
            "login": _login,
            "provider": _provider,
            "administrators": _administrators,
            "transport": _transport,
            "running": WorkbenchProbe(routes).check,
            "user": _user,
            "files": _files,
            "database": _database,
            "storage": _storage,
            "page sources": _page_sources,
            "webhook": _webhook,
            "versions": _versions,
        },
    )


def _who_may_come(settings: Settings) -> Finding:
    if settings.login != "none":
        return "ok", f"people sign in; newcomers are given: {settings.newcomer_role}"
    if settings.is_local_only:
        return "ok", f"only programs of this machine reach {settings.host}; nobody signs in"
    return "error", (
        f"whoever reaches {settings.host}:{settings.port} may do everything; set PRISMATA_LOGIN, "
        "or be sure that something before it asks who comes"
    )


def _login(settings: Settings) -> Finding:
    if settings.login == "none":
        return "ok", "nobody has to sign in, so there is nothing to be set"
    check_login(settings)
    if not settings.login_secret.get_secret_value():
        return "degraded", (
            "PRISMATA_LOGIN_SECRET is not set: a restart signs everybody out; make one with "
            "`openssl rand -hex 32`"
        )
    return "ok", "everything that signing in takes is set"


def _provider(settings: Settings) -> Finding:
    if settings.login == "none":
        return "ok", "not asked: nobody signs in"
    url = settings.oidc_metadata_url
    try:
        told = _get_json(url)
        keys = _get_json(str(told.get("jwks_uri", ""))).get("keys")
    except (OSError, ValueError) as error:
        return "error", f"the provider does not describe itself at {url}: {error}"
    lacks = [
        name
        for name in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
        if not told.get(name)
    ]
    if lacks or not keys:
        return "error", f"what the provider tells at {url} lacks {', '.join([*lacks, 'keys'][:3])}"
    if not url.startswith("https://") and not _is_here(url):
        return "error", f"the provider is asked over {url}, which anybody between can change"
    pkce = "S256" in (told.get("code_challenge_methods_supported") or [])
    words = "with" if pkce else "without"
    return "ok", f"{told['issuer']} answers with {len(keys)} keys; codes are exchanged {words} PKCE"


def _administrators(settings: Settings) -> Finding:
    if settings.login == "none":
        return "ok", "everybody is one: nobody signs in"
    catalog = open_catalog(settings.catalog_url, migrate=False)
    try:
        people = catalog.people.list()
    finally:
        catalog.close()
    named = sorted({p.name for p in people if p.role == "admin"} | settings.admin_names)
    if not named:
        return "error", (
            "nobody may say who may do what; name somebody with `prismata people set NAME admin` "
            "or in PRISMATA_ADMINS"
        )
    return "ok", ", ".join(named)


def _transport(settings: Settings) -> Finding:
    url = settings.public_url
    if not url:
        if settings.is_local_only:
            return "ok", "nothing leaves this machine"
        return "degraded", (
            "PRISMATA_PUBLIC_URL is not set, so requests for any host are answered and browsers "
            "are not told to stay with https"
        )
    if url.startswith("https://"):
        return "ok", f"{url}; browsers are told to stay with https"
    if _is_here(url):
        return "ok", f"{url} is this machine"
    return (
        "error",
        f"{url} is not encrypted: who is signed in can be read and taken over on the way",
    )


def _user(settings: Settings) -> Finding:
    del settings
    if os.name == "posix" and os.geteuid() == 0:
        return "degraded", (
            "this runs as root, so a fault in a decoder could change the machine; run it as a user "
            "of its own"
        )
    return "ok", "an ordinary user"


def _files(settings: Settings) -> Finding:
    open_to_all = []
    for path in (settings.data_dir, settings.data_dir / "prismata.db", *settings.domain_folders):
        if path.exists():
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                open_to_all.append(str(path))
    if open_to_all:
        return "error", (
            f"every user of this machine may write {', '.join(open_to_all)}, and plugins are run; "
            "take it with `chmod o-w`"
        )
    if not settings.data_dir.exists():
        return "ok", f"{settings.data_dir} is not there yet"
    mode = stat.S_IMODE(settings.data_dir.stat().st_mode)
    if mode & (stat.S_IROTH | stat.S_IXOTH) and settings.login != "none":
        return "degraded", (
            f"every user of this machine may read {settings.data_dir} (mode {mode:o}); `chmod "
            "o-rwx` if others work here"
        )
    return "ok", f"nobody else may write {settings.data_dir} or plugins"


def _database(settings: Settings) -> Finding:
    url = urlsplit(settings.catalog_url)
    if url.scheme.startswith("sqlite"):
        return "ok", "a file of this machine"
    if _is_here(settings.catalog_url):
        return "ok", "a database of this machine"
    if any(word in url.query for word in ("sslmode=require", "sslmode=verify")):
        return "ok", f"{url.hostname}, encrypted ({url.query})"
    return "degraded", (
        f"the connection to {url.hostname} may be unencrypted; add ?sslmode=verify-full to "
        "PRISMATA_DATABASE_URL"
    )


def _storage(settings: Settings) -> Finding:
    if settings.storage_backend != "s3":
        return "ok", f"{settings.storage_backend}: nobody but this machine reads it"
    storage = open_storage(settings)
    key = f"health/{uuid4().hex}.txt"
    try:
        storage.put(key, b"for nobody")
        signed = storage.url_for(key, expires_seconds=60) or ""
        plain = signed.partition("?")[0]
        if _opens(plain):
            return "error", (
                f"anybody may read {plain.rpartition('/')[0]}; block public access to the bucket"
            )
        if not _opens(signed):
            return "degraded", "a signed address of the store does not open from here"
    finally:
        storage.delete(key)
        storage.close()
    if settings.s3_endpoint_url.startswith("http://") and not _is_here(settings.s3_endpoint_url):
        return "error", f"{settings.s3_endpoint_url} is not encrypted; use https"
    return (
        "ok",
        f"{settings.s3_bucket}: an object opens with a signature and not without",
    )


def _page_sources(settings: Settings) -> Finding:
    allowed = page_sources(settings)
    if allowed is None:
        return "ok", "pages may take videos from anywhere on this machine, which has one person"
    if not allowed:
        return "ok", "pages may take videos from nowhere but uploads"
    if any(item in ("/", "s3://") for item in allowed):
        return "error", "PRISMATA_PAGE_SOURCES lets pages read everything; name folders of videos"
    return "ok", f"pages may take videos from {', '.join(allowed)}"


def _webhook(settings: Settings) -> Finding:
    url = settings.webhook_url.get_secret_value()
    if not url:
        return "ok", "none"
    if not url.startswith("https://") and not _is_here(url):
        return "degraded", "the webhook is not encrypted; use https"
    if not settings.webhook_secret.get_secret_value():
        return "degraded", "who gets its messages cannot tell ours; set PRISMATA_WEBHOOK_SECRET"
    return "ok", "encrypted and signed"


def _versions(settings: Settings) -> Finding:
    del settings
    old, found = [], []
    for name, lowest in LOWEST_VERSIONS.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            continue
        numbers = tuple(int(part) for part in installed.split("+")[0].split(".")[:2])
        found.append(f"{name} {installed}")
        if numbers < lowest:
            old.append(f"{name} {installed} (at least {'.'.join(map(str, lowest))})")
    if old:
        return "error", f"known to do harm with crafted files or requests: {', '.join(old)}; update"
    return "ok", ", ".join(found)


def _is_here(url: str) -> bool:
    try:
        return (urlsplit(url).hostname or "") in LOOPBACK_HOSTS
    except ValueError:
        return False


def _get_json(url: str) -> dict[str, Any]:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is no address of the web")
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - checked
        told = json.loads(answer.read(2**20))
    if not isinstance(told, dict):
        raise TypeError("it is not a JSON object")
    return told


def _opens(url: str) -> bool:
    """Whether somebody without credentials gets an object."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the store's
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        return False
    except OSError as error:
        raise UserError(f"the store did not answer a plain request: {error}") from error
