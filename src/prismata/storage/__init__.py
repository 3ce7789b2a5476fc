"""Room: videos, labels and models as whole objects under plain keys, wherever they live.

Invariant: importing the room loads no SDK; `open_storage` imports the backend that was chosen.
"""

from __future__ import annotations

from prismata.storage.base import ObjectInfo, Progress, StorageBackend
from prismata.storage.keys import check_key
from prismata.storage.parts import PartUpload, PartUploads
from prismata.storage.registry import open_s3_source, open_storage
from prismata.storage.sources import SourceObject, SourceStore

__all__ = [
    "ObjectInfo",
    "PartUpload",
    "PartUploads",
    "Progress",
    "SourceObject",
    "SourceStore",
    "StorageBackend",
    "check_key",
    "open_s3_source",
    "open_storage",
]
