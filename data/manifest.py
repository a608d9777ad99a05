"""The manifest of a lake: the only truth about which files are live, replaced in one atomic step."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.errors import DataError

NAME = "manifest.json"
ERASED = "erased.json"
_FORMAT = 1
_WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class Part:
    """One live Parquet file.

    Attributes:
        file: Path relative to the lake.
        rows: Rows in it.
        digest: Sum of the row hashes, modulo 2^64 for each half: the same for the same rows in any order.
        ingested_at: When it was written, RFC 3339 UTC.
    """

    file: str
    rows: int
    digest: str
    ingested_at: str


Manifest = Mapping[str, tuple[Part, ...]]


def read_manifest(root: Path) -> dict[str, tuple[Part, ...]]:
    """Live parts by table; empty when the lake is new.

    Raises:
        DataError: The file is damaged or of another format.
    """
    try:
        document = json.loads((root / NAME).read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise DataError(
            f"{root / NAME} is damaged: {error}.", next_step="Remove the lake folder and ingest again."
        ) from error
    if document.get("format") != _FORMAT:
        raise DataError(f"{root / NAME} has format {document.get('format')!r}.", allowed=str(_FORMAT))
    return {table: tuple(Part(**part) for part in parts) for table, parts in document["tables"].items()}


def write_manifest(root: Path, manifest: Manifest) -> None:
    """Replace the manifest: after a crash at any moment it is the old one or the new one, whole."""
    tables = {table: [asdict(p) for p in manifest[table]] for table in sorted(manifest)}
    _replace(root / NAME, {"format": _FORMAT, "tables": tables})


def read_erased(root: Path) -> dict[str, frozenset[str]]:
    """Table → keys of rows whose personal fields are empty for good.

    Raises:
        DataError: The file is damaged: nothing is read or written that might bring a person back.
    """
    try:
        return {t: frozenset(keys) for t, keys in json.loads((root / ERASED).read_bytes()).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"{root / ERASED} is damaged: {error}.",
            next_step="Restore it from a backup; it says whom to forget.",
        ) from error


def remember_erased(root: Path, keys: Mapping[str, Collection[str]]) -> None:
    """Add to `read_erased`; only called under the lock."""
    known = read_erased(root)
    every = {t: sorted(known.get(t, frozenset()) | set(keys.get(t, ()))) for t in sorted({*known, *keys})}
    _replace(root / ERASED, every)


def _replace(path: Path, document: Mapping[str, Any]) -> None:
    """Write JSON, whole or not at all, even if the power fails."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(json.dumps(document, indent=1, sort_keys=True))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def content_version(manifest: Manifest) -> str:
    """Hash of the rows that are live, whatever the batches they came in and when."""
    sums: dict[str, Any] = {}
    for table in sorted(manifest):
        rows = sum(p.rows for p in manifest[table])
        halves = [sum(int(p.digest[i : i + 16], 16) for p in manifest[table]) % 2**64 for i in (0, 16)]
        if rows:
            sums[table] = [rows, *halves]
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Hold the lake's writer lock; the operating system releases it when the process dies.

    Raises:
        DataError: Another process has held it for a minute.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as file:
        waited = 0.0
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if waited >= _WAIT_SECONDS:
                    raise DataError(
                        f"Another process is writing to {root}.", next_step="Wait until it has finished."
                    ) from None
                time.sleep(0.05)
                waited += 0.05
        yield
