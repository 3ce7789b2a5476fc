"""The access log without what stands after the question mark, because tokens stand there."""

from __future__ import annotations

import logging


class QueryStringFilter(logging.Filter):
    """Cuts every argument of an access record at its first question mark."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, shortened."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                item.partition("?")[0] if isinstance(item, str) else item for item in record.args
            )
        return True


def hide_query_strings() -> None:
    """Keep tokens out of the access log, whoever writes it.

    A filter on the logger, because uvicorn's log set-up replaces handlers and Streamlit hangs its
    own on this logger; neither removes filters.
    """
    logger = logging.getLogger("uvicorn.access")
    if not any(isinstance(item, QueryStringFilter) for item in logger.filters):
        logger.addFilter(QueryStringFilter())
