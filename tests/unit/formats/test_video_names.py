import pytest

from prismata.formats import match_videos


def one(name, known):
    return match_videos([name], known)[name]


@pytest.mark.parametrize(
    ("name", "known", "matched_by"),
    [
        ("a/1.mp4", "a/1.mp4", "exact"),
        ("a/1.mp4", "league/a/1.mp4", "path"),
        ("/home/me/a/1.mp4", "a/1.mp4", "path"),
        ("1.mp4", "a/1.mp4", "path"),
        ("A\\1.MP4", "x/a/1.mp4", "path"),
        ("caf\u00e9.mp4", "cafe\u0301.mp4", "path"),
        ("b/1.mp4", "a/1.mp4", "file name"),
        ("1.avi", "a/1.mp4", "stem"),
        ("1", "1.mp4", "stem"),
    ],
)
def test_a_name_matches_by_the_strictest_rule_that_fits(name, known, matched_by):
    match = one(name, [known, "other.mp4"])
    assert (match.known, match.matched_by) == (known, matched_by)


def test_an_unknown_name_matches_nothing():
    match = one("x.mp4", ["a.mp4"])
    assert (match.known, match.candidates) == (None, ())


def test_the_longer_common_path_wins():
    assert one("x/a/1.mp4", ["a/1.mp4", "1.mp4", "b/1.mp4"]).known == "a/1.mp4"


@pytest.mark.parametrize("name", ["1.mp4", "c/1.mp4", "1.avi"])
def test_nothing_is_guessed_among_several_candidates(name):
    match = one(name, ["a/1.mp4", "b/1.mp4"])
    assert match.known is None
    assert match.candidates == ("a/1.mp4", "b/1.mp4")


def test_two_names_for_one_video_are_both_refused():
    matches = match_videos(["a/1.mp4", "b/1.mp4"], ["1.mp4"])
    assert all(match.known is None for match in matches.values())
    assert matches["a/1.mp4"].rivals == ("b/1.mp4",)


def test_an_exact_name_is_not_disturbed_by_a_rival():
    matches = match_videos(["1.mp4", "1.avi"], ["1.mp4"])
    assert matches["1.mp4"].known == "1.mp4"
    assert matches["1.avi"].known is None
