"""Files the user asked for: looked at before the work begins, and whole or absent when it ends."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from data.errors import InputError


def check_output(path: Path, *, suffixes: Sequence[str] = ()) -> None:
    """Refuse a place that cannot be written, before an hour of work.

    Args:
        path: The file to be.
        suffixes: Endings that are allowed; none: any.

    Raises:
        InputError: It cannot be written, or has another ending.
    """
    if suffixes and path.suffix not in suffixes:
        raise InputError(
            f"Cannot write {path}: {path.suffix or 'no ending'} is no format of ours.",
            allowed=f"a name that ends in {' or '.join(suffixes)}",
        )
    folder = path.parent
    why = ""
    if path.is_dir():
        why = "it is a folder"
    elif not folder.is_dir():
        why = f"there is no folder {folder}"
    elif not os.access(folder, os.W_OK):
        why = f"{folder} may not be written to"
    if why:
        raise InputError(
            f"Cannot write {path}: {why}.", next_step="Name a file in a folder that you can write."
        )


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary neighbour and put it in place; an error leaves what was there."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
