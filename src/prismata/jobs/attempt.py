"""One request to a child: hand it over, relay what comes, watch the limits, note the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from prismata.core.errors import InvalidInputError
from prismata.core.jobs import FailureCause
from prismata.core.logs import hide_secrets, take_from_child
from prismata.core.ports import ChildLimits, MessageHandler
from prismata.core.protocol import Message, decode_message
from prismata.jobs.lines import LogTail
from prismata.jobs.process import ChildProcess
from prismata.jobs.verdict import Ending, StopReason

_POLL_SECONDS = 0.25
_GIVE_UP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class StopQuestions:
    """What is asked several times a second: is the child to stop?"""

    cancelled: Callable[[], bool]
    """Nobody is interested any more."""
    given_back: Callable[[], bool]
    """Somebody else is to go on from what it saves."""


class Attempt:
    """What happens between a request and its answer, or the end of the child.

    Args:
        child: Who gets the request; its lines come here until the attempt is over.
        on_message: Gets every protocol message in the thread that follows.
        limits: Bounds of this request.
        stays: The child is to take another request after this one.
    """

    def __init__(
        self,
        child: ChildProcess,
        on_message: MessageHandler,
        limits: ChildLimits,
        *,
        stays: bool,
    ) -> None:
        self._child = child
        self._on_message = on_message
        self._limits = limits
        self._stays = stays
        self._log = LogTail()
        self._started_at = time.monotonic()
        self._last_sign_at = self._started_at
        self._result: Message | None = None
        self._error: Message | None = None
        self._stopped_for: StopReason | None = None
        self._kill_at = float("inf")
        self._give_up_at = float("inf")
        self._gave_up = False
        self._peak_rss_mb = 0.0
        self._wall_seconds = 0.0

    @property
    def child_can_go_on(self) -> bool:
        """Whether the child has answered, was left in peace and may take another request."""
        return (
            self._is_answered
            and self._stopped_for is None
            and not self._child.has_ended
            and self._child.has_read_everything
        )

    def follow(self, request_line: bytes, questions: StopQuestions, grace_seconds: float) -> None:
        """Feed, listen and watch the limits until the child has answered or ended.

        A child that is to stay is done when it has answered; of any other the end is awaited.
        """
        self._child.on_line, self._child.on_log = self._hear, self._hear_log
        self._child.send(request_line, last=not self._stays)
        next_poll_at = 0.0
        while not (self._child.has_ended or self._gave_up or self._is_answered):
            self._child.listen(_POLL_SECONDS)
            now = time.monotonic()
            if now >= next_poll_at:
                self._watch_limits(now, questions, grace_seconds)
                next_poll_at = now + _POLL_SECONDS
        if self._child.has_ended or self._gave_up:
            self._child.finish_lines()
            self._note_peak(self._child.max_rss_mb)
        else:
            self._child.take_log()
        self._wall_seconds = time.monotonic() - self._started_at

    def ending(self, oom_kills: int) -> Ending:
        """Return what is known now that it is over."""
        exit_code = self._child.exit_code
        if self._is_answered and self._result is not None:
            exit_code = 0  # what becomes of the child later is not this request's affair
        return Ending(
            result=self._result,
            error=self._error,
            exit_code=exit_code,
            stopped_for=self._stopped_for,
            oom_kills=oom_kills,
            peak_rss_mb=self._peak_rss_mb,
            wall_seconds=self._wall_seconds,
            log_tail=self._log.lines(),
        )

    @property
    def _is_answered(self) -> bool:
        """Whether a child that is to stay has said its last word; after other errors it ends."""
        if not self._stays:
            return False
        if self._result is not None:
            return True
        return self._error is not None and self._error.get("cause") == FailureCause.USER_ERROR

    def _hear(self, line: str) -> None:
        try:
            message = decode_message(line)
        except InvalidInputError as error:
            self._log.add(f"stdout: {line}" if not line.startswith("{") else str(error))
            return
        except (ValueError, RecursionError):  # a number or a nesting beyond what Python reads
            self._log.add(f"stdout: {line}")
            return
        kind = message["type"]
        if kind == "memory":
            self._note_peak(message.get("peak_rss_mb"))
        elif kind == "result" and self._result is None:
            self._result = message
        elif kind == "error" and self._error is None:
            message["message"] = hide_secrets(str(message.get("message", "")))
            self._error = message
        self._on_message(message)
        # After the handler: the time it takes is ours, not the child's silence.
        self._last_sign_at = time.monotonic()

    def _hear_log(self, line: str) -> None:
        for shown in take_from_child(line):
            self._log.add(shown)

    def _note_peak(self, peak_rss_mb: object) -> None:
        if isinstance(peak_rss_mb, int | float):
            self._peak_rss_mb = max(self._peak_rss_mb, float(peak_rss_mb))

    def _watch_limits(self, now: float, questions: StopQuestions, grace_seconds: float) -> None:
        if self._stopped_for is None:
            is_given_back = questions.given_back()
            self._stopped_for = self._reason_to_stop(
                now, is_unwanted=is_given_back or questions.cancelled()
            )
            if self._stopped_for is None:
                return
            self._kill_at = now + (self._limits.save_seconds if is_given_back else grace_seconds)
            self._child.stop()
        elif now >= self._kill_at:
            self._child.kill()
            self._kill_at, self._give_up_at = float("inf"), now + _GIVE_UP_SECONDS
        elif now >= self._give_up_at:  # the warden is stopped, or waits for a child stuck in I/O
            self._gave_up = True

    def _reason_to_stop(self, now: float, *, is_unwanted: bool) -> StopReason | None:
        limits = self._limits
        if is_unwanted:
            return StopReason.CANCELLED
        if limits.stall_seconds and now - self._last_sign_at > limits.stall_seconds:
            return StopReason.STALLED
        if limits.wall_seconds and now - self._started_at > limits.wall_seconds:
            return StopReason.OVERTIME
        return None
