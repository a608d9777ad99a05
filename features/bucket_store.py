"""Buckets on disk: only files that are new to the lake are reduced, unless they correct what was reduced."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from features.buckets import KINDS, Bucket, BucketKind
from features.files import digest, write_atomically, write_json
from features.fingerprint import definition_hash, part_names
from features.settings import FeatureSettings
from features.source import Source
from features.versions import overlap, spans_of_large

MOST_PARTS = 50
"""Above this many increments the buckets are made anew, in one piece."""


def stored_buckets(root: Path, source: Source, table: str, *, settings: FeatureSettings) -> dict[str, Bucket]:
    """The buckets of a table, brought up to date on disk.

    New files are appended. Everything is reduced anew when the definitions changed, when files went away, or
    when a new row has the key of an old one: a late correction ends the older version's span.

    Args:
        root: Folder of the buckets.
        source: Session over the lake's files.
        table: `events` or `deals`; no buckets when absent.
        settings: Event groups.
    """
    if not source.has(table):
        return {}
    folder = root / table
    kinds = [k for k in KINDS if k.table == table]
    key = definition_hash(settings=settings)
    state = _read_state(folder, key=key, kinds=kinds)
    files = {part_names([p])[0]: p for p in source.paths[table]}
    new = [files[name] for name in sorted(files.keys() - state["covered"])]
    old = [files[name] for name in sorted(files.keys() & set(state["covered"]))]
    anew = len(old) < len(state["covered"]) or len(state["increments"]) >= MOST_PARTS
    if anew or (new and old and overlap(source, table, new=new, old=old)):
        state, new = _empty(key), list(files.values())
    if new:
        state = _append(folder, source, table, new=new, state=state, kinds=kinds, settings=settings)
    return {k.name: _open(folder, source, k, state) for k in kinds}


def _empty(key: str) -> dict[str, Any]:
    return {"key": key, "covered": [], "increments": [], "corrected": False}


def _read_state(folder: Path, *, key: str, kinds: list[BucketKind]) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return _empty(key)
    whole = all((folder / f"{k.name}-{i}.parquet").is_file() for k in kinds for i in state["increments"])
    return state if whole and state["key"] == key else _empty(key)


def _append(
    folder: Path,
    source: Source,
    table: str,
    *,
    new: list[Path],
    state: dict[str, Any],
    kinds: list[BucketKind],
    settings: FeatureSettings,
) -> dict[str, Any]:
    """Reduce the new files to one increment and make it part of the state."""
    rows, corrected = spans_of_large(source, table, paths=new)
    names = part_names(new)
    increment = digest([state["key"], *names])[:16]
    for kind in kinds:
        write = partial(source.connection.to_parquet, kind.reduce(rows, settings))
        write_atomically(folder / f"{kind.name}-{increment}.parquet", write)
    state = {
        "key": state["key"],
        "covered": sorted([*state["covered"], *names]),
        "increments": [*state["increments"], increment],
        "corrected": state["corrected"] or corrected,
    }
    write_json(folder / "state.json", state)
    for file in folder.glob("*.parquet"):
        if file.stem.rpartition("-")[2] not in state["increments"]:
            file.unlink()
    return state


def _open(folder: Path, source: Source, kind: BucketKind, state: dict[str, Any]) -> Bucket:
    files = [str(folder / f"{kind.name}-{i}.parquet") for i in state["increments"]]
    return Bucket(source.connection.read_parquet(files), bool(state["corrected"]))
