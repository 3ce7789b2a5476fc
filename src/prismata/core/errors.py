"""The error tree.

    PrismataError
    ├── UserError               a person can fix it: one sentence, no traceback, exit code 2
    │   ├── BadVideoError       the file is not a video we can read, and why
    │   ├── NotFoundError       a name, id or key that does not exist
    │   ├── ConflictError       somebody else got there first, or it already exists
    │   ├── BusyError           the thing asked for is already running
    │   ├── InvalidInputError   a value, file or option that cannot be used
    │   ├── ForbiddenError      the person has no role that suffices
    │   ├── UnavailableError    something needed is not installed or cannot be reached
    │   └── ExportRefusedError  the exported model does not agree with the trained one
    └── InternalError           our bug: traceback, exit code 70

Every `UserError` message says what was asked, what is true and what to do.
"""

from __future__ import annotations


class PrismataError(Exception):
    """Everything this package raises on purpose."""

    exit_code = 70


class UserError(PrismataError):
    """A person can fix this; shown as one sentence without a traceback."""

    exit_code = 2


class BadVideoError(UserError):
    """The file cannot be used as a video.

    Args:
        message: One sentence for a person.
        reason: Stable short code: `no_video_stream`, `no_moov`, `encrypted`, `no_frames`,
            `attached_picture`, `too_large`, `not_a_video`, `playlist`, `damaged`, `empty_file`,
            `unsupported_codec`, `missing_file`.
    """

    exit_code = 65

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotFoundError(UserError):
    """A name, id or key that does not exist."""

    exit_code = 66


class ConflictError(UserError):
    """The object changed or exists already; nothing was overwritten."""

    exit_code = 73


class BusyError(UserError):
    """The work asked for is already running."""

    exit_code = 75


class InvalidInputError(UserError):
    """A value, file or option that cannot be used."""

    exit_code = 64


class ForbiddenError(UserError):
    """Who asks has no role that suffices; somebody else may do it, or give them one."""

    exit_code = 77


class UnavailableError(UserError):
    """Something this needs is not installed, not configured or cannot be reached."""

    exit_code = 69


class ExportRefusedError(UserError):
    """The exported model and the trained one disagree, so nothing was published."""

    exit_code = 76


class InternalError(PrismataError):
    """A bug of ours."""
