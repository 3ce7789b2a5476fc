"""Which keys every backend accepts, so that a key means the same object everywhere."""

from __future__ import annotations

import unicodedata

from prismata.core.errors import InvalidInputError

MAX_KEY_BYTES = 1024
"""The limit of S3; the other backends keep it so that objects can move."""
MAX_PART_BYTES = 255
"""The limit of every common file system for one name."""
RESERVED = ".prismata-"
"""Names a local backend uses itself (lock, unfinished puts)."""


def check_key(key: str) -> str:
    """Return `key` if every backend can store an object under it.

    A key is `/`-separated, relative and plain: `videos/clip.mp4`. At most 1024 bytes of UTF-8,
    at most 255 in one part.

    Raises:
        InvalidInputError: If it is empty, absolute, too long, or has `.`, `..`, empty or reserved
            parts, a backslash or a control character.
    """
    problem = _problem_of(key)
    if problem:
        raise InvalidInputError(
            f"the storage key {_shown(key)} cannot be used: {problem}; "
            "write a relative key such as 'videos/clip.mp4'"
        )
    return key


def check_prefix(prefix: str) -> str:
    """Return `prefix` if a key could begin with it; empty means every key.

    Raises:
        InvalidInputError: If no key can begin with it.
    """
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix


def _problem_of(key: str) -> str:
    if not key:
        return "it is empty"
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "it is not valid text"
    if size > MAX_KEY_BYTES:
        return f"it has {size} bytes and the limit is {MAX_KEY_BYTES}"
    if "\\" in key:
        return "it has a backslash"
    if any(unicodedata.category(character) == "Cc" for character in key):
        return "it has a control character"
    if key.startswith("/"):
        return "it begins with '/'"
    return next(filter(None, map(_problem_of_part, key.split("/"))), "")


def _problem_of_part(part: str) -> str:
    if not part:
        return "it has an empty part ('//' or a final '/')"
    if part in (".", ".."):
        return f"it has the part {part!r}"
    if part.startswith(RESERVED):
        return f"names that begin with {RESERVED!r} are reserved"
    size = len(part.encode())
    if size > MAX_PART_BYTES:
        return f"one part has {size} bytes and the limit is {MAX_PART_BYTES}"
    return ""


def _shown(key: str) -> str:
    return repr(key) if len(key) <= 80 else f"{key[:77]!r}…"
