"""`prismata labels check`, as a person types it."""

import pytest

from prismata.catalog import open_catalog
from prismata.core.events import Event
from prismata.domains import DomainRegistry

DOMAIN = "ball_throw"


@pytest.fixture
def catalog(prismata, settings, flashes):
    assert prismata("ingest", flashes.path).code == 0
    with open_catalog(settings.catalog_url) as opened:
        yield opened


def add(catalog, *events):
    (video,) = catalog.videos.list()
    catalog.events.add_annotations(video.id, DOMAIN, 1, list(events), "anna")


def test_it_lists_what_is_worth_a_second_look_and_where(prismata, catalog):
    add(catalog, Event.point("release", 1_000_000), Event.segment("flight", 2_000_000, 2_500_000))
    answer = prismata("labels", "check", "--domain", DOMAIN)
    assert answer.code == 0
    assert "2 worth a second look" in answer.out
    assert "'Release' at 0:01.000 has no 'Flight' within 0.1 s of its start" in answer.out
    told = prismata("labels", "check", "--domain", DOMAIN, "--json").json
    assert (told["videos"], told["labels"], told["failures"]) == (1, 2, [])
    assert [(item["video"], item["start_us"]) for item in told["remarks"]] == [
        ("flashes.mp4", 1_000_000),
        ("flashes.mp4", 2_000_000),
    ]


def test_labels_that_keep_every_rule_are_said_to(prismata, catalog):
    add(catalog, Event.point("release", 1_000_000), Event.segment("flight", 1_000_000, 2_500_000))
    answer = prismata("labels", "check", "--domain", DOMAIN, "--video", "flashes.mp4")
    assert answer.code == 0
    assert answer.out == "2 labels in 1 videos: nothing looks wrong\n"


def test_a_review_hook_that_fails_is_told_and_the_command_fails(prismata, catalog, monkeypatch):
    add(catalog, Event.point("release", 1_000_000))
    prismata("domains", "list")
    kind = type(DomainRegistry.get(DOMAIN))

    def review(self, events):
        raise LookupError("nobody")

    discover = DomainRegistry.discover

    def discovered(*args, **kwargs):
        found = discover(*args, **kwargs)
        type(DomainRegistry.get(DOMAIN)).review = review
        return found

    assert kind.review is not review
    monkeypatch.setattr(DomainRegistry, "discover", discovered)
    answer = prismata("labels", "check", "--domain", DOMAIN)
    assert answer.code == 1
    assert "1 worth a second look" in answer.out
    assert "the review hook of domain 'ball_throw' failed: LookupError: nobody" in answer.err
    assert prismata("labels", "check", "--domain", "tennis").code != 0
