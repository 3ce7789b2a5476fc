"""Labels whose event type a plugin renamed, merged or removed: what becomes of them.

Invariant: no label is lost. Nothing changes before a plan was shown; every change goes through the
label log, so that a video's history can undo it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from prismata.catalog import EventRecord, VideoRecord
from prismata.core.errors import ConflictError, InvalidInputError
from prismata.core.events import Event, EventKind, EventType
from prismata.core.operations import Operation, State
from prismata.core.time import format_time
from prismata.domains import Domain
from prismata.services.annotate import DomainRules
from prismata.services.label_mirror import write_mirror
from prismata.services.workbench import Workbench

CLIENT = "migration"
_TRIES = 5


@dataclass(frozen=True, slots=True)
class UndeclaredType:
    """Labels of one event type that the domain does not declare, or declares as another kind."""

    name: str
    kind: EventKind
    """What the labels are."""
    declared_kind: EventKind | None
    """What the domain declares now; None: there is no such event type any more."""
    count: int
    videos: tuple[str, ...]
    """Names of the videos that have some."""

    def __str__(self) -> str:
        labels = f"{_count(self.count, self.kind)} {self.name!r}"
        where = f"in {_count(len(self.videos), 'video')}"
        if self.declared_kind is None:
            return f"{labels} {where}: the domain has no such event type"
        return f"{labels} {where}: the domain declares it as a {self.declared_kind} now"


@dataclass(frozen=True, slots=True)
class MigrationRules:
    """What becomes of the labels of which event type."""

    renames: Mapping[str, str]
    """Old name → declared name. Several may go to one: that merges them. A name that stays, but
    whose kind changed, goes to itself."""
    retire: frozenset[str] = frozenset()
    """Event types whose labels are removed; the history can bring them back."""
    length_us: int | None = None
    """Length of the segments that points become, from the point on."""


@dataclass(frozen=True, slots=True)
class VideoMigration:
    """What a migration does to the labels of one video."""

    video_id: str
    video: str
    """Its name."""
    renamed: int
    """Labels that get another event type, another kind, or both."""
    duplicates: int
    """Labels removed because one with the same type and times is there already, or comes to be."""
    retired: int
    operations: tuple[Operation, ...]

    def __str__(self) -> str:
        parts = [
            f"{_count(self.renamed, 'label')} renamed" if self.renamed else "",
            f"{_count(self.duplicates, 'duplicate')} joined" if self.duplicates else "",
            f"{_count(self.retired, 'label')} retired" if self.retired else "",
        ]
        return f"{self.video}: {', '.join(part for part in parts if part)}"


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """What a migration would do; nothing has been written."""

    domain: str
    rules: MigrationRules
    videos: tuple[VideoMigration, ...]
    left: tuple[UndeclaredType, ...]
    """Undeclared event types that the rules do not mention; their labels stay as they are."""

    @property
    def changed(self) -> int:
        """How many labels change or vanish."""
        return sum(item.renamed + item.duplicates + item.retired for item in self.videos)

    def sentences(self) -> list[str]:
        """Return the plan for people: a total, a line for each video, and what is left."""
        total = (
            f"{_count(self.changed, 'label')} in {_count(len(self.videos), 'video')} of "
            f"{self.domain!r}: {sum(item.renamed for item in self.videos)} renamed, "
            f"{sum(item.duplicates for item in self.videos)} joined with one at the same time, "
            f"{sum(item.retired for item in self.videos)} retired"
        )
        left = [f"not touched: {item}" for item in self.left]
        return [total, *(str(item) for item in self.videos), *left]

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain JSON values."""
        return {
            "domain": self.domain,
            "renames": dict(self.rules.renames),
            "retire": sorted(self.rules.retire),
            "videos": [
                {
                    "video": item.video,
                    "renamed": item.renamed,
                    "duplicates": item.duplicates,
                    "retired": item.retired,
                }
                for item in self.videos
            ],
            "left": [undeclared_dict(item) for item in self.left],
        }


def undeclared_dict(item: UndeclaredType) -> dict[str, Any]:
    """Return what was found as plain JSON values."""
    return {
        "event_type": item.name,
        "kind": item.kind,
        "declared_kind": item.declared_kind,
        "count": item.count,
        "videos": list(item.videos),
    }


def find_undeclared(bench: Workbench, domain_name: str) -> list[UndeclaredType]:
    """Return the event types of a domain's labels that it does not declare, by name.

    Raises:
        NotFoundError: If there is no such domain.
    """
    domain = bench.domain(domain_name)
    labels = bench.catalog.events.list(domain=domain_name, origin="annotation")
    if not _stray(domain, labels):
        return []
    names = {video.id: video.name for video in bench.catalog.videos.list()}
    return _undeclared(domain, labels, names)


def check_declared(domain: Domain, labels: Iterable[EventRecord]) -> None:
    """Check that a domain declares the event type of every label.

    Raises:
        InvalidInputError: If it does not; the sentence says which command sorts it out.
    """
    stray = sorted({item.event.event_type for item in _stray(domain, labels)})
    if stray:
        raise InvalidInputError(
            f"there are labels of {', '.join(stray)}, which {domain.name!r} does not declare like "
            f"that (any more); say what becomes of them with `prismata labels migrate "
            f"{domain.name} --rename OLD=NEW` or `--retire OLD`"
        )


def plan_migration(bench: Workbench, domain_name: str, rules: MigrationRules) -> MigrationPlan:
    """Say what a migration would do to each video; nothing is written.

    Raises:
        NotFoundError: If there is no such domain.
        InvalidInputError: If a rule names an event type that no label has, goes to one that the
            domain does not declare, makes segments of points without a length, or would change the
            kind of a label outside its video.
    """
    domain = bench.domain(domain_name)
    labels = bench.catalog.events.list(domain=domain_name, origin="annotation")
    _check_rules(domain, labels, rules)
    videos = {video.id: video for video in bench.catalog.videos.list()}
    by_video: dict[str, list[EventRecord]] = {}
    for item in labels:
        by_video.setdefault(item.video_id, []).append(item)
    planned = [
        _plan_video(domain, videos[video_id], items, rules) for video_id, items in by_video.items()
    ]
    touched = {*rules.renames, *rules.retire}
    names = {video.id: video.name for video in videos.values()}
    return MigrationPlan(
        domain_name,
        rules,
        tuple(sorted((item for item in planned if item.operations), key=lambda item: item.video)),
        tuple(item for item in _undeclared(domain, labels, names) if item.name not in touched),
    )


def apply_migration(bench: Workbench, plan: MigrationPlan, *, author: str = "") -> int:
    """Do what a plan says, one transaction for each video, and return how many labels changed.

    What somebody changed since the plan was made is planned anew, by the same rules.

    Args:
        bench: The workbench.
        plan: From `plan_migration`.
        author: Who does it; by default the author of the settings.

    Raises:
        InvalidInputError: If the plan changes nothing.
        ConflictError: If people keep editing the same labels; says which video.
    """
    if not plan.videos:
        raise InvalidInputError(
            f"nothing of {plan.domain!r} is to be migrated; name event types that labels have "
            "with --rename or --retire"
        )
    domain = bench.domain(plan.domain)
    changed = 0
    for planned in plan.videos:
        video = bench.catalog.videos.get(planned.video_id)
        changed += _migrate_video(bench, domain, video, plan.rules, author or bench.settings.author)
        write_mirror(bench, video, plan.domain)
    return changed


def _migrate_video(
    bench: Workbench, domain: Domain, video: VideoRecord, rules: MigrationRules, author: str
) -> int:
    changed = 0
    rules_of_domain = DomainRules(domain, video, bench.timeline(video))
    for _ in range(_TRIES):
        labels = bench.catalog.events.list(
            video_id=video.id, domain=domain.name, origin="annotation"
        )
        operations = _plan_video(domain, video, labels, rules).operations
        if not operations:
            return changed
        results = bench.catalog.labels.apply(
            video.id, domain.name, operations, author, rules_of_domain
        )
        refused = next((item for item in results if item.status == "refused"), None)
        if refused is not None:
            raise InvalidInputError(f"{video.name}: {refused.message}")
        changed += sum(item.status == "applied" for item in results)
    raise ConflictError(
        f"people keep changing the labels of {video.name!r}, so they could not all be migrated; "
        "try again when nobody edits them"
    )


def _stray(domain: Domain, labels: Iterable[EventRecord]) -> list[EventRecord]:
    kinds = {item.name: item.kind for item in domain.event_types}
    return [item for item in labels if kinds.get(item.event.event_type) != item.event.kind]


def _undeclared(
    domain: Domain, labels: Iterable[EventRecord], names: Mapping[str, str]
) -> list[UndeclaredType]:
    kinds = {item.name: item.kind for item in domain.event_types}
    found: dict[tuple[str, EventKind], list[EventRecord]] = {}
    for item in _stray(domain, labels):
        found.setdefault((item.event.event_type, item.event.kind), []).append(item)
    return [
        UndeclaredType(
            name,
            kind,
            kinds.get(name),
            len(items),
            tuple(sorted({names[item.video_id] for item in items})),
        )
        for (name, kind), items in sorted(found.items())
    ]


def _check_rules(domain: Domain, labels: Sequence[EventRecord], rules: MigrationRules) -> None:
    used = Counter(item.event.event_type for item in labels)
    both = sorted(set(rules.renames) & rules.retire)
    if both:
        raise InvalidInputError(f"{both[0]!r} cannot be both renamed and retired; choose one")
    for name in (*rules.renames, *sorted(rules.retire)):
        if name not in used:
            in_use = f"labels have {', '.join(sorted(used))}" if used else "there are no labels"
            raise InvalidInputError(f"no label of {domain.name!r} is a {name!r}; {in_use}")
    declared = {item.name: item for item in domain.event_types}
    for old, new in rules.renames.items():
        if new not in declared:
            raise InvalidInputError(
                f"{old!r} cannot become {new!r}, which {domain.name!r} does not declare; it has "
                f"{', '.join(declared)}"
            )
        points = sum(item.event.event_type == old and item.event.kind == "point" for item in labels)
        if declared[new].kind == "segment" and points and rules.length_us is None:
            raise InvalidInputError(
                f"{_count(points, 'point')} {old!r} would become segments {new!r}; say how long "
                "with --length SECONDS"
            )
    if rules.length_us is not None and rules.length_us <= 0:
        raise InvalidInputError("the length of a segment must be more than 0 seconds")


def _plan_video(
    domain: Domain, video: VideoRecord, labels: Sequence[EventRecord], rules: MigrationRules
) -> VideoMigration:
    declared = {item.name: item for item in domain.event_types}
    retired = [item for item in labels if item.event.event_type in rules.retire]
    moved: list[tuple[EventRecord, Event]] = []
    taken: set[tuple[Event, bool]] = set()
    for item in labels:
        target = rules.renames.get(item.event.event_type)
        if target is None:
            if item.event.event_type not in rules.retire:
                taken.add(_identity(item, item.event))
            continue
        wanted = _converted(item.event, declared[target], rules.length_us, video)
        if _fields(wanted) == _fields(item.event):
            taken.add(_identity(item, wanted))
        else:
            moved.append((item, wanted))
    operations: list[Operation] = []
    duplicates = 0
    for item, wanted in moved:
        if _identity(item, wanted) in taken:
            duplicates += 1
            operations.append(_delete(item, len(operations)))
        else:
            taken.add(_identity(item, wanted))
            operations.append(_update(item, wanted, len(operations)))
    operations += [_delete(item, len(operations) + n) for n, item in enumerate(retired)]
    return VideoMigration(
        video.id,
        video.name,
        len(moved) - duplicates,
        duplicates,
        len(retired),
        tuple(operations),
    )


def _identity(item: EventRecord, event: Event) -> tuple[Event, bool]:
    """Two labels that agree in this are one: a hard negative is never the same as a label."""
    return replace(event, score=None), item.review_state == "rejected"


def _converted(event: Event, target: EventType, length_us: int | None, video: VideoRecord) -> Event:
    if event.kind == target.kind:
        return replace(event, event_type=target.name)
    if event.start_us >= video.duration_us:
        raise InvalidInputError(
            f"the {event.kind} {event.event_type!r} at {format_time(event.start_us)} lies outside "
            f"{video.name!r}, so it cannot become a {target.kind}; retire it, or move it first"
        )
    if target.kind == "point":
        return Event.point(target.name, event.start_us)
    end_us = min(event.start_us + (length_us or 1), video.duration_us)
    return Event.segment(target.name, event.start_us, end_us)


def _update(item: EventRecord, wanted: Event, seq: int) -> Operation:
    old, new = _fields(item.event), _fields(wanted)
    names = [name for name in new if new[name] != old[name]]
    return Operation(
        id=uuid4().hex,
        client=CLIENT,
        seq=seq,
        kind="update",
        event_id=item.id,
        before={name: old[name] for name in names},
        after={name: new[name] for name in names},
    )


def _delete(item: EventRecord, seq: int) -> Operation:
    before = {
        **_fields(item.event),
        "review_state": item.review_state,
        "attributes": item.attributes,
    }
    return Operation(
        id=uuid4().hex,
        client=CLIENT,
        seq=seq,
        kind="delete",
        event_id=item.id,
        before=before,
        after=None,
    )


def _fields(event: Event) -> State:
    return {
        "start_us": event.start_us,
        "end_us": event.end_us,
        "event_type": event.event_type,
        "kind": event.kind,
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
