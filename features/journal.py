"""What was lately written to the online store, for the processes that keep all of it in memory.

Reading every partner back costs seconds; reading what changed costs milliseconds. The journal is a
convenience: a reader that misses a part of it reads the store.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import ipc

KEPT = 200
"""Entries; at a round a second some minutes."""
_SUFFIX = ".arrow"


@dataclass(frozen=True)
class Entry:
    """Rows of one view that were written together.

    Attributes:
        view: Its name.
        rows: DataFrame with index partner_id: the features, and the event time as `<view>__event_us`.
    """

    view: str
    rows: Any


class Journal:
    """Numbered files in a folder, the oldest of which are thrown away.

    Args:
        folder: Where; made when needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def head(self) -> int:
        """Number of the newest entry; 0 before any."""
        return max(self._numbers(), default=0)

    def append(self, view: str, rows: Any) -> None:
        """Add an entry; the caller holds the store's lock, so that entries are in the order of the writes.

        Args:
            view: Its name.
            rows: DataFrame with partner_id, the features of the view and `<view>__event_us`.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        numbers = self._numbers()
        number = max(numbers, default=0) + 1
        table = pa.Table.from_pandas(rows, preserve_index=False)
        path = self._folder / f"{number:012d}-{view}{_SUFFIX}"
        # Not flushed to disk: after a power cut every reader begins with the store.
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with ipc.new_file(str(temporary), table.schema) as writer:
            writer.write_table(table)
        temporary.replace(path)
        for old, name in numbers.items():
            if old <= number - KEPT:
                (self._folder / name).unlink(missing_ok=True)

    def since(self, after: int) -> tuple[list[Entry], int] | None:
        """Entries after a number, oldest first, and the newest number; None when some are gone."""
        numbers = self._numbers()
        head = max(numbers, default=0)
        wanted = range(after + 1, head + 1)
        if head < after or any(n not in numbers for n in wanted):
            return None
        try:
            return [self._read(numbers[n]) for n in wanted], head
        except (OSError, pa.ArrowException):
            return None

    def _read(self, name: str) -> Entry:
        with ipc.open_file((self._folder / name).read_bytes()) as reader:
            rows = reader.read_all().to_pandas()
        view = name.removesuffix(_SUFFIX).partition("-")[2]
        return Entry(view, rows.set_index("partner_id"))

    def _numbers(self) -> dict[int, str]:
        try:
            names = [p.name for p in self._folder.iterdir() if p.suffix == _SUFFIX]
        except FileNotFoundError:
            return {}
        return {int(n[:12]): n for n in names}
