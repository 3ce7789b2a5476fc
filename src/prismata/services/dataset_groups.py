"""Groups of videos by a pattern of their names: shown first, stored only when asked for.

Videos of one group never land in different splits. Where names say which match, camera or person a
video shows, one pattern puts each where it belongs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from prismata.catalog import Split, VideoRecord
from prismata.core.errors import InvalidInputError
from prismata.core.time import TimeSpan, to_seconds
from prismata.services.datasets import known_by_video, plan_split, total_us
from prismata.services.wording import some_of
from prismata.services.workbench import Workbench

MATCH_SECONDS = 5.0
"""Longer than any sound pattern takes for all names together."""
JOINED_BY = "/"

# Some patterns take for ever on a name of thirty characters, and nothing in Python stops a match
# that has begun, threads least of all. So it happens in a process that can be stopped.
_MATCHER = f"""
import json, re, sys
pattern, names = json.load(sys.stdin)
found = []
for name in names:
    match = re.search(pattern, name)
    parts = [] if match is None else match.groups() if match.re.groups else [match[0]]
    found.append({JOINED_BY!r}.join(part for part in parts if part).strip())
json.dump(found, sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class VideoGroup:
    """One video, the group it is in and the one it would be in."""

    video: VideoRecord
    after: str
    matches: bool
    """Whether the pattern says so; otherwise the video keeps its group."""

    @property
    def before(self) -> str:
        """The group it is in now."""
        return self.video.group_name

    @property
    def changes(self) -> bool:
        """Whether the two differ."""
        return self.after != self.before


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """What a group would hold, and the split it would get."""

    name: str
    videos: int
    known_us: int
    """Time that somebody watched or labelled."""
    events: int
    """Labels that are sure; hard negatives are none."""
    split: Split | None
    """None: nothing of it is watched or labelled, so it takes no part yet."""


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """What a pattern makes of the groups of a domain; nothing has been written."""

    domain: str
    pattern: str
    videos: tuple[VideoGroup, ...]
    """By name."""
    groups: tuple[GroupSummary, ...]
    """By name."""
    notes: tuple[str, ...]
    """Sentences about anything that a person should know before storing this."""

    @property
    def changed(self) -> tuple[VideoGroup, ...]:
        """The videos that would be in another group."""
        return tuple(item for item in self.videos if item.changes)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        return {
            "domain": self.domain,
            "pattern": self.pattern,
            "videos": [
                {
                    "video": item.video.name,
                    "group_now": item.before,
                    "group": item.after,
                    "matches": item.matches,
                }
                for item in self.videos
            ],
            "groups": [
                {
                    "group": group.name,
                    "videos": group.videos,
                    "labelled_s": to_seconds(group.known_us),
                    "events": group.events,
                    "split": group.split,
                }
                for group in self.groups
            ],
            "changed": len(self.changed),
            "notes": list(self.notes),
        }


def plan_groups(
    bench: Workbench,
    domain_name: str,
    pattern: str,
    *,
    seed: int = 0,
    val_share: float = 0.2,
    test_share: float = 0.0,
) -> GroupPlan:
    """Say which group a pattern puts each video of a domain into; nothing is written.

    The pattern is looked for anywhere in a video's name (`re.search`; `^` and `$` bind it to the
    ends). The group is what its parentheses catch, joined by `/`, or all that matches if it has no
    parentheses. A video that it does not match, or of which nothing is caught, keeps its group:
    what was kept together before stays together.

    Args:
        bench: The workbench.
        domain_name: Its videos are those that are labelled, watched or taken in for it. Their
            groups are the same in all domains.
        pattern: A regular expression as Python reads it.
        seed: As for `plan_split`, like the shares.
        val_share: Share of the time for validation.
        test_share: Share of the time held out.

    Raises:
        InvalidInputError: If the pattern is no regular expression, takes too long, matches no
            video or puts all into one group, if there are no videos, or the shares cannot be met.
        NotFoundError: If there is no such domain.
    """
    bench.domain(domain_name)
    labels = bench.catalog.events.list(domain=domain_name, origin="annotation")
    known = known_by_video(bench, domain_name, labels)
    videos = [video for video in bench.catalog.videos.list() if video.id in known]
    if not videos:
        raise InvalidInputError(
            f"no video belongs to {domain_name!r} yet; take some in with `prismata ingest FILE "
            f"--domain {domain_name}`"
        )
    caught = match_names(pattern, [video.name for video in videos])
    if not any(caught):
        raise InvalidInputError(
            f"the pattern {pattern!r} matches none of {len(videos)} videos of {domain_name!r}, for "
            f"example not {videos[0].name!r}"
        )
    planned = tuple(
        VideoGroup(video, group or video.group_name, bool(group))
        for video, group in zip(videos, caught, strict=True)
    )
    names = {item.after for item in planned}
    if len(names) == 1 and len(videos) > 1:
        raise InvalidInputError(
            f"the pattern {pattern!r} puts all {len(videos)} videos into one group, "
            f"{names.pop()!r}, so none could be held out; let parentheses catch what differs from "
            "group to group"
        )
    splits, note = _splits(planned, known, seed, val_share, test_share)
    events = Counter(
        item.video_id for item in labels if item.review_state not in ("rejected", "unsure")
    )
    return GroupPlan(
        domain_name,
        pattern,
        planned,
        tuple(_summary(name, planned, known, events, splits) for name in sorted(names)),
        (*_notes(planned), *([note] if note else [])),
    )


def apply_groups(bench: Workbench, plan: GroupPlan, *, author: str = "") -> int:
    """Store the groups of a plan, all or none, and return how many videos changed theirs.

    Frozen dataset versions keep the groups they were made with.

    Args:
        bench: The workbench.
        plan: From `plan_groups`.
        author: Who does it; by default the author of the settings.

    Raises:
        ConflictError: If somebody has put one of the videos into another group meanwhile.
        NotFoundError: If one of the videos is gone.
    """
    changes = {item.video.id: (item.before, item.after) for item in plan.changed}
    bench.catalog.videos.regroup(changes, author=author or bench.settings.author)
    return len(changes)


def match_names(pattern: str, names: Sequence[str]) -> list[str]:
    """Return what a pattern catches of each name; an empty string where it is nothing.

    Raises:
        InvalidInputError: If it is no regular expression, or takes longer than `MATCH_SECONDS`.
    """
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise InvalidInputError(
            f"{pattern!r} is not a regular expression: {error}; a part of a name is caught like "
            r"this: 'match_(\d+)'"
        ) from error
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _MATCHER],
            input=json.dumps([pattern, list(names)]),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=MATCH_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidInputError(
            f"the pattern {pattern!r} was tried for {MATCH_SECONDS:g} seconds without an end; "
            "leave out a repetition inside a repetition, as in (a+)+"
        ) from error
    found: list[str] = json.loads(done.stdout)
    return found


def _splits(
    planned: Sequence[VideoGroup],
    known: Mapping[str, Sequence[TimeSpan]],
    seed: int,
    val_share: float,
    test_share: float,
) -> tuple[dict[str, Split], str]:
    """Return the split of each group that takes part, and what is unusual about it."""
    regrouped = [
        replace(item.video, group_name=item.after) for item in planned if known[item.video.id]
    ]
    if not regrouped:
        return {}, "Nothing is watched or labelled yet, so no group takes part in a split."
    plan = plan_split(
        regrouped,
        seed=seed,
        val_share=val_share,
        test_share=test_share,
        known_us={video_id: total_us(spans) for video_id, spans in known.items()},
    )
    return {plan.groups[video_id]: split for video_id, split in plan.splits.items()}, plan.note


def _summary(
    name: str,
    planned: Sequence[VideoGroup],
    known: Mapping[str, Sequence[TimeSpan]],
    events: Mapping[str, int],
    splits: Mapping[str, Split],
) -> GroupSummary:
    members = [item.video.id for item in planned if item.after == name]
    return GroupSummary(
        name,
        len(members),
        sum(total_us(known[video_id]) for video_id in members),
        sum(events.get(video_id, 0) for video_id in members),
        splits.get(name),
    )


def _notes(planned: Sequence[VideoGroup]) -> list[str]:
    notes = []
    kept = [item.video.name for item in planned if not item.matches]
    if kept:
        notes.append(
            f"The pattern does not match {some_of(kept)}: "
            f"{'it keeps its group' if len(kept) == 1 else 'they keep their groups'}."
        )
    targets: dict[str, set[str]] = {}
    for item in planned:
        targets.setdefault(item.before, set()).add(item.after)
    cut = sorted(before for before, after in targets.items() if len(after) > 1)
    if cut:
        notes.append(
            f"Videos that are in one group now would come into several: {some_of(cut)}. Parts of "
            "one recording could then land in training and in validation."
        )
    return notes
