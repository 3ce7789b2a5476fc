"""Files that are there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from prismata.core.errors import ConflictError, InvalidInputError


def check_new_file(path: Path) -> None:
    """Refuse to write over a file, or into a folder that is not there.

    Raises:
        ConflictError: If there is something at this path.
        InvalidInputError: If the folder does not exist.
    """
    if path.exists():
        raise ConflictError(f"{path} exists already; name a file that does not")
    if not path.parent.is_dir():
        raise InvalidInputError(f"there is no folder {path.parent} to write {path.name} into")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a hidden file beside `path` to write to, which takes its name when all went well.

    After an error or Ctrl-C nothing is left behind, and what was at `path` before is still there.
    """
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}.part")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
