"""Why a file is not a video we can read: looked up in its first bytes, never guessed."""

from __future__ import annotations

import stat
from pathlib import Path

from prismata.core.errors import BadVideoError

HEAD_BYTES = 4096
MAX_BOXES = 10_000

PLAYLIST_STARTS = (
    b"ffconcat",
    b"file ",
    b"file:",
    b"#extm3u",
    b"[playlist]",
    b"[reference]",
    b"v=0\n",
    b"v=0\r",
    b"http://",
    b"https://",
    b"rtsp://",
)
PLAYLIST_TAGS = (b"<mpd", b"<smoothstreamingmedia", b"<asx", b"<smil", b"<playlist")
MP4_FIRST_BOXES = frozenset(
    {b"ftyp", b"moov", b"mdat", b"moof", b"styp", b"free", b"skip", b"wide", b"pnot"}
)
DAMAGED_CONTAINERS = {
    b"\x1aE\xdf\xa3": "Matroska or WebM",
    b"FLV\x01": "Flash video",
    b"OggS": "Ogg",
    b"0&\xb2u\x8ef\xcf\x11": "Windows Media",
}


def check_is_readable_file(path: Path) -> None:
    """Refuse what cannot be a video before any decoder sees it.

    Raises:
        BadVideoError: With the reason `missing_file`, `not_a_video`, `empty_file` or `playlist`.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise BadVideoError(
            f"{path.name!r} was to be opened as a video, but there is no such file; check the path",
            reason="missing_file",
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise BadVideoError(
            f"{path.name!r} was to be opened as a video, but it is a folder or a device; name a "
            "video file",
            reason="not_a_video",
        )
    if status.st_size == 0:
        raise BadVideoError(
            f"{path.name!r} is empty (0 bytes); copy or record it again", reason="empty_file"
        )
    if is_playlist(_head(path)):
        raise BadVideoError(
            f"{path.name!r} is a playlist, a text that names other files or addresses; ingest the "
            "videos themselves",
            reason="playlist",
        )


def is_playlist(head: bytes) -> bool:
    """Say whether a file begins like a list of other files or addresses."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(PLAYLIST_STARTS):
        return True
    return text.startswith(b"<") and any(tag in text for tag in PLAYLIST_TAGS)


def refusal(path: Path, error: BaseException) -> BadVideoError:
    """Return the refusal for a file that FFmpeg could not open, with the true reason.

    Args:
        path: A file that passed `check_is_readable_file`.
        error: What FFmpeg said; quoted where nothing better is known.
    """
    if isinstance(error, PermissionError):
        return BadVideoError(
            f"{path.name!r} may not be read by this user; change its permissions",
            reason="missing_file",
        )
    head = _head(path)
    if head[4:8] in MP4_FIRST_BOXES:
        if not _has_movie_box(path):
            return BadVideoError(
                f"{path.name!r} is an MP4 or MOV whose index (the moov box) is missing: it was cut "
                "off while being written, or it is one piece of a stream; copy it again or repair "
                "it",
                reason="no_moov",
            )
        return _damaged(path, "MP4 or MOV", error)
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _damaged(path, "AVI", error)
    for start, container in DAMAGED_CONTAINERS.items():
        if head.startswith(start):
            return _damaged(path, container, error)
    return BadVideoError(
        f"{path.name!r} was to be opened as a video, but its content is in no video format that "
        "can be read here; check that it is the right file",
        reason="not_a_video",
    )


def _damaged(path: Path, container: str, error: BaseException) -> BadVideoError:
    said = str(getattr(error, "strerror", None) or error)
    return BadVideoError(
        f"{path.name!r} begins like {container}, but its structure is broken ({said}); copy or "
        "export it again",
        reason="damaged",
    )


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except OSError as error:
        raise BadVideoError(
            f"{path.name!r} cannot be read ({error.strerror}); check its permissions",
            reason="missing_file",
        ) from error


def _has_movie_box(path: Path) -> bool:
    """Walk the top-level boxes (ISO/IEC 14496-12, 4.2), headers only."""
    end = path.stat().st_size
    position = 0
    with path.open("rb") as file:
        for _ in range(MAX_BOXES):
            file.seek(position)
            header = file.read(16)
            if len(header) < 8:
                return False
            if header[4:8] == b"moov":
                return True
            size = int.from_bytes(header[:4], "big")
            if size == 1 and len(header) == 16:
                size = int.from_bytes(header[8:16], "big")
            if size < 8 or position + size >= end:
                return False
            position += size
    return False
