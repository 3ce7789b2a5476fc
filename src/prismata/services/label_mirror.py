"""The JSON mirror of labels in storage: readable by anybody, without the database.

    {"video": "clip.mp4", "sha256": "…", "domain": "cricket", "seq": 17,
     "sheet": {"status": "in_progress", "assignee": "", "note": ""},
     "coverage": [[0, 5000000, "watched"]],
     "events": [
      {"id": "…", "event_type": "hit", …}
    ]}

An edit is acknowledged first and mirrored behind that, so a mirror may be a moment old; what is
missing when the program ends hard is caught up at the next start.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator

from prismata.catalog import LABEL_FIELDS, LoadedLabels, VideoRecord
from prismata.core.coverage import coverage_to_json
from prismata.core.errors import NotFoundError, UserError
from prismata.services.workbench import Workbench

SECONDS_BETWEEN = 1.0
"""A sheet is mirrored at most this often, however fast somebody edits."""

_REST_FACTOR = 10
"""Writing may take a tenth of the time: 100,000 events are not written again each second."""

_RETRY_SECONDS = 15.0

logger = logging.getLogger(__name__)

Key = tuple[str, str]


def mirror_key(video: VideoRecord, domain_name: str) -> str:
    """Return where in storage the mirror of a video's labels lies."""
    return f"labels/{domain_name}/{video.sha256}.json"


def write_mirror(bench: Workbench, video: VideoRecord, domain_name: str) -> None:
    """Write a video's labels as JSON into storage, until they are those of the last change.

    Raises:
        UnavailableError: If storage or catalog cannot be reached.
    """
    while not _write_once(bench, video, domain_name):
        pass


def _write_once(bench: Workbench, video: VideoRecord, domain_name: str) -> bool:
    """Write a video's labels as JSON into storage, all or nothing.

    Returns:
        True if the mirror is of the last change; False if labels changed while it was written, so
        that it has to be written again.

    Raises:
        UnavailableError: If storage or catalog cannot be reached.
    """
    loaded = bench.catalog.labels.load(video.id, domain_name)
    seq = loaded.sheet.seq
    bench.storage.put(mirror_key(video, domain_name), b"".join(_parts(video, domain_name, loaded)))
    # Told after it was written: when two processes write at once, the one that wrote an older state
    # last notes the older number, sees that it is behind, and writes again.
    return bench.catalog.labels.set_mirrored(video.id, domain_name, seq) in (None, seq)


def _parts(video: VideoRecord, domain_name: str, loaded: LoadedLabels) -> Iterator[bytes]:
    """Yield the mirror in pieces; one line an event, so that two versions can be compared."""
    sheet = loaded.sheet
    head = {
        "video": video.name,
        "sha256": video.sha256,
        "domain": domain_name,
        "seq": sheet.seq,
        "sheet": {"status": sheet.status, "assignee": sheet.assignee, "note": sheet.note},
        "coverage": coverage_to_json(sheet.coverage),
    }
    yield json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "events": ['
    between = b"\n"
    for row in loaded.rows:
        event = dict(zip(LABEL_FIELDS, row, strict=True))
        yield between + json.dumps(event, ensure_ascii=False).encode()
        between = b",\n"
    yield b"\n]}\n"


class MirrorWriter:
    """Writes mirrors behind the acknowledgement, in a thread of its own.

    Args:
        bench: The workbench.
        seconds_between: How long at least between two mirrors of one sheet.
    """

    def __init__(self, bench: Workbench, *, seconds_between: float = SECONDS_BETWEEN) -> None:
        self._bench = bench
        self._seconds_between = seconds_between
        self._due: dict[Key, float] = {}
        self._not_before: dict[Key, float] = {}
        self._wake = threading.Condition()
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def catch_up(self) -> None:
        """Mirror what an earlier process left behind."""
        for video_id, domain_name in self._bench.catalog.labels.not_mirrored():
            self.mark(video_id, domain_name)

    def mark(self, video_id: str, domain_name: str) -> None:
        """Say that labels changed; returns at once."""
        key = (video_id, domain_name)
        with self._wake:
            if self._is_closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="prismata-label-mirror", daemon=True
                )
                self._thread.start()
            if key not in self._due:
                self._due[key] = max(time.monotonic(), self._not_before.get(key, 0.0))
                self._wake.notify()

    def close(self) -> None:
        """Write what is due now and stop; further marks are left for the next start."""
        with self._wake:
            self._is_closed = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (key := self._next()) is not None:
            started = time.monotonic()
            retry_seconds = self._write(key)
            ended = time.monotonic()
            pause = max(self._seconds_between, _REST_FACTOR * (ended - started))
            with self._wake:
                self._not_before = {
                    other: moment for other, moment in self._not_before.items() if moment > ended
                }
                self._not_before[key] = ended + pause
                if key in self._due:
                    # Marked while it was being written.
                    self._due[key] = ended + pause
                elif retry_seconds is not None and not self._is_closed:
                    self._due[key] = ended + max(pause, retry_seconds)

    def _next(self) -> Key | None:
        """Return the sheet to be mirrored next, when it is time; None at the end."""
        with self._wake:
            while True:
                key = min(self._due, key=self._due.__getitem__, default=None)
                if key is None:
                    if self._is_closed:
                        return None
                    self._wake.wait()
                    continue
                wait_seconds = self._due[key] - time.monotonic()
                if self._is_closed or wait_seconds <= 0:
                    del self._due[key]
                    return key
                self._wake.wait(wait_seconds)

    def _write(self, key: Key) -> float | None:
        """Write one mirror; return in how many seconds to try again, None if it is written."""
        video_id, domain_name = key
        try:
            video = self._bench.catalog.videos.get(video_id)
            return None if _write_once(self._bench, video, domain_name) else 0.0
        except NotFoundError:
            # Removed, and its sheet with it.
            return None
        except UserError as error:
            logger.warning(
                "the labels are safe in the catalog, but their JSON mirror could not be written: "
                "%s",
                error,
            )
            return _RETRY_SECONDS
