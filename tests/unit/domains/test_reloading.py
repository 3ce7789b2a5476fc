"""A running process follows what authors edit, and an edit cannot take a domain away."""

from __future__ import annotations

import os
import shutil
import sys
import threading

import pytest

from prismata.core.errors import NotFoundError
from prismata.domains import DomainRegistry


@pytest.fixture
def folder(write_plugin):
    write_plugin("chess")
    return write_plugin("tennis").parent


def look(*folders):
    return DomainRegistry.refresh(folders, entry_points=False)


def test_an_edit_is_read_and_the_others_stay_the_same_instances(folder, write_plugin):
    look(folder)
    chess, tennis = DomainRegistry.get("chess"), DomainRegistry.get("tennis")
    write_plugin("tennis", version=2)
    assert {domain.version for domain in look(folder).domains} == {1, 2}
    assert DomainRegistry.get("tennis").version == 2
    assert DomainRegistry.get("chess") is chess
    assert tennis.version == 1, "who holds the old one keeps it"


def test_where_nothing_changed_nothing_is_run(folder, write_plugin):
    counter = folder / "runs.txt"
    write_plugin("golf", extra=f"with open({str(counter)!r}, 'a') as runs: runs.write('x')")
    for _ in range(3):
        look(folder)
    assert counter.read_text() == "x"


def test_an_edit_that_leaves_size_and_time_of_modification_is_seen(folder, write_plugin):
    file = folder / "tennis" / "domain.py"
    look(folder)
    stat = file.stat()
    write_plugin("tennis", version=2)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert file.stat().st_size == stat.st_size
    look(folder)
    assert DomainRegistry.get("tennis").version == 2


def test_new_folders_come_and_removed_ones_go(folder, write_plugin):
    look(folder)
    write_plugin("golf")
    shutil.rmtree(folder / "chess")
    assert {domain.name for domain in look(folder).domains} == {"golf", "tennis"}


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("from prismata.domains import Domain\n\nclass :\n", 3, "SyntaxError: invalid syntax"),
        ("value = 1\nvalue / 0\n", 2, "ZeroDivisionError: division by zero"),
        ("def f():\n    raise KeyError('x')\n\nf()\n", 2, "KeyError: 'x'"),
        (
            "from prismata.domains import EventType\n\n\nEventType('hit', hotkey='hh')\n",
            4,
            "event type 'hit' has hotkey 'hh'; it must be one letter or digit",
        ),
        ("\n\nimport json\njson.loads('{')\n", 4, "JSONDecodeError"),
    ],
)
def test_a_broken_edit_is_told_with_its_line_and_the_last_good_version_stays(
    folder, write_plugin, source, line, message
):
    file = write_plugin("tennis", version=3) / "domain.py"
    look(folder)
    tennis = DomainRegistry.get("tennis")
    write_plugin("tennis", source=source)
    (failure,) = look(folder).failures
    assert (failure.file, failure.line, failure.name) == (str(file), line, "tennis")
    assert failure.message.startswith(message)
    assert failure.kept_version == 3
    assert failure.where == f"{file}, line {line}"
    assert failure.sentence.endswith("; version 3, loaded before, stays in use meanwhile")
    assert DomainRegistry.get("tennis") is tennis
    assert tennis.folder == file.parent

    write_plugin("tennis", version=4)
    assert look(folder).failures == ()
    assert DomainRegistry.get("tennis").version == 4


def test_the_model_of_the_last_good_version_can_still_be_opened(folder, write_plugin):
    (folder / "tennis" / "model.py").write_text("def create_model(domain, config): return 'net'\n")
    look(folder)
    tennis = DomainRegistry.get("tennis")
    write_plugin("tennis", source="class :\n")
    assert look(folder).failures
    assert tennis.create_model() == "net"


def test_an_edited_model_counts_as_an_edit(folder):
    model = folder / "tennis" / "model.py"
    model.write_text("def create_model(domain, config): return 'old'\n")
    look(folder)
    assert DomainRegistry.get("tennis").create_model() == "old"
    model.write_text("def create_model(domain, config): return 'newer'\n")
    look(folder)
    assert DomainRegistry.get("tennis").create_model() == "newer"


def test_a_plugin_that_never_loaded_says_where_it_is_broken(folder, write_plugin):
    file = write_plugin("golf", source="\nimport nowhere_at_all\n") / "domain.py"
    (failure,) = look(folder).failures
    assert failure.kept_version is None
    assert failure.sentence == (
        f"{file}, line 2: ModuleNotFoundError: No module named 'nowhere_at_all'"
    )
    with pytest.raises(NotFoundError, match=r"No module named 'nowhere_at_all' \(.*line 2\)"):
        DomainRegistry.get("golf")


def test_a_name_that_two_want_goes_to_the_other_when_the_first_is_removed(folder, write_plugin):
    second = write_plugin("tennis", inside="theirs", version=2).parent
    assert len(look(folder, second).failures) == 1
    shutil.rmtree(folder / "tennis")
    assert look(folder, second).failures == ()
    assert DomainRegistry.get("tennis").version == 2


def test_a_plugin_that_takes_its_time_keeps_nobody_from_the_others(folder, write_plugin):
    look(folder)
    gate = type(sys)("gate_of_a_test")
    gate.entered, gate.open = threading.Event(), threading.Event()
    sys.modules["gate_of_a_test"] = gate
    try:
        write_plugin(
            "golf",
            source="import gate_of_a_test as gate\ngate.entered.set()\ngate.open.wait(30)\n",
        )
        slow = threading.Thread(target=look, args=(folder,))
        slow.start()
        assert gate.entered.wait(30)
        assert DomainRegistry.get("tennis").name == "tennis"
        assert {domain.name for domain in look(folder).domains} == {"chess", "tennis"}
        assert slow.is_alive(), "nobody waited for it"
    finally:
        gate.open.set()
        slow.join(30)
        del sys.modules["gate_of_a_test"]
    assert len(DomainRegistry.failures()) == 1, "the slow plugin registers nothing"
