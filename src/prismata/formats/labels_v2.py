"""SoccerNet's Labels-v2.json: one file a game, actions in milliseconds of each half.

    {"UrlLocal": "england_epl/2014-2015/…/", "annotations": [{"gameTime": "1 - 06:35",
     "label": "Offside", "position": "395728", "team": "home", "visibility": "visible"}]}

The file names no videos: half 1 is the video `1.mkv`, `1_224p.mkv` or `1_HQ.mkv` in the game's
folder. Every action is an instant. Team and visibility are not imported.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from prismata.core.errors import InvalidInputError
from prismata.formats.table import EventRow, EventTable, TableError, decode_text

_HALF = re.compile(r"\s*([1-9])\s*-\s*\d+:\d{2}\s*")
_US_PER_MS = 1000
_LONGEST_MS = 24 * 3600 * 1000


def is_labels_v2(data: bytes) -> bool:
    """Return whether a file is such a label file, by what it holds."""
    try:
        raw = json.loads(decode_text(data, ""))
    except (InvalidInputError, ValueError):
        return False
    return isinstance(raw, dict) and isinstance(raw.get("annotations"), list)


def read_labels_v2(
    data: bytes | str, source: str = "the label file", *, videos: Collection[str] = ()
) -> EventTable:
    """Read one Labels-v2.json.

    Args:
        data: The file's content.
        source: Its name, for messages.
        videos: Names of our videos, among which the halves are looked for. A half that is not
            among them keeps the name `GAME/1`, which then matches nothing.

    Raises:
        TableError: If it is not such a file, an entry cannot be used (it names every one), or two
            of our videos could be the same half.
    """
    text = decode_text(data, source) if isinstance(data, bytes) else data
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise TableError(source, [f"line {error.lineno}: not JSON: {error.msg}"]) from error
    entries = raw.get("annotations") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(entries, list):
        raise TableError(source, ["it is not a JSON object with a list 'annotations'"])
    game = raw.get("UrlLocal", "")
    if not isinstance(game, str):
        raise TableError(source, [f"UrlLocal is {game!r}, not a folder"])
    rows: list[EventRow] = []
    problems: list[str] = []
    names: dict[str, str] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            half, label, time_us = _action(entry)
            if half not in names:
                names[half] = _video_of(half, game, videos)
        except InvalidInputError as error:
            problems.append(f"annotation {number}: {error}")
            continue
        rows.append(
            EventRow(
                video=names[half],
                label=label,
                kind="point",
                start_us=time_us,
                end_us=time_us,
                source_line=number,
            )
        )
    if problems:
        raise TableError(source, problems)
    return EventTable(source, tuple(rows))


def _action(entry: object) -> tuple[str, str, int]:
    """Return half, label and time of one annotation."""
    if not isinstance(entry, Mapping):
        raise InvalidInputError("not an object with gameTime, label and position")
    game_time: Any = entry.get("gameTime")
    match = _HALF.fullmatch(game_time) if isinstance(game_time, str) else None
    if match is None:
        raise InvalidInputError(f"gameTime is {game_time!r}, not like '1 - 06:35'")
    label = entry.get("label")
    if not isinstance(label, str) or not label.strip():
        raise InvalidInputError(f"label is {label!r}, not a word")
    position = entry.get("position")
    text = str(position).strip()
    if isinstance(position, bool) or not (text.isascii() and text.isdigit()):
        raise InvalidInputError(f"position is {position!r}, not a number of milliseconds")
    if int(text) > _LONGEST_MS:
        raise InvalidInputError(f"position {text} is longer than any video")
    return match.group(1), label, int(text) * _US_PER_MS


def _video_of(half: str, game: str, videos: Collection[str]) -> str:
    """Return which of our videos a half is, or a name that says which is missing."""
    folder = _parts(game)
    fitting = [name for name in videos if _is_half(half, folder, _parts(name))]
    if len(fitting) > 1:
        raise InvalidInputError(
            f"half {half} could be {' or '.join(repr(name) for name in sorted(fitting))}; keep one "
            "of them in the library, or take videos in with --base so that their names tell games "
            "apart"
        )
    return fitting[0] if fitting else "/".join([*game.strip("/").split("/"), half]).lstrip("/")


def _is_half(half: str, folder: tuple[str, ...], name: tuple[str, ...]) -> bool:
    *parents, file = name
    stem = file.rpartition(".")[0] or file
    if stem != half and not stem.startswith(f"{half}_"):
        return False
    depth = min(len(parents), len(folder))
    return depth == 0 or tuple(parents[-depth:]) == folder[-depth:]


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part for part in name.replace("\\", "/").casefold().split("/") if part)
