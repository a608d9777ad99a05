"""Persons in the lake: what is kept of one, and forgetting it for good.

A person is named by the columns marked personal (contacts, leads). Forgetting empties them in every version
of the rows and in quarantined cells, and remembers the keys of the rows, so that the same source ingested
again brings nothing back. Everything else of the rows stays: features and decisions never held a name.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from data.lake import Lake, connect
from data.manifest import remember_erased
from data.quarantine import ERASED, HEADER, replace_rows
from data.tables import TABLES, TableContract

PERSONAL: tuple[TableContract, ...] = tuple(t for t in TABLES.values() if any(c.personal for c in t.columns))
"""Tables with columns that name people; each has a key of one column."""


@dataclass(frozen=True)
class Person:
    """What is kept of one person.

    Attributes:
        rows: Table → its rows, all versions, as a frame.
        names: What names the person: values of the personal columns, lower case.
        cells: Quarantine file → number of cells in which a name stands.
    """

    rows: Mapping[str, Any]
    names: frozenset[str]
    cells: Mapping[Path, int]

    @property
    def keys(self) -> dict[str, list[str]]:
        """Table → keys of the person's rows."""
        return {name: sorted(set(frame[TABLES[name].key[0]])) for name, frame in self.rows.items()}


def find_person(lake: Lake, who: str) -> Person:
    """Everything that names a person.

    Args:
        lake: Canonical rows.
        who: Key of a row (a contact's, a lead's) or an e-mail address, which finds the rows of all tables.
    """
    frames = {shape.name: lake.read(shape.name) for shape in PERSONAL if lake.has(shape.name)}
    names = {who.lower()} if "@" in who else set()
    for name, frame in frames.items():
        names |= {n for n in _names(TABLES[name], frame[frame[TABLES[name].key[0]] == who]) if "@" in n}
    rows = {}
    for name, frame in frames.items():
        shape = TABLES[name]
        named = [frame[c.name].astype("string").str.lower().isin(names) for c in shape.columns if c.personal]
        mine = frame[shape.key[0]].isin(_keys(frame, shape, [frame[shape.key[0]] == who, *named]))
        if mine.any():
            rows[name] = frame[mine]
    every = frozenset(names.union(*(_names(TABLES[n], f) for n, f in rows.items())))
    cells = dict(_cells(lake.root / "quarantine", every))
    return Person(rows, every if rows or cells else frozenset(), cells)


def erase_person(lake: Lake, person: Person, *, at: datetime) -> None:
    """Forget what names a person; a second time changes nothing.

    The keys are on record before anything is rewritten: if the process dies between, the next call ends it.

    Args:
        lake: Canonical rows.
        person: As found.
        at: Naive UTC.
    """
    if person.keys and person.names:
        with lake.transaction(ingested_at=at) as work, connect() as connection:
            remember_erased(lake.root, person.keys)
            for table, keys in person.keys.items():
                work.rewrite(table, connection, erased=keys)
    for path in person.cells:
        replace_rows(path, lambda cells: [ERASED if _holds(c, person.names) else c for c in cells])


def _keys(frame: Any, shape: TableContract, hits: Collection[Any]) -> set[str]:
    """Keys of the rows of which any version is hit."""
    found: set[str] = set()
    for hit in hits:
        found |= set(frame.loc[hit.fillna(False).astype(bool), shape.key[0]])
    return found


def _names(shape: TableContract, frame: Any) -> set[str]:
    columns = [c.name for c in shape.columns if c.personal]
    return {str(value).lower() for c in columns for value in frame[c].dropna()}


def _cells(folder: Path, names: Collection[str]) -> Iterator[tuple[Path, int]]:
    if not names:
        return
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            hits = sum(_holds(cell, names) for row in csv.reader(file) for cell in row if row != list(HEADER))
        if hits:
            yield path, hits


def _holds(cell: str, names: Collection[str]) -> bool:
    """An address anywhere in the cell, or a name that is the whole of it."""
    text = cell.lower()
    return any(name in text if "@" in name else name == text for name in names)
