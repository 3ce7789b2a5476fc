"""What a file certainly is not, from its first bytes: before gigabytes of it are sent here.

Only what is known for sure is refused; whether the rest is a video is seen when it is opened.
"""

from __future__ import annotations

from prismata.core.errors import BadVideoError
from prismata.media.refusals import is_playlist

NEEDED_BYTES = 4096
"""So much of a file is looked at."""

_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive or an office document; unpack it"),
    (b"Rar!", "a RAR archive; unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it"),
    (b"\x1f\x8b", "a gzip archive; unpack it"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"II*\x00", "a picture (TIFF)"),
    (b"MM\x00*", "a picture (TIFF)"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"ID3", "sound without pictures (MP3)"),
    (b"fLaC", "sound without pictures (FLAC)"),
    (b"SQLite format 3\x00", "a database"),
)
_TEXT_BYTES = frozenset({9, 10, 12, 13, 27, *range(32, 127)})


def check_may_be_video(head: bytes, name: str) -> None:
    """Refuse what is certainly no video.

    Args:
        head: The first bytes of the file, `NEEDED_BYTES` or all of it.
        name: What people call it.

    Raises:
        BadVideoError: With the reason `not_a_video` or `playlist`, and what it is instead.
    """
    if is_playlist(head):
        raise BadVideoError(
            f"{name!r} is a playlist, a text that names other files or addresses; take the videos "
            "themselves",
            reason="playlist",
        )
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        raise _not_a_video(name, "sound without pictures (WAV)")
    for start, what in _OTHERS:
        if head.startswith(start):
            raise _not_a_video(name, what)
    if head and all(byte in _TEXT_BYTES for byte in head):
        raise _not_a_video(name, "a text")


def _not_a_video(name: str, what: str) -> BadVideoError:
    return BadVideoError(f"{name!r} is no video but {what}", reason="not_a_video")
