"""Parts that somebody else sends straight to S3: a real client, a real server, signed addresses."""

import hashlib

import httpx
import pytest

from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError
from prismata.storage.local import LocalStorage
from prismata.storage.memory import MemoryStorage
from prismata.storage.parts import MAX_PARTS, SMALLEST_PART_BYTES, PartUpload
from prismata.storage.s3_parts import S3PartUploads

PART = SMALLEST_PART_BYTES
CONTENT = bytes(range(256)) * (2 * PART // 256) + b"the rest"
KEY = "uploads/0123/film.mp4"


def send(parts, upload, numbers, content=CONTENT):
    for number, url in parts.urls(upload, numbers).items():
        body = content[(number - 1) * upload.part_bytes :][: upload.part_bytes]
        assert httpx.put(url, content=body, timeout=60).status_code == 200


def test_parts_in_any_order_become_the_object_once_all_are_there(s3):
    parts = s3.part_uploads
    upload = parts.begin(KEY, len(CONTENT))
    assert (upload.part_bytes, upload.count, parts.sizes(upload)) == (PART, 3, {})
    send(parts, upload, [3, 1])
    assert parts.sizes(upload) == {1: PART, 3: 8}
    with pytest.raises(ConflictError, match=r"1 of 3 parts .* the first is part 2"):
        parts.finish(upload)
    assert not s3.exists(KEY)
    send(parts, upload, [2])
    assert parts.finish(upload).size == len(CONTENT)
    assert s3.get(KEY) == CONTENT
    assert parts.finish(upload).size == len(CONTENT), "an answer that was lost is asked for again"


def test_a_part_that_was_cut_off_is_no_part_of_the_object(s3):
    parts = s3.part_uploads
    upload = parts.begin(KEY, len(CONTENT))
    send(parts, upload, [1, 2, 3])
    send(parts, upload, [2], content=CONTENT[: PART + 100])
    with pytest.raises(ConflictError, match="another size, the first is part 2"):
        parts.finish(upload)


def test_what_was_aborted_is_gone_and_may_be_aborted_again(s3):
    parts = s3.part_uploads
    upload = parts.begin(KEY, len(CONTENT))
    send(parts, upload, [1])
    parts.abort(upload)
    parts.abort(upload)
    with pytest.raises(NotFoundError):
        parts.sizes(upload)
    with pytest.raises(NotFoundError):
        parts.finish(upload)
    assert list(s3.list()) == []


@pytest.mark.parametrize("copy_bytes", [10**9, PART])
def test_what_has_arrived_is_copied_by_the_store_with_its_digest(open_s3, s3_server, copy_bytes):
    s3 = open_s3(prefix="team-a")
    s3.put(KEY, CONTENT)
    parts = S3PartUploads(s3._client, s3.bucket, s3._name, s3.stat, copy_bytes=copy_bytes)
    s3_server.requests.clear()
    digest = hashlib.sha256(CONTENT).hexdigest()
    copied = parts.take_over(KEY, "videos/film.mp4", sha256=digest)
    assert "GET" not in [method for method, _ in s3_server.requests], "no byte comes through here"
    assert (copied.size, copied.sha256) == (len(CONTENT), digest)
    assert s3.get("videos/film.mp4") == CONTENT
    assert s3.exists(KEY)


def test_an_address_has_an_end_and_an_object_a_size(s3):
    parts = s3.part_uploads
    upload = parts.begin(KEY, 1)
    assert "X-Amz-Expires=900" in parts.urls(upload, [1])[1]
    with pytest.raises(InvalidInputError, match="cannot live 0 seconds"):
        parts.urls(upload, [1], expires_seconds=0)
    with pytest.raises(InvalidInputError, match="would be empty"):
        parts.begin(KEY, 0)


@pytest.mark.parametrize(
    "size", [1, PART, PART + 1, PART * MAX_PARTS, PART * MAX_PARTS + 1, 10**12]
)
def test_any_size_is_cut_into_whole_pieces_and_no_more_parts_than_the_store_takes(size):
    upload = PartUpload(KEY, "token", size)
    assert upload.part_bytes % PART == 0
    assert 1 <= upload.count <= MAX_PARTS
    last = upload.bytes_of(upload.count)
    assert 0 < last <= upload.part_bytes
    assert (upload.count - 1) * upload.part_bytes + last == size


def test_a_store_without_addresses_says_so(tmp_path):
    assert LocalStorage(tmp_path).part_uploads is None
    assert MemoryStorage().part_uploads is None
