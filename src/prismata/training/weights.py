"""The weights provider: storage, then a local folder, then torchvision; never silently random."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.hub import get_dir
from torchvision.models import MobileNet_V2_Weights, ResNet18_Weights, WeightsEnum

from prismata.core.errors import InvalidInputError, NotFoundError, UnavailableError
from prismata.storage import StorageBackend

STORAGE_PREFIX = "weights/"

KNOWN_DIGESTS = {
    "resnet18-f37072fd.pth": "f37072fd",
    "mobilenet_v2-7ebf99e0.pth": "7ebf99e0",
    "mobilenet_v2_1.0_224.dequant.onnx": (
        "629e1e3335b5f6539e3182d1d8800c1abda5e96870e181d2b30799188c830260"
    ),
}
"""File name → SHA-256 or its published beginning; a `<file>.sha256` beside a file also counts."""

TORCHVISION_FILES: dict[str, tuple[str, WeightsEnum]] = {
    "resnet18": ("resnet18-f37072fd.pth", ResNet18_Weights.IMAGENET1K_V1),
    "mobilenet_v2": ("mobilenet_v2-7ebf99e0.pth", MobileNet_V2_Weights.IMAGENET1K_V2),
}

OTHER_NAMES = {"regnet_y_200mf": "regnety_002"}
"""Encoder → what timm calls the files of its weights, where torchvision publishes none."""


@dataclass(frozen=True, slots=True)
class FoundWeights:
    """A weights file, verified."""

    path: Path
    origin: str
    """Source, file name and digest, for the model card."""
    sha256: str

    @property
    def is_onnx(self) -> bool:
        """Whether this is a whole encoder as `.onnx` (which can only be used frozen)."""
        return self.path.suffix == ".onnx"


class WeightsProvider:
    """Find pretrained weights by the encoder's name.

    Args:
        storage: Looked at first, below `weights/`.
        folder: Looked at second (`PRISMATA_WEIGHTS_DIR`), if set.
        stack: Keeps local copies of stored files alive as long as the caller needs them.
    """

    def __init__(self, storage: StorageBackend, folder: Path | None, stack: ExitStack) -> None:
        self._storage = storage
        self._folder = folder
        self._stack = stack

    def find(self, encoder: str) -> FoundWeights:
        """Return the verified weights of an encoder.

        Files are looked for as `<encoder>*.onnx` or `<encoder>*.pth`, directly or in a folder
        called like the encoder.

        Raises:
            UnavailableError: If they are nowhere; says what to put where, and how to go on without.
            InvalidInputError: If a file is there but damaged.
        """
        found = self._in_storage(encoder) or self._in_folder(encoder) or _torchvision(encoder)
        if found is None:
            places = f"the storage below {STORAGE_PREFIX}"
            places += f", {self._folder}" if self._folder else " (PRISMATA_WEIGHTS_DIR is not set)"
            raise UnavailableError(
                f"no pretrained weights for encoder {encoder!r} in {places}"
                f"{_hint(encoder)}; put the file there, or say --weights none to train "
                "an encoder from scratch on purpose"
            )
        return found

    def _in_storage(self, encoder: str) -> FoundWeights | None:
        names = [info.key for info in self._storage.list(STORAGE_PREFIX)]
        for key in sorted(names):
            if _matches(key.removeprefix(STORAGE_PREFIX), encoder):
                path = self._stack.enter_context(self._storage.local_copy(key))
                sidecar = f"{key}.sha256"
                declared = self._storage.get(sidecar).decode() if sidecar in names else ""
                return _verified(path, f"storage {key}", declared)
        return None

    def _in_folder(self, encoder: str) -> FoundWeights | None:
        if self._folder is None:
            return None
        if not self._folder.is_dir():
            raise NotFoundError(
                f"PRISMATA_WEIGHTS_DIR names {self._folder}, which is not a folder; correct it or "
                "unset it"
            )
        for path in sorted(self._folder.rglob("*")):
            relative = path.relative_to(self._folder).as_posix()
            if path.is_file() and _matches(relative, encoder):
                sidecar = path.with_name(f"{path.name}.sha256")
                declared = sidecar.read_text() if sidecar.is_file() else ""
                return _verified(path, f"folder {relative}", declared)
        return None


def load_state(weights: FoundWeights) -> dict[str, Tensor]:
    """Read a `.pth` of tensors; never code.

    Raises:
        InvalidInputError: If it holds anything else.
    """
    try:
        state = torch.load(weights.path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises anything from EOFError to UnpicklingError here
        raise InvalidInputError(f"{weights.path.name} holds no weights: {error}") from error
    if not isinstance(state, dict):
        raise InvalidInputError(f"{weights.path.name} holds no state dictionary")
    return state


def _is_called(relative: str, encoder: str) -> bool:
    path = Path(relative)
    if path.suffix not in (".onnx", ".pth", ".pt"):
        return False
    stem = path.name[: len(encoder)]
    rest = path.name[len(encoder) :]
    in_folder = path.parent.name == encoder
    return in_folder or (stem == encoder and rest[:1] in ("", ".", "-", "_"))


def _matches(relative: str, encoder: str) -> bool:
    names = [encoder, *([OTHER_NAMES[encoder]] if encoder in OTHER_NAMES else [])]
    return any(_is_called(relative, name) for name in names)


def _verified(path: Path, origin: str, declared: str) -> FoundWeights:
    with path.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    expected = declared.split()[0].lower() if declared.split() else KNOWN_DIGESTS.get(path.name, "")
    if not digest.startswith(expected):
        raise InvalidInputError(
            f"the weights {path.name} are damaged: SHA-256 {digest[:12]}… instead of "
            f"{expected[:12]}…; fetch the file again"
        )
    return FoundWeights(path, f"{origin}, sha256 {digest}", digest)


def _torchvision(encoder: str) -> FoundWeights | None:
    """Look into torchvision's own cache, then let it download; None where there is no network."""
    if encoder not in TORCHVISION_FILES:
        return None
    file_name, weights = TORCHVISION_FILES[encoder]
    cached = Path(get_dir()) / "checkpoints" / file_name
    if not cached.is_file():
        try:
            weights.get_state_dict(progress=False, check_hash=True)
        except (OSError, RuntimeError):
            return None  # offline or refused: the caller's message says what to do
    return _verified(cached, f"torchvision {file_name}", "")


def _hint(encoder: str) -> str:
    if encoder in TORCHVISION_FILES:
        return f" (nor could torchvision fetch {TORCHVISION_FILES[encoder][0]})"
    if encoder in OTHER_NAMES:
        return f" (timm publishes them as {OTHER_NAMES[encoder]})"
    return ""
