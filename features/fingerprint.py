"""What a stored result was made from, so that exactly the stale ones are made again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from features.definition import ViewDefinition
from features.files import digest
from features.settings import FeatureSettings
from features.source import Source, TablePaths
from features.versions import first_known_day

_SHARED = ("source", "versions", "buckets", "windows", "gaps", "inputs", "build", "firmographics", "snapshot")


@dataclass(frozen=True)
class Fingerprint:
    """Of one stored result.

    Attributes:
        definition: Hash of the code and settings that make it.
        parts: Table name to the names of its files. The lake names files by content and never rewrites them.
    """

    definition: str
    parts: Mapping[str, tuple[str, ...]]

    def document(self) -> dict[str, Any]:
        """JSON-able form."""
        return {"definition": self.definition, "parts": {t: list(p) for t, p in self.parts.items()}}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Fingerprint:
        """From the JSON-able form."""
        return cls(document["definition"], {t: tuple(p) for t, p in document["parts"].items()})


def definition_hash(*modules: str, settings: FeatureSettings) -> str:
    """Hash of the named modules of this package, of what all share, and of what matters in the settings."""
    chosen = settings.model_dump(mode="json", include={"event_groups", "gap_window_days", "gap_prior_weight"})
    return digest([_source_hash(m) for m in sorted({*_SHARED, *modules})] + [chosen])


@cache
def _source_hash(module: str) -> str:
    return hashlib.sha256((Path(__file__).parent / f"{module}.py").read_bytes()).hexdigest()


def view_fingerprint(view: ViewDefinition, tables: TablePaths, *, settings: FeatureSettings) -> Fingerprint:
    """What a snapshot of a view would be made from now."""
    parts = {t: part_names(tables[t]) for t in ("partners", *view.tables) if tables.get(t)}
    return Fingerprint(definition_hash(view.name, settings=settings), parts)


def part_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """File names with sizes, sorted."""
    return tuple(sorted(f"{p.name}:{p.stat().st_size}" for p in paths))


def still_holds(stored: Fingerprint, now: Fingerprint, *, day: int, source: Source) -> bool:
    """Whether a snapshot made then is what would be made now.

    It is when nothing changed, or when only rows were added and none of them is known by its date: such rows,
    corrections included, cannot touch it.

    Args:
        stored: What the snapshot was made from.
        now: What it would be made from.
        day: Its date, days since 1970-01-01.
        source: Session over the current files.
    """
    if stored.definition != now.definition or stored.parts.keys() != now.parts.keys():
        return False
    for table, parts in now.parts.items():
        if not set(stored.parts[table]) <= set(parts):
            return False
        added = set(parts) - set(stored.parts[table])
        new = [p for p in source.paths[table] if part_names([p])[0] in added]
        if new and first_known_day(source, table, paths=new) <= day:
            return False
    return True
