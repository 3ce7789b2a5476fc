"""What `prismata doctor --security` finds, in settings and by asking."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from prismata.services.people import set_role
from prismata.services.running_workbench import RouteProbe
from prismata.services.security import check_security
from prismata.storage.s3 import S3Storage
from prismata.testing.oidc import METADATA_PATH, running_provider
from prismata.testing.s3_server import TEST_CREDENTIALS, LocalS3Server

TEAM = {
    "login": "oidc",
    "public_url": "https://prismata.example.com",
    "oidc_client_id": "prismata",
    "oidc_client_secret": "s" * 20,
    "oidc_metadata_url": "http://127.0.0.1:1/nobody",
    "login_secret": "x" * 32,
}
CLOSED = [RouteProbe("GET", "/api/video/{video_id}"), RouteProbe("POST", "/api/queue")]


@pytest.fixture
def find(settings):
    """Check with some settings changed; return one finding."""

    def found(part, routes=(), **changed):
        chosen = settings.model_validate(settings.model_dump() | changed, strict=False)
        (one,) = [item for item in check_security(chosen, list(routes)) if item.part == part]
        return one.verdict, one.message

    return found


@contextmanager
def answering(respond):
    """A server that answers as `respond(method, path, headers)` says: status and headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers = respond(self.command, self.path, self.headers)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - the name that the library looks for

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


SAFE = {"Content-Security-Policy": "x", "X-Content-Type-Options": "x", "Referrer-Policy": "x"}


def well_kept(method, path, headers):
    if path == "/api/health":
        return 200, SAFE
    if "not-this-workbench" in headers["Host"]:
        return 421, SAFE
    return 403, SAFE


@pytest.mark.parametrize(
    ("part", "changed", "verdict", "words"),
    [
        ("who may come", {}, "ok", "only programs of this machine"),
        ("who may come", {"host": "10.0.0.7"}, "error", "whoever reaches 10.0.0.7"),
        ("who may come", {"host": "10.0.0.7", **TEAM}, "ok", "newcomers are given: none"),
        ("login", {"login": "oidc"}, "error", "PRISMATA_PUBLIC_URL and PRISMATA_OIDC_METADATA_URL"),
        ("login", TEAM | {"login_secret": "short"}, "error", "fewer than 32 characters"),
        ("login", TEAM | {"login_secret": ""}, "degraded", "signs everybody out"),
        ("login", TEAM, "ok", "everything"),
        ("provider", {}, "ok", "not asked"),
        ("provider", TEAM, "error", "does not describe itself"),
        ("administrators", TEAM, "error", "nobody may say who may do what"),
        ("administrators", TEAM | {"admins": "a@b.c, d@e.f"}, "ok", "a@b.c, d@e.f"),
        ("transport", {}, "ok", "nothing leaves"),
        ("transport", {"host": "10.0.0.7"}, "degraded", "any host"),
        ("transport", TEAM, "ok", "stay with https"),
        ("transport", TEAM | {"public_url": "http://box.lan"}, "error", "not encrypted"),
        ("database", {"database_url": "postgresql://u:p@db.lan/x"}, "degraded", "verify-full"),
        (
            "database",
            {"database_url": "postgresql://u@db.lan/x?sslmode=require"},
            "ok",
            "encrypted",
        ),
        ("page sources", {}, "ok", "anywhere on this machine"),
        ("page sources", TEAM, "ok", "nowhere but uploads"),
        ("page sources", {"page_sources": "/videos, /"}, "error", "read everything"),
        ("webhook", {"webhook_url": "http://hook.lan/x"}, "degraded", "not encrypted"),
        ("webhook", {"webhook_url": "https://hook.lan/x"}, "degraded", "PRISMATA_WEBHOOK_SECRET"),
        ("storage", {}, "ok", "nobody but this machine"),
        ("running", {}, "degraded", "not asked"),
    ],
)
def test_what_the_settings_say_is_judged(find, part, changed, verdict, words):
    found = find(part, **changed)
    assert found[0] == verdict, found
    assert words in found[1]


def test_an_administrator_of_the_catalog_counts(find, bench):
    set_role(bench, "tester", "anna@example.com", "admin")
    assert find("administrators", **TEAM) == ("ok", "anna@example.com")


def test_what_every_user_of_the_machine_may_write_is_found(find, settings):
    assert find("files")[0] == "ok"
    settings.data_dir.chmod(0o777)
    verdict, told = find("files")
    assert verdict == "error"
    assert str(settings.data_dir) in told


def test_old_packages_are_named(find, monkeypatch):
    assert find("versions")[0] == "ok"
    monkeypatch.setattr("prismata.services.security.version", lambda name: "1.2.3+cpu")
    verdict, told = find("versions")
    assert verdict == "error"
    assert "torch 1.2.3+cpu (at least 2.10)" in told


def test_a_provider_is_really_asked(find):
    with running_provider() as provider:
        verdict, told = find(
            "provider", **TEAM | {"oidc_metadata_url": provider.url + METADATA_PATH}
        )
        assert verdict == "ok"
        assert "1 keys" in told
        verdict, told = find("provider", **TEAM | {"oidc_metadata_url": provider.url + "/other"})
        assert verdict == "error"


def test_a_running_workbench_is_asked_as_a_stranger_would(find):
    with answering(well_kept) as port:
        verdict, told = find("running", CLOSED, port=port)
    assert verdict == "ok", told
    assert "2 routes answer nobody" in told


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda m, p, h: (200, SAFE), "GET /api/video/{video_id} answered 200 to nobody"),
        (
            lambda m, p, h: (200, SAFE) if m == "POST" and "Origin" in h else well_kept(m, p, h),
            "a request of another site was answered with 200",
        ),
        (
            lambda m, p, h: (200, SAFE) if p == "/" else well_kept(m, p, h),
            "a request for another host was answered with 200",
        ),
        (lambda m, p, h: (well_kept(m, p, h)[0], {}), "lack the header content-security-policy"),
    ],
)
def test_a_workbench_that_opens_to_strangers_is_found_out(find, broken, words):
    with answering(broken) as port:
        verdict, told = find("running", CLOSED, port=port)
    assert verdict == "error"
    assert words in told


def test_a_workbench_that_does_not_run_was_not_asked(find):
    verdict, told = find("running", CLOSED, port=1)
    assert verdict == "degraded"
    assert "nothing was asked" in told


@pytest.mark.s3
def test_the_bucket_is_read_without_a_signature(find, monkeypatch):
    for name, value in TEST_CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with LocalS3Server().running() as store:
        chosen = {
            "storage_backend": "s3",
            "s3_bucket": store.make_bucket(),
            "s3_endpoint_url": store.endpoint_url,
        }
        verdict, told = find("storage", **chosen)
        assert (verdict, told) == (
            "ok",
            f"{chosen['s3_bucket']}: an object opens with a signature and not without",
        )

        def put_for_all(storage, key, content):
            storage._client.put_object(
                Bucket=storage.bucket, Key=storage._name(key), Body=content, ACL="public-read"
            )

        monkeypatch.setattr(S3Storage, "put", put_for_all)
        verdict, told = find("storage", **chosen)
        assert verdict == "error"
        assert "block public access" in told
