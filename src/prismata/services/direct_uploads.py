"""Uploads whose bytes go from the browser straight to the store, in parts, past this program.

The desk of `services.uploads` announces and forgets them as any other; here is what is different.
Invariant: which parts are there is asked of the store; here lies only what the upload is called.
A file that is refused leaves nothing in the store.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prismata.core.errors import (
    BadVideoError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
    UserError,
)
from prismata.media.first_bytes import NEEDED_BYTES, check_may_be_video
from prismata.services.uploads import Upload, UploadDesk
from prismata.services.workbench import Workbench
from prismata.storage import PartUpload, PartUploads

URLS_AT_ONCE = 8
"""Addresses that are handed out with one answer; each is good for a quarter of an hour."""
PREFIX = "uploads/"
"""Where objects lie until they are looked at."""

_FILE = "direct.json"


@dataclass(frozen=True, slots=True)
class DirectParts:
    """Where a sender goes on."""

    part_bytes: int
    """Of every part but the last."""
    count: int
    done: tuple[int, ...]
    """Numbers of the parts that are there."""
    urls: dict[int, str]
    """Addresses of the next ones that are not."""


class DirectDesk:
    """Hands out addresses and takes in what arrived there.

    Args:
        desk: Knows the uploads.
        parts: The store's way.
    """

    def __init__(self, desk: UploadDesk, parts: PartUploads) -> None:
        self._desk = desk
        self._parts = parts

    def where_to_go_on(self, upload: Upload) -> DirectParts:
        """Return what is there and where the next parts go, with addresses that are fresh.

        An upload that the store has forgotten begins anew.

        Raises:
            UnavailableError: If the store cannot be reached.
        """
        begun, sizes = self._known(upload)
        done = [number for number, size in sizes.items() if size == begun.bytes_of(number)]
        missing = [number for number in range(1, begun.count + 1) if number not in set(done)]
        return DirectParts(
            begun.part_bytes,
            begun.count,
            tuple(sorted(done)),
            self._parts.urls(begun, missing[:URLS_AT_ONCE]),
        )

    def finish(self, bench: Workbench, upload: Upload, *, digest: str = "") -> dict[str, Any]:
        """Make the object of its parts, look at it and take it into the library.

        The first bytes are looked at before the rest is read. It is read once, through the cache of
        local copies and so in little memory, for its digest and its frames; into the library it is
        copied by the store itself. The parts' object goes either way.

        Args:
            bench: The workbench.
            upload: The upload.
            digest: What `digest_of` the sender's file is; empty = the sender cannot tell.

        Raises:
            InvalidInputError: If it is too long, or not the file that was sent.
            BadVideoError: If it is not a video that can be used.
            ConflictError: If parts are missing, or another video has its name.
        """
        known = self._desk.result(upload.id)
        if known is not None:
            return known
        begun = self._read(upload)
        if begun is None:
            raise ConflictError(f"no part of {upload.name!r} is here; send it first")
        self._parts.finish(begun)
        try:
            head = bench.storage.read_range(begun.key, 0, min(NEEDED_BYTES, upload.size))
            check_may_be_video(head, upload.name)
            with bench.storage.local_copy(begun.key) as path:
                result = self._desk.take_in(
                    bench,
                    upload,
                    path,
                    digest=digest,
                    store=lambda key, sha256: self._parts.take_over(begun.key, key, sha256=sha256),
                )
        except (BadVideoError, InvalidInputError, ConflictError):
            bench.storage.delete(begun.key)
            self._desk.forget_files(upload.id)
            raise
        bench.storage.delete(begun.key)
        return result

    def give_up(self, bench: Workbench, upload_id: str) -> None:
        """Remove from the store what is there of an upload; safe to call twice."""
        with suppress(NotFoundError):
            upload = self._desk.get(upload_id)
            begun = self._read(upload)
            if begun is not None:
                self._parts.abort(begun)
                bench.storage.delete(begun.key)
                self._path(upload_id).unlink(missing_ok=True)

    def bytes_there(self, upload: Upload) -> int:
        """Return how much has arrived; 0 as well where the store cannot tell."""
        with suppress(NotFoundError, UnavailableError):
            begun = self._read(upload)
            if begun is not None:
                return min(upload.size, sum(self._parts.sizes(begun).values()))
        return 0

    def is_direct(self, upload_id: str) -> bool:
        """Whether parts of this upload went to the store."""
        return self._path(upload_id).is_file()

    def _known(self, upload: Upload) -> tuple[PartUpload, dict[int, int]]:
        begun = self._read(upload)
        if begun is not None:
            with suppress(NotFoundError):
                return begun, self._parts.sizes(begun)
        begun = self._parts.begin(f"{PREFIX}{upload.id}/{upload.name}", upload.size)
        path = self._path(upload.id)
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps({"key": begun.key, "token": begun.token}), "utf-8")
        temporary.replace(path)
        return begun, {}

    def _read(self, upload: Upload) -> PartUpload | None:
        try:
            told = json.loads(self._path(upload.id).read_text("utf-8"))
        except FileNotFoundError:
            return None
        return PartUpload(told["key"], told["token"], upload.size)

    def _path(self, upload_id: str) -> Path:
        return self._desk.folder_of(upload_id) / _FILE


def remove_direct(bench: Workbench, desk: UploadDesk, upload_id: str) -> None:
    """Forget an upload with whatever it has in the store; the store may be away.

    Raises:
        BusyError: If somebody writes to it right now.
    """
    parts = bench.storage.part_uploads
    if parts is not None:
        with suppress(UserError):  # the bucket's own rule removes what nobody finishes
            DirectDesk(desk, parts).give_up(bench, upload_id)
    desk.forget(upload_id)
