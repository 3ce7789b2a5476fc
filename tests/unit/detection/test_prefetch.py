import threading
import time

import pytest

from prismata.detection.frames import prefetch


def prefetch_threads():
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_all_items_come_in_order():
    assert list(prefetch(iter(range(1000)), depth=3)) == list(range(1000))
    assert prefetch_threads() == []


def test_an_exception_of_the_source_arrives_after_what_came_before_it():
    def source():
        yield 1
        yield 2
        raise OSError("the disk fell off")

    items = prefetch(source(), depth=3)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(OSError, match="the disk fell off"):
        next(items)
    assert prefetch_threads() == []


def test_the_source_is_never_far_ahead_of_the_consumer():
    produced = []

    def source():
        for number in range(100):
            produced.append(number)
            yield number

    ahead = []
    for item in prefetch(source(), depth=3):
        time.sleep(0.005)
        ahead.append(len(produced) - item - 1)
    # Three in the queue and one in the producer's hand.
    assert 1 <= max(ahead) <= 4


def test_a_consumer_that_stops_early_ends_the_thread_and_closes_the_source():
    closed = threading.Event()

    def source():
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            closed.set()

    items = prefetch(source(), depth=2)
    assert next(items) == 0
    assert len(prefetch_threads()) == 1
    items.close()
    assert prefetch_threads() == []
    wait_for(closed.is_set)
