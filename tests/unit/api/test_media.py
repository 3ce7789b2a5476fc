"""Video goes out in bounded ranges, to those who may have it."""

import time

import pytest

from prismata.api.media import MAX_RANGE_BYTES
from prismata.services.access import is_token_valid, mint_token

SECRET = b"s" * 32
BIG = MAX_RANGE_BYTES + 1_000_001


def address(video_id, *, token=None):
    token = mint_token(SECRET, "video", video_id) if token is None else token
    return f"/api/video/{video_id}?token={token}"


@pytest.fixture
def big_video(bench, video):
    """The catalog's video with a larger file behind it; no test here decodes it."""
    content = bytes(range(256)) * (BIG // 256 + 1)
    bench.storage.put(video.storage_key, content[:BIG])
    return video


def test_a_range_brings_exactly_its_bytes(client, video, flashes):
    content = flashes.path.read_bytes()
    answer = client.get(address(video.id), headers={"range": "bytes=10-29"})
    assert answer.status_code == 206
    assert answer.content == content[10:30]
    assert answer.headers["content-range"] == f"bytes 10-29/{len(content)}"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "video/mp4"


def test_the_last_bytes_can_be_asked_for(client, video, flashes):
    answer = client.get(address(video.id), headers={"range": "bytes=-5"})
    assert answer.content == flashes.path.read_bytes()[-5:]


def test_without_a_range_the_whole_file_comes(client, video, flashes):
    answer = client.get(address(video.id))
    assert (answer.status_code, answer.content) == (200, flashes.path.read_bytes())


@pytest.mark.parametrize("asked", ["bytes=0-", f"bytes=0-{BIG}", f"bytes=-{BIG}", "bytes=7-"])
def test_no_range_is_longer_than_four_megabytes(client, big_video, asked):
    answer = client.get(address(big_video.id), headers={"range": asked})
    assert answer.status_code == 206
    assert len(answer.content) == MAX_RANGE_BYTES


def test_a_whole_file_can_be_read_in_bounded_pieces(client, bench, big_video):
    content, pieces = b"", 0
    while len(content) < BIG:
        last = min(BIG, len(content) + 2 * MAX_RANGE_BYTES) - 1
        answer = client.get(
            address(big_video.id), headers={"range": f"bytes={len(content)}-{last}"}
        )
        assert answer.status_code == 206
        content += answer.content
        pieces += 1
    assert pieces == 2
    assert content == bench.storage.get(big_video.storage_key)


def test_a_range_after_the_end_is_refused(client, video, flashes):
    size = flashes.path.stat().st_size
    answer = client.get(address(video.id), headers={"range": f"bytes={size + 5}-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize("nonsense", ["bytes=", "bytes=-", "frames=1-2", "bytes=0-1,5-9", "x"])
def test_a_range_that_is_none_is_left_out_of_account(client, video, flashes, nonsense):
    answer = client.get(address(video.id), headers={"range": nonsense})
    assert (answer.status_code, answer.content) == (200, flashes.path.read_bytes())


def test_head_tells_size_and_type_without_content(client, video, flashes):
    answer = client.head(address(video.id))
    assert answer.status_code == 200
    assert answer.content == b""
    assert int(answer.headers["content-length"]) == flashes.path.stat().st_size
    assert answer.headers["etag"] == f'"{video.sha256}"'


def test_a_changed_file_is_not_patched_together_from_ranges(client, video, flashes):
    same = {"range": "bytes=0-3", "if-range": f'"{video.sha256}"'}
    assert client.get(address(video.id), headers=same).status_code == 206
    other = {"range": "bytes=0-3", "if-range": '"another"'}
    answer = client.get(address(video.id), headers=other)
    assert (answer.status_code, len(answer.content)) == (200, flashes.path.stat().st_size)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "é.é",
        "99999999999.AAAA",
        mint_token(SECRET, "video", "another video"),
        mint_token(SECRET, "model", "anything"),
        mint_token(b"t" * 32, "video", "anything"),
    ],
    ids=["none", "short", "not ascii", "made up", "of another video", "of a model", "forged"],
)
def test_a_wrong_token_opens_nothing(client, video, token):
    answer = client.get(address(video.id, token=token))
    assert answer.status_code == 403
    assert "reload the page" in answer.json()["error"]


def test_a_token_for_this_video_but_too_old_opens_nothing(client, video):
    old = mint_token(SECRET, "video", video.id, lives_seconds=-1)
    assert client.get(address(video.id, token=old)).status_code == 403


def test_an_unknown_video_is_not_found_with_a_token_and_forbidden_without(client):
    assert client.get(address("nothing")).status_code == 404
    assert client.get("/api/video/nothing").status_code == 403


@pytest.mark.parametrize("path", ["..%2f..%2fprismata.db", "..", "%2e%2e", "x%00y"])
def test_no_path_leads_out_of_the_library(client, path):
    answer = client.get(f"/api/video/{path}?token={mint_token(SECRET, 'video', path)}")
    assert answer.status_code in (403, 404)


def test_a_video_whose_file_is_gone_says_so(client, bench, video):
    bench.storage.delete(video.storage_key)
    answer = client.get(address(video.id))
    assert answer.status_code == 404
    assert video.storage_key in answer.json()["error"]


class TestTokens:
    def test_a_token_opens_one_thing_until_its_end(self, monkeypatch):
        token = mint_token(SECRET, "video", "a", lives_seconds=100)
        assert is_token_valid(SECRET, token, "video", "a")
        assert not is_token_valid(SECRET, token, "video", "b")
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 101)
        assert not is_token_valid(SECRET, token, "video", "a")

    def test_a_longer_life_cannot_be_written_into_it(self):
        token = mint_token(SECRET, "video", "a", lives_seconds=100)
        expiry, _, signature = token.partition(".")
        assert not is_token_valid(SECRET, f"{int(expiry) + 1}.{signature}", "video", "a")
