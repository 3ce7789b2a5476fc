"""The published checks for plugin authors: `prismata domains check` and `DomainContract` run them.

Invariant: a check never raises for what a plugin does; it says what is wrong and what to change.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from prismata.core.errors import PrismataError
from prismata.core.events import Event
from prismata.domains.guide import read_guide
from prismata.domains.hooks import ask_section, derive_events
from prismata.domains.imports import foreign_imports
from prismata.domains.loading import PLUGIN_FILE
from prismata.domains.relations import Remark
from prismata.domains.reporting import ReportVideo
from prismata.domains.spec import Domain, check_declaration

PLAYER_KEYS = frozenset(
    {"space", "j", "k", "l", "i", "o", "arrowleft", "arrowright", "arrowup", "arrowdown", "c", "r"}
)
"""Keys that steer the player in every domain, and two that belong to the page around it (`c` and
`r` are Streamlit's); an event type cannot have them."""

MAX_PLUGIN_LINES = 60
"""For a domain with up to `TYPES_INCLUDED` event types and without the hooks of `_LONG_HOOKS`."""
TYPES_INCLUDED = 3
LINES_OF_A_TYPE = 9
"""That each event type more may have of its own."""
LINES_OF_A_HOOK = 60
"""That each of these hooks may have, with what it is made of."""
_LONG_HOOKS = ("derive", "report_section")
LOAD_BUDGET_MS = 100
HEAVY_PACKAGES = ("torch", "torchvision", "streamlit", "cv2", "av", "onnxruntime", "sqlalchemy")

_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_LOAD_SECONDS = 60
# Runs in a fresh interpreter, because in this one somebody else may have imported torch already.
_PROBE = """
import json, sys, time
from pathlib import Path
from prismata.domains.loading import load_plugin
before, start = set(sys.modules), time.perf_counter()
load_plugin(Path(sys.argv[1]))
taken = time.perf_counter() - start
heavy = sorted(set(sys.argv[2:]) & (set(sys.modules) - before))
print(json.dumps({"ms": taken * 1000, "heavy": heavy}))
"""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's verdict."""

    name: str
    """Stable id."""
    ok: bool
    message: str
    """One sentence: what is true, and what to do if it is not good."""


def check_domain(domain: Domain, folder: Path) -> list[CheckResult]:
    """Run every check on a domain and the folder that holds it.

    Args:
        domain: The domain, registered or not.
        folder: The folder with its `domain.py`.

    Returns:
        One result for each of `CHECK_NAMES`, in that order.
    """
    return [CheckResult(name, *_verdict(check, domain, folder)) for name, check in _CHECKS.items()]


def _verdict(
    check: Callable[[Domain, Path], str], domain: Domain, folder: Path
) -> tuple[bool, str]:
    try:
        return True, check(domain, folder)
    except _Broken as broken:
        return False, str(broken)


class _Broken(Exception):  # noqa: N818 - a verdict on its way out, not an error of ours
    """The plugin breaks this check; the text says how."""


def _declaration(domain: Domain, folder: Path) -> str:
    del folder
    try:
        check_declaration(type(domain))
    except PrismataError as error:
        raise _Broken(str(error)) from error
    return f"{domain.name} version {domain.version} declares {', '.join(domain.event_names)}"


def _hotkeys(domain: Domain, folder: Path) -> str:
    del folder
    keys = [(item.hotkey.lower(), item.name) for item in domain.event_types if item.hotkey]
    for key, name in keys:
        if key in PLAYER_KEYS:
            raise _Broken(
                f"hotkey {key!r} of {name!r} belongs to the player or the page around it; choose "
                "another letter or a digit"
            )
    counts = Counter(key for key, _ in keys)
    for key, count in counts.items():
        if count > 1:
            owners = " and ".join(repr(name) for owned, name in keys if owned == key)
            raise _Broken(f"hotkey {key!r} belongs to {owners}; give each its own")
    return f"hotkeys: {', '.join(f'{key} = {name}' for key, name in keys) or 'none'}"


def _rules(domain: Domain, folder: Path) -> str:
    del folder
    missing = sorted(set(domain.event_names) - set(domain.rules))
    extra = sorted(set(domain.rules) - set(domain.event_names))
    if missing:
        raise _Broken(f"event type {missing[0]!r} has no rule; decorate with @register_domain")
    if extra:
        raise _Broken(f"rule {extra[0]!r} belongs to no event type; remove or rename it")
    return "every event type has its rule"


def _guides(domain: Domain, folder: Path) -> str:
    for item in domain.event_types:
        guide = item.guide.strip()
        if not guide:
            raise _Broken(f"event type {item.name!r} has no guide; say which frame exactly")
        if len(_SENTENCE_END.findall(guide)) != 1 or guide[-1] not in ".!?":
            raise _Broken(
                f"the guide of {item.name!r} must be one sentence with a full stop; "
                "the README has room for more"
            )
    problems = read_guide(folder, domain.event_names).problems
    if problems:
        raise _Broken(problems[0])
    return "every event type has a guide of one sentence"


def _sample(domain: Domain) -> list[Event]:
    """Return some events of every type, close together."""
    second = 1_000_000
    return [
        Event.point(item.name, index * second)
        if item.kind == "point"
        else Event.segment(item.name, index * second, (index + 2) * second)
        for index, item in enumerate(domain.event_types * 2)
    ]


def _hooks(domain: Domain, folder: Path) -> str:
    """Check the hooks that make something, as the app asks them."""
    del folder
    for events in ([], _sample(domain)):
        derived = [derive_events(domain, events, None) for _ in range(2)]
        video = ReportVideo("a.mp4", 60_000_000, tuple(events), derived[0].events)
        sections = [ask_section(domain, chosen) for chosen in ((), (video,), (video,))]
        failures = [derived[0].failure, *(failure for _, failure in sections)]
        told = next((failure for failure in failures if failure is not None), None)
        if told is not None:
            raise _Broken(f"{told}; it was asked about {len(events)} events")
        if derived[0] != derived[1] or sections[1] != sections[2]:
            raise _Broken(
                "a hook says different things about the same events; keep no state, and use no "
                "clock and no dice"
            )
    made = ", ".join(item.name for item in domain.derived_types)
    return f"hooks survive an empty list and keep no state; derived: {made or 'nothing'}"


def _review(domain: Domain, folder: Path) -> str:
    del folder
    for events in ([], _sample(domain)):
        copies = [list(events), list(events)]
        said = [_messages(domain, copy) for copy in copies]
        if copies != [events, events]:
            raise _Broken("review changes the list of events that it gets; copy it first")
        if said[0] != said[1]:
            raise _Broken("review says different things about the same events; keep no state")
    return "review is pure and survives an empty list"


def _messages(domain: Domain, events: Sequence[Event]) -> list[str]:
    try:
        messages: list[object] = list(domain.review(events))
    # The hook is foreign code: whatever it raises is this check's finding.
    except Exception as error:
        what = f"{len(events)} events" if events else "an empty list"
        raise _Broken(f"review fails on {what}: {type(error).__name__}: {error}") from error
    said = [item.sentence if isinstance(item, Remark) else item for item in messages]
    if not all(isinstance(item, str) and item.strip() for item in said):
        raise _Broken("review must yield sentences, or remarks with one, and nothing else")
    return [str(item) for item in said]


def _imports(domain: Domain, folder: Path) -> str:
    del domain
    found = foreign_imports(folder)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise _Broken(
            f"{found[0]}{more}; a plugin imports prismata, prismata.domains and prismata.testing, "
            "and model.py prismata.training.factory"
        )
    return "only the public API is imported"


def _light(domain: Domain, folder: Path) -> str:
    del domain
    argv = [sys.executable, "-c", _PROBE, str(folder), *HEAVY_PACKAGES]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=_LOAD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _Broken(f"loading {PLUGIN_FILE} takes more than {_LOAD_SECONDS} s") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise _Broken(f"{PLUGIN_FILE} does not load in a fresh interpreter: {lines[-1]}")
    found = json.loads(done.stdout.splitlines()[-1])
    if found["heavy"]:
        raise _Broken(
            f"{PLUGIN_FILE} imports {', '.join(found['heavy'])}; a domain is data, "
            "move what needs it to model.py"
        )
    return f"loads in {found['ms']:.0f} ms (budget {LOAD_BUDGET_MS} ms), without heavy packages"


def _size(domain: Domain, folder: Path) -> str:
    lines = len(_text(folder / PLUGIN_FILE).splitlines())
    types = (*domain.event_types, *domain.derived_types)
    budget = MAX_PLUGIN_LINES + LINES_OF_A_TYPE * max(0, len(types) - TYPES_INCLUDED)
    budget += LINES_OF_A_HOOK * sum(
        getattr(type(domain), hook) is not getattr(Domain, hook) for hook in _LONG_HOOKS
    )
    if lines >= budget:
        raise _Broken(
            f"{PLUGIN_FILE} has {lines} lines; keep it under {budget} and move prose to the README"
        )
    return f"{PLUGIN_FILE} has {lines} lines (budget {budget})"


def _readme(domain: Domain, folder: Path) -> str:
    text = _text(folder / "README.md")
    missing = [name for name in domain.event_names if name not in text]
    if missing:
        raise _Broken(f"README.md does not explain {missing[0]!r}; it is the label guide")
    attributes = {part.name for item in domain.event_types for part in item.attributes}
    unexplained = sorted(name for name in attributes if name not in text)
    if unexplained:
        raise _Broken(
            f"README.md does not explain attribute {unexplained[0]!r}; it is the label guide"
        )
    return "README.md explains every event type" + (" and attribute" if attributes else "")


def _tests(domain: Domain, folder: Path) -> str:
    del domain
    if not list(folder.glob("tests/test_*.py")):
        raise _Broken("there is no tests/test_*.py; subclass DomainContract there")
    return "tests are there"


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _Broken(f"{file.name} cannot be read: {error}") from error


_CHECKS: dict[str, Callable[[Domain, Path], str]] = {
    "declaration": _declaration,
    "hotkeys": _hotkeys,
    "rules": _rules,
    "guides": _guides,
    "review": _review,
    "hooks": _hooks,
    "imports": _imports,
    "light": _light,
    "size": _size,
    "readme": _readme,
    "tests": _tests,
}
CHECK_NAMES = tuple(_CHECKS)
"""Ids of all checks, in the order in which they run."""
