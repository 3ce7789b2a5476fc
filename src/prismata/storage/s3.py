"""Objects in an S3 bucket or any store that speaks its protocol.

Invariant: an object appears with all its bytes, its SHA-256 in the metadata, or not at all;
conditions (`if_absent`, `if_match`) are decided by S3 itself, never by looking first.
"""

from __future__ import annotations

import hashlib
import io
import logging
import mimetypes
import re
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from prismata.core.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from prismata.storage.base import (
    CHUNK_BYTES,
    ObjectInfo,
    Progress,
    StorageBackend,
    already_there,
    as_stream,
    changed,
    check_condition,
    check_expiry,
    check_one_condition,
    check_range,
    missing,
    open_source,
    outside,
    read_chunks,
)
from prismata.storage.cache import LocalCopyCache
from prismata.storage.keys import check_key, check_prefix
from prismata.storage.s3_errors import code_of, s3_door, status_of, translated
from prismata.storage.s3_parts import S3PartUploads
from prismata.storage.s3_reader import ObjectReader
from prismata.storage.s3_upload import PART_BYTES, Upload

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

_SHA256 = re.compile(r"[0-9a-f]{64}")
_RACES = 5
_DEFAULT_CACHE_BYTES = 20 * 10**9


class S3Storage(StorageBackend):
    """Objects in one bucket; credentials come from where the AWS SDK looks for them.

    Nothing is asked of the network before the first operation. `list` knows no digests: S3 tells
    metadata for single objects only.

    Args:
        bucket: Name; must exist.
        prefix: Put before every key, for several projects in one bucket.
        endpoint_url: Of an S3-compatible store; None for AWS.
        region: Of the bucket; None for the SDK's default.
        cache_dir: Folder for local copies.
        cache_max_bytes: Bound for all local copies together.

    Raises:
        InvalidInputError: If prefix or endpoint cannot be used.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        cache_dir: Path,
        cache_max_bytes: int = _DEFAULT_CACHE_BYTES,
    ) -> None:
        super().__init__()
        plain = prefix.strip("/")
        self.bucket = bucket
        self.prefix = f"{check_key(plain)}/" if plain else ""
        self.cache = LocalCopyCache(
            cache_dir,
            max_bytes=cache_max_bytes,
            namespace=f"{endpoint_url or ''}/{bucket}/{self.prefix}",
        )
        self._client = make_client(endpoint_url, region)
        self._bucket_seen = False

    def __repr__(self) -> str:
        return f"S3Storage({self.bucket!r}, {self.prefix!r})"

    def put(
        self,
        key: str,
        source: BinaryIO | bytes,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Store everything `source` yields; see `StorageBackend.put`.

        The digest goes ahead of the content, so the source is first read to its end: into memory,
        above 8 MiB into a temporary file. For files `put_file` does without the copy.
        """
        self._name(key)
        condition = _condition(if_absent=if_absent, if_match=if_match)
        stream = as_stream(source)
        sha, size = hashlib.sha256(), 0
        with tempfile.SpooledTemporaryFile(max_size=PART_BYTES) as spool:
            for chunk in read_chunks(stream):
                sha.update(chunk)
                size += len(chunk)
                _spool(spool, chunk, key)
            spool.seek(0)
            upload = self._upload(key, size, sha.hexdigest(), condition)
            return self._send(key, upload, cast("BinaryIO", spool))

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
        progress: Progress | None = None,
    ) -> ObjectInfo:
        """Store the content of a file, in parts if it is large; see `StorageBackend.put_file`."""
        self._name(key)
        condition = _condition(if_absent=if_absent, if_match=if_match)
        with open_source(path) as source:
            if condition:
                # S3 decides at the end; a look ahead spares gigabytes that cannot win.
                check_condition(key, self._etag(key), if_absent=if_absent, if_match=if_match)
            sha = hashlib.sha256()
            for chunk in read_chunks(source):
                sha.update(chunk)
            size = source.tell()
            source.seek(0)
            upload = self._upload(key, size, sha.hexdigest(), condition, progress)
            return self._send(key, upload, source)

    def open(self, key: str) -> BinaryIO:
        """Return a buffered stream that reads from S3 as it goes and survives cut connections."""
        name = self._name(key)
        with s3_door(f"read {key!r}"):
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=name)
            except ClientError as error:
                if status_of(error) == 404:
                    raise self._missing(key) from error
                raise
        return self._reader(
            key, answer["ETag"].strip('"'), answer["ContentLength"], body=answer["Body"]
        )

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """Return bytes `[start, start + length)` in one request."""
        name = self._name(key)
        check_range(start, length)
        if length == 0:
            size = self.stat(key).size
            if start > size:
                raise outside(key, start, size)
            return b""
        asked = f"read {key!r}"
        with s3_door(asked):
            try:
                answer = self._client.get_object(
                    Bucket=self.bucket, Key=name, Range=f"bytes={start}-{start + length - 1}"
                )
                return answer["Body"].read()
            except ClientError as error:
                if status_of(error) == 404:
                    raise self._missing(key) from error
                if status_of(error) != 416:
                    raise
        size = self.stat(key).size
        if start != size:
            raise outside(key, start, size)
        return b""

    @contextmanager
    def local_copy(self, key: str) -> Iterator[Path]:
        """Hold a checked copy from the cache; one HEAD request, and a GET if it is not there."""
        with ExitStack() as held:
            yield self._hold(key, held)

    def stat(self, key: str) -> ObjectInfo:
        """Return what is known about an object; the digest if this program stored it."""
        name = self._name(key)
        with s3_door(f"look at {key!r}"):
            try:
                answer = self._client.head_object(Bucket=self.bucket, Key=name)
            except ClientError as error:
                if status_of(error) == 404:
                    raise self._missing(key) from error
                raise
        sha256 = answer.get("Metadata", {}).get("sha256", "")
        return ObjectInfo(
            key,
            answer["ContentLength"],
            sha256 if _SHA256.fullmatch(sha256) else None,
            answer["ETag"].strip('"'),
            answer["LastModified"].astimezone(UTC),
        )

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Iterate over all objects whose key begins with `prefix`, a thousand per request."""
        return self._walk(self.prefix + check_prefix(prefix))

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""
        name = self._name(key)
        with s3_door(f"delete {key!r}"):
            self._client.delete_object(Bucket=self.bucket, Key=name)

    def url_for(self, key: str, *, expires_seconds: int = 3600) -> str:
        """Return a presigned GET URL; see `StorageBackend.url_for`."""
        check_expiry(expires_seconds)
        self.stat(key)
        with s3_door(f"sign a URL for {key!r}"):
            return self._client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self.bucket, "Key": self._name(key)},
                ExpiresIn=expires_seconds,
            )

    @property
    def browser_origin(self) -> str:
        """Scheme and host of presigned addresses; signing one asks nobody."""
        with s3_door("sign a URL"):
            signed = self._client.generate_presigned_url(
                "get_object", Params={"Bucket": self.bucket, "Key": self._name("any")}
            )
        parts = urlsplit(signed)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def part_uploads(self) -> S3PartUploads:
        """Presigned addresses of parts; see `StorageBackend.part_uploads`."""
        return S3PartUploads(self._client, self.bucket, self._name, self.stat)

    def remove_leftovers(self, older_than_seconds: float = 86_400.0) -> int:
        """Abort uploads in parts that began so long ago."""
        horizon = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        removed = 0
        with s3_door("tidy the bucket"):
            pages = self._client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix):
                for upload in page.get("Uploads", []):
                    if upload["Initiated"] < horizon:
                        removed += self._abort(upload["Key"], upload["UploadId"])
        return removed

    def _abort(self, name: str, upload_id: str) -> bool:
        try:
            self._client.abort_multipart_upload(Bucket=self.bucket, Key=name, UploadId=upload_id)
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":  # Somebody else tidies too.
                raise
            return False
        return True

    def _name(self, key: str) -> str:
        name = self.prefix + check_key(key)
        return check_key(name) if self.prefix else name

    def _etag(self, key: str) -> str | None:
        try:
            return self.stat(key).etag
        except NotFoundError:
            return None

    def _missing(self, key: str) -> NotFoundError | UnavailableError:
        # A HEAD answer has no body, so a missing object and a missing bucket look alike.
        if not self._bucket_seen:
            try:
                self._client.head_bucket(Bucket=self.bucket)
            except ClientError as error:
                if status_of(error) == 404:
                    return UnavailableError(
                        f"could not look for {key!r}: there is no bucket {self.bucket!r}; "
                        "check PRISMATA_S3_BUCKET"
                    )
                if status_of(error) != 403:  # Objects may be allowed where the bucket is not.
                    raise
            self._bucket_seen = True
        return missing(key)

    def _upload(
        self,
        key: str,
        size: int,
        sha256: str,
        condition: dict[str, Any],
        progress: Progress | None = None,
    ) -> Upload:
        headers: dict[str, Any] = {"Metadata": {"sha256": sha256, "put-id": uuid.uuid4().hex}}
        content_type = mimetypes.guess_type(key)[0]
        if content_type:
            headers["ContentType"] = content_type
        return Upload(self.bucket, self._name(key), size, sha256, headers, condition, progress)

    def _send(self, key: str, upload: Upload, source: BinaryIO) -> ObjectInfo:
        with s3_door(f"store {key!r}"):
            for attempt in range(1, _RACES + 1):
                try:
                    answer = upload.send(self._client, source)
                except ClientError as error:
                    if not _is_lost_condition(upload, error):
                        raise
                    if status_of(error) == 409:
                        # Two conditional writes met; S3 asks both to try again.
                        source.seek(0)
                        time.sleep(0.05 * attempt)
                        continue
                    if self._is_stored(upload, error):
                        return self.stat(key)
                    lost = already_there if "IfNoneMatch" in upload.condition else changed
                    raise lost(key) from error
                return ObjectInfo(
                    key, upload.size, upload.sha256, answer["ETag"].strip('"'), _moment_of(answer)
                )
        raise changed(key)

    def _is_stored(self, upload: Upload, error: ClientError) -> bool:
        """Say whether what a repeated request ran into is what its first attempt had stored."""
        if not error.response.get("ResponseMetadata", {}).get("RetryAttempts"):
            return False
        try:
            found = self._client.head_object(Bucket=self.bucket, Key=upload.key)
        except ClientError:
            return False
        put_id: str = upload.headers["Metadata"]["put-id"]
        return found.get("Metadata", {}).get("put-id") == put_id

    def _walk(self, prefix: str) -> Iterator[ObjectInfo]:
        asked = f"list the objects of bucket {self.bucket!r}"
        pages = self._client.get_paginator("list_objects_v2")
        with s3_door(asked):
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
                for item in page.get("Contents", []):
                    key = item["Key"].removeprefix(self.prefix)
                    if key.endswith("/") or not key:
                        continue  # Consoles make such empty objects to show a folder.
                    try:
                        check_key(key)
                    except InvalidInputError:
                        logger.warning("object_skipped key=%r", key)
                        continue
                    modified = item["LastModified"].astimezone(UTC)
                    yield ObjectInfo(key, item["Size"], None, item["ETag"].strip('"'), modified)

    def _reader(
        self, key: str, etag: str, size: int, body: StreamingBody | None = None
    ) -> BinaryIO:
        name = self._name(key)

        def open_body(start: int) -> StreamingBody:
            try:
                return self._client.get_object(
                    Bucket=self.bucket, Key=name, Range=f"bytes={start}-", IfMatch=f'"{etag}"'
                )["Body"]
            except ClientError as error:
                if status_of(error) in (404, 412):
                    raise ConflictError(
                        f"{key!r} was replaced or deleted while it was being read; open it again"
                    ) from error
                raise

        return io.BufferedReader(
            ObjectReader(open_body, size=size, key=key, body=body), CHUNK_BYTES
        )

    def _hold(self, key: str, held: ExitStack) -> Path:
        for _ in range(_RACES):
            info = self.stat(key)
            fetch = partial(self._reader, key, info.etag, info.size)
            try:
                return held.enter_context(self.cache.hold(info, fetch))
            except ConflictError:
                continue
        raise ConflictError(f"{key!r} keeps changing while it is being read; try again later")


def make_client(endpoint_url: str | None, region: str | None) -> S3Client:
    """Return a client for AWS or for a store that speaks its protocol.

    Raises:
        InvalidInputError: If the endpoint cannot be used.
        UnavailableError: If boto3 finds no way to set it up.
    """
    # S3-compatible stores stumble over the checksums that boto3 adds since 1.36 (botocore#3352),
    # and over bucket names in the host name.
    compatible: dict[str, Any] = (
        {
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
            "s3": {"addressing_style": "path"},
        }
        if endpoint_url
        else {}
    )
    config = Config(
        signature_version="s3v4",
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard"},
        max_pool_connections=16,
        **compatible,
    )
    # An own session: making clients from boto3's default one is not safe between threads.
    try:
        return boto3.session.Session().client(
            "s3", endpoint_url=endpoint_url, region_name=region, config=config
        )
    except ValueError as error:
        raise InvalidInputError(
            f"the S3 endpoint {endpoint_url!r} cannot be used ({error}); PRISMATA_S3_ENDPOINT_URL "
            "is a URL such as 'https://s3.example.org'"
        ) from error
    except BotoCoreError as error:
        raise translated(error, "set up the S3 storage") from error


def _condition(*, if_absent: bool, if_match: str | None) -> dict[str, Any]:
    check_one_condition(if_absent=if_absent, if_match=if_match)
    if if_absent:
        return {"IfNoneMatch": "*"}
    return {} if if_match is None else {"IfMatch": f'"{if_match}"'}


def _is_lost_condition(upload: Upload, error: ClientError) -> bool:
    """Say whether S3 refused because of the condition; 404: the object to replace is gone."""
    if not upload.condition or code_of(error) == "NoSuchBucket":
        return False
    return status_of(error) in (404, 409, 412)


def _spool(spool: tempfile.SpooledTemporaryFile[bytes], chunk: bytes, key: str) -> None:
    try:
        spool.write(chunk)
    except OSError as error:
        raise UnavailableError(
            f"could not store {key!r}: no room for a temporary copy ({error.strerror or error})"
        ) from error


def _moment_of(answer: dict[str, Any]) -> datetime:
    """Return the store's clock as it answered: S3 does not tell a put its LastModified."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date).astimezone(UTC) if date else datetime.now(UTC)
