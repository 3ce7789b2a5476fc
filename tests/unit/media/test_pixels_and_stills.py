"""Orientation, the one resize, stills, and the bar codes the other tests rely on."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from prismata.core.errors import InvalidInputError
from prismata.core.time import OutsideVideoError
from prismata.media.facts import probe
from prismata.media.pixels import Orientation
from prismata.media.readers import open_video
from prismata.media.stills import save_still
from prismata.testing.barcode import BITS, paint_barcode, read_barcode, write_barcode_video

ONE = 65536


@pytest.mark.parametrize(
    ("matrix", "rotation", "mirrored"),
    [
        ((ONE, 0, 0, 0, ONE), 0, False),
        ((0, ONE, 0, -ONE, 0), 90, False),
        ((-ONE, 0, 0, 0, -ONE), 180, False),
        ((0, -ONE, 0, ONE, 0), 270, False),
        ((-ONE, 0, 0, 0, ONE), 0, True),
        ((ONE, 0, 0, 0, -ONE), 180, True),
    ],
)
def test_a_display_matrix_says_how_corners_move(matrix, rotation, mirrored):
    data = np.array([*matrix, 0, 0, 0, 1 << 30], "<i4").tobytes()
    orientation = Orientation.of(SimpleNamespace(side_data={"DISPLAYMATRIX": data}))
    assert orientation == Orientation(rotation, mirrored)
    # The matrix moves (x, y) to (a x + c y, b x + d y): follow the top right corner.
    a, b, _, c, d = (value // ONE for value in matrix)
    picture = np.zeros((3, 5, 3), np.uint8)
    picture[0, 4] = 255
    x, y = a * 2 + c * -1, b * 2 + d * -1  # from the centre
    turned = orientation.applied(picture)
    height, width = turned.shape[:2]
    assert turned[(height - 1) // 2 + y, (width - 1) // 2 + x, 0] == 255


def test_facts_are_as_displayed_and_as_stored(tmp_path):
    path = write_barcode_video(tmp_path / "turned.mp4", frames=5, rotation=90)
    facts = probe(path)
    assert (facts.width, facts.height) == (320, 240)
    assert (facts.coded_width, facts.coded_height) == (240, 320)
    assert (facts.rotation, facts.mirrored, facts.codec) == (90, False, "h264")
    assert (facts.declared_frames, facts.has_audio) == (5, False)


def test_the_resize_stretches_and_keeps_black_and_white(tmp_path):
    path = write_barcode_video(tmp_path / "video.mp4", frames=3)
    with open_video(path) as video:
        small = video.frame(1, size=(60, 90)).pixels
    assert small.shape == (90, 60, 3)
    assert small.flags.c_contiguous
    assert abs(int(small.min()) - 32) < 8
    assert abs(int(small.max()) - 224) < 8


@pytest.mark.parametrize("size", [(0, 10), (10, -1), (20_000, 10)])
def test_impossible_sizes_are_refused(tmp_path, size):
    path = write_barcode_video(tmp_path / "video.mp4", frames=3)
    with open_video(path) as video, pytest.raises(InvalidInputError, match="sides go from 1"):
        video.frame(0, size=size)


def test_a_still_shows_its_frame_and_keeps_its_shape(tmp_path):
    path = write_barcode_video(tmp_path / "video.mp4", frames=30, size=(640, 360))
    with open_video(path) as video:
        assert save_still(video, 17, tmp_path / "still.jpg") == (320, 180)
        assert save_still(video, 17, tmp_path / "large.jpg", max_width=9000) == (640, 360)
    image = cv2.imread(str(tmp_path / "still.jpg"))
    assert image.shape == (180, 320, 3)
    assert read_barcode(image) == 17


def test_a_still_that_cannot_be_made_leaves_nothing_behind(tmp_path):
    path = write_barcode_video(tmp_path / "video.mp4", frames=3)
    with open_video(path) as video:
        with pytest.raises(OutsideVideoError):
            save_still(video, 9, tmp_path / "still.jpg")
        with pytest.raises(InvalidInputError, match="there is no folder"):
            save_still(video, 0, tmp_path / "nowhere" / "still.jpg")
        with pytest.raises(InvalidInputError, match="pixels wide"):
            save_still(video, 0, tmp_path / "still.jpg", max_width=0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["video.mp4"]


@pytest.mark.parametrize("number", [0, 1, 682, 2**BITS - 1])
def test_a_bar_code_reads_back_but_never_turned_mirrored_or_blank(number):
    picture = paint_barcode(number, (200, 160))
    assert read_barcode(picture) == number
    for wrong in (picture[::-1], picture[:, ::-1], np.rot90(picture), np.zeros_like(picture)):
        with pytest.raises(InvalidInputError, match="no upright bar code"):
            read_barcode(wrong)
