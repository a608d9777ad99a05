"""Which column of an uploaded list is which of our fields: a proposal with a confidence, to be confirmed."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from data.errors import InputError
from data.spreadsheet.table import TextTable
from data.tables import TABLES

# What lists hold beyond the prospects table and company matching can use.
MATCHING_FIELDS = ("address", "phone")
CONFIDENT = 0.85
POSSIBLE = 0.6
# A revenue in no currency, or in euros, is not yet one in dollars: a person has to say so.
UNSURE = 0.7
_MONEY = "annual_revenue_usd"
_DOLLARS = re.compile(r"usd|us-?dollar|\$", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_OTHER = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class HeaderMatch:
    """One column and the field it seems to hold.

    Attributes:
        column: Header as in the file.
        field: Our field, or '' when none is alike enough.
        confidence: 0 to 1; 1 when the header is a name we know.
        like: The known name it was compared with.
    """

    column: str
    field: str
    confidence: float
    like: str

    @property
    def confident(self) -> bool:
        """Whether it may be preselected; a person confirms in any case."""
        return self.confidence >= CONFIDENT


def known_fields() -> tuple[str, ...]:
    """Fields a column can be mapped to: those of the prospects table, then address and phone."""
    return (*TABLES["prospects"].names, *MATCHING_FIELDS)


def normal_header(text: str) -> str:
    """Lower-case words without accents and signs: "E-Mail (Büro)" is "e mail buro", "ß" is "ss"."""
    spaced = _CAMEL.sub(" ", text).casefold()
    plain = "".join(c for c in unicodedata.normalize("NFKD", spaced) if not unicodedata.combining(c))
    return _OTHER.sub(" ", plain).strip()


@cache
def _synonyms() -> dict[str, str]:
    """Known name → field; umlauts are known with and without the e."""
    listed = json.loads((files("data.spreadsheet") / "synonyms.json").read_text(encoding="utf-8"))
    known: dict[str, str] = {}
    for field in known_fields():
        for name in (field, *listed.get(field, ())):
            for spelling in {normal_header(name), normal_header(name).replace("ue", "u").replace("ae", "a")}:
                known.setdefault(spelling, field)
    return known


def is_known_header(text: str) -> bool:
    """Whether the header is one of the names we know, exactly."""
    return normal_header(text) in _synonyms()


def propose_mapping(columns: Iterable[str]) -> tuple[HeaderMatch, ...]:
    """A field for every column, each field at most once; the order of the columns does not decide.

    Args:
        columns: Headers.

    Returns:
        One match per column, in the order given; `field` is '' where nothing is alike enough, or where a
        better column has the field already.
    """
    given = list(columns)
    options = [option for position, column in enumerate(given) for option in _options(position, column)]
    options.sort(key=lambda o: (-o[0], given[o[1]], o[1], o[2]))
    taken: dict[int, HeaderMatch] = {}
    used: set[str] = set()
    for confidence, position, field, like in options:
        if position not in taken and field not in used:
            taken[position] = HeaderMatch(given[position], field, round(confidence, 3), like)
            used.add(field)
    return tuple(taken.get(p, HeaderMatch(column, "", 0.0, "")) for p, column in enumerate(given))


def _options(position: int, column: str) -> Iterable[tuple[float, int, str, str]]:
    from rapidfuzz import fuzz

    header = normal_header(column)
    best: dict[str, tuple[float, str]] = {}
    for name, field in _synonyms().items():
        if not header:
            break
        if header == name:
            score = 1.0
        elif len(name) < 4 or len(header) < 4:
            continue  # "no", "id" and "ca" are alike to far too much
        else:
            score = 0.95 * max(fuzz.ratio(header, name), 0.9 * fuzz.token_set_ratio(header, name)) / 100
        best[field] = max(best.get(field, (0.0, "")), (score, name))
    if best.get(_MONEY, (0.0, ""))[0] and not _DOLLARS.search(column):
        best[_MONEY] = (min(best[_MONEY][0], UNSURE), best[_MONEY][1])
    return [(score, position, field, name) for field, (score, name) in best.items() if score >= POSSIBLE]


def apply_mapping(table: TextTable, mapping: Mapping[str, str]) -> Any:
    """The mapped columns under our names, as text, indexed by line.

    Args:
        table: The list as read.
        mapping: Field → column header, as confirmed or given.

    Raises:
        InputError: A field or column does not exist, or one column is given to two fields.
    """
    fields = known_fields()
    for field, column in mapping.items():
        if field not in fields:
            raise InputError(f"There is no field {field!r}.", allowed=", ".join(fields), pointer=f"/{field}")
        if column not in table.columns:
            raise InputError(
                f"{table.name} has no column {column!r}.",
                allowed=", ".join(table.columns),
                pointer=f"/{field}",
            )
    twice = sorted(c for c in set(mapping.values()) if list(mapping.values()).count(c) > 1)
    if twice:
        raise InputError(f"The column {twice[0]!r} is given to two fields.", allowed="one field per column")
    frame = table.frame()
    return frame[[mapping[f] for f in fields if f in mapping]].set_axis(
        [f for f in fields if f in mapping], axis=1
    )
