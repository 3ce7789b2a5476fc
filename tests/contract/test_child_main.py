"""What `child_main` promises whoever reads its pipe, on real processes."""

import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from prismata.testing.children import handling_child


def start(body):
    """Start a child whose handler is `body`."""
    return subprocess.Popen(
        handling_child(body),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(body, request="{}\n"):
    """Run a child to its end; return its exit code, messages after `started`, standard error."""
    with start(body) as child:
        out, errors = child.communicate(request, timeout=120)
    messages = [json.loads(line) for line in out.splitlines()]
    if messages and messages[0]["type"] == "started":
        messages.pop(0)
    return child.returncode, messages, errors


def test_nothing_a_library_prints_reaches_the_protocol():
    exit_code, messages, errors = finish("""
        import ctypes
        print("from Python")
        os.write(1, b"from the file descriptor\\n")
        libc = ctypes.CDLL(None)
        libc.puts(b"from C")
        libc.fflush(None)
        os.system("echo from a program")
        return {"ok": True}
    """)
    assert exit_code == 0
    assert [message["type"] for message in messages] == ["memory", "result"]
    assert messages[-1] == {"type": "result", "v": 1, "ok": True}
    for source in ("from Python", "from the file descriptor", "from C", "from a program"):
        assert source in errors


def test_progress_is_thinned_out_but_the_first_the_last_and_new_phases_get_through():
    _, messages, _ = finish("""
        for number in range(10_001):
            reporter.progress(number, 10_000, "reading" if number < 5_000 else "writing")
        return {}
    """)
    progress = [message for message in messages if message["type"] == "progress"]
    assert len(progress) < 1_000
    assert progress[0]["done"] == 0
    assert progress[-1]["done"] == progress[-1]["total"] == 10_000
    assert next(message["done"] for message in progress if message["note"] == "writing") == 5_000


def test_the_time_left_follows_from_the_speed_of_this_phase():
    _, messages, _ = finish("""
        reporter.progress(0, 4, "slow")
        time.sleep(0.5)
        reporter.progress(1, 4, "slow")
        reporter.progress(7, None, "nobody knows")
        reporter.progress(0, 9, "next")
        return {}
    """)
    slow, one_done, unknown, fresh = (
        message["eta_s"] for message in messages if message["type"] == "progress"
    )
    assert slow is unknown is fresh is None
    assert one_done >= 1.5


def test_memory_goes_with_progress_and_is_the_real_one():
    _, messages, _ = finish("""
        hog = bytearray(60 << 20)
        hog[::4096] = b"x" * (60 << 8)
        reporter.progress(0, 2, "full")
        del hog
        reporter.progress(1, 2, "empty")
        return {}
    """)
    full, empty, last = (message for message in messages if message["type"] == "memory")
    assert 60 < full["peak_rss_mb"] < 200
    assert 60 < empty["peak_rss_mb"] == last["peak_rss_mb"] < 200
    if sys.platform == "linux":
        assert full["rss_mb"] - empty["rss_mb"] > 50


@pytest.mark.parametrize("request_text", ["", "not json\n", "[1, 2]\n"])
def test_a_request_that_is_none_is_refused_in_words(request_text):
    exit_code, messages, _ = finish("return {}", request_text)
    assert exit_code == 64
    assert [message["type"] for message in messages] == ["error"]
    assert messages[0]["cause"] == "user_error"
    assert "through the supervisor" in messages[0]["message"]


def test_a_user_error_has_its_message_reason_and_exit_code():
    exit_code, messages, errors = finish("""
        from prismata.core.errors import BadVideoError
        raise BadVideoError("Not a video; choose another.", reason="not_a_video")
    """)
    assert exit_code == 65
    assert messages == [
        {
            "type": "error",
            "v": 1,
            "cause": "user_error",
            "message": "Not a video; choose another.",
            "reason": "not_a_video",
        }
    ]
    assert "Traceback" not in errors


def test_a_memory_error_is_told_without_needing_memory():
    exit_code, messages, _ = finish("return {'hog': bytearray(1 << 60)}")
    assert exit_code == 77
    assert messages[0]["cause"] == "out_of_memory"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_is_a_storage_failure():
    exit_code, messages, _ = finish("""
        with open("/dev/full", "w") as disk:
            disk.write("x" * 100_000)
    """)
    assert exit_code == 74
    assert messages[0]["cause"] == "storage"
    assert "The disk is full" in messages[0]["message"]


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('odd')",
        "return {'type': 'event'}",
        "return {'x': object()}",
        "open('/x/y')",
    ],
)
def test_anything_unexpected_is_our_bug_with_a_traceback(body):
    exit_code, messages, errors = finish(body)
    assert exit_code == 70
    assert [message["cause"] for message in messages] == ["bug"]
    assert "Traceback" in errors


def test_sigterm_lets_the_handler_clean_up():
    with start("""
        try:
            reporter.event({"handler": "has begun"})
            time.sleep(600)
        finally:
            print("cleaned up")
    """) as child:
        child.stdin.write("{}\n")
        child.stdin.flush()
        assert json.loads(child.stdout.readline())["type"] == "started"
        assert json.loads(child.stdout.readline())["type"] == "event"
        child.send_signal(signal.SIGTERM)
        out, errors = child.communicate(timeout=120)
    assert child.returncode == 128 + signal.SIGTERM
    assert out == ""
    assert "cleaned up" in errors
    assert "Traceback" not in errors


def test_a_child_stops_when_nobody_listens_any_more():
    with start("""
        while True:
            reporter.event({})
    """) as child:
        child.stdin.write("{}\n")
        child.stdin.flush()
        child.stdout.readline()
        child.stdout.close()
        assert child.wait(timeout=120) == 128 + signal.SIGTERM


def ask(child, **request):
    """Send one request to a child that stays; return the messages up to its answer."""
    child.stdin.write(json.dumps(request) + "\n")
    child.stdin.flush()
    messages = []
    while not messages or messages[-1]["type"] not in ("result", "error"):
        messages.append(json.loads(child.stdout.readline()))
    return messages


def test_a_child_answers_requests_until_its_input_ends_and_keeps_what_it_opened():
    with start("""
        opened = globals().setdefault("opened", [])
        opened.append(request["name"])
        if request["name"] == "bad":
            from prismata.core.errors import BadVideoError
            raise BadVideoError("Not a video; choose another.", reason="not_a_video")
        return {"opened": opened}
    """) as child:
        first = ask(child, name="first")
        bad = ask(child, name="bad")
        third = ask(child, name="third")
        out, errors = child.communicate(timeout=120)
    assert (child.returncode, out, errors) == (0, "", "")
    assert first[-1]["opened"] == ["first"]
    assert [message["type"] for message in bad] == ["started", "error"]
    assert bad[-1]["reason"] == "not_a_video"
    assert third[-1]["opened"] == ["first", "bad", "third"]
    assert first[0]["pid"] == third[0]["pid"]


def test_the_exit_code_is_that_of_the_last_request():
    body = """
        from prismata.core.errors import BadVideoError
        if request["bad"]:
            raise BadVideoError("Not a video.", reason="not_a_video")
        return {}
    """
    good, bad = '{"bad": false}\n', '{"bad": true}\n'
    assert finish(body, good + bad)[0] == 65
    assert finish(body, bad + good)[0] == 0


def test_a_line_that_is_no_request_ends_only_itself():
    _, messages, _ = finish("return {'ok': 1}", "not json\n{}\n")
    assert [message["type"] for message in messages] == ["error", "started", "memory", "result"]


@pytest.mark.parametrize(
    ("trouble", "code"),
    [("bytearray(1 << 60)", 77), ("1 / 0", 70), ("open('/dev/full', 'w', 1).write('x\\n')", 74)],
)
def test_after_trouble_of_its_own_a_child_takes_no_other_request(trouble, code):
    exit_code, messages, _ = finish(f"{trouble}\nreturn {{}}", "{}\n{}\n")
    assert exit_code == code
    assert [message["type"] for message in messages] == ["error"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux resets the mark")
def test_the_peak_of_a_request_is_not_that_of_the_one_before():
    with start("""
        hog = bytearray(request["mb"] << 20)
        hog[::4096] = b"x" * (request["mb"] << 8)
        return {}
    """) as child:
        peaks = [ask(child, mb=size)[-2]["peak_rss_mb"] for size in (150, 5, 90)]
        child.communicate(timeout=120)
    big, little, middle = peaks
    assert big > 150
    assert little < 90 < middle < 150


def test_what_was_printed_has_arrived_before_the_answer(monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    with start("print('number', request['number'])\nreturn {}") as child:
        for number in range(3):
            ask(child, number=number)
            assert child.stderr.readline() == f"number {number}\n"
        child.communicate(timeout=120)


def test_a_thread_that_outlives_its_request_speaks_into_no_other():
    with start("""
        import threading
        def go_on():
            time.sleep(0.2)
            reporter.event({"of": request["number"]})
        if request["number"] == 1:
            threading.Thread(target=go_on).start()
            return {}
        time.sleep(1)
        reporter.event({"of": request["number"]})
        return {}
    """) as child:
        ask(child, number=1)
        messages = ask(child, number=2)
        child.communicate(timeout=120)
    assert [message["event"] for message in messages if message["type"] == "event"] == [{"of": 2}]


def test_sigterm_ends_a_child_that_waits_for_a_request():
    with start("return {}") as child:
        ask(child)
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=120) == 128 + signal.SIGTERM


def helper(body):
    """Run a process that helps another child; return exit code, messages, standard error."""
    program = (
        "import sys\nfrom prismata.core.child import helper_main\n"
        "from prismata.core.errors import InvalidInputError\n"
        f"def work(reporter):\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"
        "sys.exit(helper_main(work))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_a_helper_says_nothing_as_long_as_all_is_well():
    assert helper("""
        reporter.started(runtime="mine")
        reporter.progress(1, 1, "helping")
        print("for the log")
    """) == (0, [], "for the log\n")


@pytest.mark.parametrize(
    ("trouble", "cause", "code"),
    [
        ("raise InvalidInputError('too few')", "user_error", 64),
        ("raise MemoryError", "out_of_memory", 77),
        ("raise ZeroDivisionError", "bug", 70),
    ],
)
def test_a_helper_says_why_it_failed(trouble, cause, code):
    exit_code, (message,), _ = helper(trouble)
    assert (exit_code, message["type"], message["cause"]) == (code, "error", cause)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of other processes")
def test_the_memory_of_helpers_is_counted_and_one_that_is_gone_is_not_missed():
    _, messages, _ = finish("""
        import subprocess
        hog = "hog = bytearray(1 << 27); hog[::4096] = b'x' * 32768; print(1); input()"
        helper = subprocess.Popen(
            [sys.executable, "-c", hog], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        helper.stdout.readline()
        reporter.progress(0, 2, "alone")
        reporter.count_memory_of([helper.pid])
        reporter.progress(1, 2, "together")
        helper.communicate(b"\\n")
        reporter.progress(2, 2, "alone again")
        return {}
    """)
    told = [message for message in messages if message["type"] == "memory"]
    for kind in ("rss_mb", "peak_rss_mb"):
        alone, together, again = (message[kind] for message in told[:3])
        assert together - alone > 128
        assert again < together - 128
