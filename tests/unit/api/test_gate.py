"""The gate: no route answers who may not ask. What is asked is made from the table of routes."""

import re
import warnings
from urllib.parse import quote

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

from prismata.api import create_gate, create_routes
from prismata.api.rules import RULES
from prismata.core.jobs import ResourceClass
from prismata.core.roles import ROLES, is_at_least
from prismata.services.access import mint_token
from prismata.services.ingest import ingest_file
from prismata.services.people import set_role

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", UserWarning)
    from starlette.testclient import TestClient

SECRET = b"s" * 32
ADDRESS = "https://prismata.example.com"
ANNA = "anna@example.com"
TEAM = {
    "login": "oidc",
    "public_url": ADDRESS,
    "oidc_metadata_url": "https://id.example.com/.well-known/openid-configuration",
    "oidc_client_id": "prismata",
    "oidc_client_secret": "s" * 20,
}
ASKED = sorted(RULES)


@pytest.fixture
def settings(settings, request):
    """The settings of a team, unless a test asks for others."""
    return settings.model_validate(
        settings.model_dump() | (getattr(request, "param", None) or TEAM), strict=False
    )


@pytest.fixture
def app(bench):
    """The routes behind the gate, with pages as Streamlit has them; a cookie says who asks."""
    routes = create_routes(bench, SECRET)
    pages = [
        Route("/", lambda _request: PlainTextResponse("page")),
        Route("/media/{name}", lambda _request: PlainTextResponse("table of a page")),
        Route("/_stcore/upload_file/{name}", _taken, methods=["PUT"]),
        Route("/_stcore/agent/mcp", _taken, methods=["POST"]),
        WebSocketRoute("/_stcore/stream", _say_hello),
    ]
    gate = create_gate(bench, routes, lambda cookies: cookies.get("who", ""))
    return Starlette(routes=[*routes, *pages], middleware=[gate])


def _taken(_request):
    return PlainTextResponse("taken")


async def _say_hello(socket):
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


@pytest.fixture
def ask(app):
    """Ask as somebody, from a page of ours unless something else is said."""
    with TestClient(app, base_url=ADDRESS, follow_redirects=False) as client:

        def asked(method, path, who="", **more):
            client.cookies.clear()
            if who:
                client.cookies.set("who", who)
            headers = {"origin": ADDRESS} | more.pop("headers", {})
            # Media elements send no headers of ours, so some routes look into the address.
            if token := headers.get("x-prismata-token"):
                more["params"] = {"token": token}
            return client.request(method, path, headers=headers, **more)

        asked.client = client
        yield asked


@pytest.fixture
def subject(bench, flashes, add_bundle, finished_run):
    """Everything that a path can name."""
    video = ingest_file(bench, flashes.path, domain="flashes").video
    model = add_bundle()
    run = finished_run(video, model, flashes)
    job = bench.catalog.jobs.submit(
        "prepare",
        {},
        author="tester",
        resource_class=ResourceClass.GPU,  # nobody here takes it
    )
    return {
        "video_id": video.id,
        "model_id": model.id,
        "run_id": run.id,
        "job_id": job.id,
        "domain": "flashes",
        "name": "picture.png",
        "upload_id": "0" * 64,
        "sprite": "0",
        "level": "0",
        "index": "0",
    }


def path_of(template, subject):
    return re.sub(r"\{(\w+)(:int)?\}", lambda found: subject[found[1]], template)


def token_for(template, subject, person):
    """What a page signs for this route: scope and subject by the path."""
    start = template.split("/")[2]
    scope, about = {
        "video": ("video", subject["video_id"]),
        "scores": ("video", subject["video_id"]),
        "detections": ("video", subject["video_id"]),
        "labels": ("labels", f"{subject['video_id']}/{subject['domain']}/{person}"),
        "review": ("review", f"{subject['domain']}/{person}"),
        "library": ("library", person),
        "annotator": ("annotator", person),
        "upload": ("upload", ""),
        "uploads": ("upload", ""),
        "model": ("model", subject["model_id"]),
        "guide": ("guide", subject["domain"]),
        "queue": ("queue", ""),
        "jobs": ("queue", ""),
        "health": ("queue", ""),
        "metrics": ("queue", ""),
    }[start]
    return scope, about


def headers_for(template, subject, person, **changed):
    scope, about = token_for(template, subject, person)
    token = mint_token(changed.get("secret", SECRET), scope, changed.get("about", about))
    return {"x-prismata-token": token, "x-prismata-user": person}


def test_every_route_has_a_rule_and_every_rule_a_route(bench):
    routes = {
        (method, route.path)
        for route in create_routes(bench, SECRET)
        for method in route.methods - {"HEAD"}
    }
    assert routes == set(RULES)


def test_nobody_gets_through_without_signing_in(ask, subject):
    for method, template in ASKED:
        headers = headers_for(template, subject, ANNA)
        answer = ask(method, path_of(template, subject), headers=headers)
        if RULES[method, template].needs is None:
            assert "sign in" not in answer.text
        else:
            assert answer.status_code == 403, (method, template)
            assert "sign in" in answer.json()["error"]


@pytest.mark.parametrize("role", [None, *ROLES])
def test_each_role_gets_as_far_as_the_table_says(ask, bench, subject, role):
    person = f"{role}@example.com"
    if role is not None:
        set_role(bench, "tester", person, role)
    for method, template in ASKED:
        needed = RULES[method, template].needs
        path, headers = path_of(template, subject), headers_for(template, subject, person)
        answer = ask(method, path, person, headers=headers)
        if needed is None:
            assert "role of" not in answer.text
        elif is_at_least(role, needed):
            assert answer.status_code != 403, (method, template, answer.text)
        else:
            assert answer.status_code == 403, (method, template)
            assert f"role of {needed}" in answer.json()["error"]


def test_a_role_without_the_permission_for_this_very_thing_opens_nothing(ask, bench, subject):
    set_role(bench, "tester", ANNA, "admin")
    told = {"x-prismata-user": ANNA}
    for method, template in ASKED:
        if template in ("/api/health", "/api/jobs/{job_id}", "/api/metrics"):
            continue  # they tell nothing about videos or people
        path = path_of(template, subject)
        wrong = {
            "none": {},
            "nonsense": {"x-prismata-token": "1.abc"},
            "of another thing": headers_for(template, subject, ANNA, about="another"),
            "of another process": headers_for(template, subject, ANNA, secret=b"t" * 32),
        }
        for what, headers in wrong.items():
            answer = ask(method, path, ANNA, headers=told | headers)
            assert answer.status_code == 403, (method, template, what)
        right = headers_for(template, subject, ANNA)
        assert ask(method, path, ANNA, headers=right).status_code != 403, (method, template)


def test_nothing_is_changed_from_another_site(ask, bench, subject):
    set_role(bench, "tester", ANNA, "admin")
    for method, template in ASKED:
        if method == "GET":
            continue
        path, headers = path_of(template, subject), headers_for(template, subject, ANNA)
        for strange in ("https://evil.example", "null", f"{ADDRESS}.evil.example"):
            answer = ask(method, path, ANNA, headers=headers | {"origin": strange})
            assert answer.status_code == 403, (method, template, strange)
            assert "another site" in answer.json()["error"]
        told = headers | {"sec-fetch-site": "cross-site"}
        assert ask.client.request(method, path, headers=told).status_code == 403


def test_a_permission_of_somebody_else_is_no_use(ask, bench, subject):
    set_role(bench, "tester", ANNA, "annotator")
    set_role(bench, "tester", "bert@example.com", "annotator")
    template = "/api/labels/{video_id}/{domain}"
    stolen = headers_for(template, subject, "bert@example.com")
    answer = ask("GET", path_of(template, subject), ANNA, headers=stolen)
    assert answer.status_code == 403
    assert "somebody else's" in answer.json()["error"]


def test_a_role_that_was_taken_away_ends_though_the_permission_lives(
    ask, bench, subject, monkeypatch
):
    set_role(bench, "tester", ANNA, "annotator")
    template = "/api/video/{video_id}"
    path, headers = path_of(template, subject), headers_for(template, subject, ANNA)
    assert ask("GET", path, ANNA, headers=headers).status_code == 200
    monkeypatch.setattr("prismata.services.people._ASK_AGAIN_SECONDS", 0.0)
    bench.catalog.people.remove(ANNA, keep_an_admin=False)
    assert ask("GET", path, ANNA, headers=headers).status_code == 403


def test_what_people_did_and_were_refused_is_written_down(ask, bench, subject):
    set_role(bench, "tester", ANNA, "viewer")
    headers = headers_for("/api/queue", subject, ANNA)
    change = {"action": "pause", "jobs": ["0" * 32]}
    for _ in range(3):
        assert ask("POST", "/api/queue", ANNA, headers=headers, json=change).status_code == 403
    set_role(bench, "tester", "bert@example.com", "annotator")
    answer = ask(
        "POST",
        "/api/queue",
        "bert@example.com",
        headers=headers | {"x-prismata-user": ""},
        json=change,
    )
    assert answer.status_code == 200
    told = [(d.person, d.action, d.subject, d.outcome) for d in bench.catalog.deeds.list()]
    assert told == [
        ("bert@example.com", "change_queue", "pause: 0 detections", "done"),
        ("tester", "set_role", "bert@example.com: annotator", "done"),
        (ANNA, "change_queue", "/api/queue", "refused"),
        ("tester", "set_role", f"{ANNA}: viewer", "done"),
    ]


def test_an_annotator_leaves_the_detections_of_others_alone(ask, bench, subject):
    set_role(bench, "tester", ANNA, "annotator")
    job = bench.catalog.jobs.submit("detect", {}, author="bert@example.com")
    headers = headers_for("/api/queue", subject, ANNA)
    change = {"action": "pause", "jobs": [job.id]}
    told = ask("POST", "/api/queue", ANNA, headers=headers, json=change).json()
    assert told["done"] == 0
    assert "role of engineer" in told["refused"][0]
    set_role(bench, "tester", "erik@example.com", "engineer")
    told = ask(
        "POST",
        "/api/queue",
        "erik@example.com",
        headers={"x-prismata-token": headers["x-prismata-token"]},
        json=change,
    ).json()
    assert told["done"] == 1


def test_pages_come_to_everybody_but_what_they_hold_does_not(ask, bench):
    assert ask("GET", "/").text == "page"
    assert ask("GET", "/media/table.csv").status_code == 403
    assert ask("PUT", "/_stcore/upload_file/labels.csv").status_code == 403
    set_role(bench, "tester", ANNA, "viewer")
    assert ask("GET", "/media/table.csv", ANNA).text == "table of a page"
    assert ask("PUT", "/_stcore/upload_file/labels.csv", ANNA).status_code == 403
    assert ask("POST", "/_stcore/agent/mcp", ANNA).status_code == 404


def test_a_link_survives_signing_in(ask):
    html = {"accept": "text/html,*/*"}
    asked = ask("GET", "/?domain=flashes&video=1", headers=html)
    name, _, value = asked.headers["set-cookie"].partition("=")
    assert {"HttpOnly", "SameSite=Lax", "Secure"} <= set(value.split("; "))
    ask.client.cookies.set(name, value.partition(";")[0])
    ask.client.cookies.set("who", ANNA)
    back = ask.client.get("/", headers=html)
    assert back.status_code == 303
    assert back.headers["location"].startswith("/?domain=flashes&video=1")
    assert f"{name}=; Max-Age=0" in back.headers["set-cookie"]
    for elsewhere in ("https://evil.example", "//evil.example", "/\\evil.example", "", "x"):
        ask.client.cookies.set(name, quote(elsewhere, safe=""))
        assert ask.client.get("/", headers=html).status_code == 200
    assert "set-cookie" not in ask("GET", "/", headers=html).headers
    assert "set-cookie" not in ask("GET", "/api/queue", headers=html).headers


def test_the_socket_of_the_pages_opens_from_our_pages_only(ask):
    client, path = ask.client, "wss://prismata.example.com/_stcore/stream"
    with client.websocket_connect(path, headers={"origin": ADDRESS}) as socket:
        assert socket.receive_text() == "hello"
    for strange in (
        {"origin": "https://evil.example"},
        {"origin": ADDRESS, "host": "evil.example"},
    ):
        with (
            pytest.raises(WebSocketDisconnect) as closed,
            client.websocket_connect(path, headers=strange),
        ):
            pass
        assert closed.value.code == 1008


@pytest.mark.parametrize("host", ["evil.example", "evil.example:443", "", "us@evil.example"])
def test_other_hosts_are_told_that_they_are_wrong(ask, host):
    for path in ("/", "/api/queue"):
        assert ask("GET", path, headers={"host": host}).status_code == 421
    assert ask("GET", "/api/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["prismata.example.com", "PRISMATA.example.com.", "localhost:8501"]
)
def test_our_own_hosts_are_known(ask, host):
    assert ask("GET", "/", headers={"host": host}).status_code == 200


def test_an_address_that_is_none_of_ours_is_not_a_page(ask):
    assert ask("GET", "/api/secrets").status_code == 404
    assert ask("DELETE", "/api/health").status_code == 405


def test_every_answer_tells_browsers_what_pages_may_do(ask):
    for answer in (ask("GET", "/"), ask("GET", "/api/queue"), ask("GET", "/api/health")):
        told = answer.headers
        assert told["x-content-type-options"] == "nosniff"
        assert told["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'self'" in told["content-security-policy"]
        assert "https:" not in told["content-security-policy"], "all comes from here"
        assert told["strict-transport-security"].startswith("max-age=")


@pytest.mark.parametrize("settings", [TEAM | {"requests_per_minute": 60}], indirect=True)
def test_who_asks_too_much_has_to_wait_and_nobody_else(ask, bench, monkeypatch):
    now = 1000.0
    monkeypatch.setattr("prismata.api.rate.time.monotonic", lambda: now)
    assert [ask("GET", "/", ANNA).status_code for _ in range(11)] == [200] * 10 + [429]
    refused = ask("GET", "/", ANNA)
    assert refused.headers["retry-after"] == "1"
    assert ask("GET", "/", "bert@example.com").status_code == 200
    now += 2.0
    assert [ask("GET", "/", ANNA).status_code for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("settings", [{"login": "none"}], indirect=True)
class TestWithoutLogin:
    """One person on one machine: everything is open, but not to pages of other sites."""

    def test_everything_is_open_to_who_holds_the_permission(self, ask, subject):
        for method, template in ASKED:
            headers = headers_for(template, subject, "Anna") | {"host": "127.0.0.1:8501"}
            headers["origin"] = "http://127.0.0.1:8501"
            answer = ask(method, path_of(template, subject), headers=headers)
            if template != "/api/metrics":
                assert answer.status_code not in (403, 421), (method, template, answer.text)

    def test_nobody_is_counted_who_cannot_be_told_apart(self, ask):
        told = {"host": "localhost"}
        assert {ask("GET", "/", headers=told).status_code for _ in range(1200)} == {200}

    def test_names_that_point_here_from_elsewhere_are_refused(self, ask):
        assert ask("GET", "/", headers={"host": "rebound.example:8501"}).status_code == 421
        assert ask("GET", "/", headers={"host": "[::1]:8501"}).status_code == 200


@pytest.mark.parametrize("settings", [{"login": "none", "host": "10.0.0.7"}], indirect=True)
def test_who_listens_to_all_under_no_name_answers_under_any(ask):
    assert ask("GET", "/", headers={"host": "10.0.0.7:8501"}).status_code == 200
