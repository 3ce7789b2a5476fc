"""An event type's own tolerance and limits: used where events are matched, and kept on cards."""

import json

import numpy as np

from prismata.core.coverage import known_spans
from prismata.core.events import Event, EventType
from prismata.core.modelcard import ModelCard
from prismata.core.recipes import ClipSpec, GroupingRule
from prismata.core.targets import build_targets
from prismata.core.time import TimeSpan
from prismata.evaluation.thresholds import product_criterion

OWN = EventType("own", tolerance_seconds=0.8)
COMMON = EventType("common")


def test_the_samples_around_a_point_are_positive_as_far_as_its_own_type_says():
    times = np.arange(0, 2_000_000, 100_000, dtype=np.int64)
    events = [Event.point("own", 1_000_000), Event.point("common", 1_000_000)]
    targets, _ = build_targets(times, events, [OWN, COMMON], tolerance_us=400_000)
    assert targets.sum(axis=0).tolist() == [9, 5]
    exact, _ = build_targets(times, events, [OWN, COMMON], tolerance_us=400_000, dilation=0)
    assert exact.sum(axis=0).tolist() == [1, 1], "a dilation goes before any tolerance"


def test_what_counts_as_found_is_what_the_type_says():
    assert product_criterion(OWN, tolerance_us=100_000).title == "±0.8 s"
    assert product_criterion(COMMON, tolerance_us=100_000).title == "±0.1 s"


def test_a_point_makes_known_as_much_time_as_its_type_says():
    events = [Event.point("own", 5_000_000), Event.point("common", 9_000_000)]
    known = known_spans(
        (), events, duration_us=20_000_000, tolerance_us=100_000, tolerances_us={"own": 800_000}
    )
    assert known == (TimeSpan(4_200_000, 5_800_000), TimeSpan(8_900_000, 9_100_000))


def card(event_type):
    return ModelCard(
        name="m",
        domain="d",
        domain_version=1,
        event_types=(event_type,),
        clip=ClipSpec(),
        rules={event_type.name: GroupingRule()},
        architecture="cnn_lstm",
        encoder="tiny",
        encoder_frozen=False,
        feature_size=8,
        weights_origin="random",
    )


def test_a_card_holds_what_a_type_says_and_nothing_that_an_older_program_could_not_read():
    limited = EventType("rally", "segment", min_seconds=1, max_seconds=60)
    assert ModelCard.from_json(card(limited).to_json()).event_types == (limited,)
    (written,) = json.loads(card(COMMON).to_json())["event_types"]
    assert set(written) == {"name", "kind", "title", "hotkey", "guide", "color", "attributes"}
    assert ModelCard.from_json(card(COMMON).to_json()).event_types == (COMMON,)
