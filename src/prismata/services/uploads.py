"""Uploads: a file arrives in pieces, survives interruptions, and is ingested when complete.

Invariant: what is on disk is a correct beginning of the file; its length is the offset from which
the sender goes on, whatever was interrupted. A sender that can compute digests proves it at the
end: another file of the same name, size and date would not be taken for the one that was begun.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from prismata.catalog import VideoRecord
from prismata.core.errors import (
    BadVideoError,
    BusyError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UserError,
)
from prismata.core.time import MICROSECONDS
from prismata.media import probe
from prismata.media.first_bytes import NEEDED_BYTES, check_may_be_video
from prismata.services.ingest import ingest_file
from prismata.services.prepare import start_preparation
from prismata.services.workbench import Workbench

logger = logging.getLogger(__name__)

MAX_CHUNK_BYTES = 16 * 2**20
PIECE_BYTES = 8 * 2**20
"""Of which a digest is a digest: see `digest_of`."""

KEPT_SECONDS = 7 * 24 * 60 * 60
"""An upload that nobody goes on with is forgotten after this long."""

_ID = re.compile(r"[0-9a-f]{16,64}")
_MAX_NAME_BYTES = 200


@dataclass(frozen=True, slots=True)
class Upload:
    """How far one upload is."""

    id: str
    name: str
    size: int
    offset: int
    """Bytes that are safely here; the sender goes on from this one."""
    domain: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether every byte is here."""
        return self.offset == self.size


class UploadDesk:
    """Receives files in pieces into a folder.

    Args:
        folder: Where they grow; made when the first one begins.
        max_bytes: Of one file; 0 = what the disk has.
        max_seconds: Of one video; 0 = any.
    """

    def __init__(self, folder: Path, *, max_bytes: int = 0, max_seconds: float = 0.0) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._lock = threading.Lock()
        self._busy: set[str] = set()

    def begin(
        self, upload_id: str, *, name: str, size: int, domain: str = "", copies: int = 2
    ) -> Upload:
        """Begin an upload, or return how far it is if it began before.

        Args:
            upload_id: Chosen by the sender, 16 to 64 hexadecimal digits; the same file has the
                same id, so that it can be resumed.
            name: The file's name; folders in front of it are dropped.
            size: Bytes of the whole file.
            domain: Domain that the video will belong to; may be empty.
            copies: How often the file lies on this disk for a moment, at most.

        Raises:
            InvalidInputError: If id, name or size cannot be used, or the disk is too small.
            ConflictError: If the id belongs to another file.
        """
        folder = self.folder_of(upload_id)
        clean = _file_name(name)
        if size <= 0:
            raise InvalidInputError(f"{clean!r} is empty; choose a video file")
        if (folder / "upload.json").is_file():
            known = self.get(upload_id)
            if (known.name, known.size) != (clean, size):
                raise ConflictError(
                    f"the upload {upload_id} is {known.name!r} with {known.size} bytes, not "
                    f"{clean!r} with {size}; use another id"
                )
            return known
        if self._max_bytes and size > self._max_bytes:
            raise InvalidInputError(
                f"{clean!r} has {size / 1e9:.1f} GB, and files of up to {self._max_bytes / 1e9:g} "
                "GB are taken here (PRISMATA_UPLOAD_MAX_GB)"
            )
        self.remove_stale()
        self._folder.mkdir(parents=True, exist_ok=True)
        # Twice: the upload itself, and the copy in the storage. Others are promised theirs.
        promised = sum(2 * other.size - other.offset for other in self.unfinished())
        free = max(0, shutil.disk_usage(self._folder).free - promised)
        if copies * size > free:
            needed = "twice its size" if copies == 2 else "its size"
            raise InvalidInputError(
                f"{clean!r} has {size / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are free here "
                f"and it needs {needed} for a moment; free some space or ingest it in place"
            )
        (folder / "content").mkdir(parents=True, exist_ok=True)
        temporary = folder / "upload.json.part"
        temporary.write_text(json.dumps({"name": clean, "size": size, "domain": domain}), "utf-8")
        temporary.replace(folder / "upload.json")
        return Upload(upload_id, clean, size, 0, domain)

    def get(self, upload_id: str) -> Upload:
        """Return how far an upload is.

        Raises:
            NotFoundError: If it never began, or was forgotten.
            InvalidInputError: If this cannot be an upload's id.
        """
        folder = self.folder_of(upload_id)
        try:
            known = json.loads((folder / "upload.json").read_text("utf-8"))
        except FileNotFoundError as error:
            raise NotFoundError(
                f"there is no upload {upload_id}; announce it with PUT first"
            ) from error
        with suppress(FileNotFoundError):
            size = self.path_of(upload_id, known["name"]).stat().st_size
            return Upload(upload_id, known["name"], known["size"], size, known["domain"])
        result = self.result(upload_id)
        offset = known["size"] if result else 0
        return Upload(upload_id, known["name"], known["size"], offset, known["domain"])

    def unfinished(self) -> list[Upload]:
        """Return the uploads that somebody may go on with, by name."""
        found = []
        for folder in self._folder.glob("*"):
            with suppress(NotFoundError, InvalidInputError, ValueError, KeyError):
                if self.result(folder.name) is None:
                    found.append(self.get(folder.name))
        return sorted(found, key=lambda upload: (upload.name, upload.id))

    def forget(self, upload_id: str) -> None:
        """Remove what is here of an upload that nobody wants any more; safe to call twice.

        Raises:
            BusyError: If somebody writes to it right now.
        """
        folder = self.folder_of(upload_id)
        with self.hold(upload_id):
            shutil.rmtree(folder, ignore_errors=True)

    def check_beginning(self, upload: Upload) -> None:
        """Refuse a file whose first bytes say that it is no video; it goes at once.

        Raises:
            BadVideoError: With one sentence that says what it is instead.
        """
        try:
            with self.path_of(upload.id, upload.name).open("rb") as file:
                head = file.read(NEEDED_BYTES)
            if len(head) == min(NEEDED_BYTES, upload.size):
                check_may_be_video(head, upload.name)
        except BadVideoError:
            shutil.rmtree(self.folder_of(upload.id), ignore_errors=True)
            raise

    def path_of(self, upload_id: str, name: str) -> Path:
        """Return the file that grows."""
        return self.folder_of(upload_id) / "content" / name

    @contextmanager
    def hold(self, upload_id: str) -> Iterator[None]:
        """Keep everybody else from writing to an upload.

        Raises:
            BusyError: If somebody does already.
        """
        with self._lock:
            if upload_id in self._busy:
                raise BusyError(
                    "this upload is being written to right now; ask for its offset and go on there"
                )
            self._busy.add(upload_id)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(upload_id)

    def finish(self, bench: Workbench, upload: Upload, *, digest: str = "") -> dict[str, Any]:
        """Ingest a complete upload and return what became of it, as JSON values.

        The file goes either way; the answer stays, so that a sender who missed it can ask again.
        What a player needs beside a new video is then made in the background.

        Args:
            bench: The workbench.
            upload: The upload.
            digest: What `digest_of` the sender's file is; empty = the sender cannot tell.

        Raises:
            InvalidInputError: If it is not complete, too long, or not the file that was sent.
            BadVideoError: If it is not a video that can be used.
            ConflictError: If another video has its name.
        """
        known = self.result(upload.id)
        if known is not None:
            return known
        if not upload.is_complete:
            raise InvalidInputError(
                f"only {upload.offset} of {upload.size} bytes of {upload.name!r} are here; go on "
                "sending"
            )
        path = self.path_of(upload.id, upload.name)
        try:
            result = self.take_in(bench, upload, path, digest=digest)
        except (BadVideoError, InvalidInputError, ConflictError):
            # A refused file must not be resumed for ever; anything else may work next time.
            self.forget_files(upload.id)
            raise
        path.unlink(missing_ok=True)
        return result

    def take_in(
        self,
        bench: Workbench,
        upload: Upload,
        path: Path,
        *,
        digest: str = "",
        store: Callable[[str, str], object] | None = None,
    ) -> dict[str, Any]:
        """Check a file that is complete, ingest it and note the answer; the file stays.

        Args:
            bench: The workbench.
            upload: The upload.
            path: All of it.
            digest: What `digest_of` the sender's file is; empty = the sender cannot tell.
            store: As of `ingest_file`.

        Raises:
            InvalidInputError: If it is too long, or not the file that was sent.
            BadVideoError: If it is not a video that can be used.
            ConflictError: If another video has its name.
        """
        if digest and digest != digest_of(path):
            raise InvalidInputError(
                f"what is here of {upload.name!r} is not what was sent: another file of this "
                "name, size and date was begun before, or it was changed; choose it again"
            )
        self._check_length(path, upload.name)
        done = ingest_file(bench, path, name=upload.name, domain=upload.domain, store=store)
        folder = self.folder_of(upload.id)
        result = {
            "status": done.status,
            "message": done.message,
            "video_id": done.video.id if done.video else "",
            "sha256": done.video.sha256 if done.video else "",
        }
        temporary = folder / "result.json.part"
        temporary.write_text(json.dumps(result), "utf-8")
        temporary.replace(folder / "result.json")
        if done.status == "added" and done.video is not None:
            _prepare(bench, done.video)
        return result

    def forget_files(self, upload_id: str) -> None:
        """Remove what is here of an upload that the caller holds."""
        shutil.rmtree(self.folder_of(upload_id), ignore_errors=True)

    def result(self, upload_id: str) -> dict[str, Any] | None:
        """Return what became of a finished upload, None if it is not finished."""
        try:
            text = (self.folder_of(upload_id) / "result.json").read_text("utf-8")
        except FileNotFoundError:
            return None
        result: dict[str, Any] = json.loads(text)
        return result

    def remove_stale(self) -> int:
        """Forget uploads that nobody went on with, and return how many."""
        removed = 0
        horizon = time.time() - KEPT_SECONDS
        for folder in self._folder.glob("*"):
            with suppress(FileNotFoundError):
                newest = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
                if newest < horizon and folder.name not in self._busy:
                    shutil.rmtree(folder, ignore_errors=True)
                    removed += 1
        return removed

    def _check_length(self, path: Path, name: str) -> None:
        if not self._max_seconds:
            return
        seconds = (probe(path).declared_duration_us or 0) / MICROSECONDS
        if seconds > self._max_seconds:
            raise InvalidInputError(
                f"{name!r} lasts {seconds / 3600:.1f} h, and videos of up to "
                f"{self._max_seconds / 3600:g} h are taken here (PRISMATA_UPLOAD_MAX_HOURS)"
            )

    def folder_of(self, upload_id: str) -> Path:
        """Return where everything about one upload lies.

        Raises:
            InvalidInputError: If this cannot be an upload's id.
        """
        if not _ID.fullmatch(upload_id):
            raise InvalidInputError(
                "an upload's id is 16 to 64 hexadecimal digits in lower case, not "
                f"{upload_id[:80]!r}"
            )
        return self._folder / upload_id


def digest_of(path: Path) -> str:
    """Return the SHA-256 of the SHA-256s of a file's pieces of `PIECE_BYTES`.

    A browser computes the digest of a piece at once, but not of a whole file bit by bit.
    """
    pieces = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            pieces.update(hashlib.sha256(piece).digest())
    return pieces.hexdigest()


def _prepare(bench: Workbench, video: VideoRecord) -> None:
    try:
        start_preparation(bench, video)
    except UserError as error:
        # The video is here and can be prepared later; the label station says what it lacks.
        logger.warning("upload.not_prepared video=%s error=%s", video.id, error)


def _file_name(name: str) -> str:
    """Return the file name alone, whatever system it comes from."""
    last = PurePosixPath(name.replace("\\", "/")).name
    if last in ("", ".", "..") or not last.isprintable() or len(last.encode()) > _MAX_NAME_BYTES:
        raise InvalidInputError(
            f"{name[:80]!r} cannot be used as a file name; rename the file and choose it again"
        )
    return last
