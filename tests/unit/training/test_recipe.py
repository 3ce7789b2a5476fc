import pytest

from prismata.core.architectures import find_architecture
from prismata.core.errors import InvalidInputError
from prismata.domains import Domain
from prismata.training.heads import HeadSpec
from prismata.training.recipe import Recipe
from prismata.training.validation import Validation
from prismata.worker.train.run import recipe_for


def test_a_recipe_is_the_same_after_a_round_trip():
    recipe = Recipe(encoder="tiny", frozen=False, epochs=3, head=HeadSpec(hidden=16, layers=2))
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert Recipe.from_dict({}) == Recipe()


def test_an_unknown_setting_is_refused_with_those_there_are():
    with pytest.raises(InvalidInputError, match="no setting 'learning_rate'; it has architecture"):
        Recipe.from_dict({"learning_rate": 1})
    with pytest.raises(InvalidInputError, match="cannot be used"):
        Recipe.from_dict({"head": {"width": 3}})


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"epochs": 0}, "epochs"),
        ({"epochs": "many"}, "recipe cannot be used"),
        ({"patience": 0}, "patience"),
        ({"batch_windows": 0}, "batch_windows"),
        ({"batch_chunks": 2000}, "batch_chunks"),
        ({"chunk_samples": 0}, "chunk_samples"),
        ({"epoch_steps": 0}, "epoch_steps"),
        ({"head_lr": 0.0}, "head_lr"),
        ({"encoder_lr": 1.0}, "encoder_lr"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"positive_limit": 0.5}, "positive_limit"),
        ({"head": {"hidden": 0}}, "hidden"),
        ({"architecture": "spot"}, "no architecture 'spot'; there is cnn_lstm, linear_probe"),
        ({"focal_gamma": -1}, "focal_gamma"),
        ({"mixup": 0.2}, "mixup blends stretches, which cnn_lstm is not trained on"),
        ({"dilation": -1}, "dilation"),
        ({"precision": "int8"}, "precision must be auto, fp32 or bf16"),
        ({"head": {"dropout": 1.0}}, "dropout"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(settings, name):
    with pytest.raises(InvalidInputError, match=name):
        Recipe.from_dict(settings)


@pytest.mark.parametrize("setting", [{"input_dropout": 1.0}, {"dropout": -0.1}, {"hidden": 0}])
def test_head_settings_out_of_range_are_refused(setting):
    with pytest.raises(InvalidInputError, match="head settings out of range"):
        HeadSpec(**setting)


def test_what_a_person_does_not_choose_is_the_architectures():
    architecture = find_architecture("spot_r18")
    recipe = Recipe.resolved({"architecture": "spot_r18", "batch_chunks": 3})
    assert recipe.batch_chunks == 3
    assert recipe.chunk_samples == architecture.recipe["chunk_samples"] == 64
    assert (recipe.encoder, recipe.frozen) == (architecture.encoder, architecture.frozen)
    assert Recipe.resolved({}) == Recipe()


@pytest.mark.parametrize(
    ("settings", "there", "items"),
    [
        ({}, 100, 24 * 8),  # too few for the steps of an epoch
        ({}, 24 * 8 - 7, 24 * 8 - 7),  # the last step is smaller
        ({"frozen": False}, 3, 3),
        ({"frozen": False, "epoch_steps": 2}, 3, 16),
    ],
)
def test_an_epoch_has_the_steps_it_needs(settings, there, items):
    assert Recipe(**settings).epoch_items(there, 8) == items


def test_pictures_are_not_mirrored_where_sides_matter_unless_somebody_says_so():
    class Turns(Domain):
        name = "turns"
        left_right_matters = True

    assert recipe_for(Turns(), {}).flip is False
    assert recipe_for(Turns(), {"flip": True}).flip is True
    assert recipe_for(Domain(), {}).flip is True


@pytest.mark.parametrize(
    "chosen",
    [
        {"architecture": "cnn_lstm", "encoder": "tiny_gsm", "frozen": False},
        {"architecture": "spot_r18", "encoder": "tiny_gsm", "frozen": True},
    ],
)
def test_an_encoder_that_sees_neighbours_is_trained_and_wants_a_dense_head(chosen):
    with pytest.raises(InvalidInputError, match="'tiny_gsm' looks at neighbouring frames together"):
        Recipe.resolved(chosen)
    assert Recipe.resolved({"architecture": "spot_rny002"}).encoder == "regnet_y_200mf_gsm"


def test_the_emphasis_of_a_domain_chooses_the_best_epoch_unless_a_person_says_otherwise():
    class Spots(Domain):
        emphasis = "points"

    class Alarms(Domain):
        emphasis = "false_alarms"

    assert recipe_for(Spots(), {}).emphasis == "points"
    assert recipe_for(Spots(), {"emphasis": "segments"}).emphasis == "segments"
    # Before thresholds are chosen there are no false alarms to go by.
    assert recipe_for(Alarms(), {}).emphasis == ""
    assert recipe_for(Domain(), {}) == recipe_for(Domain(), {"emphasis": ""})
    with pytest.raises(InvalidInputError, match="emphasis must be points or segments"):
        Recipe(emphasis="recall")


def test_the_score_of_an_epoch_is_what_is_emphasised_where_that_was_measured():
    def score(emphasis, point=0.8, segment=0.2):
        return Validation(1.0, point, segment, emphasis).score

    assert [score(""), score("points"), score("segments")] == [0.5, 0.8, 0.2]
    assert score("points", point=None) == 0.2
    assert score("", point=None, segment=None) == 0.0
