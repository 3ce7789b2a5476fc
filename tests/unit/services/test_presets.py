"""Which recipe a training begins with: a person's word, a preset's, the domain's, the usual."""

import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.presets import PRESETS
from prismata.domains import Domain, EventType
from prismata.services.presets import offered_presets, preset_words, start_recipe


class Court(Domain):
    """A domain that says how it is best trained."""

    name = "court"
    event_types = (EventType("serve"),)
    preset = "tiny"


class Plain(Domain):
    """A domain that does not."""

    name = "plain"
    event_types = (EventType("serve"),)


def test_without_a_word_the_domain_decides_and_else_the_usual_holds():
    assert start_recipe(Court(), {}) == dict(PRESETS["tiny"].recipe)
    assert start_recipe(Plain(), {}) == {"architecture": "cnn_lstm"}
    assert preset_words(Court(), {}) == (
        "preset 'tiny', as 'court' declares: Train the encoder too"
    )
    assert preset_words(Plain(), {}) == ""


def test_what_a_person_says_goes_before_the_preset_setting_by_setting():
    recipe = start_recipe(Court(), {"epochs": 3, "batch_chunks": 9})
    assert recipe == {**PRESETS["tiny"].recipe, "epochs": 3, "batch_chunks": 9}


def test_who_names_an_architecture_gets_that_and_nothing_of_the_preset():
    assert start_recipe(Court(), {"architecture": "spot_r18"}) == {"architecture": "spot_r18"}
    assert preset_words(Court(), {"architecture": "spot_r18"}) == ""


def test_who_names_a_preset_gets_that_one():
    assert start_recipe(Court(), {}, preset="exact") == dict(PRESETS["exact"].recipe)
    assert preset_words(Court(), {}, preset="exact") == "preset 'exact': Exact in time, on a CPU"
    with pytest.raises(InvalidInputError, match="leave out one of the two"):
        start_recipe(Court(), {"architecture": "spot_r18"}, preset="exact")
    with pytest.raises(InvalidInputError, match="there is no preset 'fast'"):
        start_recipe(Court(), {}, preset="fast")


def test_the_page_offers_all_with_the_domains_own_chosen():
    names, chosen = offered_presets(Court())
    assert names[chosen] == "tiny"
    assert offered_presets(Plain()) == (list(PRESETS), 0)
