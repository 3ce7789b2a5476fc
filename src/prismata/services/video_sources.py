"""Where videos of a batch come from: the library, files, folders, globs and S3 prefixes.

What a person names becomes a list of sources in a fixed order; each brings its video into the
library only when its turn comes.
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from prismata.catalog import VideoRecord
from prismata.core.errors import BadVideoError, InvalidInputError, NotFoundError
from prismata.media import probe
from prismata.services.ingest import VIDEO_SUFFIXES, IngestResult, ingest_file
from prismata.services.workbench import Workbench
from prismata.storage import SourceObject, SourceStore, open_s3_source

_WILDCARDS = "*?["
_S3 = "s3://"


class VideoSource(Protocol):
    """One video to be, wherever it is now."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def duration_us(self, bench: Workbench) -> int | None:
        """Return how long it is, if that costs next to nothing."""
        ...

    def take_in(self, bench: Workbench, domain: str) -> VideoRecord:
        """Return the video, ingested first if the library does not have it.

        Raises:
            UserError: If it cannot be had or is no video that can be used.
        """
        ...


@dataclass(frozen=True, slots=True)
class LibrarySource:
    """A video of the library."""

    video: VideoRecord

    @property
    def name(self) -> str:
        """Its name."""
        return self.video.name

    def duration_us(self, bench: Workbench) -> int | None:
        """Return its duration."""
        del bench
        return self.video.duration_us

    def take_in(self, bench: Workbench, domain: str) -> VideoRecord:
        """Return it."""
        del bench, domain
        return self.video


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file; `stored_name` is what it is called in the library if it comes there by this."""

    path: Path
    stored_name: str

    @property
    def name(self) -> str:
        """Its path, as it was found."""
        return str(self.path)

    def duration_us(self, bench: Workbench) -> int | None:
        """Return what the header says; None if it says nothing or is none."""
        del bench
        try:
            return probe(self.path).declared_duration_us
        except BadVideoError:
            return None

    def take_in(self, bench: Workbench, domain: str) -> VideoRecord:
        """Ingest it."""
        return _video_of(ingest_file(bench, self.path, name=self.stored_name, domain=domain))


@dataclass(frozen=True, slots=True)
class S3VideoSource:
    """An object of some bucket.

    Once it has been ingested, a note in storage says which video its version became, so it is not
    brought here again.
    """

    door: SourceStore
    object: SourceObject
    stored_name: str

    @property
    def name(self) -> str:
        """Its address."""
        return self.object.url

    def duration_us(self, bench: Workbench) -> int | None:
        """Return its duration if the library has it."""
        known = self._known(bench)
        return known.duration_us if known else None

    def take_in(self, bench: Workbench, domain: str) -> VideoRecord:
        """Bring it to a temporary file, ingest that and remove it."""
        known = self._known(bench)
        if known is not None:
            return known
        with tempfile.TemporaryDirectory(prefix="prismata-s3-") as folder:
            path = Path(folder) / (PurePosixPath(self.object.key).name or "video")
            self.door.fetch(self.object, path)
            video = _video_of(ingest_file(bench, path, name=self.stored_name, domain=domain))
        note = {
            "url": self.object.url,
            "etag": self.object.etag,
            "size": self.object.size,
            "video_sha256": video.sha256,
        }
        bench.storage.put(self._note_key, json.dumps(note, indent=1).encode())
        return video

    @property
    def _note_key(self) -> str:
        place = f"{self.door.endpoint_url or ''}\n{self.object.url}"
        return f"sources/s3/{hashlib.sha256(place.encode()).hexdigest()}.json"

    def _known(self, bench: Workbench) -> VideoRecord | None:
        try:
            note = json.loads(bench.storage.get(self._note_key))
        except NotFoundError:
            return None
        if (note["etag"], note["size"]) != (self.object.etag, self.object.size):
            return None
        return bench.catalog.videos.find_by_digest(note["video_sha256"])


def find_sources(bench: Workbench, words: Sequence[str]) -> list[VideoSource]:
    """Turn what a person names into sources, each once, in the order named, folders sorted.

    A word is an `s3://bucket/prefix` (wildcards allowed), a name or id of the library, a folder
    (searched with everything below it), a file, or a glob (`rec/*.mp4`, `**` allowed). Hidden files
    and folders are passed over unless they are named.

    Raises:
        NotFoundError: If a word names nothing; nothing has been started.
        UserError: If a bucket cannot be listed.
    """
    sources: dict[str, VideoSource] = {}
    for word in words:
        for source in _sources_of(bench, word):
            sources.setdefault(_identity(source), source)
    return list(sources.values())


def _sources_of(bench: Workbench, word: str) -> Iterable[VideoSource]:
    if word.startswith(_S3):
        return _objects(bench, word)
    try:
        return [LibrarySource(bench.catalog.videos.find(word))]
    except NotFoundError as error:
        path = Path(word)
        if path.is_dir():
            return _folder(path)
        if path.is_file():
            return [FileSource(path, path.name)]
        if any(character in word for character in _WILDCARDS):
            return _glob(word)
        raise NotFoundError(f"{error}; nor is there a file or folder of this name") from None


def _folder(folder: Path) -> list[VideoSource]:
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in VIDEO_SUFFIXES
        and not _is_hidden(path.relative_to(folder).parts)
        and path.is_file()
    )
    if not files:
        raise NotFoundError(
            f"there is no video in the folder {str(folder)!r} or below it; looked for "
            f"{', '.join(sorted(VIDEO_SUFFIXES))}"
        )
    return [FileSource(path, path.relative_to(folder).as_posix()) for path in files]


def _glob(pattern: str) -> list[VideoSource]:
    base = Path(*_fixed_parts(Path(pattern).parts))
    wants_all = _has_plain_suffix(pattern)
    files = sorted(
        path
        for path in map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207 - hidden files stay out
        if path.is_file() and (wants_all or path.suffix.lower() in VIDEO_SUFFIXES)
    )
    if not files:
        raise NotFoundError(f"no video matches {pattern!r}; check the pattern and the folder")
    return [FileSource(path, path.relative_to(base).as_posix()) for path in files]


def _objects(bench: Workbench, word: str) -> list[VideoSource]:
    bucket, _, pattern = word.removeprefix(_S3).partition("/")
    if not bucket:
        raise InvalidInputError(f"{word!r} names no bucket; write s3://BUCKET/PREFIX")
    prefix = pattern[: _first_wildcard(pattern)]
    door = open_s3_source(bench.settings)
    listed = sorted(door.list(bucket, prefix), key=lambda item: item.key)
    exact = [item for item in listed if item.key == pattern]
    chosen = exact or list(_matching(listed, pattern, prefix))
    if not chosen:
        raise NotFoundError(
            f"no video matches {word!r}; looked at {len(listed)} objects that begin like it"
        )
    return [S3VideoSource(door, item, _below(item, prefix)) for item in chosen]


def _matching(objects: Iterable[SourceObject], pattern: str, prefix: str) -> Iterator[SourceObject]:
    wants_all = _has_plain_suffix(pattern)
    for item in objects:
        if pattern != prefix and not fnmatch.fnmatchcase(item.key, pattern):
            continue
        is_video = PurePosixPath(item.key).suffix.lower() in VIDEO_SUFFIXES
        is_hidden = _is_hidden(PurePosixPath(_below(item, prefix)).parts)
        if (is_video or wants_all) and not is_hidden:
            yield item


def _below(item: SourceObject, prefix: str) -> str:
    """Return the key below the folder that the prefix lies in."""
    folder = prefix[: prefix.rfind("/") + 1]
    return item.key[len(folder) :]


def _video_of(ingested: IngestResult) -> VideoRecord:
    if ingested.video is None:
        raise InvalidInputError(ingested.message)
    return ingested.video


def _identity(source: VideoSource) -> str:
    return str(source.path.resolve()) if isinstance(source, FileSource) else source.name


def _is_hidden(parts: Iterable[str]) -> bool:
    return any(part.startswith(".") for part in parts)


def _fixed_parts(parts: Sequence[str]) -> Iterator[str]:
    """Yield the folders before the first that has a wildcard."""
    for part in parts[:-1]:
        if any(character in part for character in _WILDCARDS):
            return
        yield part


def _first_wildcard(pattern: str) -> int:
    places = [pattern.find(character) for character in _WILDCARDS]
    return min((place for place in places if place >= 0), default=len(pattern))


def _has_plain_suffix(pattern: str) -> bool:
    """Whether the pattern itself says which suffix is meant."""
    suffix = PurePosixPath(pattern).suffix
    has_wildcard = _first_wildcard(pattern) < len(pattern)
    return has_wildcard and bool(suffix) and _first_wildcard(suffix) == len(suffix)
