"""Small JSON files that survive a crash: written beside, flushed, then moved into place."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_json(path: Path, value: Any) -> None:
    """Replace a file by the JSON of `value`: a reader sees the old or the new, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)


def read_json(path: Path) -> Any:
    """The value of a file; None when there is none or it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def mark(path: Path) -> tuple[int, int] | None:
    """Time and size of a file, to see that it changed; None when it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
