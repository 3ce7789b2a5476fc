"""Renditions: what the storage holds of a video beside the file itself.

    renditions/<sha256>/source.json     how browsers show the stored file
                        proxy.mp4       the same frames at the same times, for any browser
                        thumbs-<n>.jpg  sprites of thumbnails
                        waveform.bin    the loudest sample of each step
                        poster.jpg      the picture that stands for the video
                        material.json   what of these there is; written last

Invariant: what `material.json` names is there whole; without it nothing was prepared.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from prismata.catalog import VideoRecord
from prismata.core.errors import NotFoundError
from prismata.media import probe, scan
from prismata.media.playable import RULES, Playability, judge
from prismata.services.workbench import Workbench

VERSION = 1
"""Of `material.json`; another version counts as not prepared."""


@dataclass(frozen=True, slots=True)
class Thumbs:
    """Thumbnails in sprites, left to right, top to bottom."""

    every_us: int
    """Thumbnail i shows what is on screen at `i * every_us`."""
    width: int
    height: int
    columns: int
    rows: int
    count: int
    """Of all sprites together."""
    sprites: int


@dataclass(frozen=True, slots=True)
class Renditions:
    """What was prepared; `material.json`."""

    proxy: bool = False
    thumbs: Thumbs | None = None
    peaks_per_second: int | None = None
    """Of the waveform; None: there is no sound."""
    version: int = VERSION
    facts: dict[str, Any] = field(default_factory=dict)
    """What making it took, for people."""

    def to_json(self) -> bytes:
        """Return the bytes of `material.json`."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Renditions | None:
        """Return what was stored; None if another version wrote it."""
        raw = json.loads(content)
        if raw.get("version") != VERSION:
            return None
        thumbs = raw.pop("thumbs")
        return cls(**raw, thumbs=Thumbs(**thumbs) if thumbs else None)


def renditions_prefix(sha256: str) -> str:
    """Return the storage prefix of all renditions of the file with this digest."""
    return f"renditions/{sha256}/"


def rendition_key(video: VideoRecord, name: str) -> str:
    """Return the storage key of one of a video's renditions."""
    return renditions_prefix(video.sha256) + name


def load_renditions(bench: Workbench, video: VideoRecord) -> Renditions | None:
    """Return what was prepared of a video, None if nothing was."""
    try:
        return Renditions.from_json(bench.storage.get(rendition_key(video, "material.json")))
    except NotFoundError:
        return None


def load_playability(bench: Workbench, video: VideoRecord) -> Playability:
    """Return how browsers show the stored file; found out and stored where nobody did yet.

    Raises:
        NotFoundError: If the file is missing from storage.
        BadVideoError: If it cannot be read any more.
    """
    key = rendition_key(video, "source.json")
    try:
        raw = json.loads(bench.storage.get(key))
    except NotFoundError:
        raw = {}
    if raw.pop("rules", None) == RULES:
        return Playability(**raw)
    with bench.storage.local_copy(video.storage_key) as path:
        found = judge(path, probe(path), scan(path))
    store_playability(bench, video.sha256, found)
    return found


def store_playability(bench: Workbench, sha256: str, found: Playability) -> None:
    """Keep how browsers show a file."""
    content = json.dumps({"rules": RULES, **asdict(found)}).encode()
    bench.storage.put(f"{renditions_prefix(sha256)}source.json", content)


def remove_renditions(bench: Workbench, video: VideoRecord) -> None:
    """Remove everything that was made of a video; what describes it goes first."""
    bench.storage.delete(rendition_key(video, "material.json"))
    for info in list(bench.storage.list(renditions_prefix(video.sha256))):
        bench.storage.delete(info.key)


def remove_unpublished(bench: Workbench, video: VideoRecord) -> None:
    """Remove what a preparation that did not come to its end has stored."""
    if load_renditions(bench, video) is not None:
        return
    kept = {rendition_key(video, name) for name in ("source.json", "poster.jpg")}
    for info in list(bench.storage.list(renditions_prefix(video.sha256))):
        if info.key not in kept:
            bench.storage.delete(info.key)
