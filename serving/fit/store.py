"""Lists in the state database: written whole or not at all, read in pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from data.errors import InputError, NotFoundError
from serving.auth import Identity
from serving.decisions import canonical
from serving.fit.tables import DETAILS, LISTS, OUTCOMES, ROWS
from serving.state import Database

JSON_COLUMNS = ("columns", "mapping", "counts", "notes", "models", "options")
BLOBS = ("content", "checked")
INSERT_ROWS = 2_000
READ_ROWS = 500
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


Also = Callable[[Connection], object]


class ListStore:
    """Keeps lists.

    Args:
        database: State database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: Mapping[str, Any], *, also: Also) -> None:
        """A new list, without rows; `also` belongs to the same transaction."""
        with self._database.write() as connection:
            connection.execute(insert(LISTS).values(_dumped(row)))
            also(connection)

    def change(self, list_id: str, **values: Any) -> None:
        """Change columns of a list."""
        with self._database.write() as connection:
            connection.execute(update(LISTS).where(LISTS.c.list_id == list_id).values(_dumped(values)))

    def keep(self, list_id: str, rows: Iterable[Mapping[str, Any]], *, also: Also, **values: Any) -> None:
        """The rows of a scored list, and what is then known of the list.

        Rows go in by the thousand, so that nobody else waits long for the database; they are shown once the
        last transaction, to which `also` belongs, calls the list ready.
        """
        with self._database.write() as connection:
            for table in (ROWS, DETAILS):
                connection.execute(delete(table).where(table.c.list_id == list_id))
        given = iter(rows)
        while part := list(islice(given, INSERT_ROWS)):
            with self._database.write() as connection:
                connection.execute(
                    insert(ROWS), [{k: v for k, v in r.items() if k != "detail"} for r in part]
                )
                connection.execute(
                    insert(DETAILS), [{n: r[n] for n in ("list_id", "line", "detail")} for r in part]
                )
        with self._database.write() as connection:
            connection.execute(update(LISTS).where(LISTS.c.list_id == list_id).values(_dumped(values)))
            also(connection)

    def read(self, list_id: str, *, identity: Identity, content: bool = False) -> dict[str, Any]:
        """A list of the caller's own; an admin may read all.

        Raises:
            NotFoundError: There is none, or it is another's: the two cannot be told apart.
        """
        wanted = [c for c in LISTS.c if content or c.name not in BLOBS]
        with self._database.read() as connection:
            row = connection.execute(select(*wanted).where(LISTS.c.list_id == list_id)).mappings().first()
        if row is None or (identity.role != "admin" and row["owner"] != identity.owner):
            raise NotFoundError("There is no such list.")
        return _loaded(row)

    def lists(self, *, identity: Identity, offset: int, limit: int) -> list[dict[str, Any]]:
        """Lists of the caller, newest first; an admin sees all."""
        wanted = [c for c in LISTS.c if c.name not in BLOBS]
        query = select(*wanted).order_by(LISTS.c.created_at.desc(), LISTS.c.list_id)
        if identity.role != "admin":
            query = query.where(LISTS.c.owner == identity.owner)
        with self._database.read() as connection:
            return [_loaded(r) for r in connection.execute(query.offset(offset).limit(limit)).mappings()]

    def ready_ids(self) -> list[str]:
        """Identifiers of all scored lists, oldest first; for the operator."""
        with self._database.read() as connection:
            query = select(LISTS.c.list_id).where(LISTS.c.state == "ready").order_by(LISTS.c.list_id)
            return list(connection.execute(query).scalars())

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
        where = _where(list_id, query)
        order = [column.desc() if query.sort.startswith("-") else column.asc(), ROWS.c.line]
        if query.filters.get("status") != "ranked":
            order.insert(0, column.is_(None))
        lines = select(ROWS.c.line).where(where).order_by(*order).offset(query.offset).limit(query.limit)
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(ROWS).where(where)).scalar_one()
            return _rows(connection, list_id, connection.execute(lines).scalars().all()), int(total)

    def rows(self, list_id: str, *, statuses: Sequence[str] = STATUSES) -> Iterator[dict[str, Any]]:
        """All rows of these kinds, those ranked by rank, the others by line; few are held at a time."""
        for status in statuses:
            which = and_(ROWS.c.list_id == list_id, ROWS.c.status == status)
            with self._database.read() as connection:
                lines = connection.execute(
                    select(ROWS.c.line).where(which).order_by(ROWS.c.rank, ROWS.c.line)
                )
                wanted = lines.scalars().all()
            for start in range(0, len(wanted), READ_ROWS):
                with self._database.read() as connection:
                    yield from _rows(connection, list_id, wanted[start : start + READ_ROWS])

    def ranked_ids(self, list_id: str) -> set[str]:
        """Identifiers of the prospects a list ranks."""
        which = and_(ROWS.c.list_id == list_id, ROWS.c.status == "ranked")
        with self._database.read() as connection:
            return set(connection.execute(select(ROWS.c.prospect_id).where(which)).scalars())

    def row(self, list_id: str, prospect_id: str) -> dict[str, Any]:
        """The ranked row of a prospect.

        Raises:
            NotFoundError: It is not ranked in this list.
        """
        which = and_(ROWS.c.list_id == list_id, ROWS.c.prospect_id == prospect_id, ROWS.c.status == "ranked")
        with self._database.read() as connection:
            line = connection.execute(select(ROWS.c.line).where(which)).scalars().first()
            if line is None:
                raise NotFoundError("The list ranks no such prospect.")
            return _rows(connection, list_id, [line])[0]

    def post_outcomes(self, list_id: str, rows: Sequence[Mapping[str, Any]], *, also: Also) -> None:
        """Keep outcomes; one posted again replaces the former. `also` belongs to the same transaction."""
        with self._database.write() as connection:
            ids = [r["prospect_id"] for r in rows]
            for start in range(0, len(ids), 500):
                part = OUTCOMES.c.prospect_id.in_(ids[start : start + 500])
                connection.execute(delete(OUTCOMES).where(and_(OUTCOMES.c.list_id == list_id, part)))
            connection.execute(insert(OUTCOMES), [{**r, "list_id": list_id} for r in rows])
            also(connection)

    def outcomes(self, list_id: str, prospect_id: str | None = None) -> dict[str, bool]:
        """Prospect → whether it succeeded; of all, or of one."""
        query = select(OUTCOMES.c.prospect_id, OUTCOMES.c.succeeded).where(OUTCOMES.c.list_id == list_id)
        if prospect_id is not None:
            query = query.where(OUTCOMES.c.prospect_id == prospect_id)
        with self._database.read() as connection:
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


def _rows(connection: Connection, list_id: str, lines: Sequence[int]) -> list[dict[str, Any]]:
    """Rows with their details, in the order asked for."""
    both = ROWS.join(DETAILS, and_(ROWS.c.list_id == DETAILS.c.list_id, ROWS.c.line == DETAILS.c.line))
    which = and_(ROWS.c.list_id == list_id, ROWS.c.line.in_(lines))
    query = select(ROWS, DETAILS.c.detail).select_from(both).where(which)
    found = {row["line"]: _row(row) for row in connection.execute(query).mappings()}
    return [found[line] for line in lines]


def _row(row: Any) -> dict[str, Any]:
    plain = dict(row)
    detail = json.loads(plain.pop("detail"))
    plain.pop("search")
    plain.pop("list_id")
    return {**plain, **detail}
