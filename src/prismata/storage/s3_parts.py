"""Uploads in parts to presigned addresses of S3, and copies that S3 makes by itself."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from prismata.core.errors import InvalidInputError, NotFoundError
from prismata.storage.base import ObjectInfo, check_expiry, missing
from prismata.storage.parts import URL_SECONDS, PartUpload, PartUploads, check_complete
from prismata.storage.s3_errors import code_of, s3_door, status_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

MAX_COPY_BYTES = 5 * 10**9
"""What S3 copies in one request at most (5 GiB, and some stores count in GB)."""
COPY_PART_BYTES = 2**30


class S3PartUploads(PartUploads):
    """Parts of one bucket.

    Args:
        client: Signs and asks.
        bucket: Its name.
        name_of: Key → name in the bucket.
        stat: Key → what is known about the object.
        copy_bytes: Larger objects are copied in parts.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        name_of: Callable[[str], str],
        stat: Callable[[str], ObjectInfo],
        *,
        copy_bytes: int = MAX_COPY_BYTES,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._name_of = name_of
        self._stat = stat
        self._copy_bytes = copy_bytes

    def begin(self, key: str, size: int) -> PartUpload:
        """Begin an object; see `PartUploads.begin`."""
        if size <= 0:
            raise InvalidInputError(f"{key!r} would be empty; there is nothing to send in parts")
        with s3_door(f"begin {key!r}"):
            answer = self._client.create_multipart_upload(
                Bucket=self._bucket, Key=self._name_of(key), **_headers(key)
            )
        return PartUpload(key, answer["UploadId"], size)

    def urls(
        self, upload: PartUpload, numbers: Iterable[int], *, expires_seconds: int = URL_SECONDS
    ) -> dict[int, str]:
        """Return presigned addresses; signing asks nobody."""
        check_expiry(expires_seconds)
        with s3_door(f"sign addresses for parts of {upload.key!r}"):
            return {
                number: self._client.generate_presigned_url(
                    "upload_part",
                    Params={
                        "Bucket": self._bucket,
                        "Key": self._name_of(upload.key),
                        "UploadId": upload.token,
                        "PartNumber": number,
                    },
                    ExpiresIn=expires_seconds,
                )
                for number in numbers
            }

    def sizes(self, upload: PartUpload) -> dict[int, int]:
        """Return the bytes of each part that has arrived."""
        return {number: size for number, (size, _) in self._parts(upload).items()}

    def finish(self, upload: PartUpload) -> ObjectInfo:
        """Make the object of its parts; see `PartUploads.finish`."""
        try:
            there = self._parts(upload)
            check_complete(upload, {number: size for number, (size, _) in there.items()})
            parts: list[CompletedPartTypeDef] = [
                {"PartNumber": number, "ETag": there[number][1]} for number in sorted(there)
            ]
            with s3_door(f"finish {upload.key!r}"), _upload_may_be_over(upload):
                self._client.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=self._name_of(upload.key),
                    UploadId=upload.token,
                    MultipartUpload={"Parts": parts},
                )
        except NotFoundError as gone:
            # Ended by an earlier call whose answer nobody heard, or aborted: then nothing is there.
            try:
                found = self._stat(upload.key)
            except NotFoundError:
                raise gone from None
            if found.size != upload.size:
                raise
            return found
        return self._stat(upload.key)

    def abort(self, upload: PartUpload) -> None:
        """Forget all parts; nothing happens if the upload has ended."""
        with s3_door(f"abort {upload.key!r}"):
            try:
                self._client.abort_multipart_upload(
                    Bucket=self._bucket, Key=self._name_of(upload.key), UploadId=upload.token
                )
            except ClientError as error:
                if code_of(error) != "NoSuchUpload" and status_of(error) != 404:
                    raise

    def take_over(self, source_key: str, key: str, *, sha256: str) -> ObjectInfo:
        """Have S3 copy an object, in parts if it is large; see `PartUploads.take_over`."""
        found = self._stat(source_key)
        source: dict[str, Any] = {
            "CopySource": {"Bucket": self._bucket, "Key": self._name_of(source_key)},
            "CopySourceIfMatch": f'"{found.etag}"',
        }
        headers: dict[str, Any] = {"Metadata": {"sha256": sha256}, **_headers(key)}
        target: dict[str, Any] = {"Bucket": self._bucket, "Key": self._name_of(key)}
        with s3_door(f"copy {source_key!r} to {key!r}"):
            if found.size <= self._copy_bytes:
                self._client.copy_object(**target, **source, MetadataDirective="REPLACE", **headers)
            else:
                self._copy_in_parts(target, source, headers, found.size)
        return self._stat(key)

    def _copy_in_parts(
        self, target: dict[str, Any], source: dict[str, Any], headers: dict[str, Any], size: int
    ) -> None:
        token = self._client.create_multipart_upload(**target, **headers)["UploadId"]
        length = min(COPY_PART_BYTES, self._copy_bytes)
        parts: list[CompletedPartTypeDef] = []
        try:
            for number, start in enumerate(range(0, size, length), start=1):
                answer = self._client.upload_part_copy(
                    **target,
                    **source,
                    UploadId=token,
                    PartNumber=number,
                    CopySourceRange=f"bytes={start}-{min(size, start + length) - 1}",
                )
                parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
            self._client.complete_multipart_upload(
                **target,
                UploadId=token,
                MultipartUpload={"Parts": parts},
            )
        except BaseException:
            self._client.abort_multipart_upload(**target, UploadId=token)
            raise

    def _parts(self, upload: PartUpload) -> dict[int, tuple[int, str]]:
        found: dict[int, tuple[int, str]] = {}
        with s3_door(f"look at the parts of {upload.key!r}"), _upload_may_be_over(upload):
            pages = self._client.get_paginator("list_parts")
            for page in pages.paginate(
                Bucket=self._bucket, Key=self._name_of(upload.key), UploadId=upload.token
            ):
                for part in page.get("Parts", []):
                    found[part["PartNumber"]] = (part["Size"], part["ETag"])
        return found


@contextmanager
def _upload_may_be_over(upload: PartUpload) -> Iterator[None]:
    """Tell an upload that has ended or was aborted as what it is: not there.

    Raises:
        NotFoundError: If S3 does not know it any more.
    """
    try:
        yield
    except ClientError as error:
        if code_of(error) != "NoSuchUpload":
            raise
        raise missing(upload.key) from error


def _headers(key: str) -> dict[str, Any]:
    content_type = mimetypes.guess_type(key)[0]
    return {"ContentType": content_type} if content_type else {}
