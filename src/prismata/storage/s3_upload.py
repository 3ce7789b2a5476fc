"""Putting one object into S3: in one request, or in parts for anything larger than a part.

s3transfer, which boto3's own `upload_file` uses, takes neither `IfMatch` nor `IfNoneMatch`
(0.19: not in its allowed arguments), so the parts are sent here. Memory stays below
`MAX_CONCURRENCY + 1` parts.
"""

from __future__ import annotations

import hashlib
import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError

from prismata.core.errors import ConflictError
from prismata.storage.base import Progress

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

logger = logging.getLogger(__name__)

PART_BYTES = 8 * 1024 * 1024
MAX_PARTS = 10_000
MAX_CONCURRENCY = 3
"""Parts under way at once: three of 8 MiB keep a small machine's memory and its link usable."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One object to be put, and under which condition."""

    bucket: str
    key: str
    """The key in the bucket, prefix included."""
    size: int
    sha256: str
    headers: dict[str, Any]
    """`Metadata` and, if known, `ContentType`."""
    condition: dict[str, Any] = field(default_factory=dict)
    """`IfNoneMatch` or `IfMatch`, or neither."""
    progress: Progress | None = None

    def send(self, client: S3Client, source: BinaryIO) -> dict[str, Any]:
        """Send everything and return the last answer, which has the ETag.

        Whatever goes wrong, no unfinished parts stay behind.

        Raises:
            ConflictError: If `source` no longer has the content that was announced.
            botocore.exceptions.ClientError: As S3 answers; 412 if the condition does not hold.
        """
        if self.size > PART_BYTES:
            return self._send_parts(client, source)
        body = source.read(self.size + 1)
        self._check(body, hashlib.sha256(body).hexdigest())
        answer = client.put_object(
            Bucket=self.bucket, Key=self.key, Body=body, **self.headers, **self.condition
        )
        self._report(self.size)
        return dict(answer)

    def _send_parts(self, client: S3Client, source: BinaryIO) -> dict[str, Any]:
        started = client.create_multipart_upload(Bucket=self.bucket, Key=self.key, **self.headers)
        upload_id = started["UploadId"]
        try:
            parts = self._upload_parts(client, upload_id, source)
            answer = client.complete_multipart_upload(
                Bucket=self.bucket,
                Key=self.key,
                UploadId=upload_id,
                MultipartUpload={"Parts": parts},
                **self.condition,
            )
        except BaseException:
            self._abort(client, upload_id)
            raise
        return dict(answer)

    def _upload_parts(
        self, client: S3Client, upload_id: str, source: BinaryIO
    ) -> list[CompletedPartTypeDef]:
        done: list[CompletedPartTypeDef] = []
        under_way: deque[Future[tuple[CompletedPartTypeDef, int]]] = deque()
        sent = 0

        def send_part(number: int, body: bytes) -> tuple[CompletedPartTypeDef, int]:
            answer = client.upload_part(
                Bucket=self.bucket, Key=self.key, UploadId=upload_id, PartNumber=number, Body=body
            )
            return {"ETag": answer["ETag"], "PartNumber": number}, len(body)

        # Leaving the pool waits for what is under way: an abort before would leave late parts.
        with ThreadPoolExecutor(MAX_CONCURRENCY, thread_name_prefix="s3-upload") as pool:
            bodies = self._bodies(source)
            number = 0
            while True:
                body = next(bodies, None)
                while under_way and (body is None or len(under_way) >= MAX_CONCURRENCY):
                    part, length = under_way.popleft().result()
                    done.append(part)
                    sent += length
                    self._report(sent)
                if body is None:
                    return done
                number += 1
                under_way.append(pool.submit(send_part, number, body))

    def _bodies(self, source: BinaryIO) -> Iterator[bytes]:
        mebibyte = 1024 * 1024
        smallest = -(-self.size // MAX_PARTS)
        length = max(PART_BYTES, -(-smallest // mebibyte) * mebibyte)
        sha, read = hashlib.sha256(), 0
        while body := source.read(length):
            sha.update(body)
            read += len(body)
            if read > self.size:
                break
            yield body
        if read != self.size or sha.hexdigest() != self.sha256:
            raise self._changed()

    def _check(self, body: bytes, sha256: str) -> None:
        if len(body) != self.size or sha256 != self.sha256:
            raise self._changed()

    def _changed(self) -> ConflictError:
        return ConflictError(
            f"the file for {self.key!r} changed while it was being stored, so it was not stored; "
            "wait until nobody writes to it, then try again"
        )

    def _report(self, sent: int) -> None:
        if self.progress is not None and sent:
            self.progress(sent, self.size)

    def _abort(self, client: S3Client, upload_id: str) -> None:
        try:
            client.abort_multipart_upload(Bucket=self.bucket, Key=self.key, UploadId=upload_id)
        except (ClientError, BotoCoreError) as error:
            # The first failure is the one to tell; `remove_leftovers` and the bucket's lifecycle
            # rule take what is left.
            logger.warning("abort_failed key=%s error=%s", self.key, error)
