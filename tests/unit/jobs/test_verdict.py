import signal
from dataclasses import replace

import pytest

from prismata.core.jobs import FailureCause, JobState
from prismata.core.ports import ChildLimits
from prismata.jobs.verdict import Ending, StopReason, count_oom_kills, find_oom_counter, judge

CLEAN = Ending(
    result={"type": "result", "v": 1, "events": []},
    error=None,
    exit_code=0,
    stopped_for=None,
    oom_kills=0,
    peak_rss_mb=123.456,
    wall_seconds=1.0,
    log_tail=(),
)
NO_RESULT = replace(CLEAN, result=None)


def verdict(ending, **limits):
    return judge(ending, ChildLimits(**limits), subject="detection process")


def test_a_result_comes_without_the_marks_of_the_protocol():
    outcome = verdict(CLEAN)
    assert (outcome.state, outcome.result) == (JobState.SUCCEEDED, {"events": []})
    assert outcome.peak_rss_mb == 123.5


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"exit_code": -signal.SIGKILL}, FailureCause.KILLED),
        ({"exit_code": -signal.SIGKILL, "oom_kills": 1}, FailureCause.OUT_OF_MEMORY),
        ({"exit_code": None}, FailureCause.KILLED),
        ({"exit_code": -signal.SIGTERM}, FailureCause.KILLED),
        ({"exit_code": 143}, FailureCause.KILLED),
        ({"exit_code": -signal.SIGBUS}, FailureCause.CRASHED),
        ({"exit_code": -signal.SIGBUS, "oom_kills": 1}, FailureCause.CRASHED),
        ({"exit_code": 1}, FailureCause.CRASHED),
        ({"exit_code": 0}, FailureCause.CRASHED),
        ({"exit_code": 143, "stopped_for": StopReason.STALLED}, FailureCause.STALLED),
        (
            {"exit_code": -9, "stopped_for": StopReason.STALLED, "oom_kills": 1},
            FailureCause.STALLED,
        ),
        ({"exit_code": 143, "stopped_for": StopReason.OVERTIME}, FailureCause.STALLED),
        ({"exit_code": 0, "log_tail": ("MemoryError in a test name",)}, FailureCause.CRASHED),
    ],
)
def test_the_cause_follows_from_the_evidence(changes, cause):
    outcome = verdict(replace(NO_RESULT, **changes))
    assert (outcome.state, outcome.cause) == (JobState.FAILED, cause)
    assert outcome.message.startswith("The detection process ")
    assert outcome.message.endswith(".")


@pytest.mark.parametrize(
    "words",
    [
        "MemoryError",
        "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 8.00 GiB: MemoryError",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "RuntimeException: bad allocation",
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes",
        "torch.OutOfMemoryError: CUDA out of memory.",
        "cv2.error: (-4:Insufficient memory) Failed to allocate 99 bytes",
        "OSError: [Errno 12] Cannot allocate memory",
        "ImportError: libav.so.11: failed to map segment from shared object",
    ],
)
def test_what_libraries_say_about_memory_is_understood(words):
    said = replace(NO_RESULT, exit_code=1, log_tail=("loading", words, "Aborted"))
    assert verdict(said).cause is FailureCause.OUT_OF_MEMORY
    called_a_bug = replace(NO_RESULT, exit_code=70, error={"cause": "bug", "message": words})
    assert verdict(called_a_bug).cause is FailureCause.OUT_OF_MEMORY


def test_a_file_called_memory_error_is_still_the_users_file():
    error = {"cause": "user_error", "message": "MemoryError.mp4 is not a video; choose another."}
    outcome = verdict(replace(NO_RESULT, exit_code=65, error=error))
    assert outcome.cause is FailureCause.USER_ERROR
    assert outcome.message == error["message"]


def test_the_memory_message_names_the_limit_or_what_was_reached():
    killed = replace(NO_RESULT, exit_code=-signal.SIGKILL, oom_kills=1, peak_rss_mb=1800.0)
    assert "more than the 900 MB it may use" in verdict(killed, memory_mb=900).message
    assert "when it used 1800 MB" in verdict(killed).message


def test_a_cancelled_child_is_cancelled_however_it_died():
    for exit_code in (-signal.SIGKILL, 143, 1, None):
        ending = replace(NO_RESULT, exit_code=exit_code, stopped_for=StopReason.CANCELLED)
        outcome = verdict(ending)
        assert (outcome.state, outcome.cause) == (JobState.CANCELLED, None)


def test_a_cause_from_a_newer_child_is_a_bug_not_an_exception():
    error = {"cause": ["something", "new"], "message": "It was odd."}
    assert verdict(replace(NO_RESULT, exit_code=70, error=error)).cause is FailureCause.BUG


def test_a_crash_repeats_the_last_words():
    ending = replace(NO_RESULT, exit_code=1, log_tail=("first", "ImportError: no libcuda"))
    assert "“ImportError: no libcuda”" in verdict(ending).message


def counters(tmp_path, membership, *files):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(membership)
    for name, text in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = find_oom_counter(tmp_path / "proc", tmp_path / "cgroup")
    return found, count_oom_kills(found)


def test_the_counter_of_our_own_group_is_found_in_cgroup_v2(tmp_path):
    found, kills = counters(
        tmp_path,
        "0::/user.slice/app\n",
        ("cgroup/user.slice/app/memory.events", "low 0\noom 5\noom_kill 2\n"),
        ("proc/vmstat", "oom_kill 7\n"),
    )
    assert found == tmp_path / "cgroup/user.slice/app/memory.events"
    assert kills == 2


def test_the_counter_of_our_own_group_is_found_in_cgroup_v1(tmp_path):
    _, kills = counters(
        tmp_path,
        "4:memory:/box\n0::/\n",
        ("cgroup/memory/box/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
        ("proc/vmstat", "oom_kill 7\n"),
    )
    assert kills == 3


def test_a_group_seen_from_inside_a_container_is_found_at_its_root(tmp_path):
    _, kills = counters(
        tmp_path, "0::/outer/name\n", ("cgroup/memory.events", "oom 1\noom_kill 1\n")
    )
    assert kills == 1


def test_the_whole_machine_counts_when_no_group_does(tmp_path):
    _, kills = counters(tmp_path, "0::/\n", ("proc/vmstat", "nr_free 1\noom_kill 7\n"))
    assert kills == 7


def test_a_system_without_counters_counts_nothing(tmp_path):
    assert find_oom_counter(tmp_path, tmp_path) is None
    assert count_oom_kills(None) == 0
