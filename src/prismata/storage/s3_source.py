"""Objects of any bucket as input: listed and fetched, never written.

The storage of the workbench has its own bucket (`storage.s3`); this is a door to others.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from prismata.core.errors import ConflictError, NotFoundError, UnavailableError
from prismata.storage.s3 import make_client
from prismata.storage.s3_errors import s3_door, status_of
from prismata.storage.s3_reader import ObjectReader
from prismata.storage.sources import SourceObject

if TYPE_CHECKING:
    from botocore.response import StreamingBody

_CHUNK_BYTES = 1024 * 1024


class S3Source:
    """A `SourceStore`; credentials come from where the AWS SDK looks for them.

    Args:
        endpoint_url: Of an S3-compatible store; None for AWS.
        region: None for the SDK's default.

    Raises:
        InvalidInputError: If the endpoint cannot be used.
    """

    def __init__(self, *, endpoint_url: str | None = None, region: str | None = None) -> None:
        self.endpoint_url = endpoint_url
        self._client = make_client(endpoint_url, region)

    def list(self, bucket: str, prefix: str) -> Iterator[SourceObject]:
        """Iterate over the objects whose key begins with `prefix`, sorted, a thousand a request.

        Raises:
            NotFoundError: If there is no such bucket.
            UnavailableError: If the store cannot be reached or denies it.
        """
        pages = self._client.get_paginator("list_objects_v2")
        with s3_door(f"list s3://{bucket}/{prefix}"):
            try:
                for page in pages.paginate(Bucket=bucket, Prefix=prefix):
                    for item in page.get("Contents", []):
                        if not item["Key"].endswith("/"):  # consoles make those to show a folder
                            etag = item["ETag"].strip('"')
                            yield SourceObject(bucket, item["Key"], etag, item["Size"])
            except ClientError as error:
                if status_of(error) != 404:
                    raise
                raise NotFoundError(
                    f"s3://{bucket}/{prefix} was asked for, but there is no bucket {bucket!r}; "
                    "check its name and PRISMATA_S3_ENDPOINT_URL"
                ) from error

    def fetch(self, source: SourceObject, target: Path) -> None:
        """Write this version of an object to a file; a cut connection is taken up again.

        Raises:
            NotFoundError: If it is gone.
            ConflictError: If it has been replaced since it was listed.
            UnavailableError: If the store cannot be reached, or there is no room for the file.
        """

        def open_body(start: int) -> StreamingBody:
            try:
                return self._client.get_object(
                    Bucket=source.bucket,
                    Key=source.key,
                    Range=f"bytes={start}-",
                    IfMatch=f'"{source.etag}"',
                )["Body"]
            except ClientError as error:
                if status_of(error) == 404:
                    raise NotFoundError(f"{source.url} was listed, but it is gone now") from error
                if status_of(error) == 412:
                    raise ConflictError(
                        f"{source.url} was replaced since it was listed; start again"
                    ) from error
                raise

        reader = ObjectReader(open_body, size=source.size, key=source.url)
        with s3_door(f"read {source.url}"), reader:
            try:
                with target.open("wb") as file:
                    shutil.copyfileobj(reader, file, _CHUNK_BYTES)
            except OSError as error:
                raise UnavailableError(
                    f"{source.url} could not be brought here ({error.strerror or error}); it needs "
                    f"{source.size / 1e6:.0f} MB of room for temporary files"
                ) from error
