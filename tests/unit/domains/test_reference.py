"""The reference of declarations names everything that there is, and its example can be used."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from prismata import domains
from prismata.core.presets import PRESETS
from prismata.domains import (
    Domain,
    EventType,
    Exclusion,
    Implication,
    IngestOptions,
    ReportSection,
    ReportTable,
    ReportVideo,
    Wording,
)
from prismata.domains.options import EMPHASES

PAGE = (Path(__file__).parents[3] / "docs/domain-reference.md").read_text("utf-8")
PROSE = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
WORDS = {word for code in re.findall(r"`([^`]+)`", PROSE) for word in re.findall(r"\w+", code)}


def declared():
    # What programs ask, and nobody declares.
    hidden = {"event_names", "folder", "event_type", "full_guide", "guide_pictures"}
    hidden |= {"tolerances_us"}
    return sorted(
        name for name in {*vars(Domain), *Domain.__annotations__} - hidden if name[0] != "_"
    )


@pytest.mark.parametrize("name", declared())
def test_every_attribute_and_hook_of_a_domain_is_explained(name):
    assert name in WORDS


@pytest.mark.parametrize(
    "kind",
    [EventType, Exclusion, Implication, IngestOptions, Wording, ReportSection, ReportTable],
    ids=lambda kind: kind.__name__,
)
def test_every_field_of_what_is_declared_is_explained(kind):
    assert {item.name for item in fields(kind)} - WORDS == set()


def test_the_choices_are_those_there_are():
    assert {*PRESETS, *EMPHASES, *(item.name for item in fields(ReportVideo))} - WORDS == set()


def test_the_example_of_rules_can_be_declared():
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = dict(vars(domains))
    exec(example, names)  # noqa: S102 - our own page
    assert [type(item).__name__ for item in names["relations"]] == [
        "Exclusion",
        "Implication",
        "Implication",
        "Implication",
    ]
