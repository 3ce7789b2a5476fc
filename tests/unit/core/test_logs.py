"""Logging: one place, two formats, ids where they are known, and no secret."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading

import pytest

from prismata.core import logs
from prismata.core.logs import (
    hide_secrets,
    keep_log_ids,
    known_ids,
    log_ids,
    set_up_logging,
    take_from_child,
    terms_for_child,
)

SECRET = 'pa"ss/w\u00f6rd'


@pytest.fixture
def alone(monkeypatch):
    """Set logging up as in a process in which nobody has arranged it."""
    root = logging.getLogger()
    level = root.level
    levels = {name: logging.getLogger(name).level for name in logs._TALKATIVE}
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)

    def set_up(*terms):
        # Here and not before: pytest hangs its own handlers in when a test begins.
        root.handlers.clear()
        set_up_logging(*terms)

    yield set_up
    root.handlers.clear()
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    logs._process_ids.clear()
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.fixture
def read(capsys):
    def lines():
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    return lines


logger = logging.getLogger("prismata.test")


def test_a_record_in_json_says_when_where_and_for_whom(alone, read):
    alone("INFO", "json")
    with log_ids(job_id="j1"):
        logger.info("half %s", "done", extra={"share": 0.5, "what": ["a"]})
    (record,) = read()
    assert record.pop("time").endswith("Z")
    assert record.pop("pid") > 0
    assert record == {
        "level": "INFO",
        "logger": "prismata.test",
        "message": "half done",
        "job_id": "j1",
        "share": 0.5,
        "what": "['a']",
    }


@pytest.mark.logs_errors
def test_an_exception_is_a_field_of_one_line(alone, read):
    alone("INFO", "json", [SECRET])
    try:
        raise ValueError(f"two\nlines with {SECRET}")
    except ValueError:
        logger.exception("it broke")
    (record,) = read()
    assert record["message"] == "it broke"
    assert "two\nlines with ***" in record["exception"]
    assert "Traceback" in record["exception"]


@pytest.mark.logs_errors
def test_what_nobody_caught_is_a_record_too(alone, read):
    alone("WARNING", "json", [SECRET])

    def fail():
        raise RuntimeError(SECRET)

    thread = threading.Thread(target=fail, name="worker-7")
    thread.start()
    thread.join()
    try:
        fail()
    except RuntimeError:
        sys.excepthook(*sys.exc_info())
    first, second = read()
    assert (first["level"], first["message"]) == ("CRITICAL", "uncaught in thread worker-7")
    assert (second["level"], second["message"]) == ("CRITICAL", "uncaught")
    assert "RuntimeError: ***" in second["exception"]


def test_a_level_holds_for_libraries_with_levels_of_their_own(alone, read):
    alone("WARNING", "json")
    library = logging.getLogger("somebody.else")
    library.setLevel(logging.DEBUG)
    library.info("chatter")
    library.warning("trouble")
    assert [record["message"] for record in read()] == ["trouble"]
    alone("DEBUG", "json")
    logging.getLogger("botocore.auth").debug("Signature: 123")
    logger.debug("ours")
    assert [record["message"] for record in read()] == ["ours"]


def test_what_others_arranged_stays(capsys):
    before = logging.getLogger().handlers[:]
    assert before, "pytest has handlers"
    set_up_logging("DEBUG", "json", ["x"])
    assert logging.getLogger().handlers == before
    assert terms_for_child() is None


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("redis://:hunter2@host:6379/0", "redis://:***@host:6379/0"),
        ("postgresql://anna:s3cr:et@[::1]/db failed", "postgresql://anna:***@[::1]/db failed"),
        ("GET /api/video/7?token=abc.def&x=1 HTTP/1.1", "GET /api/video/7?*** HTTP/1.1"),
        ("Authorization: Bearer eyJ.abc-_", "Authorization: Bearer ***"),
        ("X-Amz-Security-Token: FwoG//abc", "X-Amz-Security-Token: ***"),
        ("is it there? a=b", "is it there? a=b"),
        ("at 12:30@noon, see http://host:80/a", "at 12:30@noon, see http://host:80/a"),
        (f"plain {SECRET}.", "plain ***."),
        ("in an address pa%22ss%2Fw%C3%B6rd", "in an address ***"),
        (json.dumps({"a": SECRET}), '{"a": "***"}'),
    ],
)
@pytest.mark.parametrize("log_format", ["text", "json"])
def test_secrets_are_hidden_however_they_are_spelled(alone, capsys, said, seen, log_format):
    alone("INFO", log_format, [SECRET, ""])
    assert hide_secrets(said) == seen
    logger.info("%s", said, extra={"more": said})
    err = capsys.readouterr().err
    if log_format == "json":
        record = json.loads(err)
        assert (record["message"], record["more"]) == (seen, seen)
    else:
        assert err == f"INFO prismata.test {seen}\n"


def test_a_childs_record_goes_on_and_a_person_sees_words(alone, capsys):
    alone("INFO", "json", [SECRET])
    line = json.dumps(
        {"time": "t", "level": "ERROR", "logger": "l", "message": "m", "exception": "a\nb"}
    )
    assert take_from_child(line) == ["ERROR l m", "a", "b"]
    assert capsys.readouterr().err == f"{line}\n"
    assert take_from_child(f"printed {SECRET}") == ["printed ***"]
    assert take_from_child('{"time": "no record"}') == ['{"time": "no record"}']
    assert capsys.readouterr().err == ""
    alone("INFO", "text", [SECRET])
    assert take_from_child(line) == [line]
    assert capsys.readouterr().err == ""


def test_ids_belong_to_a_task_and_those_of_a_child_to_all_its_threads(alone, read):
    alone("INFO", "json", [SECRET])
    with log_ids(job_id="j1"):
        keep_log_ids(run_id="r1")
        terms = terms_for_child()
    assert known_ids() == {}
    assert terms["ids"] == {"job_id": "j1", "run_id": "r1"}
    logs.log_as_told(json.loads(json.dumps(terms)))
    thread = threading.Thread(target=lambda: logger.info("from a thread, %s", SECRET))
    thread.start()
    thread.join()
    (record,) = read()
    assert (record["job_id"], record["run_id"]) == ("j1", "r1")
    assert record["message"] == "from a thread, ***"

    def other():
        keep_log_ids(request_id="q")
        assert known_ids()["request_id"] == "q"

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert "request_id" not in known_ids()


CHILD = f"""
import logging, sys, threading
from prismata.core.child import child_main

def handle(request, reporter):
    logger = logging.getLogger("prismata.child")
    logger.warning("opened %s", request["url"])
    print("a library prints", request["url"])
    try:
        raise KeyError({SECRET!r})
    except KeyError:
        logger.exception("one thing failed")
    raise RuntimeError("gave up on " + request["url"])

sys.exit(child_main(handle))
"""

PARENT = f"""
import json, sys
from prismata.core.logs import log_ids, set_up_logging, terms_for_child
from prismata.core.ports import ChildLimits
from prismata.jobs import ChildSupervisor

set_up_logging("INFO", "json", [{SECRET!r}])
request = {{"url": "postgresql://anna:hunter2@host/db?x=" + {SECRET!r}}}
with log_ids(job_id="j1"):
    request["log"] = terms_for_child()
outcome = ChildSupervisor().run(
    [sys.executable, sys.argv[1]], request, on_message=lambda _: None, limits=ChildLimits()
)
print(json.dumps([outcome.message, *outcome.log_tail]))
"""


def test_a_real_child_logs_through_its_parent_without_secrets(tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "parent.py").write_text(PARENT)
    done = subprocess.run(
        [sys.executable, tmp_path / "parent.py", tmp_path / "child.py"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    opened, broke = (json.loads(line) for line in done.stderr.splitlines())
    assert opened["message"] == "opened postgresql://anna:***@host/db?***"
    assert (broke["message"], broke["job_id"]) == ("one thing failed", "j1")
    assert "KeyError" in broke["exception"]
    told = json.loads(done.stdout)
    assert "gave up on postgresql://anna:***@host/db?***" in told[0]
    assert "a library prints postgresql://anna:***@host/db?***" in told
    assert "WARNING prismata.child opened postgresql://anna:***@host/db?***" in told
    everything = done.stdout + done.stderr
    assert "hunter2" not in everything
    assert SECRET not in everything
    assert json.dumps(SECRET)[1:-1] not in everything
