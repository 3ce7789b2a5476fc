from __future__ import annotations

from dataclasses import asdict

import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.events import Attribute
from prismata.core.presets import PRESETS, find_preset
from prismata.domains import Domain, EventType, IngestOptions, Wording, register_domain
from prismata.training.recipe import Recipe


def declare(**attributes):
    given = {"name": "tennis", "event_types": (EventType("serve"),), **attributes}
    return register_domain(type("Tennis", (Domain,), given))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"preset": "fast"}, "cannot be trained: there is no preset 'fast'; there is first"),
        ({"emphasis": "speed"}, "emphasis = 'speed'; it can be points, segments, recall"),
        ({"emphasis": "segments"}, "but none of its event types is one"),
        ({"ingest": {"always_proxy": True}}, "it must be a IngestOptions"),
        ({"wording": "throws"}, "it must be a Wording"),
        ({"preset": None}, "it must be a str"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused(attributes, message):
    with pytest.raises(InvalidInputError, match=message):
        declare(**attributes)


def test_what_can_be_used_is_taken():
    domain = declare(preset="exact", emphasis="points", ingest=IngestOptions(longest_seconds=60))()
    assert (domain.preset, domain.emphasis, domain.ingest.longest_seconds) == (
        "exact",
        "points",
        60,
    )


@pytest.mark.torch
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_recipe_that_can_be_trained(name):
    assert Recipe.resolved(find_preset(name).recipe).architecture


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"always_proxy": 1}, "always_proxy is yes or no"),
        ({"longest_seconds": 0}, r"must lie in \(0, 86400\]"),
        ({"longest_seconds": "60"}, r"must lie in \(0, 86400\]"),
        ({"longest_seconds": float("inf")}, r"must lie in \(0, 86400\]"),
    ],
)
def test_ingest_options_that_cannot_be_used_are_refused(options, message):
    with pytest.raises(InvalidInputError, match=message):
        IngestOptions(**options)


def test_the_wording_counts_and_says_what_nothing_means():
    words = Wording("delivery", "deliveries")
    assert [words.count(number) for number in (0, 1, 2)] == [
        "0 deliveries",
        "1 delivery",
        "2 deliveries",
    ]
    assert words.nothing == "no delivery reached the threshold"
    assert Wording(none="nobody bowled").nothing == "nobody bowled"


@pytest.mark.parametrize("words", [{"one": ""}, {"many": " x"}, {"none": 3}, {"one": "x" * 41}])
def test_a_wording_that_is_no_phrase_is_refused(words):
    with pytest.raises(InvalidInputError, match="wording"):
        Wording(**words)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"min_seconds": 1}, "is a point, so it has no min_seconds; only a segment has a length"),
        ({"kind": "segment", "tolerance_seconds": 1}, "so it has no tolerance_seconds"),
        ({"kind": "segment", "min_seconds": 0}, r"min_seconds = 0; it must lie in \(0, 86400\]"),
        ({"kind": "segment", "max_seconds": float("nan")}, "max_seconds = nan"),
        ({"tolerance_seconds": "1"}, "tolerance_seconds = '1'"),
        ({"kind": "segment", "min_seconds": 3, "max_seconds": 2}, "swap them"),
    ],
)
def test_times_of_an_event_type_that_cannot_be_used_are_refused(fields, message):
    with pytest.raises(InvalidInputError, match=message):
        EventType("serve", **fields)


def test_an_event_type_that_was_stored_before_it_had_times_still_loads():
    stored = {
        "name": "serve",
        "kind": "segment",
        "title": "Serve",
        "hotkey": "s",
        "guide": "From the toss.",
        "color": "#E69F00",
        "attributes": [{"name": "hand", "kind": "choice", "choices": ["left", "right"]}],
    }
    loaded = EventType.from_dict(stored)
    assert (loaded.min_seconds, loaded.max_seconds, loaded.tolerance_seconds) == (None, None, None)
    assert loaded.attributes == (Attribute("hand", "choice", ("left", "right")),)
    limited = EventType("rally", "segment", min_seconds=1, max_seconds=60)
    assert EventType.from_dict(asdict(limited)) == limited


def test_the_tolerance_of_a_type_goes_before_that_of_its_domain():
    types = (EventType("serve", tolerance_seconds=0.1), EventType("call"))
    domain = declare(event_types=types, tolerance_seconds=2)()
    assert domain.tolerances_us() == {"serve": 100_000, "call": 2_000_000}
