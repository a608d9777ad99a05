"""From an uploaded file to prospects: columns recognised, rows checked, duplicates grouped, partners marked.

Every row of the file ends in exactly one place: to be ranked, a fault, a duplicate, or an existing partner.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from data.errors import InputError
from data.spreadsheet import HeaderMatch, TextTable, apply_mapping, propose_mapping
from data.spreadsheet.headers import CONFIDENT
from models.accounts import best_match, duplicates
from models.accounts.scoring import load_weights
from serving.fit.cells import read_column
from serving.fit.prospects import COLUMNS

MATCHED = ("name", "domain", "country", "city", "address", "phone")
FIELDS = ("prospect_id", *COLUMNS, "address", "phone")
"""Fields a column of a list can be mapped to."""
Step = Callable[[float, str], None]


@dataclass(frozen=True)
class Fault:
    """A row that cannot be used.

    Attributes:
        line: Line of the file, or row of the sheet.
        field: Our field, or '' when the whole row is meant.
        column: Header of the column, or ''.
        given: What stands there.
        reason: What is wrong, in words.
    """

    line: int
    field: str
    column: str
    given: str
    reason: str


@dataclass(frozen=True)
class ListRow:
    """A usable row.

    Attributes:
        line: Line of the file.
        prospect_id: As given, or made of the line.
        values: Canonical values.
    """

    line: int
    prospect_id: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Double:
    """A row that is the same company as another of the list."""

    row: ListRow
    of_line: int
    probability: float
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Existing:
    """A row that is a partner already."""

    row: ListRow
    partner_id: str
    probability: float
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Links:
    """Which rows are other rows or partners, found once and kept: looking for them is the longest part.

    Attributes:
        doubles: (line, line it repeats, probability, evidence).
        existing: (line, partner, probability, evidence).
    """

    doubles: Sequence[tuple[int, int, float, Sequence[str]]]
    existing: Sequence[tuple[int, str, float, Sequence[str]]]


@dataclass(frozen=True)
class Intake:
    """What became of a list.

    Attributes:
        table: As read.
        mapping: Field → column that was used.
        proposal: What each column seems to hold.
        rows: To be ranked.
        faults: Not usable.
        doubles: Duplicates of a row that is kept.
        existing: Partners already.
        notes: What a person should know.
    """

    table: TextTable
    mapping: Mapping[str, str]
    proposal: tuple[HeaderMatch, ...]
    rows: tuple[ListRow, ...]
    faults: tuple[Fault, ...]
    doubles: tuple[Double, ...]
    existing: tuple[Existing, ...]
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def counts(self) -> dict[str, int]:
        """Rows in = to be ranked + faults + duplicates + existing partners."""
        parts = {
            "ranked": len(self.rows),
            "faults": len(self.faults),
            "duplicates": len(self.doubles),
            "existing_partners": len(self.existing),
        }
        return {"rows": sum(parts.values()), **parts}

    @property
    def links(self) -> Links:
        """What was found by comparing rows."""
        doubles = [(d.row.line, d.of_line, d.probability, d.evidence) for d in self.doubles]
        existing = [(e.row.line, e.partner_id, e.probability, e.evidence) for e in self.existing]
        return Links(doubles, existing)


def proposed(proposal: Sequence[HeaderMatch]) -> dict[str, str]:
    """Field → column of what can be preselected: everything the names leave no doubt about."""
    return {m.field: m.column for m in proposal if m.field in FIELDS and m.confidence >= CONFIDENT}


def take_in(
    table: TextTable,
    *,
    mapping: Mapping[str, str] | None = None,
    partners: Any = None,
    links: Links | None = None,
    progress: Step | None = None,
) -> Intake:
    """Sort the rows of a list into their places.

    Args:
        table: The list as read.
        mapping: Field → column, confirmed or given; None: the proposal.
        partners: Frame of id, name, domain, country, city of partners there are; None: there are none.
        links: Duplicates and partners as the same file under the same mapping gave them before; None: look.
        progress: Called with (share of the work done, what is being done); None: nobody.

    Raises:
        InputError: A field or column does not exist, or there is neither name nor domain.
    """
    proposal = propose_mapping(table.columns)
    used = dict(mapping) if mapping is not None else proposed(proposal)
    check_mapping(used, table.columns)
    tell = progress or (lambda *_: None)
    tell(0.05, "checking rows")
    good, faults = _checked(table, used)
    tell(0.2, "looking for duplicates")
    kept, doubles = _deduplicated(good) if links is None else _doubles_again(good, links)
    kept, twice = _one_row_per_id(kept)
    tell(0.8, "looking for partners")
    rows, existing = _known(kept, partners) if links is None else _existing_again(kept, links)
    every = [*_unread(table), *faults, *twice]
    return Intake(
        table=table,
        mapping=used,
        proposal=proposal,
        rows=tuple(sorted(rows, key=lambda r: r.line)),
        faults=tuple(sorted(every, key=lambda f: f.line)),
        doubles=tuple(sorted(doubles, key=lambda d: d.row.line)),
        existing=tuple(sorted(existing, key=lambda e: e.row.line)),
        notes=table.notes,
    )


def names_companies(mapping: Mapping[str, str]) -> bool:
    """Whether a column says which company a row is."""
    return bool({"name", "domain"} & set(mapping))


def check_mapping(mapping: Mapping[str, str], columns: Sequence[str]) -> None:
    """Refuse a mapping under which no row could be used, before anything is read.

    Raises:
        InputError: A field or column does not exist, or there is neither name nor domain.
    """
    for field_name, column in mapping.items():
        if field_name not in FIELDS:
            raise InputError(
                f"There is no field {field_name!r}.",
                allowed=", ".join(FIELDS),
                pointer=f"/mapping/{field_name}",
            )
        if column not in columns:
            raise InputError(
                f"The list has no column {column!r}.",
                allowed=", ".join(columns[:50]),
                pointer=f"/mapping/{field_name}",
            )
    if not names_companies(mapping):
        raise InputError(
            "No column is said to hold the name of the company or its web domain.",
            allowed=f"for at least one of the two, a column of the list: {', '.join(columns[:50])}",
            next_step='Say which columns they are in `mapping`, such as {"name": "Firma"}.',
            pointer="/mapping",
        )


def _unread(table: TextTable) -> list[Fault]:
    """Rows the reader already set aside."""
    return [Fault(f.line, "", f.field, _shown(f.given), f.reason) for f in table.faults]


def _checked(table: TextTable, mapping: Mapping[str, str]) -> tuple[list[ListRow], list[Fault]]:
    frame = apply_mapping(table, mapping)
    columns = {name: read_column(name, frame[name].tolist()) for name in frame.columns}
    good: list[ListRow] = []
    faults: list[Fault] = []
    for at, line in enumerate(table.lines):
        wrong = [(name, found[at][1]) for name, found in columns.items() if found[at][1]]
        values = {name: found[at][0] for name, found in columns.items()}
        if wrong:
            name, reason = wrong[0]
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            given = str(frame[name].iloc[at] or "")
            faults.append(Fault(line, name, mapping[name], given, reason + more))
        elif not values.get("name") and not values.get("domain"):
            name = "name" if "name" in mapping else "domain"
            faults.append(Fault(line, name, mapping[name], "", "neither a name nor a domain is given"))
        else:
            given_id = values.pop("prospect_id", None)
            good.append(ListRow(line, str(given_id or f"line-{line}"), values))
    return good, faults


def _deduplicated(rows: Sequence[ListRow]) -> tuple[list[ListRow], list[Double]]:
    """One row of each company, the fullest; the choice does not depend on the order of the rows."""
    if len(rows) < 2:
        return list(rows), []
    by_line = {str(r.line): r for r in rows}
    doubles: list[Double] = []
    for group in duplicates(_frame(rows)):
        members = sorted((by_line[i] for i in group.ids), key=_fullness)
        first, evidence = members[0], {m.left_id: m for m in group.matches}
        evidence |= {m.right_id: m for m in group.matches if m.right_id not in evidence}
        for other in members[1:]:
            link = evidence.get(str(other.line))
            told = link.evidence if link else ()
            probability = link.probability if link else group.probability
            doubles.append(Double(other, first.line, float(probability), tuple(told)))
    gone = {d.row.line for d in doubles}
    return [r for r in rows if r.line not in gone], doubles


def _doubles_again(rows: Sequence[ListRow], links: Links) -> tuple[list[ListRow], list[Double]]:
    by_line = {r.line: r for r in rows}
    doubles = [Double(by_line[line], of, p, tuple(told)) for line, of, p, told in links.doubles]
    gone = {d.row.line for d in doubles}
    return [r for r in rows if r.line not in gone], doubles


def _existing_again(rows: Sequence[ListRow], links: Links) -> tuple[list[ListRow], list[Existing]]:
    by_line = {r.line: r for r in rows}
    existing = [Existing(by_line[line], who, p, tuple(told)) for line, who, p, told in links.existing]
    gone = {e.row.line for e in existing}
    return [r for r in rows if r.line not in gone], existing


def _fullness(row: ListRow) -> tuple[Any, ...]:
    filled = sum(v is not None for v in row.values.values())
    content = tuple(str(row.values.get(f)) for f in sorted(row.values))
    return (-filled, content, row.prospect_id, row.line)


def _one_row_per_id(rows: Sequence[ListRow]) -> tuple[list[ListRow], list[Fault]]:
    """Two companies under one identifier cannot be told apart later: all but the first are faults."""
    counts = Counter(r.prospect_id for r in rows)
    kept: list[ListRow] = []
    faults: list[Fault] = []
    first: dict[str, int] = {}
    for row in sorted(rows, key=lambda r: r.line):
        if counts[row.prospect_id] > 1 and row.prospect_id in first:
            reason = f"stands for another company in line {first[row.prospect_id]}"
            faults.append(Fault(row.line, "prospect_id", "", row.prospect_id, reason))
        else:
            first[row.prospect_id] = row.line
            kept.append(row)
    return kept, faults


def _known(rows: Sequence[ListRow], partners: Any) -> tuple[list[ListRow], list[Existing]]:
    if partners is None or not len(partners) or not rows:
        return list(rows), []
    by_line = {str(r.line): r for r in rows}
    found = best_match(_frame(rows), partners, least=load_weights().merge)
    existing = [Existing(by_line[line], m.right_id, m.probability, m.evidence) for line, m in found.items()]
    return [r for r in rows if str(r.line) not in found], existing


def _frame(rows: Sequence[ListRow]) -> Any:
    import pandas as pd

    columns = {c: [r.values.get(c) for r in rows] for c in MATCHED}
    columns["name"] = [r.values.get("name") or r.values.get("domain") for r in rows]
    return pd.DataFrame({"id": [str(r.line) for r in rows], **columns}, dtype=object)


def _shown(cells: Sequence[str | None]) -> str:
    return " | ".join(c or "" for c in cells)[:500]
