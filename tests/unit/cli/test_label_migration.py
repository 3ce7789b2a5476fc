"""`prismata labels migrate`, as a person types it."""

import pytest

from prismata.catalog import open_catalog
from prismata.core.events import Event

DOMAIN = "ball_throw"


@pytest.fixture
def catalog(prismata, settings, flashes):
    assert prismata("ingest", flashes.path).code == 0
    with open_catalog(settings.catalog_url) as opened:
        (video,) = opened.videos.list()
        labels = [
            Event.point("throw", 100),
            Event.point("throw", 200),
            Event.segment("pause", 300, 400),
        ]
        opened.events.add_annotations(video.id, DOMAIN, 1, labels, "anna")
        yield opened


def event_types(catalog):
    return [item.event.event_type for item in catalog.events.list(domain=DOMAIN)]


def test_without_rules_it_lists_what_the_domain_does_not_declare(prismata, catalog):
    answer = prismata("labels", "migrate", DOMAIN)
    assert answer.code == 0
    assert answer.out.splitlines() == [
        "1 segment 'pause' in 1 video: the domain has no such event type",
        "2 points 'throw' in 1 video: the domain has no such event type",
    ]
    assert "--rename OLD=NEW or --retire OLD" in answer.err
    found = prismata("labels", "migrate", DOMAIN, "--json").json["undeclared"]
    assert [(item["event_type"], item["count"]) for item in found] == [("pause", 1), ("throw", 2)]


def test_a_dry_run_shows_and_apply_does_it(prismata, catalog):
    asked = ("labels", "migrate", DOMAIN, "--rename", "throw=release", "--retire", "pause")
    answer = prismata(*asked)
    assert answer.code == 0
    assert "2 labels renamed, 1 label retired" in answer.out
    assert "Nothing was written" in answer.err
    assert sorted(event_types(catalog)) == ["pause", "throw", "throw"]
    done = prismata(*asked, "--apply", "--json").json
    assert (done["applied"], done["changed"]) == (True, 3)
    assert event_types(catalog) == ["release", "release"]
    assert "declares the event type of each" in prismata("labels", "migrate", DOMAIN).err


def test_points_that_become_segments_need_a_length(prismata, catalog):
    asked = ("labels", "migrate", DOMAIN, "--rename", "throw=flight")
    refused = prismata(*asked)
    assert refused.code != 0
    assert "say how long with --length SECONDS" in refused.err
    assert prismata(*asked, "--length", "0.5", "--apply").code == 0
    flights = [item.event for item in catalog.events.list(domain=DOMAIN)][:2]
    assert flights[0] == Event.segment("flight", 100, 500_100)


def test_a_rule_without_an_equals_sign_is_refused(prismata, catalog):
    answer = prismata("labels", "migrate", DOMAIN, "--rename", "throw")
    assert answer.code != 0
    assert "--rename takes NAME=VALUE, not 'throw'" in answer.err
