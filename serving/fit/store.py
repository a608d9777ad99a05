"""Lists in the state database: written whole or not at all, read in pages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from data.errors import InputError, NotFoundError
from serving.auth import Identity
from serving.decisions import canonical
from serving.fit.tables import LISTS, OUTCOMES, ROWS
from serving.state import Database

JSON_COLUMNS = ("columns", "mapping", "counts", "notes", "models", "options")
INSERT_ROWS = 2_000
SORTS: Mapping[str, Any] = {
    "rank": ROWS.c.rank,
    "line": ROWS.c.line,
    "company": ROWS.c.company,
    "country": ROWS.c.country,
    "fit_score": ROWS.c.fit_score,
    "probability": ROWS.c.probability,
}
STATUSES = ("ranked", "existing_partner", "duplicate", "fault")


@dataclass(frozen=True)
class Query:
    """Which rows of a list, in which order.

    Attributes:
        sort: A name of `SORTS`, with `-` in front for descending.
        search: Text that company, domain or identifier hold.
        filters: Column (status, evidence, verdict, country, partner_type, motion) → value.
        offset: Rows left out.
        limit: Rows given.
    """

    sort: str = "rank"
    search: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    offset: int = 0
    limit: int = 50


class ListStore:
    """Keeps lists.

    Args:
        database: State database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: Mapping[str, Any]) -> None:
        """A new list, without rows."""
        with self._database.write() as connection:
            connection.execute(insert(LISTS).values(_dumped(row)))

    def change(self, list_id: str, **values: Any) -> None:
        """Change columns of a list."""
        with self._database.write() as connection:
            connection.execute(update(LISTS).where(LISTS.c.list_id == list_id).values(_dumped(values)))

    def keep(self, list_id: str, rows: Sequence[Mapping[str, Any]], **values: Any) -> None:
        """The rows of a scored list, and what is then known of the list, in one transaction."""
        with self._database.write() as connection:
            connection.execute(delete(ROWS).where(ROWS.c.list_id == list_id))
            for start in range(0, len(rows), INSERT_ROWS):
                connection.execute(insert(ROWS), [dict(r) for r in rows[start : start + INSERT_ROWS]])
            connection.execute(update(LISTS).where(LISTS.c.list_id == list_id).values(_dumped(values)))

    def read(self, list_id: str, *, identity: Identity, content: bool = False) -> dict[str, Any]:
        """A list of the caller's own; an admin may read all.

        Raises:
            NotFoundError: There is none, or it is another's: the two cannot be told apart.
        """
        wanted = [c for c in LISTS.c if content or c.name != "content"]
        with self._database.read() as connection:
            row = connection.execute(select(*wanted).where(LISTS.c.list_id == list_id)).mappings().first()
        if row is None or (identity.role != "admin" and row["owner"] != identity.owner):
            raise NotFoundError("There is no such list.")
        return _loaded(row)

    def lists(self, *, identity: Identity, offset: int, limit: int) -> list[dict[str, Any]]:
        """Lists of the caller, newest first; an admin sees all."""
        wanted = [c for c in LISTS.c if c.name != "content"]
        query = select(*wanted).order_by(LISTS.c.created_at.desc(), LISTS.c.list_id)
        if identity.role != "admin":
            query = query.where(LISTS.c.owner == identity.owner)
        with self._database.read() as connection:
            return [_loaded(r) for r in connection.execute(query.offset(offset).limit(limit)).mappings()]

    def page(self, list_id: str, query: Query) -> tuple[list[dict[str, Any]], int]:
        """Rows of a list, and how many the filters leave.

        Raises:
            InputError: An unknown order.
        """
        name = query.sort.removeprefix("-")
        if name not in SORTS:
            raise InputError(
                f"Lists cannot be sorted by {name!r}.", allowed=", ".join(SORTS), pointer="/sort"
            )
        column = SORTS[name]
        order = column.desc() if query.sort.startswith("-") else column.asc()
        where = _where(list_id, query)
        rows = select(ROWS).where(where).order_by(column.is_(None), order, ROWS.c.line)
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(ROWS).where(where)).scalar_one()
            found = connection.execute(rows.offset(query.offset).limit(query.limit)).mappings()
            return [_row(r) for r in found], int(total)

    def rows(self, list_id: str) -> Iterator[dict[str, Any]]:
        """All rows by line."""
        with self._database.read() as connection:
            query = select(ROWS).where(ROWS.c.list_id == list_id).order_by(ROWS.c.line)
            for row in connection.execute(query).mappings():
                yield _row(row)

    def row(self, list_id: str, prospect_id: str) -> dict[str, Any]:
        """The ranked row of a prospect.

        Raises:
            NotFoundError: It is not ranked in this list.
        """
        which = and_(ROWS.c.list_id == list_id, ROWS.c.prospect_id == prospect_id, ROWS.c.status == "ranked")
        with self._database.read() as connection:
            row = connection.execute(select(ROWS).where(which)).mappings().first()
        if row is None:
            raise NotFoundError("The list ranks no such prospect.")
        return _row(row)

    def post_outcomes(self, list_id: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep outcomes; one posted again replaces the former."""
        with self._database.write() as connection:
            ids = [r["prospect_id"] for r in rows]
            for start in range(0, len(ids), 500):
                part = OUTCOMES.c.prospect_id.in_(ids[start : start + 500])
                connection.execute(delete(OUTCOMES).where(and_(OUTCOMES.c.list_id == list_id, part)))
            connection.execute(insert(OUTCOMES), [{**r, "list_id": list_id} for r in rows])

    def outcomes(self, list_id: str) -> dict[str, bool]:
        """Prospect → whether it succeeded."""
        with self._database.read() as connection:
            return _outcomes(connection, list_id)


def _outcomes(connection: Connection, list_id: str) -> dict[str, bool]:
    query = select(OUTCOMES.c.prospect_id, OUTCOMES.c.succeeded).where(OUTCOMES.c.list_id == list_id)
    return {r.prospect_id: bool(r.succeeded) for r in connection.execute(query)}


def _where(list_id: str, query: Query) -> Any:
    parts = [ROWS.c.list_id == list_id]
    parts += [ROWS.c[name] == value for name, value in query.filters.items()]
    if query.search:
        text = query.search.casefold().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        parts.append(or_(ROWS.c.search.like(f"%{text}%", escape="\\")))
    return and_(*parts)


def _dumped(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: canonical(v) if k in JSON_COLUMNS else v for k, v in row.items()}


def _loaded(row: Any) -> dict[str, Any]:
    return {k: json.loads(v) if k in JSON_COLUMNS else v for k, v in dict(row).items()}


def _row(row: Any) -> dict[str, Any]:
    plain = dict(row)
    detail = json.loads(plain.pop("detail"))
    plain.pop("search")
    plain.pop("list_id")
    return {**plain, **detail}
