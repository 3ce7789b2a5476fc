import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.events import EventType
from prismata.training.data import LabelledVideo, check_trainable, positive_weights

TYPES = (EventType("hit", "point"), EventType("over", "segment"))
TIMES = np.arange(10, dtype=np.int64) * 100_000


def video(targets, weights=None):
    targets = np.array(targets, np.float32)
    times = np.arange(len(targets), dtype=np.int64)
    inputs = np.zeros((len(targets), 2), np.float32)
    given = np.ones_like(targets) if weights is None else np.array(weights, np.float32)
    return LabelledVideo("v", times, inputs, targets, given, (), len(targets))


def test_rare_positives_weigh_as_much_more_as_they_are_rarer_up_to_the_limit():
    videos = [video([[1, 1], [0, 0], [0, 1]]), video([[0, 1], [0, 1]] + 3 * [[0, 1]])]
    # 1 of 8 against 7 of 8.
    assert positive_weights(videos).tolist() == [5.0, 1.0]
    assert positive_weights(videos, limit=100).tolist() == [7.0, 1.0]
    assert positive_weights([video([[0, 1]] * 4)], limit=100).tolist() == [4.0, 1.0]


def test_unseen_samples_do_not_make_positives_rarer():
    seen = video([[1], [0], [0]])
    padded = video([[1], [0], [0]] + 20 * [[0]], 3 * [[1]] + 20 * [[0]])
    assert positive_weights([seen]).tolist() == positive_weights([padded]).tolist() == [2.0]


def test_data_in_which_nothing_but_an_event_is_known_is_refused_with_advice():
    only_over = video([[1, 1], [0, 1], [0, 0]], [[1, 1], [1, 1], [1, 0]])
    with pytest.raises(InvalidInputError) as caught:
        check_trainable([only_over], TYPES)
    assert str(caught.value) == (
        "nobody watched a moment of the training videos without over, so there is nothing to tell "
        "apart; watch some more of a video in the label station, or, if a label file holds all "
        "events of its videos, import it without --partial"
    )
    check_trainable([only_over, video([[0, 0]])], TYPES)


def test_data_without_an_example_of_every_event_is_refused_by_name():
    with pytest.raises(InvalidInputError, match="no training video"):
        check_trainable([], TYPES)
    with pytest.raises(InvalidInputError, match="no example of over; label some"):
        check_trainable([video([[1, 0], [0, 0]])], TYPES)
    check_trainable([video([[1, 0]]), video([[0, 1]])], TYPES)
