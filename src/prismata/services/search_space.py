"""What a search tries: the settings that can be varied, their values, and trials drawn of them."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

from prismata.core.architectures import (
    ARCHITECTURES,
    CLIP_ENCODERS,
    DEFAULT_ARCHITECTURE,
    Architecture,
    find_architecture,
)
from prismata.core.errors import InvalidInputError
from prismata.domains import Domain

Value = bool | int | float | str | None
Space = Mapping[str, tuple[Value, ...]]
"""Setting → the values to try, in the order in which they are told."""

MOST_TRIALS = 200
_MOST_COMBINATIONS = 100_000
_AUTO = "auto"


@dataclass(frozen=True, slots=True)
class SearchSetting:
    """A setting of the recipe, or of its head, that a search can vary."""

    name: str
    title: str
    kind: Literal["number", "whole", "flag", "architecture"]
    default: Value
    """What a recipe has that says nothing of it; of `flip` the domain decides."""
    low: float = 0.0
    high: float = math.inf
    without_ends: str = ""
    """`low`, `high` or both: these themselves cannot be had."""
    in_head: bool = False
    knows_auto: bool = False
    """None, written `auto`, leaves it to the architecture."""

    def check(self, value: object) -> Value:
        """Return a value as the recipe wants it.

        Raises:
            InvalidInputError: If the setting cannot have it; says what it can have.
        """
        if self.knows_auto and value in (None, _AUTO):
            return None
        if self.kind == "architecture":
            return find_architecture(str(value)).name
        if self.kind == "flag":
            if isinstance(value, bool):
                return value
            raise InvalidInputError(f"{self.name} must be true or false, not {value!r}")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidInputError(f"{self.name} must be {self._wanted()}, not {value!r}")
        over = value > self.low or (value == self.low and "low" not in self.without_ends)
        under = value < self.high or (value == self.high and "high" not in self.without_ends)
        if not (over and under and (self.kind == "number" or value == int(value))):
            raise InvalidInputError(f"{self.name} must be {self._wanted()}, not {value}")
        return int(value) if self.kind == "whole" else float(value)

    def _wanted(self) -> str:
        what = "a number" if self.kind == "number" else "a whole number"
        auto = f", or {_AUTO}" if self.knows_auto else ""
        if math.isinf(self.high):
            return f"{what} from {self.low:g}{auto}"
        first = "above " if "low" in self.without_ends else "from "
        last = "below " if "high" in self.without_ends else "to "
        return f"{what} {first}{self.low:g} {last}{self.high:g}{auto}"


def _rate(name: str, title: str) -> SearchSetting:
    return SearchSetting(name, title, "number", 1e-3, high=1.0, without_ends="low high")


def _share(name: str, title: str, default: float, *, in_head: bool = False) -> SearchSetting:
    return SearchSetting(
        name, title, "number", default, high=1.0, without_ends="high", in_head=in_head
    )


SETTINGS: Mapping[str, SearchSetting] = {
    item.name: item
    for item in (
        SearchSetting("architecture", "Architecture", "architecture", DEFAULT_ARCHITECTURE),
        _rate("head_lr", "Learning rate of the head"),
        _rate("encoder_lr", "Learning rate of the encoder"),
        SearchSetting("weight_decay", "Weight decay", "number", 0.01, high=1.0),
        _share("ema_decay", "Running mean of the weights", 0.97),
        SearchSetting("positive_limit", "Largest weight of events", "number", 5.0, low=1.0),
        SearchSetting("focal_gamma", "Focal loss", "number", 0.0, high=5.0),
        SearchSetting("mixup", "Mixup", "number", 0.0, high=10.0),
        SearchSetting(
            "dilation", "Samples beside a point", "whole", None, high=100, knows_auto=True
        ),
        SearchSetting("batch_windows", "Windows in a step", "whole", 256, low=1, high=65_536),
        SearchSetting("batch_chunks", "Stretches in a step", "whole", 4, low=1, high=1024),
        SearchSetting("chunk_samples", "Samples in a stretch", "whole", 32, low=1, high=4096),
        SearchSetting("freeze_batch_norm", "Frozen batch statistics", "flag", default=False),
        SearchSetting("flip", "Mirroring", "flag", None),
        SearchSetting("hidden", "Size of the head", "whole", 128, 1, 4096, in_head=True),
        SearchSetting("layers", "Recurrent layers", "whole", 1, 1, 8, in_head=True),
        _share("dropout", "Dropout", 0.2, in_head=True),
        _share("input_dropout", "Dropout of features", 0.0, in_head=True),
    )
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Combinations that are not tried, and why."""

    what: str
    """Setting and value, as `mixup=0.2`."""
    reason: str
    combinations: int

    @property
    def sentence(self) -> str:
        """What a person is told."""
        count = self.combinations
        return (
            f"{self.what}: {self.reason}, so {count} combination{'s' if count > 1 else ''} "
            f"{'are' if count > 1 else 'is'} left out"
        )


@dataclass(frozen=True, slots=True)
class DrawnTrials:
    """What will be tried of a space."""

    trials: tuple[dict[str, Value], ...]
    """Setting → value, one for each trial. If the recipe as it is lies in the space, it is the
    first one, so that a search does not end with less than that without saying so."""
    combinations: int
    """Sensible ones; trials are drawn of them where there are more."""
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class Base:
    """The recipe that a search starts from; what is not varied stays as it says."""

    domain: Domain
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the training recipe that a person chose; the rest is the architecture's."""

    def architecture(self, varied: Mapping[str, Value] | None = None) -> Architecture:
        """Return the architecture, of a combination if one is given."""
        name = (varied or {}).get("architecture", self.chosen.get("architecture"))
        return find_architecture(str(name or DEFAULT_ARCHITECTURE))

    def value(self, name: str, architecture: Architecture) -> Value:
        """Return what a setting is without the search."""
        setting = SETTINGS[name]
        if name == "architecture":
            return self.architecture().name
        chosen = self.chosen.get("head") or {} if setting.in_head else self.chosen
        own = {} if setting.in_head else architecture.recipe
        default = not self.domain.left_right_matters if name == "flip" else setting.default
        value: Value = chosen.get(name, own.get(name, default))
        return value

    def recipe(self, varied: Mapping[str, Value]) -> dict[str, Any]:
        """Return the chosen settings with those of one trial in their place."""
        plain = {name: value for name, value in varied.items() if not SETTINGS[name].in_head}
        head = {name: value for name, value in varied.items() if SETTINGS[name].in_head}
        recipe = {**self.chosen, **plain}
        if head:
            recipe["head"] = {**(self.chosen.get("head") or {}), **head}
        return recipe

    def is_frozen(self, architecture: Architecture) -> bool:
        """Say whether the encoder stays as it is."""
        return bool(self.chosen.get("frozen", architecture.frozen))


def default_space(base: Base) -> dict[str, tuple[Value, ...]]:
    """Return a handful of settings around a recipe that are worth a try for most data.

    Architectures are tried that need nothing else decoded or encoded; rates and sizes a third,
    half, twice and three times as large as they are.
    """
    own = base.architecture()
    space: dict[str, tuple[Value, ...]] = {}
    alike = [name for name, other in ARCHITECTURES.items() if _shares_features(own, other)]
    if len(alike) > 1:
        space["architecture"] = (own.name, *(name for name in alike if name != own.name))
    for name in ("head_lr", "encoder_lr"):
        rate = float(base.value(name, own) or 0)
        space[name] = (_rounded(rate / 3), rate, min(0.9, _rounded(rate * 3)))
    hidden = int(base.value("hidden", own) or 1)
    space["hidden"] = tuple(sorted({max(1, hidden // 2), hidden, min(4096, hidden * 2)}))
    for name, values in {
        "input_dropout": (0.0, 0.3),
        "focal_gamma": (0.0, 2.0),
        "mixup": (0.0, 0.2),
        "dilation": (None, 2),
    }.items():
        value = base.value(name, own)
        space[name] = values if value in values else (value, *values)
    return {
        name: values
        for name, values in space.items()
        if len(values) > 1 and not _why_idle(name, own, frozen=base.is_frozen(own))
    }


def parse_tries(given: Sequence[str]) -> dict[str, tuple[Value, ...]]:
    """Read `NAME=V1,V2,…`, one setting each; a value is JSON where it is, else a word.

    Raises:
        InvalidInputError: If one cannot be read, is unknown or has a value it cannot have.
    """
    space: dict[str, tuple[Value, ...]] = {}
    for item in given:
        name, equals, values = (part.strip() for part in item.partition("="))
        if not (name and equals and values):
            raise InvalidInputError(
                f"a setting to try is written NAME=V1,V2, for example head_lr=0.001,0.003, not "
                f"{item.strip()!r}"
            )
        if name in space:
            raise InvalidInputError(f"{name} is given twice; write all its values in one")
        space[name] = tuple(_read(value.strip()) for value in values.split(","))
    return check_space(space)


def check_space(space: Space) -> dict[str, tuple[Value, ...]]:
    """Return a space with every value as the recipe wants it, each once.

    Raises:
        InvalidInputError: If a setting is unknown or has a value it cannot have.
    """
    checked = {}
    for name, values in space.items():
        if name not in SETTINGS:
            raise InvalidInputError(
                f"there is no setting {name!r} that a search can vary; there is "
                f"{', '.join(sorted(SETTINGS))}"
            )
        checked[name] = tuple(dict.fromkeys(SETTINGS[name].check(value) for value in values))
    return checked


def draw_trials(space: Space, base: Base, *, trials: int, seed: int) -> DrawnTrials:
    """Return the trials of a search: all sensible combinations, or as many drawn with the seed.

    Raises:
        InvalidInputError: If the number of trials cannot be used, there are too many combinations
            to look at, or fewer than two that make sense.
    """
    if not 2 <= trials <= MOST_TRIALS:
        raise InvalidInputError(
            f"a search compares 2 to {MOST_TRIALS} trials, not {trials}; say how many"
        )
    number = math.prod(len(values) for values in space.values())
    if number > _MOST_COMBINATIONS:
        raise InvalidInputError(
            f"these values make {number} combinations, more than {_MOST_COMBINATIONS} to draw "
            "from; try fewer settings or fewer values"
        )
    sensible: list[dict[str, Value]] = []
    reasons: Counter[tuple[str, str]] = Counter()
    for values in product(*space.values()):
        varied = dict(zip(space, values, strict=True))
        reason = _why_left_out(varied, base)
        if reason is None:
            sensible.append(varied)
        else:
            reasons[reason] += 1
    left_out = tuple(LeftOut(*reason, count) for reason, count in reasons.items())
    if len(sensible) < 2:
        why = "".join(f"; {item.sentence}" for item in left_out)
        raise InvalidInputError(
            f"a search compares at least 2 trials, and these values make {len(sensible)}{why}; "
            "name more values to try"
        )
    random.Random(seed).shuffle(sensible)  # noqa: S311 - a reproducible draw, not a secret
    sensible.sort(key=lambda varied: not _is_as_it_was(varied, base))
    return DrawnTrials(tuple(sensible[:trials]), len(sensible), left_out)


def format_value(value: Value) -> str:
    """Return a value as `--try` and `--set` read it."""
    if value is None:
        return _AUTO
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value) if not isinstance(value, str) else value


def format_settings(varied: Mapping[str, Value]) -> str:
    """Return the settings of a trial in one line."""
    return ", ".join(f"{name}={format_value(value)}" for name, value in varied.items())


def _read(text: str) -> Value:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    return value if isinstance(value, bool | int | float | None) else text


def _rounded(value: float) -> float:
    return float(f"{value:.1g}")


def _shares_features(one: Architecture, other: Architecture) -> bool:
    """Whether both are trained on the same arrays, in windows of the same length."""
    return (one.encoder, one.frozen, one.clip, one.scores) == (
        other.encoder,
        other.frozen,
        other.clip,
        other.scores,
    )


def _is_as_it_was(varied: Mapping[str, Value], base: Base) -> bool:
    own = base.architecture()
    return all(base.value(name, own) == value for name, value in varied.items())


def _why_left_out(varied: Mapping[str, Value], base: Base) -> tuple[str, str] | None:
    """Return what is wrong with a combination: a setting that changes nothing, or cannot be."""
    architecture = base.architecture(varied)
    encoder = str(base.chosen.get("encoder", architecture.encoder))
    if encoder in CLIP_ENCODERS and (
        base.is_frozen(architecture) or architecture.scores != "dense"
    ):
        return (
            f"{encoder} with {architecture.name}",
            "that encoder is trained, and goes with heads that score every sample",
        )
    for name, value in varied.items():
        reason = _why_idle(name, architecture, frozen=base.is_frozen(architecture))
        if reason and value != base.value(name, architecture):
            return f"{name}={format_value(value)} with {architecture.name}", reason
    return None


def _why_idle(name: str, architecture: Architecture, *, frozen: bool) -> str:
    """Return why a setting does nothing for a detector; empty if it does something."""
    trains_on_windows = frozen and architecture.scores == "centre"
    match name:
        case "mixup" if architecture.scores != "dense":
            return "mixup blends stretches, and a head that scores windows is not trained on them"
        case "encoder_lr" | "freeze_batch_norm" if frozen:
            return "the encoder stays as it is"
        case "flip" if frozen:
            return "features are computed once, of pictures as they are"
        case "batch_windows" if not trains_on_windows:
            return "it is trained on stretches, not on windows"
        case "batch_chunks" | "chunk_samples" if trains_on_windows:
            return "it is trained on windows, not on stretches"
        case "layers" if architecture.head == "convolution":
            return "a convolution has no recurrent layers"
    return ""
