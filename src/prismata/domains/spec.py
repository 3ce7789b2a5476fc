"""`Domain`: one field of events, declared as data plus pure functions.

Invariant: declaring, registering and reviewing need the standard library only; the three
`create_*` methods reach the training room, and with it torch, when they are called.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from prismata.core.errors import InvalidInputError, NotFoundError, UnavailableError
from prismata.core.events import PALETTE, Event, EventType, check_name
from prismata.core.presets import find_preset
from prismata.core.recipes import ClipSpec, GroupingRule, MotionGate
from prismata.core.replays import REPLAYS_FOR_ANNOTATORS, ReplayPolicy
from prismata.core.time import to_us
from prismata.domains.guide import GuidePicture, read_guide
from prismata.domains.options import EMPHASES, Emphasis, IngestOptions, Wording
from prismata.domains.relations import Exclusion, Implication, Relation, Remark
from prismata.domains.reporting import DerivedEvent, ReportSection, ReportVideo

if TYPE_CHECKING:
    from prismata.core.scores import ScoreTrack

PLUGIN_MODULE = "domain"
"""Name of the module that declares a domain; `model` beside it may hold its own hooks."""

_TRAINING_FACTORY = "prismata.training.factory"
_TRAINING_PACKAGES = frozenset({"torch", "torchvision", "onnx"})
_WANTED = {"motion_gate": "MotionGate or None"}
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


class Domain:
    """One field of events: what can happen, how to look for it, how to label it.

    Subclass it, fill in the class attributes and decorate the class with `@register_domain`.
    """

    name: ClassVar[str]
    """Stable id, lower-case snake case; equals the plugin's folder name."""
    title: ClassVar[str] = ""
    """What people read; by default the name with spaces."""
    version: ClassVar[int] = 1
    """Stored with every label and model; raise it when the meaning of an event changes."""
    event_types: ClassVar[tuple[EventType, ...]]
    """At least one; the order is the order of the model's outputs."""
    clip: ClassVar[ClipSpec] = ClipSpec()
    """How videos are sampled and cut."""
    rules: ClassVar[dict[str, GroupingRule]] = {}
    """Event type name → how scores become events; the default rule where nothing is said."""
    motion_gate: ClassVar[MotionGate | None] = None
    """Skip the encoder while nothing moves; only for cameras that stand still."""
    left_right_matters: ClassVar[bool] = False
    """Training never mirrors the pictures: a left turn is no right turn."""
    replays: ClassVar[ReplayPolicy] = "unstated"
    """What annotators do with replays; frozen with every dataset version and told by its models."""
    guide: ClassVar[str] = ""
    """One paragraph that annotators read first; the README holds the details."""
    tolerance_seconds: ClassVar[float] = 0.5
    """How far a found point may lie from the labelled one and still be right."""
    relations: ClassVar[tuple[Relation, ...]] = ()
    """Rules between events: which never overlap, which never come alone. Labels that break one are
    pointed out, and may stay."""
    derived_types: ClassVar[tuple[EventType, ...]] = ()
    """Event types that `derive` makes from others; nobody labels them and no model learns them."""
    preset: ClassVar[str] = ""
    """Name of the training that is taken where nobody chooses; see `prismata.core.presets`."""
    emphasis: ClassVar[Emphasis | Literal[""]] = ""
    """The figure that stands first in reports; `points` or `segments` also choose the best epoch of
    a training. Empty: all alike."""
    ingest: ClassVar[IngestOptions] = IngestOptions()
    """How its videos are taken in."""
    wording: ClassVar[Wording] = Wording()
    """What its events are called where results are told."""

    def review(self, events: Sequence[Event]) -> Iterator[str | Remark]:
        """Yield a sentence, or a `Remark` with its event, for each thing that looks wrong.

        Pure: it reads the labels of one video (in order of time, with what people said about each
        as `attributes`), changes nothing and always says the same.
        """
        del events
        yield from ()

    def derive(
        self, events: Sequence[Event], scores: ScoreTrack | None
    ) -> Iterable[Event | DerivedEvent]:
        """Return the events of `derived_types` that follow from those of one video.

        Pure, and quick: it is asked anew whenever a threshold moves.

        Args:
            events: What is shown, in order of time, with what people said about each.
            scores: What the model thought of every instant; None where no model did.
        """
        del events, scores
        return ()

    def report_section(self, videos: Sequence[ReportVideo]) -> ReportSection | None:
        """Return a section of its own for a report about these videos, or None. Pure."""
        del videos
        return None

    @property
    def event_names(self) -> tuple[str, ...]:
        """Names of the event types, in the order of the model's outputs."""
        return tuple(event_type.name for event_type in self.event_types)

    @property
    def full_guide(self) -> str:
        """What annotators read first: the guide, and what to do with replays."""
        return " ".join(part for part in (self.guide, REPLAYS_FOR_ANNOTATORS[self.replays]) if part)

    @property
    def folder(self) -> Path | None:
        """Folder of the file that declares this domain; None when it was typed interactively."""
        file = getattr(sys.modules.get(type(self).__module__), "__file__", None)
        return Path(file).parent if file else None

    def guide_pictures(self, name: str) -> tuple[GuidePicture, ...]:
        """Return the pictures that show an event type: `guide/<event type>*.jpg|png`, by name."""
        found = read_guide(self.folder, self.event_names).pictures
        return tuple(picture for picture in found if picture.event_type == name)

    def tolerances_us(self) -> dict[str, int]:
        """Return how far a found event may lie from the labelled one, by event type."""
        common = to_us(self.tolerance_seconds)
        return {item.name: item.tolerance_us(common) for item in self.event_types}

    def event_type(self, name: str) -> EventType:
        """Return one event type.

        Raises:
            NotFoundError: If this domain has no such event type.
        """
        for event_type in self.event_types:
            if event_type.name == name:
                return event_type
        raise NotFoundError(
            f"domain {self.name!r} has no event type {name!r}; it has {', '.join(self.event_names)}"
        )

    def create_model(self, config: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - a torch module
        """Return an untrained model for this domain's clip and event types.

        `create_model(domain, config)` in a `model.py` beside `domain.py` takes precedence over
        the training room's own.

        Raises:
            UnavailableError: If the train extra is not installed.
        """
        return self._training_hook("create_model")(self, {} if config is None else config)

    def create_dataset(self, labels: Mapping[Path, Sequence[Event]], videos: Sequence[Path]) -> Any:  # noqa: ANN401 - a torch dataset
        """Return the training dataset: windows of `videos` with the targets that `labels` give.

        Raises:
            UnavailableError: If the train extra is not installed.
        """
        return self._training_hook("create_dataset")(self, labels, videos)

    def create_inference_dataset(self, video: Path) -> Any:  # noqa: ANN401 - a torch dataset
        """Return the windows of one video, in order, without labels.

        Raises:
            UnavailableError: If the train extra is not installed.
        """
        return self._training_hook("create_inference_dataset")(self, video)

    def _training_hook(self, name: str) -> Callable[..., Any]:
        try:
            own = getattr(self._model_module(), name, None)
            if own is not None:
                return own  # type: ignore[no-any-return]  # a plugin's function has no types here
            # A string and not an import statement: this room must load where torch is not
            # installed, and only the training room, which this opens when called, has torch.
            hook: Callable[..., Any] = getattr(import_module(_TRAINING_FACTORY), name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in _TRAINING_PACKAGES:
                raise
            raise UnavailableError(
                f"training needs the train extra, but {error.name} is not installed: "
                'pip install "prismata[train]"'
            ) from error
        return hook

    def _model_module(self) -> object | None:
        package, _, module = type(self).__module__.rpartition(".")
        if module != PLUGIN_MODULE or not package or find_spec(f"{package}.model") is None:
            return None
        return import_module(f"{package}.model")


def check_declaration(domain_class: type[Domain]) -> None:
    """Check what a domain class declares.

    Raises:
        InvalidInputError: If something is missing or cannot be used; says what.
    """
    label = domain_class.__name__
    if not issubclass(domain_class, Domain):
        raise InvalidInputError(f"{label} is not a Domain; write `class {label}(Domain):`")
    name = getattr(domain_class, "name", None)
    if not isinstance(name, str):
        raise InvalidInputError(f"{label} has no name; set `name = ...`")
    check_name(name, "domain")
    event_types: object = getattr(domain_class, "event_types", None)
    if not isinstance(event_types, tuple) or not event_types:
        raise InvalidInputError(
            f"domain {name!r} declares no event types; set `event_types = (EventType(...),)`"
        )
    _check_recipe(domain_class)
    _check_event_types(name, (*event_types, *domain_class.derived_types))
    _check_choices(domain_class)
    unknown = sorted(set(domain_class.rules) - {item.name for item in domain_class.event_types})
    if unknown:
        raise InvalidInputError(
            f"domain {name!r} has a rule for {unknown[0]!r}, which is none of its event types; "
            "rename the rule or declare the event type"
        )


def complete_domain(domain_class: type[Domain]) -> None:
    """Check a declaration and fill in what follows from it: title, colours and default rules.

    Raises:
        InvalidInputError: If something is missing or cannot be used; says what.
    """
    check_declaration(domain_class)
    domain_class.title = domain_class.title or domain_class.name.replace("_", " ").capitalize()
    count = len(domain_class.event_types)
    colored = tuple(
        replace(item, color=item.color or PALETTE[index % len(PALETTE)])
        for index, item in enumerate((*domain_class.event_types, *domain_class.derived_types))
    )
    domain_class.event_types, domain_class.derived_types = colored[:count], colored[count:]
    domain_class.rules = {
        item.name: domain_class.rules.get(item.name, GroupingRule())
        for item in domain_class.event_types
    }


def _check_choices(domain_class: type[Domain]) -> None:
    """Check what names other things: the preset, the emphasis and the rules between events."""
    name = domain_class.name
    if domain_class.preset:
        try:
            find_preset(domain_class.preset)
        except InvalidInputError as error:
            raise InvalidInputError(f"domain {name!r} cannot be trained: {error}") from error
    emphasis = domain_class.emphasis
    if emphasis and emphasis not in EMPHASES:
        raise InvalidInputError(
            f"domain {name!r} has emphasis = {emphasis!r}; it can be {', '.join(EMPHASES)}"
        )
    kinds = {f"{item.kind}s" for item in domain_class.event_types}
    if emphasis in ("points", "segments") and emphasis not in kinds:
        raise InvalidInputError(
            f"domain {name!r} has emphasis = {emphasis!r}, but none of its event types is one"
        )
    known = {item.name for item in domain_class.event_types}
    for relation in domain_class.relations:
        if not isinstance(relation, Exclusion | Implication):
            raise InvalidInputError(
                f"domain {name!r} lists {relation!r:.80} among its relations; each must be an "
                "Exclusion or an Implication"
            )
        stranger = next((item for item in relation.event_types if item not in known), None)
        if stranger:
            raise InvalidInputError(
                f"domain {name!r} has a relation of {stranger!r}, which is none of its event "
                "types; rename it or declare the event type"
            )
    is_derived = domain_class.derive is not Domain.derive
    if is_derived is not bool(domain_class.derived_types):
        lacking = "derived_types" if is_derived else "derive method"
        raise InvalidInputError(f"domain {name!r} derives events, but has no {lacking}; add it")
    for item in domain_class.derived_types:
        if item.hotkey or item.attributes:
            raise InvalidInputError(
                f"derived type {item.name!r} is labelled by nobody, so it has neither a hotkey nor "
                "attributes; leave them out"
            )


def _check_event_types(name: str, event_types: Sequence[object]) -> None:
    seen: set[str] = set()
    for item in event_types:
        if not isinstance(item, EventType):
            raise InvalidInputError(
                f"domain {name!r} lists {item!r} among its event types; each must be an EventType"
            )
        if item.name in seen:
            raise InvalidInputError(
                f"domain {name!r} declares event type {item.name!r} twice; rename one of them"
            )
        if item.color and not _COLOR.fullmatch(item.color):
            raise InvalidInputError(
                f"event type {item.name!r} has color {item.color!r}; write it as #RRGGBB"
            )
        seen.add(item.name)


def _check_recipe(domain_class: type[Domain]) -> None:
    # Plugins are files that people type: what the annotations promise is checked at this door.
    name = domain_class.name
    version: object = domain_class.version
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InvalidInputError(
            f"domain {name!r} has version {version!r}; use a whole number from 1 on"
        )
    fields: dict[str, type | tuple[type, ...]] = {
        "title": str,
        "guide": str,
        "clip": ClipSpec,
        "rules": dict,
        "tolerance_seconds": (int, float),
        "motion_gate": (MotionGate, NoneType),
        "left_right_matters": bool,
        "relations": tuple,
        "derived_types": tuple,
        "preset": str,
        "emphasis": str,
        "ingest": IngestOptions,
        "wording": Wording,
    }
    for field, expected in fields.items():
        value = getattr(domain_class, field)
        if not isinstance(value, expected):
            wanted = _WANTED.get(field) or getattr(expected, "__name__", "number")
            raise InvalidInputError(
                f"domain {name!r} has {field} = {value!r}; it must be a {wanted}"
            )
    for event_name, rule in domain_class.rules.items():
        if not isinstance(rule, GroupingRule):
            raise InvalidInputError(
                f"domain {name!r} has {rule!r} as the rule of {event_name!r}; "
                "it must be a GroupingRule"
            )
    if domain_class.replays not in REPLAYS_FOR_ANNOTATORS:
        raise InvalidInputError(
            f"domain {name!r} has replays = {domain_class.replays!r}; it can be "
            f"{', '.join(map(repr, REPLAYS_FOR_ANNOTATORS))}"
        )
    tolerance = domain_class.tolerance_seconds
    if not (math.isfinite(tolerance) and 0 < tolerance <= 3600):
        raise InvalidInputError(
            f"domain {name!r} has tolerance_seconds = {tolerance}; it must lie in (0, 3600]"
        )
