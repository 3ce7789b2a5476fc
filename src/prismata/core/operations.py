"""Operations: one edit of the labels of one video in one domain, with what was there before.

Invariant: an operation tells the state it saw (`before`) and the state it wants (`after`), so that
exchanging the two undoes it, and so that an edit of somebody else is noticed and never overwritten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from prismata.core.coverage import CoverageSpan, coverage_from_json, cut
from prismata.core.errors import InvalidInputError
from prismata.core.events import Event

OperationKind = Literal["create", "update", "delete", "cover", "sheet"]
"""What is changed: an event, the coverage of a stretch, or what is known of the whole video."""

OperationStatus = Literal["applied", "conflict", "refused"]
"""`applied`: it is durable; `conflict`: somebody else's edit stands; `refused`: it cannot be."""

State = dict[str, Any]
"""JSON fields of an event, a stretch of coverage or a sheet."""

SheetStatus = Literal["new", "in_progress", "done", "needs_review"]
"""How far the labelling of one video in one domain is, as people say it."""

EVENT_FIELDS = ("start_us", "end_us", "event_type", "kind", "review_state", "attributes")
"""What a person decides about an event."""

SERVER_FIELDS = ("frame_index", "source_pts", "author", "revision")
"""What the server adds to the state of an event; ignored when it is sent back."""

SHEET_FIELDS = ("status", "assignee", "note")
ATTRIBUTE_PREFIX = "attributes."

MAX_ATTRIBUTES_BYTES = 16 * 1024
MAX_SPANS = 20_000
MAX_TEXT = 10_000
MAX_NUMBER = 2**53 - 1
"""The largest whole number that a browser keeps exactly."""

_MAX_DEPTH = 16
_ID = re.compile(r"[0-9a-f]{32}")
_CLIENT = re.compile(r"[0-9a-f]{16}")
_KINDS: tuple[OperationKind, ...] = get_args(OperationKind)
_STATUSES = get_args(SheetStatus)
_REVIEW_STATES = ("none", "accepted", "rejected", "corrected", "unsure")
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Operation:
    """One edit, as its author meant it."""

    id: str
    """32 hexadecimal digits, made by the author; sent twice it is applied once."""
    client: str
    """Who sends: 16 hexadecimal digits of a browser's tab, or a word such as `import`."""
    seq: int
    """The client's own count of its operations."""
    kind: OperationKind
    event_id: str
    """Empty for `cover` and `sheet`."""
    before: State | None
    after: State | None
    undoes: str | None = None
    """The operation that this one takes back."""


@dataclass(frozen=True, slots=True)
class OperationResult:
    """What became of one operation."""

    id: str
    status: OperationStatus
    message: str = ""
    """One sentence; empty where it was applied."""
    current: State | None = None
    """After a conflict: the state that stands; None if the event is gone."""


@dataclass(frozen=True, slots=True)
class Merge:
    """What a merge of fields comes to."""

    changes: State
    """Fields to be set; an attribute that is to vanish is None."""
    conflicts: tuple[str, ...]
    """Fields that somebody else gave another value; then nothing is to be set."""


def inverse(operation: Operation, operation_id: str, seq: int) -> Operation:
    """Return the operation that takes `operation` back, with an id and a count of its own."""
    kinds: dict[OperationKind, OperationKind] = {"create": "delete", "delete": "create"}
    return Operation(
        id=operation_id,
        client=operation.client,
        seq=seq,
        kind=kinds.get(operation.kind, operation.kind),
        event_id=operation.event_id,
        before=operation.after,
        after=operation.before,
        undoes=operation.id,
    )


def merge_state(current: Mapping[str, Any], before: State, after: State) -> Merge:
    """Merge an update into the state that stands, field by field.

    A field that still has the value of `before` is changed; one that has the value of `after`
    already is left; one that has another is a conflict. Attributes count one by one, as
    `attributes.NAME`, and None is an attribute that is absent.

    Args:
        current: The state of an event or a sheet as it stands.
        before: What the author saw of the fields that change.
        after: The same keys with the values wanted.
    """
    flat = flatten(current)
    changes: State = {}
    conflicts = []
    for name, wanted in after.items():
        standing = flat.get(name)
        if is_same(standing, wanted):
            continue
        if is_same(standing, before[name]):
            changes[name] = wanted
        else:
            conflicts.append(name)
    return Merge({} if conflicts else changes, tuple(conflicts))


def with_changes(current: Mapping[str, Any], changes: Mapping[str, Any]) -> State:
    """Return the state after the changes of a merge."""
    state = dict(current)
    attributes = dict(state.get("attributes") or {})
    for name, value in changes.items():
        if not name.startswith(ATTRIBUTE_PREFIX):
            state[name] = value
        elif value is None:
            attributes.pop(name.removeprefix(ATTRIBUTE_PREFIX), None)
        else:
            attributes[name.removeprefix(ATTRIBUTE_PREFIX)] = value
    if "attributes" in state:
        state["attributes"] = attributes
    return state


def flatten(state: Mapping[str, Any]) -> State:
    """Return a state with each attribute as a field of its own, `attributes.NAME`."""
    flat = {name: value for name, value in state.items() if name != "attributes"}
    for name, value in (state.get("attributes") or {}).items():
        flat[ATTRIBUTE_PREFIX + name] = value
    return flat


def own_fields(state: Mapping[str, Any]) -> State:
    """Return the part of an event's state that a person decides."""
    return {name: state[name] for name in EVENT_FIELDS}


def is_same(one: object, other: object) -> bool:
    """Say whether two JSON values are the same; 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other


def to_event(state: State) -> Event:
    """Return the event that a whole state describes.

    Raises:
        InvalidInputError: If its times do not fit its kind.
    """
    return Event(state["start_us"], state["end_us"], state["event_type"], state["kind"])


def check_attribute_size(attributes: Mapping[str, Any]) -> None:
    """Check that the attributes of an event, its note among them, are of a size that travels.

    Raises:
        InvalidInputError: If they are too large.
    """
    if not attributes:
        return
    size = len(json.dumps(attributes, ensure_ascii=False).encode())
    if size > MAX_ATTRIBUTES_BYTES:
        raise InvalidInputError(
            f"the notes and attributes of an event take {size} bytes, but there is room for "
            f"{MAX_ATTRIBUTES_BYTES}; shorten them"
        )


def parse_operation(data: object) -> Operation:
    """Return the operation that a JSON object describes.

    Raises:
        InvalidInputError: If it describes none; says which part and what is expected.
    """
    if not isinstance(data, dict):
        raise InvalidInputError("an operation is a JSON object with an id, a kind and two states")
    kind = _parse_kind(data.get("kind"))
    seq = _whole(data.get("seq"), "the client's sequence number of an operation")
    if seq < 0:
        raise InvalidInputError(f"a client counts its operations from 0 on, not from {seq}")
    is_event = kind in ("create", "update", "delete")
    event_id = data.get("event_id") or ""
    if is_event:
        event_id = parse_id(event_id, "an event")
    elif event_id:
        raise InvalidInputError(f"{kind!r} concerns no event, but names {_shown(event_id)}")
    undoes = data.get("undoes")
    before, after = _parse_states(kind, data.get("before"), data.get("after"))
    return Operation(
        id=parse_id(data.get("id"), "an operation"),
        client=parse_client(data.get("client")),
        seq=seq,
        kind=kind,
        event_id=event_id,
        before=before,
        after=after,
        undoes=None if undoes is None else parse_id(undoes, "the operation that is undone"),
    )


def parse_id(value: object, what: str) -> str:
    """Return an id that a browser made.

    Raises:
        InvalidInputError: If it is not 32 lower-case hexadecimal digits.
    """
    if not (isinstance(value, str) and _ID.fullmatch(value)):
        raise InvalidInputError(
            f"the id of {what} is 32 lower-case hexadecimal digits, not {_shown(value)}"
        )
    return value


def parse_client(value: object) -> str:
    """Return the name of a browser's tab.

    Raises:
        InvalidInputError: If it is not 16 lower-case hexadecimal digits.
    """
    if not (isinstance(value, str) and _CLIENT.fullmatch(value)):
        raise InvalidInputError(
            f"a client is named by 16 lower-case hexadecimal digits, not by {_shown(value)}"
        )
    return value


def check_plain_text(value: object, what: str, *, longest: int = MAX_TEXT) -> str:
    """Return a text that every part of the workbench can carry.

    Raises:
        InvalidInputError: If it is no text, too long, or holds characters that are not text.
    """
    if not isinstance(value, str):
        raise InvalidInputError(f"{what} is a text, not {_shown(value)}")
    if len(value) > longest:
        raise InvalidInputError(
            f"{what} has {len(value)} characters, but there is room for {longest}; shorten it"
        )
    if _NOT_TEXT.search(value):
        raise InvalidInputError(f"{what} holds characters that are not text; remove them")
    return value


def _parse_kind(value: object) -> OperationKind:
    for kind in _KINDS:
        if value == kind:
            return kind
    raise InvalidInputError(f"there is no operation {_shown(value)}; there is {', '.join(_KINDS)}")


def _parse_states(
    kind: OperationKind, before: object, after: object
) -> tuple[State | None, State | None]:
    if kind == "create":
        _expect_none(before, "create", "before")
        return None, _parse_event(after)
    if kind == "delete":
        _expect_none(after, "delete", "after")
        return _parse_event(before), None
    if kind == "cover":
        return _parse_cover(before, after)
    known = SHEET_FIELDS if kind == "sheet" else EVENT_FIELDS
    parsed = [
        {
            name: _field(name, value, known, attributes=kind == "update")
            for name, value in _object(state, f"the state of {kind!r}").items()
            if name not in SERVER_FIELDS
        }
        for state in (before, after)
    ]
    if parsed[0].keys() != parsed[1].keys():
        only = sorted(parsed[0].keys() ^ parsed[1].keys())
        raise InvalidInputError(
            f"{kind!r} tells the same fields before and after, but {only[0]!r} stands in one only"
        )
    if not parsed[0]:
        raise InvalidInputError(f"{kind!r} changes no field; name at least one")
    return parsed[0], parsed[1]


def _parse_event(data: object) -> State:
    told = _object(data, "the whole state of an event")
    state: State = {"review_state": "none", "attributes": {}}
    for name, value in told.items():
        if name not in SERVER_FIELDS:
            state[name] = _field(name, value, EVENT_FIELDS)
    missing = [name for name in EVENT_FIELDS if name not in state]
    if missing:
        raise InvalidInputError(f"the whole state of an event needs {missing[0]!r}")
    return state


def _parse_cover(before: object, after: object) -> tuple[State, State]:
    parsed = []
    for data in (before, after):
        told = _object(data, "the state of 'cover'")
        start_us = _whole(told.get("start_us"), "start_us")
        end_us = _whole(told.get("end_us"), "end_us")
        if not 0 <= start_us < end_us:
            raise InvalidInputError(
                f"coverage is painted from 0 on and forwards, not from {start_us} to {end_us} us"
            )
        spans = coverage_from_json(told.get("spans"))
        if len(spans) > MAX_SPANS:
            raise InvalidInputError(
                f"coverage came in {len(spans)} pieces, but at most {MAX_SPANS} go at once"
            )
        parsed.append(cover_state(start_us, end_us, spans))
    if (parsed[0]["start_us"], parsed[0]["end_us"]) != (parsed[1]["start_us"], parsed[1]["end_us"]):
        raise InvalidInputError("'cover' tells the same stretch before and after")
    return parsed[0], parsed[1]


def cover_state(start_us: int, end_us: int, spans: tuple[CoverageSpan, ...]) -> State:
    """Return the state of a `cover` operation: what lies inside `[start_us, end_us)`."""
    inside = cut(spans, start_us, end_us)
    return {
        "start_us": start_us,
        "end_us": end_us,
        "spans": [[span.start_us, span.end_us, span.state] for span in inside],
    }


def _field(name: str, value: object, known: tuple[str, ...], *, attributes: bool = False) -> object:
    """Return the checked value of one field; `attributes`: each is a field of its own."""
    if attributes and name.startswith(ATTRIBUTE_PREFIX):
        return _attribute(name.removeprefix(ATTRIBUTE_PREFIX), value)
    if name not in known or (attributes and name == "attributes"):
        usual = ", ".join(item for item in known if not (attributes and item == "attributes"))
        rest = " or attributes.NAME" if attributes else ""
        raise InvalidInputError(f"there is no field {_shown(name)}; there is {usual}{rest}")
    if name in ("start_us", "end_us"):
        return _whole(value, name)
    if name == "attributes":
        told = _object(value, "attributes")
        checked = {key: _attribute(key, item) for key, item in told.items()}
        return {key: item for key, item in checked.items() if item is not None}
    choices = {"kind": ("point", "segment"), "review_state": _REVIEW_STATES, "status": _STATUSES}
    if name in choices and value not in choices[name]:
        raise InvalidInputError(f"{name} is {', '.join(choices[name])}, not {_shown(value)}")
    longest = 64 if name == "event_type" else 200 if name == "assignee" else MAX_TEXT
    return check_plain_text(value, name, longest=longest)


def _attribute(name: str, value: object) -> object:
    if not name or len(name) > 64:
        raise InvalidInputError(
            f"an attribute has a name of at most 64 characters, not {_shown(name)}"
        )
    check_plain_text(name, "the name of an attribute")
    _check_json(value, f"the attribute {name!r}", 0)
    return value


def _check_json(value: object, what: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise InvalidInputError(f"{what} is nested deeper than {_MAX_DEPTH} levels")
    if isinstance(value, str):
        check_plain_text(value, what)
    elif isinstance(value, dict):
        for key, item in value.items():
            check_plain_text(key, what)
            _check_json(item, what, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_json(item, what, depth + 1)
    elif isinstance(value, float) and not -float("inf") < value < float("inf"):
        raise InvalidInputError(f"{what} holds a number that is not finite")


def _object(data: object, what: str) -> State:
    if not isinstance(data, dict):
        raise InvalidInputError(f"{what} is a JSON object, not {_shown(data)}")
    return data


def _whole(value: object, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_NUMBER:
        raise InvalidInputError(f"{what} is a whole number, not {_shown(value)}")
    return value


def _expect_none(value: object, kind: str, side: str) -> None:
    if value is not None:
        raise InvalidInputError(f"{kind!r} has nothing {side}, but {_shown(value)} was given")


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
