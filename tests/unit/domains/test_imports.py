"""A plugin imports the public API and nothing behind it; its hooks are asked before the app is."""

import pytest

from prismata.domains import check_domain, load_plugin
from prismata.domains.imports import foreign_imports

PUBLIC = """
import prismata
import prismata.domains as d
from prismata import Domain, domains, testing
from prismata.domains import Event, EventType, Implication, ReportSection, register_domain
from prismata.testing import synth
from prismata.testing.domain_contract import DomainContract
from math import hypot
from . import model
"""


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("import prismata.services.train", "prismata.services.train"),
        ("from prismata.core.events import Event", "prismata.core.events"),
        ("from prismata.domains.spec import Domain", "prismata.domains.spec"),
        ("from prismata.domains import complete_domain", "prismata.domains.complete_domain"),
        ("from prismata import services", "prismata.services"),
        ("    import prismata.catalog", "prismata.catalog"),
        ("    import_module('prismata.catalog')", "prismata.catalog"),
        ("    importlib.import_module('prismata.jobs.engine')", "prismata.jobs.engine"),
        ("    __import__('prismata.storage')", "prismata.storage"),
        ("from prismata.training.factory import create_model", "prismata.training.factory"),
    ],
)
def test_an_import_behind_the_public_api_is_found_with_file_and_line(tmp_path, line, what):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(f"{PUBLIC}\ndef f():\n    pass\n{line}\n")
    number = len(PUBLIC.splitlines()) + 4
    assert foreign_imports(tmp_path) == [f"tests/test_it.py, line {number}: {what} is not public"]


def test_what_is_public_is_not_found_and_model_may_take_the_makers(tmp_path):
    (tmp_path / "domain.py").write_text(PUBLIC)
    (tmp_path / "model.py").write_text("from prismata.training.factory import create_model\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "x.py").write_text("import prismata.catalog\n")
    assert foreign_imports(tmp_path) == []


def test_a_file_that_is_no_python_is_named_instead_of_passed_over(tmp_path):
    (tmp_path / "old.py").write_text("print 'hello'\n")
    (told,) = foreign_imports(tmp_path)
    assert told.startswith("old.py cannot be read: ")


def verdicts(folder):
    return {item.name: item for item in check_domain(load_plugin(folder)(), folder)}


def test_the_published_check_says_what_is_public_instead(write_plugin):
    folder = write_plugin("tennis")
    assert verdicts(folder)["imports"].ok
    (folder / "kit.py").write_text("import prismata.catalog\nimport prismata.storage\n")
    told = verdicts(folder)["imports"]
    assert not told.ok
    assert told.message == (
        "kit.py, line 1: prismata.catalog is not public (and 1 more); a plugin imports prismata, "
        "prismata.domains and prismata.testing, and model.py prismata.training.factory"
    )


TYPES = 'derived_types = (EventType("game", "segment"),)'


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("def report_section(self, videos):\n        return videos[0]", "IndexError"),
        ("def report_section(self, videos):\n        return 'text'", "return a ReportSection"),
        (f"{TYPES}\n    def derive(self, events, scores):\n        return events", "none of its"),
        (
            f"{TYPES}\n    def derive(self, events, scores):\n        return events[-1:][0]",
            "it was asked about 0 events",
        ),
        (
            f"{TYPES}\n    calls = []\n    def derive(self, events, scores):\n"
            "        self.calls.append(1)\n"
            "        from prismata.domains import Event\n"
            "        return [Event.segment('game', 0, len(self.calls))]",
            "says different things about the same events",
        ),
    ],
)
def test_a_hook_that_would_fail_in_the_app_fails_the_check(write_plugin, extra, message):
    told = verdicts(write_plugin("tennis", extra=extra))["hooks"]
    assert not told.ok
    assert message in told.message


def test_a_guide_picture_that_cannot_be_shown_fails_the_check(write_plugin):
    folder = write_plugin("tennis")
    (folder / "guide").mkdir()
    (folder / "guide" / "hit.jpg").write_bytes(b"not a picture")
    assert "guide/hit.jpg is no JPEG or PNG" in verdicts(folder)["guides"].message
