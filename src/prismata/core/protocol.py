"""The text protocol between a heavy child process and whoever started it: one JSON object a line.

The child reads requests from standard input, one a line, until it ends, and writes messages to the
pipe that was its standard output; everything libraries print goes to standard error. Whoever wants
one answer closes the input after one line. A message has `type`; for each request come:

    started   {pid, runtime, versions}        once, before any work
    progress  {done, total, note, eta_s}      at most a few a second
    open_event {event, id}                    an event that is still going on; again as it grows
    event     {event, id?}                    a provisional event, as soon as its run has closed;
                                              it takes the place of what was announced under its id
    scores    {times_us, scores}              what was scored since the last one, thinned; at most
                                              two a second
    memory    {rss_mb, peak_rss_mb}           with progress and before a result
    result    {…}                             once, last; its absence means failure
    error     {cause, message, reason}        once, instead of a result
"""

from __future__ import annotations

import json
from typing import Any

from prismata.core.errors import InvalidInputError

PROTOCOL_VERSION = 1

Message = dict[str, Any]


def encode_message(message_type: str, **fields: Any) -> str:  # noqa: ANN401 - JSON values
    """Return one line of the protocol, newline included."""
    return json.dumps({"type": message_type, "v": PROTOCOL_VERSION, **fields}) + "\n"


def decode_message(line: str) -> Message:
    """Read one line of the protocol.

    Raises:
        InvalidInputError: If the line is not a message of a version that we speak.
    """
    try:
        message = json.loads(line)
    except json.JSONDecodeError as error:
        raise InvalidInputError(f"not a protocol line: {line[:120]!r}") from error
    if not isinstance(message, dict) or "type" not in message:
        raise InvalidInputError(f"a protocol line without a type: {line[:120]!r}")
    if message.get("v") != PROTOCOL_VERSION:
        raise InvalidInputError(
            f"the child speaks protocol version {message.get('v')!r}, we speak {PROTOCOL_VERSION}"
        )
    return message
