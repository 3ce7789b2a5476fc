"""Which of our videos does a name in somebody's file mean?"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

MatchedBy = Literal["exact", "path", "file name", "stem"]


@dataclass(frozen=True, slots=True)
class NameMatch:
    """The video that a name means, or why that cannot be said."""

    name: str
    """As written in the file."""
    known: str | None
    """Our name; None if there is no match or more than one."""
    matched_by: MatchedBy | None
    candidates: tuple[str, ...] = ()
    """Our names among which we would have to guess."""
    rivals: tuple[str, ...] = ()
    """Other names of the file that mean the same video of ours."""


def match_videos(names: Iterable[str], known: Collection[str]) -> dict[str, NameMatch]:
    """Return the match of every name: exact, else by path, else by file name, else by stem.

    `match/1.mp4` and `league/match/1.mp4` match by path, `a/1.mp4` and `b/1.mp4` by file name,
    `1.avi` and `1.mp4` by stem; case, backslashes and Unicode composition do not matter then.
    Nothing is guessed: with several candidates, or several names for one video, there is no match.
    """
    by_file: dict[str, list[str]] = defaultdict(list)
    by_stem: dict[str, list[str]] = defaultdict(list)
    for ours in known:
        parts = _parts(ours)
        by_file[parts[-1]].append(ours)
        by_stem[_stem(parts[-1])].append(ours)
    found = {
        name: NameMatch(name, name, "exact") if name in known else _match(name, by_file, by_stem)
        for name in names
    }
    return _without_rivals(found)


def _match(name: str, by_file: dict[str, list[str]], by_stem: dict[str, list[str]]) -> NameMatch:
    parts = _parts(name)
    same_file = by_file.get(parts[-1], [])
    overlaps = {ours: _overlap(parts, _parts(ours)) for ours in same_file}
    deepest = max(overlaps.values(), default=0)
    same_path = [ours for ours, depth in overlaps.items() if depth == deepest > 0]
    levels: tuple[tuple[MatchedBy, list[str]], ...] = (
        ("path", same_path),
        ("file name", same_file),
        ("stem", by_stem.get(_stem(parts[-1]), [])),
    )
    for matched_by, candidates in levels:
        if len(candidates) == 1:
            return NameMatch(name, candidates[0], matched_by)
        if candidates:
            return NameMatch(name, None, None, tuple(sorted(candidates)))
    return NameMatch(name, None, None)


def _without_rivals(found: dict[str, NameMatch]) -> dict[str, NameMatch]:
    """Keep only an exact match where several names claim one video."""
    claims: dict[str, list[str]] = defaultdict(list)
    for name, match in found.items():
        if match.known is not None:
            claims[match.known].append(name)
    settled = {}
    for name, match in found.items():
        rivals = [other for other in claims.get(match.known or "", []) if other != name]
        if rivals and match.known is not None and match.matched_by != "exact":
            match = NameMatch(name, None, None, (match.known,), tuple(rivals))
        settled[name] = match
    return settled


def _overlap(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """Return the length of the shorter path if the longer one ends with it, else 0."""
    depth = min(len(first), len(second))
    return depth if first[-depth:] == second[-depth:] else 0


def _parts(name: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFC", name).replace("\\", "/").casefold()
    return tuple(part for part in plain.split("/") if part not in ("", ".")) or ("",)


def _stem(file_name: str) -> str:
    stem, dot, _ = file_name.rpartition(".")
    return stem if dot and stem else file_name
