"""What pages may name: nothing outside of what the settings say, whatever leads there."""

import shutil

import pytest

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.services.source_access import find_page_sources, page_sources
from prismata.wiring import open_workbench


@pytest.fixture
def open_with(settings):
    opened = []

    def build(**changes):
        opened.append(open_workbench(settings.model_copy(update=changes)))
        return opened[-1]

    yield build
    for bench in opened:
        bench.close()


@pytest.fixture
def folder(tmp_path, flashes):
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
        shutil.copyfile(flashes.path, tmp_path / name / "a.mp4")
    return tmp_path


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", None), ("::1", None), ("localhost", None), ("192.0.2.1", ()), ("box", ())],
)
def test_by_default_only_a_workbench_of_this_machine_alone_takes_anything(settings, host, expected):
    assert page_sources(settings.model_copy(update={"host": host})) == expected


def test_a_workbench_that_others_reach_takes_nothing_from_the_server(open_with, folder):
    bench = open_with(host="192.0.2.1")
    for word in (str(folder), "s3://films/a", str(folder / "nothing")):
        with pytest.raises(InvalidInputError, match="take no videos from the server"):
            find_page_sources(bench, [word])


def test_only_what_is_below_a_named_folder_is_taken(open_with, folder):
    bench = open_with(page_sources=f" {folder / 'open'} , s3://films/2024", host="192.0.2.1")
    assert len(find_page_sources(bench, [str(folder / "open")])) == 1
    assert len(find_page_sources(bench, [str(folder / "open" / "*.mp4")])) == 1
    outside = [
        folder / "closed",
        folder,
        folder / "open" / ".." / "closed",
        folder / "o*" / "*.mp4",
        folder / "open-too",
        "s3://films/2023/",
        "s3://films/20245/",
        "s3://films/",
        "s3://others/2024/",
    ]
    for word in outside:
        with pytest.raises(InvalidInputError, match="lies outside"):
            find_page_sources(bench, [str(word)])


def test_a_link_does_not_lead_out(open_with, folder):
    (folder / "open" / "link.mp4").symlink_to(folder / "closed" / "a.mp4")
    bench = open_with(page_sources=str(folder / "open"))
    with pytest.raises(InvalidInputError, match="lies outside"):
        find_page_sources(bench, [str(folder / "open")])


def test_what_names_nothing_is_said(open_with, folder):
    with pytest.raises(NotFoundError, match="no video matches"):
        find_page_sources(open_with(), [str(folder / "open" / "x*.mp4")])
