"""A log that cannot be written keeps nobody waiting."""

from __future__ import annotations

import errno
import io
from datetime import datetime

from serving.logs import EventLog


class FullDisk(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_on_a_full_disk_fails_no_answer() -> None:
    log = EventLog(clock=lambda: datetime(2026, 11, 20), stream=FullDisk())
    log.write("answered", status=200)
    log.exception("failed", ValueError("x"))
