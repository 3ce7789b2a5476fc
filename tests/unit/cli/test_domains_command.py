"""`prismata domains`: new from answers and flags, packed, listed with what is broken."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import prismata as package
from prismata.domains import load_plugin


@pytest.fixture
def own(settings, monkeypatch, tmp_path, prismata):
    folder = tmp_path / "own"
    monkeypatch.setenv("PRISMATA_DOMAINS_DIRS", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def answer(folder, *lines):
    """Give these answers in a terminal, line by line, and return what was shown and the code."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "prismata", "domains", "new", "tennis_serve"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])},
        cwd=folder.parent,
    ) as process:
        os.close(theirs)
        os.write(ours, ("\n".join(lines) + "\n").encode())
        shown, _ = process.communicate(timeout=120)
        os.close(ours)
    return shown.decode(), process.returncode


def test_in_a_terminal_it_asks_and_takes_no_for_an_answer(own):
    shown, code = answer(
        own,
        "Serves",  # what people read
        "contact", "", "k",  # a key of the player: the event is asked for again
        "contact", "i", "x", "First frame with the ball on the strings",
        "contact",  # is there already
        "Long Rally", "s", "", "",  # a name as people write it, the next digit, the usual guide
        "",  # no more
        "1.6",
    )  # fmt: skip
    assert code == 0, shown
    assert "'k' is used already, by the player" in shown
    assert "'contact' is there already" in shown
    domain = load_plugin(own / "tennis_serve")()
    assert domain.title == "Serves"
    contact, rally = domain.event_types
    assert (contact.name, contact.kind, contact.hotkey) == ("contact", "point", "x")
    assert contact.guide == "First frame with the ball on the strings."
    assert (rally.name, rally.kind, rally.hotkey) == ("long_rally", "segment", "1")
    assert domain.clip.target_fps == 5


def test_without_a_terminal_nothing_is_asked(own, prismata):
    answer = prismata("domains", "new", "tennis_serve", "--window", 4)
    assert answer.code == 0
    domain = load_plugin(own / "tennis_serve")()
    assert domain.event_names == ("tennis_serve",)
    assert domain.clip.target_fps == 2
    assert prismata("domains", "check", "tennis_serve").code == 0


def test_a_list_says_where_a_plugin_is_broken(own, prismata):
    prismata("domains", "new", "tennis_serve")
    file = own / "tennis_serve" / "domain.py"
    file.write_text(f"class :\n{file.read_text()}")
    listed = prismata("domains", "list", "--json").json
    assert listed["domains"] == []
    (failure,) = listed["failures"]
    assert (failure["file"], failure["line"]) == (str(file), 1)
    answer = prismata("domains", "check")
    assert answer.code == 1
    assert f"{file}, line 1: SyntaxError: invalid syntax" in answer.out.replace("\n", "")
    answer = prismata("domains", "check", "tennis_serve")
    assert answer.code == 66
    assert "its plugin is broken: SyntaxError" in answer.err


def test_a_domain_is_packed_once_and_only_if_it_passes_its_checks(own, prismata, tmp_path):
    prismata("domains", "new", "tennis_serve")
    answer = prismata("domains", "pack", "tennis_serve")
    assert answer.code == 0
    project = tmp_path / "packages" / "prismata-domain-tennis-serve"
    assert answer.out.strip() == "packages/prismata-domain-tennis-serve"
    assert (
        'tennis_serve = "prismata_domains.tennis_serve.domain:TennisServe"'
        in (project / "pyproject.toml").read_text()
    )
    assert "exists already" in prismata("domains", "pack", "tennis_serve").err
    (own / "tennis_serve" / "README.md").write_text("Nothing.")
    answer = prismata("domains", "pack", "tennis_serve", "--to", tmp_path / "other")
    assert answer.code != 0
    assert "mend it first: readme: README.md does not explain" in answer.err
    assert not (tmp_path / "other").exists()
