"""Pictures of a label guide: files in the plugin's folder, found by their names.

Invariant: only a file that lies in the folder itself, is a small JPEG or PNG by its first bytes
and is named after an event type is ever handed out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

GUIDE_FOLDER = "guide"
MAX_PICTURE_BYTES = 500_000
MAX_PICTURES = 6
"""Of one event type; more are not shown."""

_SUFFIXES = (".jpg", ".jpeg", ".png")
_FIRST_BYTES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


@dataclass(frozen=True, slots=True)
class GuidePicture:
    """A picture that shows annotators what an event type means."""

    event_type: str
    path: Path
    media_type: str
    """`image/jpeg` or `image/png`."""

    @property
    def caption(self) -> str:
        """What its file name says after the event type, as words; may be empty."""
        rest = self.path.stem.removeprefix(self.event_type)
        return rest.strip("-_. ").replace("_", " ").replace("-", " ")


@dataclass(frozen=True, slots=True)
class GuideFolder:
    """What lies in the folder of a guide."""

    pictures: tuple[GuidePicture, ...]
    """By file name."""
    problems: tuple[str, ...]
    """A sentence for each file that cannot be shown."""


def read_guide(folder: Path | None, event_types: Sequence[str]) -> GuideFolder:
    """Look for `guide/<event type>*.jpg|png` below a plugin's folder.

    A file belongs to the event type with the longest name that its own begins with, so that
    `ball_dead.jpg` shows `ball_dead` where there is a `ball`, too.

    Args:
        folder: The plugin's folder; None: it has none, and so no pictures.
        event_types: Names.
    """
    pictures: list[GuidePicture] = []
    problems: list[str] = []
    guide = None if folder is None else folder / GUIDE_FOLDER
    if guide is None or not guide.is_dir():
        return GuideFolder((), ())
    root = guide.resolve()
    counts = dict.fromkeys(event_types, 0)
    for path in sorted(guide.iterdir()):
        if path.suffix.lower() not in _SUFFIXES or path.name.startswith("."):
            continue
        fitting = [name for name in event_types if path.name.startswith(name)]
        owner = max(fitting, key=len, default="")
        problem, media_type = _look_at(path, root)
        if not owner:
            problem = "is named after no event type; begin its name with one"
        elif not problem and counts[owner] == MAX_PICTURES:
            problem = f"is one too many; {owner!r} has {MAX_PICTURES} already"
        if problem:
            problems.append(f"{GUIDE_FOLDER}/{path.name} {problem}")
        else:
            counts[owner] += 1
            pictures.append(GuidePicture(owner, path, media_type))
    return GuideFolder(tuple(pictures), tuple(problems))


def _look_at(path: Path, root: Path) -> tuple[str, str]:
    """Return what is wrong with a file, or what it is."""
    try:
        # A link could lead anywhere, and a pipe would never end.
        if path.resolve().parent != root or not path.is_file():
            return "does not lie in the folder itself; copy it there", ""
        size = path.stat().st_size
        if size > MAX_PICTURE_BYTES:
            return f"has {size} bytes; make it smaller than {MAX_PICTURE_BYTES}", ""
        with path.open("rb") as file:
            first = file.read(8)
    except OSError as error:
        return f"cannot be read: {error.strerror}", ""
    media_type = next((kind for start, kind in _FIRST_BYTES if first.startswith(start)), "")
    return ("" if media_type else "is no JPEG or PNG, whatever its name says"), media_type
