import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from prismata.core import errors
from prismata.core.errors import ConflictError, InvalidInputError
from prismata.core.events import Attribute, Event, EventType, check_attributes, check_name
from prismata.core.jobs import JobState, check_transition
from prismata.core.modelcard import CARD_VERSION, ModelCard
from prismata.core.protocol import decode_message, encode_message
from prismata.core.recipes import ClipSpec, GroupingRule
from prismata.core.scores import ScoreTrack
from prismata.core.time import TimeSpan

CARD = ModelCard(
    name="cricket-tiny-1",
    domain="cricket",
    domain_version=2,
    event_types=(EventType("hit", "point", hotkey="h"), EventType("over", "segment")),
    clip=ClipSpec(target_fps=12.5, num_frames=6, width=64, height=48),
    rules={"hit": GroupingRule(threshold=0.3), "over": GroupingRule(leave_ratio=0.8)},
    architecture="cnn_lstm",
    encoder="tiny",
    encoder_frozen=False,
    feature_size=144,
    weights_origin="none",
    files={"encoder.onnx": "0" * 64},
    training={"seed": 3},
    metrics={"val": {"points": {"mean": 0.5}}},
)


def test_a_point_is_an_instant_and_a_segment_ends_after_it_starts():
    assert Event.point("hit", 5).span == TimeSpan(5, 5)
    assert Event.segment("over", 5, 9, 0.25).score == 0.25
    for bad in (
        lambda: Event(5, 6, "hit", "point"),
        lambda: Event.segment("over", 5, 5),
        lambda: Event.segment("over", 5, 4),
        lambda: Event.point("hit", 5, 1.01),
        lambda: Event.point("hit", 5, -0.01),
        lambda: Event.point("hit", 5, float("nan")),
    ):
        with pytest.raises(InvalidInputError):
            bad()


def test_events_sort_by_time():
    events = [Event.point("b", 9), Event.point("a", 9), Event.segment("a", 2, 30)]
    assert sorted(events) == [events[2], events[1], events[0]]


def test_an_event_type_gets_a_title_and_refuses_what_cannot_be_used():
    assert EventType("ball_release").title == "Ball release"
    for bad in ({"name": "Ball"}, {"name": ""}, {"name": "x" * 65}):
        with pytest.raises(InvalidInputError, match="cannot be used as a name"):
            EventType(**bad)
    with pytest.raises(InvalidInputError, match="'point' or 'segment'"):
        EventType("hit", "interval")
    for hotkey in ("ab", "!", " "):
        with pytest.raises(InvalidInputError, match="one letter or digit"):
            EventType("hit", hotkey=hotkey)


HAND = Attribute("hand", "choice", ("left", "right"))
SPEED = Attribute("speed", "number")
SERVE = EventType(
    "serve",
    attributes=(HAND, SPEED, Attribute("player", "text"), Attribute("let", "flag", guide="Again.")),
)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "Hand"}, "attribute 'Hand' cannot be used as a name"),
        ({"name": "note"}, "attribute 'note' is there for every event"),
        ({"kind": "colour"}, "kind 'colour'; it can be 'choice', 'number', 'text' or 'flag'"),
        ({"choices": ()}, "needs at least two different choices"),
        ({"choices": ("left",)}, "needs at least two different choices"),
        ({"choices": ("left", "right", "left")}, "needs at least two different choices"),
        ({"choices": ("left", " ")}, "write a tuple of words"),
        ({"choices": ["left", "right"]}, "write a tuple of words"),
        ({"kind": "flag"}, "is a flag, so it has no choices"),
    ],
)
def test_an_attribute_that_cannot_be_is_refused(fields, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        Attribute(**{"name": "hand", "kind": "choice", "choices": ("left", "right"), **fields})


def test_an_event_type_declares_each_attribute_once():
    assert HAND.title == "Hand"
    with pytest.raises(InvalidInputError, match="declares attribute 'hand' twice"):
        EventType("serve", attributes=(HAND, HAND))
    with pytest.raises(InvalidInputError, match=r"write `attributes=\(Attribute"):
        EventType("serve", attributes=("hand",))


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({}, None),
        ({"hand": "left", "speed": 41.5, "player": "Ana", "let": False}, None),
        ({"hand": None, "gone": None}, None),
        ({"note": "late", "source": {"run": "r", "score": 0.4}}, None),
        ({"hand": "both"}, "'hand' can be left, right, not 'both'"),
        ({"speed": "fast"}, "'speed' is a number, not 'fast'"),
        ({"speed": True}, "'speed' is a number, not True"),
        ({"speed": float("nan")}, "'speed' is a number, not nan"),
        ({"player": 3}, "'player' is text, not 3"),
        ({"let": 1}, "'let' is yes or no, not 1"),
        ({"note": 3}, "'note' is text, not 3"),
        (
            {"foot": "left"},
            "event type 'serve' has no attribute 'foot'; it has hand, speed, player, let",
        ),
    ],
)
def test_what_an_event_says_is_checked_against_what_its_type_declares(attributes, sentence):
    assert check_attributes(SERVE, attributes) == sentence


def test_an_event_type_without_attributes_takes_a_note_and_nothing_else():
    assert check_attributes(EventType("hit"), {"note": "x"}) is None
    problem = check_attributes(EventType("hit"), {"speed": 1})
    assert problem == "event type 'hit' has no attribute 'speed'; it declares none"


def test_an_event_type_survives_its_plain_form():
    assert EventType.from_dict(json.loads(json.dumps(asdict(SERVE)))) == SERVE
    card = replace(
        CARD,
        event_types=(SERVE, EventType("over", "segment")),
        rules={"serve": GroupingRule(), "over": GroupingRule()},
    )
    assert ModelCard.from_json(card.to_json()) == card


@pytest.mark.parametrize("name", ["Ä", "1st", "_x", "a-b", "a b", "../x", "a\n"])
def test_a_name_that_could_hurt_in_a_path_is_refused(name):
    with pytest.raises(InvalidInputError, match="lower-case letters"):
        check_name(name, "domain")


def test_a_card_is_the_same_after_a_round_trip():
    assert ModelCard.from_json(CARD.to_json()) == CARD
    assert CARD.event_names == ("hit", "over")


def changed(**changes):
    return json.dumps(json.loads(CARD.to_json()) | changes)


def without(name):
    raw = json.loads(CARD.to_json())
    del raw[name]
    return json.dumps(raw)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        (changed(card_version=CARD_VERSION + 1), "this program reads up to"),
        (changed(card_version="1"), "this program reads up to"),
        (without("card_version"), "version None"),
        (changed(colour="red", size=3), "unknown fields: colour, size"),
        (without("rules"), "incomplete"),
        (without("feature_size"), "incomplete"),
        (changed(rules=["hit"]), "incomplete"),
        (changed(rules={"hit": {"threshold": 0.3}}), "'over'"),
        (changed(event_types=["hit"]), "incomplete"),
        (changed(clip={"fps": 3}), "incomplete"),
        (changed(clip={"target_fps": 0}), "target_fps"),
    ],
)
def test_what_is_not_a_card_of_ours_is_refused_with_the_reason(text, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        ModelCard.from_json(text)


def test_other_thresholds_leave_the_rest_of_the_rules_alone():
    card = CARD.with_thresholds({"over": 0.9})
    assert card.rules["over"] == GroupingRule(threshold=0.9, leave_ratio=0.8)
    assert card.rules["hit"] == CARD.rules["hit"]
    with pytest.raises(InvalidInputError, match="no event type 'fall'; it has hit, over"):
        CARD.with_thresholds({"fall": 0.5})
    with pytest.raises(InvalidInputError, match="threshold"):
        CARD.with_thresholds({"hit": 0.0})


@pytest.mark.parametrize(
    "settings",
    [
        {"threshold": 0},
        {"threshold": 1.1},
        {"leave_ratio": 0},
        {"min_gap_seconds": -1},
        {"buffer_seconds": 4000},
        {"min_seconds": float("nan")},
    ],
)
def test_a_rule_out_of_range_is_refused_by_name(settings):
    with pytest.raises(InvalidInputError, match=next(iter(settings))):
        GroupingRule(**settings)


@pytest.mark.parametrize(
    "settings",
    [{"target_fps": 241}, {"num_frames": 0}, {"window_stride": 0}, {"width": 8}, {"height": 4096}],
)
def test_a_clip_out_of_range_is_refused_by_name(settings):
    with pytest.raises(InvalidInputError, match=next(iter(settings))):
        ClipSpec(**settings)


def test_a_message_is_one_line_and_the_same_again():
    line = encode_message("progress", done=3, note="zwei\nZeilen ü")
    assert line.count("\n") == 1
    assert decode_message(line) == {"type": "progress", "v": 1, "done": 3, "note": "zwei\nZeilen ü"}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("hello", "not a protocol line"),
        ("[1]", "without a type"),
        ('{"v": 1}', "without a type"),
        ('{"type": "progress", "v": 2}', "version 2, we speak 1"),
        ('{"type": "progress"}', "version None"),
    ],
)
def test_a_line_of_another_protocol_is_refused(line, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        decode_message(line)


def test_every_kind_of_user_error_has_an_exit_code_of_its_own():
    classes = [
        item
        for item in vars(errors).values()
        if isinstance(item, type) and issubclass(item, errors.UserError)
    ]
    codes = {item.__name__: item.exit_code for item in classes}
    assert codes == {
        "UserError": 2,
        "BadVideoError": 65,
        "NotFoundError": 66,
        "ConflictError": 73,
        "BusyError": 75,
        "InvalidInputError": 64,
        "ForbiddenError": 77,
        "UnavailableError": 69,
        "ExportRefusedError": 76,
    }
    assert errors.InternalError.exit_code == 70
    assert errors.BadVideoError("no", reason="damaged").reason == "damaged"


def test_a_job_moves_forward_back_into_the_queue_and_never_out_of_an_end():
    q, r, s = JobState.QUEUED, JobState.RUNNING, JobState.SUCCEEDED
    f, c = JobState.FAILED, JobState.CANCELLED
    allowed = {(q, r), (q, c), (q, f), (r, s), (r, f), (r, c), (r, q)}
    for current in JobState:
        for new in JobState:
            if (current, new) in allowed:
                check_transition(current, new)
            else:
                with pytest.raises(ConflictError, match=f"is {current} cannot become {new}"):
                    check_transition(current, new)
    assert [state for state in JobState if state.is_final] == [s, f, c]


def track():
    return ScoreTrack(
        np.array([0, 50, 90]), np.array([[0, 1], [0.5, 0.5], [1, 0]], np.float32), ("a", "b")
    )


def test_a_score_track_is_the_same_again_from_its_file(tmp_path):
    track().save(tmp_path / "scores.npz")
    again = ScoreTrack.load(tmp_path / "scores.npz")
    assert again.event_types == ("a", "b")
    assert again.times_us.tolist() == [0, 50, 90]
    assert again.column("b").tolist() == [1.0, 0.5, 0.0]
    assert len(again) == 3
    with pytest.raises(InvalidInputError, match="this track has a, b"):
        again.column("c")


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_a_damaged_score_file_is_refused_in_one_sentence(tmp_path, kept):
    path = tmp_path / "scores.npz"
    track().save(path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InvalidInputError, match=r"scores\.npz is not a score track"):
        ScoreTrack.load(path)


@pytest.mark.parametrize(
    ("times", "scores"),
    [
        ([0, 1], [[0.5]]),
        ([0, 0], [[0.5], [0.5]]),
        ([0, 1], [[0.5], [1.5]]),
        ([0, 1], [[0.5], [float("nan")]]),
    ],
)
def test_scores_that_are_not_scores_are_refused(times, scores):
    with pytest.raises(InvalidInputError):
        ScoreTrack(np.array(times), np.array(scores, np.float32), ("a",))


def test_a_card_is_plain_json():
    assert json.loads(CARD.to_json())["clip"] == asdict(CARD.clip)


def test_a_clip_can_be_changed_and_names_its_settings_when_asked_for_another():
    changed = ClipSpec().changed({"num_frames": 16})
    assert changed == ClipSpec(num_frames=16)
    with pytest.raises(InvalidInputError, match=r"no setting 'frames'; it has target_fps, "):
        ClipSpec().changed({"frames": 16})
    with pytest.raises(InvalidInputError, match=r"num_frames must lie in"):
        ClipSpec().changed({"num_frames": 0})
