"""What a worker hears of its spot machine when there is nobody to ask."""

from __future__ import annotations

import time

import pytest

from prismata.jobs.spot import SpotWatcher
from prismata.testing.spot_metadata import SpotMetadata

REFUSED = 401


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@pytest.mark.parametrize("what", ["interrupt", "recommend_rebalance"])
def test_a_notice_is_heard_when_the_token_has_just_ended(what):
    """With the same look: the machine is gone in two minutes."""
    heard = []
    with SpotMetadata() as service:
        watcher = SpotWatcher(
            lambda: heard.append("interrupt"),
            lambda: heard.append("recommend_rebalance"),
            url=service.url,
            poll_seconds=0.05,
        )
        watcher.start()
        wait_for(lambda: len(service.requests) > 3)
        assert heard == []
        getattr(service, what)()
        service.expire_tokens()
        wait_for(lambda: heard)
        watcher.close()
        asked = list(service.requests)
    assert heard == [what]
    (refused,) = [number for number, (_, _, status) in enumerate(asked) if status == REFUSED]
    assert asked[refused + 1][0] == "PUT", "a new token,"
    assert asked[refused + 2][:2] == asked[refused][:2], "then the same question"


def test_a_metadata_service_that_cannot_be_reached_is_told_of(caplog):
    """Its silence would look like a machine that is never taken away."""
    watcher = SpotWatcher(lambda: None, lambda: None, url="http://127.0.0.1:9", poll_seconds=0.01)
    watcher.start()
    deadline = time.monotonic() + 30
    while "no notice of an interruption will be seen" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(0.1)
    watcher.close()
    assert caplog.text.count("spot_metadata_unreachable") == 1
