"""Protocols with two real sides, so that rooms on one floor meet without importing each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from prismata.core.jobs import FailureCause, JobState
from prismata.core.protocol import Message

MessageHandler = Callable[[Message], None]


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """Bounds for one child process; 0 means no bound."""

    memory_mb: int = 0
    """Address-space limit (RLIMIT_AS) in MB."""
    stall_seconds: float = 120.0
    """Stop the child when it has not said anything for this long."""
    wall_seconds: float = 0.0
    save_seconds: float = 10.0
    """Time to save what it has when its job is given back; then it is killed."""


@dataclass(frozen=True, slots=True)
class ChildOutcome:
    """How a child ended; `result` is there if and only if the state is `succeeded`."""

    state: JobState
    cause: FailureCause | None = None
    message: str = ""
    """One sentence for a person; empty on success."""
    result: dict[str, Any] | None = None
    peak_rss_mb: float = 0.0
    wall_seconds: float = 0.0
    exit_code: int | None = None
    """Negative: the number of the signal that ended it."""
    log_tail: tuple[str, ...] = field(default=())
    """Last 100 lines of the child's standard error."""


class ChildRunner(Protocol):
    """Runs one heavy child process to its end and never dies with it."""

    def run(
        self,
        argv: Sequence[str],
        request: dict[str, Any],
        *,
        on_message: MessageHandler,
        limits: ChildLimits,
        cancelled: Callable[[], bool] = lambda: False,
        given_back: Callable[[], bool] = lambda: False,
    ) -> ChildOutcome:
        """Start the child, hand it `request` as one JSON line, relay its messages, return the end.

        Never raises for what the child does; that is what the outcome says.
        """
        ...


class ChildSessions(ChildRunner, Protocol):
    """A `ChildRunner` that can also keep a child alive from one request to the next."""

    def session(self) -> AbstractContextManager[ChildRunner]:
        """Return a runner whose child stays until the context ends, or it fails.

        What ends a child is told for that request alone; the next one starts a new child.
        """
        ...


SuccessHandler = Callable[[dict[str, Any]], dict[str, Any] | None]
EndHandler = Callable[[ChildOutcome], None]


def ignore_message(message: Message) -> None:
    """Take a message for those who do not listen."""
    del message


def _keep_result(result: dict[str, Any]) -> dict[str, Any]:
    return result


def _ignore_end(outcome: ChildOutcome) -> None:
    del outcome


@dataclass(slots=True)
class Assignment:
    """One attempt at a job: what its child is told, and what becomes of what it says.

    The handlers run in the thread that waits for the child. A `UserError` or `OSError` of
    `on_message` or `on_success` fails the attempt with its message; any other exception fails it as
    our bug.
    """

    argv: Sequence[str]
    """The child's program and arguments."""
    request: dict[str, Any]
    """What the child gets to read, JSON values."""
    limits: ChildLimits
    on_message: MessageHandler = ignore_message
    """Gets every protocol message."""
    on_success: SuccessHandler = _keep_result
    """Gets the child's result while the job is still ours, to store what belongs into other tables;
    returns what is kept with the job. It has as long as a lease."""
    on_end: EndHandler = _ignore_end
    """Told once the job has ended for good without success, to clean up; not called if the job was
    taken away from us, because its new owner decides then."""
    notes: Sequence[str] = ()
    """Sentences about earlier attempts; they follow the message if this one fails too."""
    resources: ExitStack = field(default_factory=ExitStack)
    """Local copies and the like; let go of when the attempt is over."""
    finished: dict[str, Any] | None = None
    """An earlier attempt has done everything but say so: this is its result, and no child runs."""
