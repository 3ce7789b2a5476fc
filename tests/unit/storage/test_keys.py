from __future__ import annotations

import pytest

from prismata.core.errors import InvalidInputError
from prismata.storage import check_key
from prismata.storage.keys import check_prefix


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "it is empty"),
        ("/a", "it begins with '/'"),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("a/../b", "the part '..'"),
        (".", "the part '.'"),
        ("a\\b", "a backslash"),
        ("a\tb", "a control character"),
        ("a\x85b", "a control character"),
        ("é" * 513, "1026 bytes and the limit is 1024"),
        ("a/" + "é" * 128, "one part has 256 bytes and the limit is 255"),
        (".prismata-lock", "reserved"),
        ("\udcff", "not valid text"),
    ],
)
def test_the_message_says_what_is_wrong_and_what_to_write(key: str, reason: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_key(key)
    assert reason in str(caught.value)
    assert "write a relative key such as 'videos/clip.mp4'" in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "key", ["a", "a/b.c", "...", "a/..b", "~", "a" * 255, ("a" * 203 + "/") * 5 + "abcd"]
)
def test_a_plain_key_is_returned(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b"])
def test_a_prefix_may_end_with_a_slash_or_be_empty(prefix: str) -> None:
    assert check_prefix(prefix) == prefix
