"""Write a new plugin folder that passes its own checks from the first minute.

Invariant: the folder appears complete or not at all.
"""

from __future__ import annotations

import json
import shutil
import string
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from prismata.core.errors import ConflictError, InvalidInputError
from prismata.core.events import Attribute, EventType, check_name
from prismata.domains.checks import PLAYER_KEYS
from prismata.domains.loading import PLUGIN_FILE
from prismata.domains.scaffold_files import DOMAIN, README, SCENE, TEST

DEFAULT_WINDOW_SECONDS = 0.8
NUM_FRAMES = 8
"""Pictures in a window of a new domain; the window's length decides how far they lie apart."""

_LINE_LENGTH = 100
_SEGMENT_SECONDS = 1.0
"""How long a stretch lasts in the invented scene of a new domain."""
_GUIDES = {
    "point": "First frame of the {}.",
    "segment": "From the first frame of the {} to the first frame after it.",
}


def parse_event_type(text: str) -> EventType:
    """Read `name`, `name:kind` or `name:kind:hotkey`, the way the command line spells it.

    Raises:
        InvalidInputError: If there are more parts, or one cannot be used.
    """
    name, *rest = text.split(":")
    if len(rest) > 2:
        raise InvalidInputError(
            f"{text!r} is not an event type; write name, name:kind or name:kind:hotkey"
        )
    kind = rest[0] if rest else "point"
    hotkey = rest[1] if len(rest) > 1 else ""
    return EventType(name, kind, hotkey=hotkey)  # type: ignore[arg-type]  # checked inside


def create_domain(
    folder: Path,
    name: str,
    event_types: Sequence[EventType] = (),
    *,
    title: str = "",
    window_seconds: float = DEFAULT_WINDOW_SECONDS,
) -> list[Path]:
    """Write `folder/name/`: `domain.py`, label guide, a scene to film, and tests; return the files.

    Args:
        folder: The folder that holds plugins; made if it is not there.
        name: The domain's name, lower-case snake case.
        event_types: By default one point event with the domain's name. Missing hotkeys and guides
            are filled in.
        title: What people read; by default the name with spaces.
        window_seconds: How long a stretch shows what kind of event it is, 0.1 to 60.

    Raises:
        InvalidInputError: If a name or the window cannot be used, or two event types clash.
        ConflictError: If something of that name is there already.
    """
    check_name(name, "domain")
    target = folder / name
    if target.exists() or target.is_symlink():
        raise ConflictError(
            f"{target} exists already, nothing was written; choose another name or remove it"
        )
    if not 0.1 <= window_seconds <= 60:
        raise InvalidInputError(
            f"a window lasts 0.1 to 60 seconds, not {window_seconds:g}; it is the stretch that "
            "shows what kind of event it is"
        )
    completed = _completed(event_types or (EventType(name),))
    files = _contents(name, title, completed, window_seconds)
    folder.mkdir(parents=True, exist_ok=True)
    # Hidden, so that a discovery running now does not see it; beside the target, so that the
    # rename cannot cross a file system.
    workshop = Path(tempfile.mkdtemp(dir=folder, prefix=f".new-{name}-"))
    try:
        for relative, text in files.items():
            file = workshop / name / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        try:
            (workshop / name).rename(target)
        except OSError as error:
            raise ConflictError(f"{target} could not be put in place: {error}") from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return [target / relative for relative in files]


def _completed(event_types: Sequence[EventType]) -> list[EventType]:
    names = [item.name for item in event_types]
    if len(set(names)) != len(names):
        raise InvalidInputError(f"the event types {', '.join(names)} are not all different")
    taken = [item.hotkey.lower() for item in event_types if item.hotkey]
    clash = next((key for key in taken if taken.count(key) > 1 or key in PLAYER_KEYS), None)
    if clash:
        raise InvalidInputError(
            f"hotkey {clash!r} is used twice or belongs to the player or the page; choose another "
            "letter or a digit"
        )
    # Digits first: they lie in the order of the event types.
    free = iter(
        key for key in "123456789" + string.ascii_lowercase if key not in {*taken, *PLAYER_KEYS}
    )
    return [
        replace(
            item,
            hotkey=item.hotkey or next(free, ""),
            guide=item.guide or _GUIDES[item.kind].format(item.title.lower()),
        )
        for item in event_types
    ]


def _contents(
    name: str, title: str, event_types: Sequence[EventType], window_seconds: float
) -> dict[str, str]:
    title = " ".join((title or name.replace("_", " ").capitalize()).split())
    if not title or any(mark in title for mark in '"\\') or len(title) > 60:
        raise InvalidInputError(
            f"the title {title!r} cannot be used; write at most 60 characters without quotes"
        )
    class_name = "".join(part.capitalize() for part in name.split("_"))
    imported = {"ClipSpec", "Domain", "EventType", "GroupingRule", "register_domain"}
    if any(item.attributes for item in event_types):
        imported.add("Attribute")
    values = {
        "name": name,
        "title": title,
        "class_name": class_name,
        "event_types": "\n".join(_event_type_source(item) for item in event_types),
        "imports": ", ".join(sorted(imported)),
        "first": event_types[0].name,
        "rows": "\n".join(
            f"| `{item.name}` | {item.kind} | {item.hotkey} | {_guide_with_attributes(item)} |"
            for item in event_types
        ),
        "target_fps": round(NUM_FRAMES / window_seconds, 2),
        "num_frames": NUM_FRAMES,
        "expected": ", ".join(_expected(event_types)),
        "seconds": "\n".join(
            f"    {json.dumps(item.name)}: {_seconds_in_scene(item)}," for item in event_types
        ),
    }
    return {
        PLUGIN_FILE: DOMAIN.format(**values),
        "README.md": README.format(**values),
        "scene.py": SCENE.format(**values),
        f"tests/test_{name}.py": TEST.format(**values),
    }


def _expected(event_types: Sequence[EventType]) -> list[str]:
    metrics = {"point": "point_map_0.5s", "segment": "segment_map_0.5"}
    kinds = {item.kind for item in event_types}
    return [f'"{metric}": 0.5' for kind, metric in metrics.items() if kind in kinds]


def _seconds_in_scene(item: EventType) -> float | None:
    if item.kind == "point":
        return None
    shortest, longest = item.min_seconds or 0.0, item.max_seconds or _SEGMENT_SECONDS
    return max(shortest, min(longest, _SEGMENT_SECONDS))


def _guide_with_attributes(item: EventType) -> str:
    said = [f"`{part.name}`: {part.guide or part.title}" for part in item.attributes]
    return " ".join([item.guide, *said])


def _attribute_source(item: Attribute) -> str:
    arguments = [json.dumps(item.name), json.dumps(item.kind)]
    if item.choices:
        choices = ", ".join(json.dumps(choice, ensure_ascii=False) for choice in item.choices)
        arguments.append(f"({choices})")
    if item.title != Attribute(item.name, "text").title:
        arguments.append(f"title={json.dumps(item.title, ensure_ascii=False)}")
    if item.guide:
        arguments.append(f"guide={json.dumps(item.guide, ensure_ascii=False)}")
    return f"Attribute({', '.join(arguments)})"


def _event_type_source(item: EventType) -> str:
    arguments = [json.dumps(item.name), json.dumps(item.kind)]
    if item.title != EventType(item.name).title:
        arguments.append(f"title={json.dumps(item.title, ensure_ascii=False)}")
    if item.hotkey:
        arguments.append(f"hotkey={json.dumps(item.hotkey)}")
    arguments.append(f"guide={json.dumps(item.guide, ensure_ascii=False)}")
    if item.attributes:
        parts = "".join(f"{_attribute_source(part)}, " for part in item.attributes)
        arguments.append(f"attributes=({parts.rstrip()})")
    if item.color:
        arguments.append(f"color={json.dumps(item.color)}")
    arguments += [
        f"{name}={seconds:g}"
        for name in ("min_seconds", "max_seconds", "tolerance_seconds")
        if (seconds := getattr(item, name)) is not None
    ]
    line = f"        EventType({', '.join(arguments)}),"
    if len(line) <= _LINE_LENGTH:
        return line
    inner = "".join(f"            {argument},\n" for argument in arguments)
    return f"        EventType(\n{inner}        ),"
