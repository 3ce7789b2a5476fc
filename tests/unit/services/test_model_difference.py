"""What changes with another model, over all videos that both have looked at."""

import json
from dataclasses import asdict
from uuid import uuid4

import numpy as np
import pytest

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.core.events import Event
from prismata.core.modelcard import ModelCard
from prismata.core.scores import ScoreTrack
from prismata.postprocess import group_events
from prismata.services.ingest import ingest_file
from prismata.services.labels import add_label
from prismata.services.model_difference import (
    compare_findings,
    count_sentence,
    difference_dict,
    found_of,
)


@pytest.fixture
def look(bench, tmp_path):
    """Store a run of a model that found events at these milliseconds, by type."""

    def store(model, video, **found):
        card = ModelCard.from_json(json.dumps(model.card))
        times = np.arange(0, video.duration_us, 50_000, dtype=np.int64)
        names = tuple(item.name for item in card.event_types)
        scores = np.full((times.size, len(names)), 0.05, np.float32)
        for name, spans in found.items():
            for start, end in (span if isinstance(span, tuple) else (span, span) for span in spans):
                inside = (times >= start * 1000) & (times <= end * 1000)
                scores[inside, names.index(name)] = 0.9
        run = bench.catalog.detections.start(
            video_id=video.id, model_id=model.id, settings={}, job_id=None
        )
        path = tmp_path / f"{uuid4().hex}.npz"
        track = ScoreTrack(times, scores, names)
        track.save(path)
        bench.storage.put_file(f"detections/{run.id}/scores.npz", path)
        return bench.catalog.detections.finish(
            run.id,
            group_events(track, card.event_types, card.rules, duration_us=video.duration_us),
            runtime="by hand",
            result_key="",
            scores_key=f"detections/{run.id}/scores.npz",
            peak_rss_mb=0.0,
            wall_seconds=0.0,
            settings={"rules": {name: asdict(rule) for name, rule in card.rules.items()}},
        )

    return store


@pytest.fixture
def add_model(bench, add_bundle):
    """Add a model that knows these events: name → kind."""
    plain = add_bundle("plain").card

    def add(name, domain="flashes", **kinds):
        rule = plain["rules"]["flash"]
        types = [
            plain["event_types"][0] | {"name": item, "kind": kind} for item, kind in kinds.items()
        ]
        rules = {item: rule | {"min_gap_seconds": 0.0} for item in kinds}
        card = plain | {"name": name, "event_types": types, "rules": rules, "domain": domain}
        return bench.catalog.models.add(
            name=name,
            domain=domain,
            domain_version=1,
            bundle_key=f"models/{name}/",
            kind="bundle",
            card=card,
        )

    return add


def told(difference):
    return [
        (pair.change, pair.event.start_us // 1000, pair.verdict) for _, pair in difference.pairs
    ]


def test_without_labels_it_says_what_was_gained_and_lost_and_that_nobody_judged(
    bench, video, add_bundle, look
):
    one, other = add_bundle("one"), add_bundle("other")
    look(one, video, flash=[500, 1500])
    look(other, video, flash=[550, 2500])
    found = compare_findings(bench, "one", "other")
    assert told(found) == [
        ("both", 550, "unjudged"),
        ("lost", 1500, "unjudged"),
        ("gained", 2500, "unjudged"),
    ]
    assert count_sentence(found.counts("gained")) == "1 (1 unjudged)"
    assert found.comparison is None
    assert "nobody watched or labelled" in found.unmeasured
    assert found.criterion == "±0.1 s"  # the domain's, not the product's
    first, second = found_of(bench, found.videos[0])
    assert [event.start_us for event in first.events] == [500_000, 1_500_000]
    assert [event.start_us for event in second.events] == [550_000, 2_500_000]


def test_labels_in_known_time_say_what_is_right(bench, video, add_bundle, look, watch):
    one, other = add_bundle("one"), add_bundle("other")
    look(one, video, flash=[500, 1500])
    look(other, video, flash=[500, 1000, 2000, 3500])
    for time_ms in (500, 2000):
        add_label(bench, video, "flashes", Event.point("flash", time_ms * 1000))
    watch(video, 0, 3_000_000)
    found = compare_findings(bench, "one", "other")
    assert told(found) == [
        ("both", 500, "true"),
        ("gained", 1000, "false"),
        ("lost", 1500, "false"),
        ("gained", 2000, "true"),
        ("gained", 3500, "unjudged"),
    ]
    assert count_sentence(found.counts("gained")) == "3 (1 right, 1 wrong, 1 unjudged)"
    assert found.unmeasured == ""
    report = found.comparison.second.report
    assert (report.types[0].num_truth, report.types[0].recall) == (2, 1.0)
    light = found.without_scores()
    assert light.comparison.first.videos == ()
    assert light.comparison.first.report is found.comparison.first.report


def test_labels_that_are_rejected_or_doubtful_make_nothing_right(
    bench, video, add_bundle, look, watch
):
    for name in ("one", "other"):
        look(add_bundle(name), video, flash=[500, 2000] if name == "other" else [])
    watch(video)
    for time_ms, judged in ((500, "rejected"), (2000, "unsure")):
        add_label(bench, video, "flashes", Event.point("flash", time_ms * 1000))
        label = next(
            item
            for item in bench.catalog.events.list(origin="annotation")
            if item.event.start_us == time_ms * 1000
        )
        bench.catalog.events.set_review_state(label.id, judged, "anna", label.revision)
    found = compare_findings(bench, "one", "other")
    assert told(found) == [("gained", 500, "false"), ("gained", 2000, "unjudged")]


def test_a_video_that_only_one_looked_at_is_named_with_what_to_do(
    bench, video, uneven_flashes, add_bundle, look
):
    one, other = add_bundle("one"), add_bundle("other")
    alone = ingest_file(bench, uneven_flashes.path, domain="flashes").video
    for model in (one, other):
        look(model, video, flash=[500])
    look(other, alone, flash=[500])
    found = compare_findings(bench, "one", "other")
    assert [item.video.id for item in found.videos] == [video.id]
    assert [(model.name, seen.id) for model, seen in found.seen_by_one] == [("other", alone.id)]
    (sentence,) = found.missing()
    assert f"`prismata detect {alone.name} --model one`" in sentence
    assert found.ignored() == []
    with pytest.raises(NotFoundError, match=r"'one' has not been run on .*--detect"):
        compare_findings(bench, "one", "other", [video, alone])


def test_only_event_types_that_both_know_are_compared(bench, video, add_model, look, watch):
    one = add_model("one", flash="point", rally="segment")
    other = add_model("other", rally="segment", bang="point")
    look(one, video, flash=[500], rally=[(1000, 2000)])
    look(other, video, bang=[700], rally=[(1200, 2000), (3000, 3500)])
    watch(video)
    found = compare_findings(bench, "one", "other")
    assert [(item.change, item.event.event_type) for _, item in found.pairs] == [
        ("both", "rally"),
        ("gained", "rally"),
    ]
    assert found.pairs[0][1].start_change_us == 200_000
    assert found.criterion == "tIoU 0.5"
    assert [(model.name, name) for model, name in found.known_by_one] == [
        ("one", "flash"),
        ("other", "bang"),
    ]
    assert "only one knows flash" in found.ignored()[0]
    assert "only models that know the same event types" in found.unmeasured


def test_what_cannot_be_compared_is_told_in_one_sentence(bench, video, add_model, look):
    one, other = add_model("one", flash="point"), add_model("other", bang="point")
    add_model("elsewhere", domain="tennis_serve", flash="point")
    with pytest.raises(InvalidInputError, match="an event type in common"):
        compare_findings(bench, "one", "other")
    with pytest.raises(InvalidInputError, match="only models of one domain"):
        compare_findings(bench, "one", "elsewhere")
    with pytest.raises(InvalidInputError, match="cannot be compared with itself"):
        compare_findings(bench, "one", one.id)
    with pytest.raises(NotFoundError, match="no video on which both 'one' and 'plain' were run"):
        compare_findings(bench, "one", "plain")
    assert other.name == "other"


def test_as_plain_values_with_and_without_the_events(bench, video, add_bundle, look):
    look(add_bundle("one"), video, flash=[500])
    look(add_bundle("other"), video, flash=[550, 2500])
    found = compare_findings(bench, "one", "other")
    short = difference_dict(found, with_events=False)
    assert "events" not in short
    assert short["gained"] == {"true": 0, "false": 0, "differs": 0, "unjudged": 1}
    both, gained = json.loads(json.dumps(difference_dict(found, with_events=True)))["events"]
    assert both["start_change_us"] == 50_000
    assert gained["first"] is None
    assert gained["second"]["start_us"] == 2_500_000
