"""Logging of every process of ours: one line a record, as text or JSON, and never a secret.

    {"time": "2031-02-03T04:05:06.789Z", "level": "WARNING", "logger": "prismata.jobs.worker",
     "message": "…", "pid": 7, "job_id": "…", "request_id": "…", "exception": "Traceback …"}

Ids stand there where they are known. A child writes to its standard error, and whoever started it
passes its JSON lines on, so the log of a worker holds what its children said, too.

Invariant: what `set_up_logging` was told to keep secret, passwords in addresses, bearer tokens and
what stands behind the question mark of an address leave no handler of ours.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal
from urllib.parse import quote, quote_plus

LogFormat = Literal["text", "json"]

HIDDEN = "***"
MAX_EXCEPTION_CHARACTERS = 16_000
"""Of a traceback its end is kept."""

_SHORTEST_SECRET = 4
"""Hiding every "a" would hide everything; such a password is hidden in addresses only."""

_PATTERNS = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s/@]+@", re.IGNORECASE), rf"\1:{HIDDEN}@"),
    (re.compile(r"\?[^\s\"'<>=]*=[^\s\"'<>]*"), f"?{HIDDEN}"),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]+", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (
        re.compile(r"\b(x-amz-(?:security-token|signature|credential))(\W+)\S+", re.IGNORECASE),
        rf"\1\2{HIDDEN}",
    ),
)

# What libraries say below this level is about their own insides: headers, signatures, retries.
_TALKATIVE = (
    "boto3",
    "botocore",
    "urllib3",
    "s3transfer",
    "kombu",
    "amqp",
    "celery",
    "PIL",
    "asyncio",
)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}

_ids: ContextVar[Mapping[str, str] | None] = ContextVar("prismata_log_ids", default=None)
_process_ids: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class LogTerms:
    """How this process logs."""

    level: str
    log_format: LogFormat
    secrets: tuple[str, ...] = ()

    def hide(self, text: str) -> str:
        """Return the text without anything that is secret."""
        for secret in self.secrets:
            text = text.replace(secret, HIDDEN)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text


_NO_TERMS = LogTerms("WARNING", "text")


class _Formatter(logging.Formatter):
    def __init__(self, terms: LogTerms) -> None:
        super().__init__("%(levelname)s %(name)s %(message)s")
        self._terms = terms

    def format(self, record: logging.LogRecord) -> str:
        if self._terms.log_format == "text":
            return self._terms.hide(super().format(record))
        moment = datetime.fromtimestamp(record.created, UTC)
        fields: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
            **known_ids(),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD:
                fields.setdefault(name, value if isinstance(value, int | float) else str(value))
        if record.exc_info:
            told = self.formatException(record.exc_info)
            fields["exception"] = told[-MAX_EXCEPTION_CHARACTERS:]
        if record.stack_info:
            fields["stack"] = record.stack_info
        # Before they are written as JSON: there a quotation mark in a password has another look.
        shown = {
            name: self._terms.hide(value) if isinstance(value, str) else value
            for name, value in fields.items()
        }
        return json.dumps(shown, ensure_ascii=False)


class _Handler(logging.StreamHandler[Any]):
    """Standard error, whichever that is when something is said."""

    def __init__(self, terms: LogTerms) -> None:
        logging.Handler.__init__(self)
        self.terms = terms
        self.setFormatter(_Formatter(terms))
        # On the handler, too: libraries give their loggers levels of their own.
        self.setLevel(terms.level)

    @property
    def stream(self) -> Any:  # noqa: ANN401 - as logging has it
        return sys.stderr

    @stream.setter
    def stream(self, value: Any) -> None:  # noqa: ANN401 - as logging has it
        del value


def set_up_logging(level: str, log_format: LogFormat, secrets: Iterable[str] = ()) -> None:
    """Have this process log to standard error; again means otherwise.

    Where somebody else's program has arranged logging already, as a notebook or a test runner has,
    nothing is changed.

    Args:
        level: `DEBUG`, `INFO`, `WARNING` or `ERROR`.
        log_format: `text`, or `json` for one object a line.
        secrets: What must never be seen; also looked for as addresses spell it.
    """
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if isinstance(handler, _Handler)]
    if root.handlers and not ours:
        return
    for handler in ours:
        root.removeHandler(handler)
    root.addHandler(_Handler(LogTerms(level, log_format, _spellings(secrets))))
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.getLevelNamesMapping()[level], logging.INFO))
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _spellings(secrets: Iterable[str]) -> tuple[str, ...]:
    spelled = {
        way
        for secret in secrets
        if len(secret) >= _SHORTEST_SECRET
        for way in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1])
    }
    # Long ones first: a secret may hold another one.
    return tuple(sorted(spelled, key=lambda way: (-len(way), way)))


def _terms() -> LogTerms | None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Handler):
            return handler.terms
    return None


def hide_secrets(text: str) -> str:
    """Return text that is to be kept or shown without anything that is secret."""
    return (_terms() or _NO_TERMS).hide(text)


@contextmanager
def log_ids(**ids: str) -> Iterator[None]:
    """Have what this thread or task logs carry these ids, until the context ends."""
    token = _ids.set({**(_ids.get() or {}), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


def keep_log_ids(**ids: str) -> None:
    """Do as `log_ids` for the rest of this task, what is logged about its end included."""
    _ids.set({**(_ids.get() or {}), **ids})


def known_ids() -> dict[str, str]:
    """Return the ids that a record of this thread or task carries."""
    return {**_process_ids, **(_ids.get() or {})}


def terms_for_child() -> dict[str, Any] | None:
    """Return how a child is to log, as JSON values for a request over a pipe; None: as it likes."""
    terms = _terms()
    if terms is None:
        return None
    return {
        "level": terms.level,
        "log_format": terms.log_format,
        "secrets": list(terms.secrets),
        "ids": known_ids(),
    }


def log_as_told(terms: Mapping[str, Any]) -> None:
    """Log in a child as `terms_for_child` says, all threads with the same ids."""
    set_up_logging(terms["level"], terms["log_format"], terms["secrets"])
    _process_ids.clear()
    _process_ids.update(terms["ids"])


def take_from_child(line: str) -> Sequence[str]:
    """Take a line of a child's standard error; return what a person is shown of it.

    A record in JSON goes on to our own log as it is.
    """
    terms = _terms() or _NO_TERMS
    record = _record_of(line) if terms.log_format == "json" else None
    if record is None:
        return [terms.hide(line)]
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
    shown = f"{record['level']} {record['logger']} {record['message']}"
    return [*shown.splitlines(), *str(record.get("exception", "")).splitlines()]


def _record_of(line: str) -> dict[str, Any] | None:
    if not line.startswith('{"time": '):
        return None
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or not {"level", "logger", "message"} <= record.keys():
        return None
    return record


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("prismata").critical("uncaught", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or issubclass(args.exc_type, SystemExit):
        return
    told = (args.exc_type, args.exc_value, args.exc_traceback)
    name = args.thread.name if args.thread else "?"
    logging.getLogger("prismata").critical("uncaught in thread %s", name, exc_info=told)
