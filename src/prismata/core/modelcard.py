"""The model card: the JSON beside every `.onnx` that says what it is and how to run it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from prismata.core.architectures import ScoreLayout
from prismata.core.errors import InvalidInputError
from prismata.core.events import EventType
from prismata.core.recipes import ClipSpec, GroupingRule, MotionGate

CARD_VERSION = 5


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything that detection needs to know and a person wants to know about a model."""

    name: str
    domain: str
    domain_version: int
    event_types: tuple[EventType, ...]
    clip: ClipSpec
    rules: dict[str, GroupingRule]
    """Event type name → grouping with the threshold chosen on the validation split."""
    architecture: str
    """For example `cnn_lstm`."""
    encoder: str
    """For example `tiny`, `resnet18` or `mobilenet_v2_1.0_224`."""
    encoder_frozen: bool
    feature_size: int
    weights_origin: str
    """Where the encoder's weights came from: `none` (random), or source, file and digest."""
    encoder_block: int = 1
    """Neighbouring samples that the encoder looks at together; 1 = each frame on its own."""
    scores: ScoreLayout = "centre"
    """What the head says of a window: one score for its centre, or one for every sample."""
    files: dict[str, str] = field(default_factory=dict)
    """File name → SHA-256 of every artefact in the bundle."""
    dataset_version: str = ""
    replays: str = "unstated"
    """A `ReplayPolicy`: what that dataset version says of replays."""
    training: dict[str, Any] = field(default_factory=dict)
    """Recipe, seed, epochs, wall time, machine."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """What the evaluation measured on the validation split."""
    calibration: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Event type name → what its scores mean: a line on their logit and how well it holds; empty =
    never fitted."""
    parity: dict[str, Any] = field(default_factory=dict)
    """Largest difference between the trained and the exported model on the check clip."""
    quantization: dict[str, Any] = field(default_factory=dict)
    """Whether the 8-bit encoder was accepted, and the measurements that say why; empty = never
    tried."""
    motion_gate: MotionGate | None = None
    """Set if the domain lets frames in which nothing moves go without the encoder."""
    motion_gate_cost: dict[str, Any] = field(default_factory=dict)
    """What the motion gate costs in recall and saves in encoding, measured on held-out videos."""
    created_at: str = ""
    card_version: int = CARD_VERSION

    @property
    def event_names(self) -> tuple[str, ...]:
        """Names of the event types, in the order of the model's outputs."""
        return tuple(event_type.name for event_type in self.event_types)

    @property
    def digest(self) -> str:
        """One SHA-256 over the digests of all files: the same model, the same digest."""
        lines = "".join(f"{name} {self.files[name]}\n" for name in sorted(self.files))
        return hashlib.sha256(lines.encode()).hexdigest()

    def with_thresholds(self, thresholds: dict[str, float]) -> ModelCard:
        """Return a card whose rules use other thresholds.

        Raises:
            InvalidInputError: If an event type is unknown or a threshold is out of range.
        """
        unknown = sorted(set(thresholds) - set(self.rules))
        if unknown:
            raise InvalidInputError(
                f"model {self.name!r} has no event type {unknown[0]!r}; it has "
                f"{', '.join(self.event_names)}"
            )
        rules = {
            name: replace(rule, threshold=thresholds.get(name, rule.threshold))
            for name, rule in self.rules.items()
        }
        return replace(self, rules=rules)

    def to_json(self) -> str:
        """Return the card as indented JSON.

        What an event type does not say is left out, so that older programs read it, too.
        """
        raw = asdict(self)
        raw["event_types"] = [
            {name: value for name, value in item.items() if value is not None}
            for item in raw["event_types"]
        ]
        return json.dumps(raw, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read a card.

        Raises:
            InvalidInputError: If it is not a card, lacks a field or a rule, or is newer than
                this program.
        """
        try:
            raw = json.loads(text)
        except json.JSONDecodeError as error:
            raise InvalidInputError(f"the model card is not JSON: {error}") from error
        if not isinstance(raw, dict):
            raise InvalidInputError("the model card is not a JSON object")
        version = raw.get("card_version")
        if not isinstance(version, int) or version > CARD_VERSION:
            raise InvalidInputError(
                f"the model card has version {version!r}; this program reads up to {CARD_VERSION}"
            )
        known = {item.name for item in fields(cls)}
        unknown = sorted(set(raw) - known)
        if unknown:
            raise InvalidInputError(f"the model card has unknown fields: {', '.join(unknown)}")
        try:
            raw["event_types"] = tuple(EventType.from_dict(item) for item in raw["event_types"])
            raw["clip"] = ClipSpec(**raw["clip"])
            raw["rules"] = {name: GroupingRule(**rule) for name, rule in raw["rules"].items()}
            if raw.get("motion_gate") is not None:
                raw["motion_gate"] = MotionGate(**raw["motion_gate"])
            card = cls(**raw)
        except (KeyError, TypeError, AttributeError) as error:
            raise InvalidInputError(f"the model card is incomplete: {error}") from error
        lacking = [name for name in card.event_names if name not in card.rules]
        if lacking:
            raise InvalidInputError(
                f"the model card is incomplete: it has no grouping rule for {lacking[0]!r}"
            )
        return card
