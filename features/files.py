"""Writing files so that a reader sees the old one or the new one, never a torn one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary neighbour of `path`, flush it to disk, and put it in place.

    Args:
        path: Where the file belongs; its folder is made.
        write: Called with the temporary path. When it raises, nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON document atomically, keys sorted."""
    write_atomically(path, lambda p: p.write_text(canonical_json(document) + "\n", encoding="utf-8"))


def canonical_json(document: Any) -> str:
    """JSON with sorted keys: the same document gives the same text."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def digest(document: Any) -> str:
    """sha256 of a JSON-able document."""
    return hashlib.sha256(canonical_json(document).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
