from __future__ import annotations

import os

import pytest

from prismata.domains import load_plugin, read_guide
from prismata.domains.guide import MAX_PICTURE_BYTES, MAX_PICTURES

JPEG = b"\xff\xd8\xff\xe0 a picture"
PNG = b"\x89PNG\r\n\x1a\n a picture"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "guide").mkdir()
    return tmp_path


def put(folder, name, content=JPEG):
    (folder / "guide" / name).write_bytes(content)


def names(found):
    return [(picture.event_type, picture.path.name) for picture in found.pictures]


def test_a_domain_finds_the_pictures_of_its_event_types(write_plugin):
    plugin = write_plugin("tennis", event_types='(EventType("hit"), EventType("hit_out"))')
    (plugin / "guide").mkdir()
    put(plugin, "hit.jpg")
    put(plugin, "hit-late_contact.png", PNG)
    put(plugin, "hit_out.jpg")
    domain = load_plugin(plugin)()
    shown = domain.guide_pictures("hit")
    assert [(item.path.name, item.media_type, item.caption) for item in shown] == [
        ("hit-late_contact.png", "image/png", "late contact"),
        ("hit.jpg", "image/jpeg", ""),
    ]
    # The longest name counts: `hit_out.jpg` begins with `hit`, too.
    assert [item.path.name for item in domain.guide_pictures("hit_out")] == ["hit_out.jpg"]


def test_a_plugin_without_a_folder_or_pictures_has_none(folder, tmp_path):
    assert read_guide(None, ("hit",)).pictures == ()
    assert read_guide(folder, ("hit",)).pictures == ()
    assert read_guide(tmp_path / "nowhere", ("hit",)).problems == ()


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("serve.jpg", JPEG, "guide/serve.jpg is named after no event type"),
        ("hit.png", b"<svg onload='alert(1)'>", "guide/hit.png is no JPEG or PNG"),
        ("hit.jpg", JPEG + bytes(MAX_PICTURE_BYTES), "make it smaller than 500000"),
        ("hit.jpg", b"", "guide/hit.jpg is no JPEG or PNG"),
    ],
)
def test_a_file_that_cannot_be_shown_is_told_and_left_out(folder, name, content, problem):
    put(folder, name, content)
    found = read_guide(folder, ("hit",))
    assert found.pictures == ()
    assert len(found.problems) == 1
    assert problem in found.problems[0]


def test_a_link_out_of_the_folder_and_a_pipe_are_never_opened(folder, tmp_path):
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(JPEG)
    (folder / "guide" / "hit.jpg").symlink_to(secret)
    os.mkfifo(folder / "guide" / "hit.png")
    found = read_guide(folder, ("hit",))
    assert found.pictures == ()
    assert [problem.split()[0] for problem in found.problems] == ["guide/hit.jpg", "guide/hit.png"]


def test_an_event_type_has_so_many_pictures_and_no_more(folder):
    for number in range(MAX_PICTURES + 1):
        put(folder, f"hit-{number}.jpg")
    put(folder, "notes.txt")
    found = read_guide(folder, ("hit",))
    assert len(names(found)) == MAX_PICTURES
    assert found.problems == ("guide/hit-6.jpg is one too many; 'hit' has 6 already",)
