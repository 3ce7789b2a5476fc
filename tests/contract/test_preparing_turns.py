"""Of many preparations only a few work at the same time, and a dead one frees its place."""

import signal
import subprocess
import sys

import pytest

from prismata.worker.prepare.turns import AT_ONCE, turn

HOLDER = """
import sys, time
from pathlib import Path
from prismata.worker.prepare.turns import turn
with turn(Path(sys.argv[1]), on_waiting=lambda: None):
    print("working", flush=True)
    time.sleep(600)
"""


class StopWaitingError(Exception):
    pass


def give_up():
    raise StopWaitingError


def test_who_comes_when_all_places_are_taken_waits_until_one_is_free(tmp_path):
    folder = tmp_path / "turns"
    command = [sys.executable, "-c", HOLDER, str(folder)]
    holders = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(AT_ONCE)]
    try:
        for holder in holders:
            assert holder.stdout.readline() == b"working\n"
        with pytest.raises(StopWaitingError), turn(folder, on_waiting=give_up):
            pass
        holders[0].send_signal(signal.SIGKILL)
        holders[0].wait()
        with turn(folder, on_waiting=give_up):
            pass
        with turn(folder, on_waiting=give_up), pytest.raises(StopWaitingError):  # noqa: SIM117
            with turn(folder, on_waiting=give_up):
                pass
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()
            holder.stdout.close()
