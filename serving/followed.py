"""A value that is made from a file, and made anew when the file has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from serving.lastknown import mark

T = TypeVar("T")


class Followed(Generic[T]):
    """Follows a file by its time and size; safe in several threads.

    Args:
        path: The file; need not exist.
        read: Makes the value; called only while the file is there.
        empty: The value where there is no file.
    """

    def __init__(self, path: Path, read: Callable[[], T], *, empty: T) -> None:
        self._path, self._read, self._empty = path, read, empty
        self._lock = Lock()
        self._mark: tuple[int, int] | None = None
        self._value = empty

    def __call__(self) -> T:
        """The value of now."""
        found = mark(self._path)
        with self._lock:
            if found != self._mark:
                self._value = self._empty if found is None else self._read()
                self._mark = found
            return self._value
