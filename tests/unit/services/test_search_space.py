"""What a search tries: values that can be had, combinations that make sense, drawn by the seed."""

from collections.abc import Mapping

import pytest

from prismata.core.architectures import ARCHITECTURES, CLIP_ENCODERS
from prismata.core.errors import InvalidInputError
from prismata.domains import DomainRegistry
from prismata.services.search_space import (
    SETTINGS,
    Base,
    check_space,
    default_space,
    draw_trials,
    format_settings,
    parse_tries,
)


@pytest.fixture
def base(bench):
    def make(**chosen):
        return Base(DomainRegistry.get("flashes"), chosen)

    return make


def test_values_are_read_as_the_recipe_wants_them():
    given = ["head_lr=0.001, 0.003", "hidden=64,128,64", "dilation=auto,2", "flip=true,false"]
    assert parse_tries([*given, "architecture=spot_r18,cnn_lstm", "mixup=0,0.2"]) == {
        "head_lr": (0.001, 0.003),
        "hidden": (64, 128),
        "dilation": (None, 2),
        "flip": (True, False),
        "architecture": ("spot_r18", "cnn_lstm"),
        "mixup": (0.0, 0.2),
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["learning_rate=1,2"], "there is no setting 'learning_rate' that a search can vary"),
        (["epochs=1,2"], "there is no setting 'epochs' that a search can vary"),
        (["head_lr=1,0.1"], "head_lr must be a number above 0 below 1, not 1"),
        (["head_lr=fast,slow"], "head_lr must be a number above 0 below 1, not 'fast'"),
        (["hidden=0,4"], "hidden must be a whole number from 1 to 4096, not 0"),
        (["hidden=1.5"], "hidden must be a whole number from 1 to 4096, not 1.5"),
        (["hidden=true"], "hidden must be a whole number from 1 to 4096, not True"),
        (["dilation=-1"], "dilation must be a whole number from 0 to 100, or auto, not -1"),
        (["positive_limit=0.5"], "positive_limit must be a number from 1, not 0.5"),
        (["focal_gamma=NaN"], "focal_gamma must be a number from 0 to 5, not nan"),
        (["flip=maybe"], "flip must be true or false, not 'maybe'"),
        (["architecture=resnet"], "there is no architecture 'resnet'"),
        (["head_lr"], "a setting to try is written NAME=V1,V2"),
        (["head_lr="], "a setting to try is written NAME=V1,V2"),
        (["head_lr=0.1,"], "head_lr must be a number above 0 below 1, not ''"),
        (["mixup=0,1", "mixup=2"], "mixup is given twice"),
    ],
)
def test_what_cannot_be_tried_is_refused_in_one_sentence(given, sentence):
    with pytest.raises(InvalidInputError) as refused:
        parse_tries(given)
    assert sentence in str(refused.value)


def test_what_makes_no_sense_is_left_out_with_its_reason(base):
    space = check_space({"architecture": ("cnn_lstm", "spot_r18"), "mixup": (0, 0.2)})
    drawn = draw_trials(space, base(), trials=10, seed=0)
    assert {(one["architecture"], one["mixup"]) for one in drawn.trials} == {
        ("cnn_lstm", 0.0),
        ("spot_r18", 0.0),
        ("spot_r18", 0.2),
    }
    (left_out,) = drawn.left_out
    assert left_out.sentence == (
        "mixup=0.2 with cnn_lstm: mixup blends stretches, and a head that scores windows is not "
        "trained on them, so 1 combination is left out"
    )


@pytest.mark.parametrize(
    ("chosen", "name", "values", "sensible"),
    [
        ({}, "encoder_lr", (1e-3, 1e-4), False),
        ({"frozen": False}, "encoder_lr", (1e-3, 1e-4), True),
        ({}, "flip", (True, False), False),
        ({"frozen": False}, "flip", (True, False), True),
        ({}, "batch_chunks", (4, 8), False),
        ({"architecture": "spot_r18"}, "batch_chunks", (4, 8), True),
        ({}, "batch_windows", (256, 64), True),
        ({"architecture": "spot_r18"}, "batch_windows", (256, 64), False),
        ({"architecture": "linear_probe"}, "layers", (1, 2), False),
        ({"architecture": "spot_r18"}, "layers", (1, 2), True),
    ],
)
def test_a_setting_that_does_nothing_is_not_varied(base, chosen, name, values, sensible):
    space = check_space({name: values})
    if sensible:
        assert len(draw_trials(space, base(**chosen), trials=9, seed=0).trials) == 2
    else:
        with pytest.raises(InvalidInputError, match=rf"make 1; {name}=.*left out"):
            draw_trials(space, base(**chosen), trials=9, seed=0)


def test_the_recipe_as_it_was_comes_first_where_it_is_one_of_them(base):
    space = check_space({"head_lr": (1e-4, 3e-3, 1e-2), "hidden": (32, 64, 256)})
    start = base(head_lr=3e-3, head={"hidden": 64, "dropout": 0.4})
    for seed in range(20):
        drawn = draw_trials(space, start, trials=3, seed=seed)
        assert drawn.trials[0] == {"head_lr": 3e-3, "hidden": 64}
    elsewhere = draw_trials(space, base(head_lr=0.5), trials=9, seed=0)
    assert len(elsewhere.trials) == 9
    assert start.recipe(drawn.trials[0]) == {
        "head_lr": 3e-3,
        "head": {"hidden": 64, "dropout": 0.4},
    }


def test_a_larger_grid_is_drawn_from_with_the_seed(base):
    space = check_space({"head_lr": (1e-4, 1e-3, 1e-2), "hidden": tuple(range(1, 31))})

    def drawn(seed):
        return draw_trials(space, base(), trials=12, seed=seed)

    assert drawn(3).trials == drawn(3).trials
    assert drawn(3).trials != drawn(4).trials
    assert drawn(3).combinations == 90
    assert len({format_settings(one) for one in drawn(3).trials}) == 12


def test_too_few_and_too_many_are_refused(base):
    pair = check_space({"head_lr": (1e-3, 1e-2)})
    for trials in (1, 0, 201):
        with pytest.raises(InvalidInputError, match=f"compares 2 to 200 trials, not {trials}"):
            draw_trials(pair, base(), trials=trials, seed=0)
    with pytest.raises(InvalidInputError, match="at least 2 trials, and these values make 1;"):
        draw_trials(check_space({"head_lr": (1e-3,)}), base(), trials=2, seed=0)
    many = check_space({name: tuple(range(1, 101)) for name in ("hidden", "dilation")})
    many |= check_space({"batch_windows": tuple(range(1, 101))})
    with pytest.raises(InvalidInputError, match="1000000 combinations, more than 100000"):
        draw_trials(many, base(), trials=2, seed=0)


@pytest.mark.parametrize(
    ("architecture", "frozen"),
    [
        (name, frozen)
        for name, architecture in sorted(ARCHITECTURES.items())
        for frozen in ((False,) if architecture.encoder in CLIP_ENCODERS else (True, False))
    ],
)
def test_there_is_a_handful_to_try_around_every_recipe(base, architecture, frozen):
    start = base(architecture=architecture, frozen=frozen, head_lr=0.0015, head={"hidden": 48})
    space = default_space(start)
    assert 4 <= len(space) <= 8
    assert check_space(space) == space
    assert space["head_lr"] == (0.0005, 0.0015, 0.005)
    assert space["hidden"] == (24, 48, 96)
    assert ("encoder_lr" in space) is not frozen
    drawn = draw_trials(space, start, trials=12, seed=0)
    assert drawn.left_out == ()
    own = start.architecture()
    assert all(start.value(name, own) == value for name, value in drawn.trials[0].items())
    # Nothing else is decoded or encoded for them.
    for one in drawn.trials:
        tried = start.architecture(one)
        assert (tried.encoder, tried.clip) == (own.encoder, own.clip)


def test_settings_are_told_as_they_are_read(base):
    space = parse_tries(["dilation=auto,2", "mixup=0,0.2", "flip=true,false", "head_lr=0.0003"])
    again = {}
    for name, values in space.items():
        told = [format_settings({name: value}).partition("=")[2] for value in values]
        again |= parse_tries([f"{name}={','.join(told)}"])
    assert again == space


def test_every_setting_is_declared_once_with_a_title():
    assert isinstance(SETTINGS, Mapping)
    assert len({item.title for item in SETTINGS.values()}) == len(SETTINGS)


def test_an_encoder_that_sees_neighbours_is_left_out_where_it_cannot_be(base):
    space = check_space({"architecture": ("spot_r18", "spot_rny002", "cnn_lstm")})
    drawn = draw_trials(space, base(frozen=True), trials=3, seed=0)
    assert {one["architecture"] for one in drawn.trials} == {"spot_r18", "cnn_lstm"}
    assert [item.what for item in drawn.left_out] == ["regnet_y_200mf_gsm with spot_rny002"]
    assert "that encoder is trained" in drawn.left_out[0].sentence
