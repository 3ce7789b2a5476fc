"""The settings that a search can vary are those of the recipe, with its defaults and its bounds."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prismata.core.architectures import ARCHITECTURES
from prismata.core.errors import InvalidInputError
from prismata.domains import Domain, EventType
from prismata.services.search_space import SETTINGS, Base, default_space, draw_trials
from prismata.training.heads import HeadSpec
from prismata.training.recipe import Recipe

NUMBERS = [item for item in SETTINGS.values() if item.kind in ("number", "whole")]


class Anything(Domain):
    """A domain of no consequence."""

    name = "anything"
    event_types = (EventType("thing", "point"),)


def recipe_with(name, value):
    dense = {"architecture": "spot_r18"}
    if SETTINGS[name].in_head:
        return Recipe.resolved({**dense, "head": {name: value}})
    return Recipe.resolved({**dense, name: value})


def is_taken(make, *arguments):
    try:
        make(*arguments)
    except InvalidInputError:
        return False
    return True


def test_defaults_are_those_of_the_recipe():
    plain = {item.name: item.default for item in fields(Recipe)}
    head = {item.name: item.default for item in fields(HeadSpec)}
    for name, setting in SETTINGS.items():
        if name != "flip":  # which the domain decides
            assert (head if setting.in_head else plain)[name] == setting.default


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda item: item.name)
@given(data=st.data())
def test_what_a_search_takes_the_recipe_takes_and_the_other_way_round(setting, data):
    low, high = setting.low, min(setting.high, 10_000.0)
    near = st.sampled_from([low - 1, low, low + 1, high - 1, high, high + 1])
    value = data.draw(near | st.floats(low - 1, high + 1, allow_nan=False))
    if setting.kind == "whole":
        value = round(value)
    in_search = is_taken(setting.check, value)
    in_recipe = is_taken(recipe_with, setting.name, value)
    assert in_recipe or not in_search
    if setting.name != "weight_decay":  # of which the recipe says nothing
        assert in_search == in_recipe


@given(
    architecture=st.sampled_from(sorted(ARCHITECTURES)),
    frozen=st.booleans(),
    seed=st.integers(0, 99),
    names=st.sets(st.sampled_from(sorted(SETTINGS)), min_size=1, max_size=4),
)
def test_every_trial_that_is_drawn_is_a_recipe(architecture, frozen, seed, names):
    base = Base(Anything(), {"architecture": architecture, "frozen": frozen})
    values = {
        "architecture": tuple(ARCHITECTURES),
        "flip": (True, False),
        "freeze_batch_norm": (False, True),
        "dilation": (None, 3),
    }
    own = base.architecture()
    space = {
        name: values.get(name) or (base.value(name, own), SETTINGS[name].check(other))
        for name in names
        for other in [0.5 if SETTINGS[name].kind == "number" and name != "positive_limit" else 3]
    }
    for tried in (space, default_space(base)):
        try:
            drawn = draw_trials(tried, base, trials=20, seed=seed)
        except InvalidInputError:
            continue  # all but one combination would do nothing
        recipes = [Recipe.resolved(base.recipe(one)) for one in drawn.trials]
        assert len({str(recipe) for recipe in recipes}) == len(recipes), "all of them differ"
