"""What a worker hears of its spot machine when there is nobody to ask."""

from __future__ import annotations

import time

from prismata.jobs.spot import SpotWatcher


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
