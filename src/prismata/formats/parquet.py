"""Events as Parquet: typed columns, times in whole microseconds, provenance in the schema."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from prismata.core.errors import UnavailableError
from prismata.formats.result_rows import ResultRow

ROWS_AT_ONCE = 10_000
PROVENANCE_KEY = b"prismata"


def check_parquet() -> None:
    """Check that Parquet can be written here.

    Raises:
        UnavailableError: If pyarrow is not installed; says how to get it.
    """
    try:
        import pyarrow.parquet  # noqa: F401 - only whether it is there
    except ModuleNotFoundError as error:
        raise UnavailableError(
            "Parquet needs pyarrow, which is not installed here: pip install "
            '"prismata[parquet]", or export csv or json'
        ) from error


def write_result_parquet(
    rows: Iterable[ResultRow], path: Path, *, provenance: Mapping[str, Any]
) -> None:
    """Write rows in groups of `ROWS_AT_ONCE`, so memory stays flat.

    Args:
        rows: What to write.
        path: Where to; an existing file is overwritten.
        provenance: What the events were made with; kept as JSON under the schema's key `prismata`.

    Raises:
        UnavailableError: If pyarrow is not installed.
    """
    check_parquet()
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, frame = pa.string(), pa.int64()
    kinds = {
        "video": text,
        "event_type": text,
        "title": text,
        "domain": text,
        "kind": text,
        "start_us": pa.int64(),
        "end_us": pa.int64(),
        "start_frame": frame,
        "end_frame": frame,
        "score": pa.float64(),
        "origin": text,
        "review_state": text,
        "reviewer": text,
        "author": text,
        "model": text,
        "created_at": pa.timestamp("us", tz="UTC"),
        "id": text,
    }
    made_with = json.dumps(provenance, ensure_ascii=False).encode()
    schema = pa.schema(list(kinds.items()), metadata={PROVENANCE_KEY: made_with})
    source = iter(rows)
    with pq.ParquetWriter(path, schema) as writer:
        while part := list(islice(source, ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist([_values(row) for row in part], schema=schema))


def _values(row: ResultRow) -> dict[str, Any]:
    event = row.event
    return {
        "video": row.video,
        "event_type": event.event_type,
        "title": row.title,
        "domain": row.domain,
        "kind": event.kind,
        "start_us": event.start_us,
        "end_us": event.end_us,
        "start_frame": row.start_frame,
        "end_frame": row.end_frame,
        "score": event.score,
        "origin": row.origin,
        "review_state": row.review_state,
        "reviewer": row.reviewer,
        "author": row.author,
        "model": row.model,
        "created_at": row.created_at,
        "id": row.id or None,
    }
