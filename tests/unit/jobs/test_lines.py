from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from prismata.jobs.lines import LOG_LINE_CHARACTERS, LineSplitter, LogTail


def split(*chunks, max_bytes=100, ends=b"\n"):
    splitter = LineSplitter(max_bytes=max_bytes, ends=ends)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return lines + list(splitter.finish())


def test_a_line_may_come_in_pieces():
    assert split(b"he", b"llo\nwor", b"ld\n") == ["hello", "world"]


def test_an_empty_line_is_a_line_and_an_unfinished_one_comes_last():
    assert split(b"a\n\nb") == ["a", "", "b"]


def test_a_line_that_is_too_long_is_cut_once_and_the_next_is_whole():
    assert split(b"x" * 7, b"x" * 50, b"x\nnext\n", max_bytes=10) == ["x" * 10 + " […]", "next"]


def test_a_line_of_exactly_the_bound_is_whole():
    assert split(b"x" * 10 + b"\n", max_bytes=10) == ["x" * 10]


def test_a_progress_bar_is_many_lines():
    assert split(b"1%\r2%\r3%\n", ends=b"\r\n") == ["1%", "2%", "3%"]


def test_bytes_that_are_not_text_are_shown_as_such():
    assert split(b"\xff\n") == ["\N{REPLACEMENT CHARACTER}"]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8), st.integers(1, 40))
def test_how_the_bytes_were_cut_into_chunks_does_not_matter(text, cuts, max_bytes):
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    chunks = [text[start:end] for start, end in pairwise(edges)]
    lines = split(*chunks, max_bytes=max_bytes)
    assert lines == split(text, max_bytes=max_bytes)
    expected = [part[:max_bytes].decode(errors="replace") for part in text.split(b"\n")]
    if not expected[-1]:
        expected.pop()
    assert [line.removesuffix(" […]") for line in lines] == expected


def test_the_log_keeps_the_last_hundred_lines_that_say_something():
    log = LogTail()
    for number in range(150):
        log.add(f"line {number}\n")
        log.add("   ")
    assert log.lines() == tuple(f"line {number}" for number in range(50, 150))


def test_a_long_log_line_is_bounded():
    log = LogTail()
    log.add("x" * 1_000_000)
    assert len(log.lines()[0]) < LOG_LINE_CHARACTERS + 10
