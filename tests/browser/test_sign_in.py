"""Signing in with a provider, as people do: what each role sees, may do, and is told."""

import json
import re
import subprocess

import pytest
from playwright.sync_api import expect

from prismata.api.media import MAX_RANGE_BYTES
from prismata.api.rules import RULES
from prismata.cli.main import run_command
from prismata.services.ingest import ingest_file
from prismata.services.people import set_role
from prismata.testing.oidc import CLIENT_ID, CLIENT_SECRET, METADATA_PATH, running_provider

ADMIN, VERA = "anna@example.com", "vera@example.com"
CLOSED = [rule for rule in RULES.values() if rule.needs is not None][1:]  # but how a job stands
READY = ".frame-of-station[data-ready=true]"


@pytest.fixture(scope="module")
def provider():
    with running_provider() as running:
        yield running


@pytest.fixture
def settings(settings, provider, monkeypatch):
    """A workbench where people sign in."""
    chosen = {
        "login": "oidc",
        "oidc_metadata_url": provider.url + METADATA_PATH,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "admins": ADMIN,
    }
    for name, value in chosen.items():
        monkeypatch.setenv(f"PRISMATA_{name.upper()}", value)
    monkeypatch.setenv("PRISMATA_PUBLIC_URL", "")  # each server of a test fills in its own
    return settings


@pytest.fixture
def visit(browser, server):
    """Open pages as different people."""
    contexts = []

    def visited(who, path="/"):
        context = browser.new_context(viewport={"width": 1440, "height": 1000})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(server.url + path)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("E-mail").fill(who)
        page.get_by_role("button", name="Sign in").click()
        return page

    yield visited
    for context in contexts:
        context.close()


def test_an_administrator_gives_a_role_to_who_signed_in_and_takes_it_again(
    visit, server, bench, video
):
    vera = visit(VERA, f"/?domain=flashes&video={video.id}")
    vera.get_by_text("You are signed in, but may do nothing yet").wait_for()
    anna = visit(ADMIN)
    anna.get_by_role("link", name="Label").first.wait_for()
    anna.goto(f"{server.url}/people")
    anna.get_by_text("1 waiting for a role.").wait_for()
    anna.get_by_role("textbox", name="Name at the identity provider").fill(VERA)
    anna.get_by_role("button", name="Give this role").click()
    anna.get_by_text(f"{VERA} is annotator now.").wait_for()
    vera.locator(READY).wait_for()  # her page has waited
    vera.keyboard.press("f")
    vera.locator(".saved[data-state=saved]").wait_for()
    (label,) = [
        item
        for item in bench.catalog.events.list(video_id=video.id, origin="annotation")
        if item.author == VERA
    ]
    assert label.event.event_type == "flash"
    bench.catalog.people.remove(VERA, keep_an_admin=False)
    vera.wait_for_timeout(1500)  # what a role may do is looked up once a second
    vera.keyboard.press("ArrowRight")
    vera.keyboard.press("f")
    vera.get_by_text("You are signed in, but may do nothing yet").wait_for()
    kept = bench.catalog.events.list(video_id=video.id, origin="annotation")
    assert [item.id for item in kept if item.author == VERA] == [label.id]
    anna.reload()
    anna.get_by_role("tab", name="Who did what").click()
    told = [(item.person, item.action) for item in bench.catalog.deeds.list()]
    assert (ADMIN, "set_role") in told
    assert {(VERA, "sign_in"), (ADMIN, "sign_in")} <= set(told)


def test_a_viewer_looks_and_changes_nothing(visit, server, bench, video, add_bundle):
    set_role(bench, "tester", VERA, "viewer")
    model = add_bundle()
    before = len(bench.catalog.events.list(video_id=video.id))
    page = visit(VERA, f"/?domain=flashes&video={video.id}")
    page.get_by_text("You may look here; labelling takes the role of annotator").wait_for()
    expect(page.locator("video")).to_be_visible()
    assert page.locator(READY).count() == 0
    page.get_by_role("link", name="Train").click()
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()
    page.get_by_role("link", name="Analyze").click()
    expect(page.get_by_role("button", name="Run detection")).to_be_disabled()
    page.goto(f"{server.url}/library")
    page.get_by_text("Adding videos takes the role of annotator").wait_for()
    page.goto(f"{server.url}/account")
    page.get_by_text("You may look at videos").wait_for()
    # A page that was left open, or somebody who writes requests by hand, gets no further.
    status = page.evaluate(
        """async (video) => (await fetch(`/api/labels/${video}/flashes/ops`, {
          method: "POST", body: JSON.stringify({since: 0, ops: []}) })).status""",
        video.id,
    )
    assert status == 403
    assert len(bench.catalog.events.list(video_id=video.id)) == before
    assert bench.catalog.detections.list(model_id=model.id) == []


def test_who_signs_out_is_out(visit, server):
    page = visit(ADMIN)
    page.get_by_role("link", name="Label").first.wait_for()
    page.goto(f"{server.url}/people")
    assert page.request.get(f"{server.url}/api/jobs/{'0' * 32}").status == 404
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").wait_for()
    assert page.request.get(f"{server.url}/api/jobs/{'0' * 32}").status == 403


def test_the_doctor_finds_everything_closed(server, settings, monkeypatch, capsys):
    monkeypatch.setenv("PRISMATA_PORT", str(server.port))
    monkeypatch.setenv("PRISMATA_DATA_DIR", str(settings.data_dir))
    assert run_command(["doctor", "--security", "--json"]) == 0
    told = {part["part"]: part for part in json.loads(capsys.readouterr().out)["parts"]}
    assert told["running"]["verdict"] == "ok", told["running"]
    assert f"{len(CLOSED)} routes answer nobody" in told["running"]["message"]
    assert told["provider"]["verdict"] == "ok"
    assert ADMIN in told["administrators"]["message"]


class TestPermissionsThatRunOut:
    """Nobody notices that what a page was handed is good for a few seconds only."""

    @pytest.fixture
    def settings(self, settings, monkeypatch):
        monkeypatch.setenv("PRISMATA_PERMISSION_SECONDS", "8")
        return settings

    @pytest.fixture
    def large_video(self, bench, tmp_path):
        """Too large to be fetched at once: noise that no codec makes small."""
        path = tmp_path / "noise.mp4"
        source = "testsrc2=size=320x180:rate=25:duration=60,noise=alls=60:allf=t"
        coded = "-c:v libx264 -preset ultrafast -crf 1 -g 25 -pix_fmt yuv420p -movflags +faststart"
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *coded.split(), str(path)]
        subprocess.run(command, check=True)
        assert path.stat().st_size > 10 * MAX_RANGE_BYTES
        return ingest_file(bench, path, domain="flashes").video

    def test_the_player_gets_a_new_one_and_keeps_its_place(self, visit, server, bench, large_video):
        page = visit(ADMIN, f"/?domain=flashes&video={large_video.id}")
        asked = []
        page.on(
            "response",
            lambda answer: (
                asked.append((answer.status, answer.url.rpartition("token=")[2]))
                if f"/api/video/{large_video.id}?" in answer.url
                else None
            ),
        )
        show = page.locator(".frame.exact")
        page.locator(READY).wait_for()
        for number in range(1, 6):
            page.keyboard.press("ArrowRight")
            show.filter(has_text=re.compile(rf"frame {number}$")).wait_for()
        page.wait_for_timeout(9000)
        show.filter(has_text=re.compile(r"frame 5$")).wait_for()
        page.keyboard.press("End")
        show.filter(has_text=re.compile(r"frame 1499$")).wait_for()
        page.keyboard.press("f")
        page.locator(".saved[data-state=saved]").wait_for()
        assert len({token for status, token in asked if status == 206}) > 1, "it got a new one"
        (label,) = bench.catalog.events.list(video_id=large_video.id)
        assert label.event.start_us == 59_960_000
