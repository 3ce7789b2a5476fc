"""A key is either refused or names one file below the root, whatever text it is."""

from __future__ import annotations

from pathlib import PurePosixPath

from hypothesis import example, given
from hypothesis import strategies as st

from prismata.core.errors import InvalidInputError
from prismata.storage import check_key
from prismata.storage.memory import MemoryStorage

PARTS = st.one_of(st.text(max_size=8), st.sampled_from(["..", ".", "", "a", "\\", "~", "\0", " "]))


@given(st.lists(PARTS, max_size=6).map("/".join))
@example("..")
@example("a/../..")
@example("//server/share")
def test_an_accepted_key_stays_below_the_root_and_keeps_its_spelling(key: str) -> None:
    try:
        check_key(key)
    except InvalidInputError:
        return
    path = PurePosixPath("/stores", key)
    assert str(path) == f"/stores/{key}"
    assert ".." not in path.parts
    assert not PurePosixPath(key).is_absolute()


@given(
    st.dictionaries(st.text("ab/.", min_size=1, max_size=5), st.binary(max_size=4)),
    st.text("ab/", max_size=3),
)
def test_a_listing_is_exactly_the_stored_keys_with_the_prefix_in_order(
    wanted: dict[str, bytes], prefix: str
) -> None:
    store = MemoryStorage()
    stored = {}
    for key, content in wanted.items():
        try:
            store.put(key, content)
        except InvalidInputError:
            continue
        stored[key] = content
    try:
        found = [info.key for info in store.list(prefix)]
    except InvalidInputError:
        assert not any(key.startswith(prefix) for key in stored)
        return
    assert found == sorted(key for key in stored if key.startswith(prefix))
    assert all(store.get(key) == stored[key] for key in found)
