"""Which files and buckets people may name on a page; the command line may read what its user may.

Whoever can open a page would otherwise see what lies on the server.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path

from prismata.core.errors import InvalidInputError
from prismata.services.video_sources import (
    FileSource,
    S3VideoSource,
    VideoSource,
    find_sources,
)
from prismata.services.workbench import Workbench
from prismata.settings import Settings

_S3 = "s3://"


def page_sources(settings: Settings) -> tuple[str, ...] | None:
    """Return the folders and prefixes that pages may take videos from; None: any."""
    named = tuple(word.strip() for word in settings.page_sources.split(",") if word.strip())
    if named:
        return named
    # Behind a proxy or a login others come to it, though it listens to this machine only.
    is_alone = settings.login == "none" and not settings.public_url
    return None if is_alone and _is_this_machine(settings.host) else ()


def find_page_sources(bench: Workbench, words: Sequence[str]) -> list[VideoSource]:
    """Turn what a person names on a page into sources, as `find_sources` does.

    Raises:
        InvalidInputError: If pages may not take videos from there; nothing was looked at.
        NotFoundError: If a word names nothing.
        UserError: If a bucket cannot be listed.
    """
    allowed = page_sources(bench.settings)
    for word in words:
        _check_word(word, allowed)
    sources = find_sources(bench, words)
    for source in sources:  # a link may lead out of a folder
        _check_source(source, allowed)
    return sources


def _check_word(word: str, allowed: tuple[str, ...] | None) -> None:
    if allowed is None:
        return
    if word.startswith(_S3):
        if not any(_is_below_prefix(word, item) for item in allowed):
            raise _refusal(word, allowed)
    else:
        fixed = Path(*_before_wildcards(Path(word).parts))
        if not _is_in_a_folder(fixed, allowed):
            raise _refusal(word, allowed)


def _check_source(source: VideoSource, allowed: tuple[str, ...] | None) -> None:
    if allowed is None:
        return
    if isinstance(source, FileSource) and not _is_in_a_folder(source.path, allowed):
        raise _refusal(source.name, allowed)
    if isinstance(source, S3VideoSource) and not any(
        _is_below_prefix(source.name, item) for item in allowed
    ):
        raise _refusal(source.name, allowed)


def _is_in_a_folder(path: Path, allowed: Sequence[str]) -> bool:
    place = path.resolve()
    return any(
        place.is_relative_to(Path(item).resolve()) for item in allowed if not item.startswith(_S3)
    )


def _is_below_prefix(url: str, prefix: str) -> bool:
    """`s3://films/a` holds `s3://films/a/1.mp4` and itself, but not `s3://films/ab.mp4`."""
    base = prefix.rstrip("/")
    return prefix.startswith(_S3) and (url.rstrip("/") == base or url.startswith(f"{base}/"))


def _before_wildcards(parts: Sequence[str]) -> list[str]:
    fixed: list[str] = []
    for part in parts:
        if any(character in part for character in "*?["):
            break
        fixed.append(part)
    return fixed


def _refusal(word: str, allowed: tuple[str, ...]) -> InvalidInputError:
    if not allowed:
        return InvalidInputError(
            f"{word!r} was named, but pages of this workbench take no videos from the server, "
            "because others can reach it; set PRISMATA_PAGE_SOURCES to the folders and s3:// "
            "prefixes that they may"
        )
    return InvalidInputError(
        f"{word!r} lies outside of what pages may take videos from: {', '.join(allowed)}; "
        "PRISMATA_PAGE_SOURCES says what that is"
    )


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
