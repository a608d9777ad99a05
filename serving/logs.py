"""Structured logs that cannot repeat what a caller sent: fields are ours, exceptions lose their message."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, TextIO


class EventLog:
    """Writes one JSON object a line.

    Args:
        clock: Naive UTC time.
        stream: Where to; standard error unless given.
    """

    def __init__(self, *, clock: Callable[[], datetime], stream: TextIO | None = None) -> None:
        self._clock, self._stream = clock, stream

    def write(self, event: str, **fields: Any) -> None:
        """One line; `fields` are plain values of ours."""
        line = {"at": self._clock().isoformat(timespec="milliseconds") + "Z", "event": event, **fields}
        # A log that cannot be written, as on a full disk, must not keep an answer from being given.
        with suppress(OSError):
            print(json.dumps(line, default=str), file=self._stream or sys.stderr, flush=True)

    def exception(self, event: str, error: BaseException, **fields: Any) -> None:
        """An exception as type and places. Its message is left out: it may hold input."""
        self.write(event, error=type(error).__name__, places=_places(error), **fields)


def without_messages(record: logging.LogRecord) -> bool:
    """A logging filter that replaces an exception by its type and places: its message may hold input."""
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        record.msg, record.args = f"{type(error).__name__} at {_places(error)[-1:]}", ()
        record.exc_info = record.exc_text = None
    return True


def _places(error: BaseException) -> list[str]:
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{f.filename}:{f.lineno} {f.name}" for f in frames[-12:]]
