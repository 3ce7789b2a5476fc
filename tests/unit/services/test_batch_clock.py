import pytest

from prismata.services.batch_clock import BatchClock


class HandClock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return HandClock()


def test_nothing_is_said_before_anything_is_known(time):
    clock = BatchClock([60.0, 60.0], clock=time)
    assert clock.eta_seconds() is None
    clock.begin(0)
    time.now += 5
    assert clock.eta_seconds() is None
    assert clock.total_share() == 0.0


def test_the_time_left_is_by_the_length_of_what_is_left(time):
    clock = BatchClock([60.0, 180.0], clock=time)
    clock.begin(0)
    time.now += 3
    clock.move(0.5)
    assert clock.eta_seconds() == pytest.approx(3 + 18)
    time.now += 3
    clock.end(counts=True)
    assert clock.eta_seconds() == pytest.approx(18)
    assert clock.total_share() == pytest.approx(0.25)


def test_what_needed_no_work_says_nothing_about_speed_and_counts_nothing(time):
    clock = BatchClock([60.0, 1000.0, 60.0], clock=time)
    clock.begin(0)
    time.now += 6
    clock.end(counts=True)
    clock.begin(1)
    clock.end(counts=False)
    assert clock.eta_seconds() == pytest.approx(6)
    assert clock.total_share() == pytest.approx(0.5)


def test_a_length_that_nobody_knows_is_taken_for_the_mean_until_it_is_known(time):
    clock = BatchClock([10.0, None, 30.0], clock=time)
    clock.begin(0)
    time.now += 1
    clock.end(counts=True)
    assert clock.eta_seconds() == pytest.approx((20 + 30) / 10)
    clock.know(1, 70.0)
    assert clock.eta_seconds() == pytest.approx(10)


def test_a_batch_of_which_nothing_is_known_still_moves(time):
    clock = BatchClock([None, None], clock=time)
    clock.begin(0)
    time.now += 4
    clock.end(counts=True)
    assert clock.eta_seconds() == pytest.approx(4)
    clock.begin(1)
    clock.end(counts=True)
    assert clock.total_share() == 1.0
    assert clock.eta_seconds() == 0.0


def test_a_batch_without_any_work_is_done(time):
    clock = BatchClock([5.0], clock=time)
    clock.begin(0)
    clock.end(counts=False)
    assert clock.total_share() == 1.0
    assert clock.eta_seconds() is None
