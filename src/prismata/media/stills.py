"""Still pictures of single frames."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile

from prismata.core.errors import InvalidInputError
from prismata.media.jpeg import encode_jpeg
from prismata.media.readers import VideoReader


def save_still(
    reader: VideoReader, frame_index: int, path: Path, *, max_width: int = 320
) -> tuple[int, int]:
    """Write one frame as a JPEG file that appears complete or not at all.

    Args:
        reader: An open video.
        frame_index: Which frame.
        path: Where to; its folder must exist. An existing file is replaced.
        max_width: The picture is scaled down to this width, keeping its shape; never up.

    Returns:
        Width and height written.

    Raises:
        OutsideVideoError: If there is no such frame.
        InvalidInputError: If `max_width` is not positive or the folder does not exist.
    """
    if max_width < 1:
        raise InvalidInputError(f"a still cannot be {max_width} pixels wide; use 1 or more")
    if not path.parent.is_dir():
        raise InvalidInputError(f"there is no folder {str(path.parent)!r} to write a still into")
    width, height = reader.displayed_size
    if width > max_width:
        width, height = max_width, max(1, round(height * max_width / width))
    pixels = reader.frame(frame_index, size=(width, height)).pixels
    data = encode_jpeg(pixels)
    with NamedTemporaryFile(dir=path.parent, prefix=".still-", delete=False) as temporary:
        try:
            temporary.write(data)
            temporary.close()
            Path(temporary.name).replace(path)
        except BaseException:
            Path(temporary.name).unlink()
            raise
    return width, height
