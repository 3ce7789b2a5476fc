"""What a domain tells annotators over HTTP: pictures of its guide, and remarks about labels."""

from urllib.parse import quote

import pytest

from prismata.catalog import EventDraft
from prismata.core.events import Event
from prismata.domains import DomainRegistry
from prismata.services.access import mint_token
from prismata.wiring import open_workbench

SECRET = b"s" * 32
JPEG = b"\xff\xd8\xff\xe0 a picture"

PLUGIN = """
from prismata.domains import *

@register_domain
class Flashes(Domain):
    name = "flashes"
    event_types = (EventType("flash"), EventType("dark", "segment", max_seconds=1))

    def review(self, events):
        if len(events) == 3:
            raise RuntimeError("three")
        return ()
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "own" / "flashes"
    (folder / "guide").mkdir(parents=True)
    (folder / "domain.py").write_text(PLUGIN)
    (folder / "secret.jpg").write_bytes(JPEG)
    (folder / "guide" / "flash-first frame.jpg").write_bytes(JPEG)
    (folder / "guide" / "flash.svg").write_text("<svg onload='alert(1)'/>")
    (folder / "guide" / "flash.png").write_text("<script>alert(1)</script>")
    (folder / "guide" / "flash-link.jpg").symlink_to(folder / "secret.jpg")
    return folder


@pytest.fixture
def bench(settings, folder):
    DomainRegistry.clear()
    own = settings.model_copy(update={"domains_dirs": str(folder.parent)})
    with open_workbench(own) as opened:
        yield opened


def guide(client, name, *, domain="flashes", signed_for="flashes"):
    token = mint_token(SECRET, "guide", signed_for)
    return client.get(f"/api/guide/{domain}/{quote(name, safe='')}?token={token}")


def test_a_picture_is_sent_as_what_it_is_and_nothing_may_run_in_it(client):
    answer = guide(client, "flash-first frame.jpg")
    assert (answer.status_code, answer.content) == (200, JPEG)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'"


@pytest.mark.parametrize(
    "name",
    [
        "flash.svg",
        "flash.png",
        "flash-link.jpg",
        "secret.jpg",
        "../secret.jpg",
        "..%2Fsecret.jpg",
        "../domain.py",
        "/etc/passwd",
        "flash.jpg",
    ],
)
def test_nothing_else_of_the_folder_or_the_machine_is_sent(client, name):
    assert guide(client, name).status_code == 404


def test_pictures_need_the_permission_for_their_own_domain(client):
    assert guide(client, "flash-first frame.jpg", signed_for="falls").status_code == 403
    assert client.get("/api/guide/flashes/flash-first frame.jpg").status_code == 403
    assert guide(client, "x.jpg", domain="gone", signed_for="gone").status_code == 404


@pytest.fixture
def remarks(client, video):
    def ask(user="anna", signed_for="anna"):
        subject = f"{video.id}/flashes/{signed_for}"
        headers = {
            "x-prismata-token": mint_token(SECRET, "labels", subject),
            "x-prismata-user": user,
        }
        return client.get(f"/api/labels/{video.id}/flashes/remarks", headers=headers)

    return ask


def add(bench, video, *events):
    drafts = [EventDraft(event) for event in events]
    return bench.catalog.events.add_annotations(video.id, "flashes", 1, drafts, "anna")


def test_remarks_come_with_the_label_they_are_about(bench, video, remarks):
    assert remarks().json() == {"remarks": [], "more": 0, "failure": None}
    (dark,) = add(bench, video, Event.segment("dark", 500_000, 2_000_000))
    assert remarks().json()["remarks"] == [
        {
            "sentence": "'Dark' at 0:00.500 lasts 1.5 s, more than 1 s",
            "event_id": dark.id,
            "event_type": "dark",
            "start_us": 500_000,
            "end_us": 2_000_000,
        }
    ]
    assert remarks(signed_for="eve").status_code == 403


def test_a_broken_review_hook_is_told_beside_what_the_rules_say(bench, video, remarks):
    add(bench, video, *(Event.segment("dark", n, n + 2_000_000) for n in range(3)))
    told = remarks().json()
    assert len(told["remarks"]) == 3
    assert told["failure"] == (
        "the review hook of domain 'flashes' failed: RuntimeError: three "
        "(flashes/domain.py, line 11)"
    )


def test_one_answer_holds_so_many_remarks_and_says_how_many_more(bench, video, remarks):
    add(bench, video, *(Event.segment("dark", n, n + 2_000_000) for n in range(203)))
    told = remarks().json()
    assert (len(told["remarks"]), told["more"]) == (200, 3)
