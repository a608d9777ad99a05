"""Features of the coming midnight, kept current event by event, by the nightly build's own definitions.

A build costs seconds however few events are new: expressions are compiled and the lake is read. Here both are
done once. The lake is summed to daily buckets that stay in memory, the definitions are compiled to views over
them, and a round only adds the new events' buckets and reads the views for the partners concerned.

What is kept is small: buckets of the last 400 days (no window reaches further), older days only where they
are some partner's last of a kind, and eight bytes for each event of the lake, by which a correction is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from data.tables import TABLES
from features.buckets import EVENT_DAYS, EVENT_USERS, Bucket, build_buckets
from features.build import assemble, build_view
from features.catalog import VIEWS
from features.inputs import Inputs
from features.settings import FeatureSettings
from features.source import Source, TablePaths, open_source
from features.versions import NEVER, spans_alone
from features.windows import EPOCH, Grid

EVENT_VIEWS = tuple(name for name, (found, _) in VIEWS.items() if "events" in found.tables)
REACH_DAYS = 400
"""Further back than any window."""
KEPT = (EVENT_DAYS, EVENT_USERS)
NOBODY = ""
"""Holds the day from which a source is live for the whole channel; no partner has this id."""


class Today:
    """The features that events feed, of every partner, for one date.

    Not for several threads at once.

    Args:
        tables: Table name to Parquet files, all versions; `partners` is needed.
        as_of: The date: the midnight to come.
        settings: Event groups and windows.
    """

    def __init__(self, tables: TablePaths, *, as_of: date, settings: FeatureSettings) -> None:
        self.as_of, self._settings = as_of, settings
        self._day = (as_of - EPOCH).days
        with _summed(tables, settings=settings) as first:
            inputs = assemble(first.source, first.buckets, as_ofs=[as_of], settings=settings)
            self._frames: dict[str, Any] = {
                n: build_view(n, inputs).drop(columns="as_of").set_index("partner_id") for n in EVENT_VIEWS
            }
            self._known = first.event_hashes()
            held = first.reduced(self._day)
        self._sent: dict[str, set[str]] = {n: set() for n in EVENT_VIEWS}
        self._open = ExitStack()
        self._source = self._open.enter_context(open_source({}, threads=1))
        self._con: Any = self._source.connection.con
        self._hold(held)
        self._compile()

    def close(self) -> None:
        """Give the memory back."""
        self._open.close()

    def corrects(self, event_ids: Sequence[str]) -> list[str]:
        """Those the lake held when this was made: a row of such an id is a correction, no addition."""
        ids = pd.DataFrame({"event_id": list(event_ids)})
        with self._registered(given=ids):
            hashes = self._con.execute("SELECT hash(event_id) AS h FROM given").fetchnumpy()["h"]
        places = np.searchsorted(self._known, hashes)
        places[places == len(self._known)] = 0
        found = self._known[places] == hashes if len(self._known) else np.zeros(len(ids), dtype=bool)
        return [e for e, hit in zip(event_ids, found, strict=True) if hit]

    def add(self, rows: Any) -> None:
        """Count events that no earlier event has the id of.

        Args:
            rows: DataFrame with the contract's columns of `events`.
        """
        with self._registered(given=rows):
            self._con.execute("DELETE FROM fresh")
            self._con.execute(f"INSERT INTO fresh SELECT {_EVENT}, '' AS row_hash FROM given")
        for kind in KEPT:
            start = f"SELECT min({_START}) FROM fresh_{kind.name}"
            self._con.execute(f"UPDATE first_{kind.name} SET day = least(day, ({start}))")
            # What happens or becomes known after the date counts from the next one on, which starts anew.
            self._con.execute(
                f"INSERT INTO held_{kind.name} BY NAME SELECT * FROM fresh_{kind.name} "
                f"WHERE {_START} <= {self._day}"
            )

    def replace(self, partner_ids: Sequence[str], tables: TablePaths) -> None:
        """Count some partners anew, from all versions of all their events.

        Args:
            partner_ids: Partners.
            tables: Files that hold every version of every event that was ever one of these partners'.
        """
        with _summed(tables, settings=self._settings) as found:
            fresh = found.reduced(self._day)
        with self._wanted(partner_ids):
            for name, rows in fresh.rows.items():
                self._con.execute(
                    f"DELETE FROM held_{name} WHERE partner_id IN (SELECT partner_id FROM wanted)"
                )
                with self._registered(given=rows):
                    theirs = "SELECT * FROM given SEMI JOIN wanted USING (partner_id)"
                    self._con.execute(f"INSERT INTO held_{name} BY NAME {theirs}")
                if fresh.live[name] is not None:
                    self._con.execute(f"UPDATE first_{name} SET day = least(day, {fresh.live[name]})")

    def changed(self, partner_ids: Sequence[str]) -> dict[str, Any]:
        """Rows of some partners that differ from what was last sent; all of those never sent.

        Returns:
            View name to DataFrame[partner_id, features].
        """
        found = {}
        with self._wanted(partner_ids):
            for name, columns in self._columns.items():
                rows = self._con.execute(f"SELECT * FROM today_{name} ORDER BY partner_id").df()
                moved = self._moved(name, rows.set_index("partner_id")[columns].astype(np.float64))
                if len(moved):
                    found[name] = moved.reset_index()
        return found

    def sent(self, name: str, rows: Any) -> None:
        """Rows of a view, as `changed` gave them, are where they belong."""
        columns = self._columns[name]
        rows = rows.set_index("partner_id")
        self._frames[name].loc[rows.index, columns] = rows[columns]
        self._sent[name].update(rows.index)

    def _moved(self, name: str, rows: Any) -> Any:
        frame = self._frames[name]
        rows = rows[rows.index.isin(frame.index)]
        before, now = frame.loc[rows.index, list(rows.columns)].to_numpy(), rows.to_numpy()
        same = ((before == now) | (np.isnan(before) & np.isnan(now))).all(axis=1)
        rows = rows[~(same & rows.index.isin(self._sent[name]))]
        moved = frame.loc[rows.index]
        moved[list(rows.columns)] = rows
        return moved

    def _hold(self, held: _Held) -> None:
        connection = self._source.connection
        for name, rows in held.rows.items():
            connection.con.register("given", rows)
            connection.raw_sql(f"CREATE TABLE held_{name} AS SELECT * FROM given")
            connection.con.unregister("given")
            day = "NULL" if held.live[name] is None else str(held.live[name])
            connection.raw_sql(f"CREATE TABLE first_{name} AS SELECT {day}::INTEGER AS day")
        connection.raw_sql("CREATE TABLE wanted (partner_id VARCHAR, as_of INTEGER)")
        columns = ", ".join(f'"{c.name}" {_SQL_TYPES[c.type]}' for c in TABLES["events"].columns)
        connection.raw_sql(f"CREATE TABLE fresh ({columns}, row_hash VARCHAR)")

    def _compile(self) -> None:
        """The definitions as views: over what is held for whoever is wanted, and over events just come."""
        connection = self._source.connection
        fresh = spans_alone(connection.table("fresh"))
        self._kept_alive: list[Any] = []
        buckets = {}
        for kind in KEPT:
            rows = kind.reduce(fresh, self._settings)
            connection.create_view(f"fresh_{kind.name}", rows)
            names = connection.table(f"held_{kind.name}").columns
            nobody = ", ".join(_NOBODYS.get(n, "0") + f' AS "{n}"' for n in names)
            connection.raw_sql(
                f"CREATE VIEW bucket_{kind.name} AS SELECT * FROM held_{kind.name} SEMI JOIN wanted "
                f"USING (partner_id) UNION ALL BY NAME SELECT {nobody} FROM first_{kind.name}"
            )
            buckets[kind.name] = Bucket(connection.table(f"bucket_{kind.name}"), corrected=False)
        lazy = _Lazy(connection, {})
        inputs = Inputs(lazy, Grid.of([self.as_of]), self._settings, connection.table("wanted"), buckets)
        self._columns: dict[str, list[str]] = {}
        for name in EVENT_VIEWS:
            definition, build = VIEWS[name]
            rows = build(inputs)
            if rows is None:
                continue
            self._columns[name] = [c for c in definition.columns if c in rows.columns]
            rows = rows.select("partner_id", *self._columns[name])
            connection.create_view(f"today_{name}", rows)
            # The dates are tables that live as long as the expression that names them.
            self._kept_alive.append(rows)
        self._kept_alive.append((inputs, lazy))

    @contextmanager
    def _wanted(self, partner_ids: Sequence[str]) -> Iterator[None]:
        ids = pd.DataFrame({"partner_id": list(partner_ids)})
        with self._registered(given=ids):
            self._con.execute("DELETE FROM wanted")
            self._con.execute(f"INSERT INTO wanted SELECT DISTINCT partner_id, {self._day} FROM given")
        yield

    @contextmanager
    def _registered(self, **frames: Any) -> Iterator[None]:
        for name, frame in frames.items():
            self._con.register(name, frame)
        try:
            yield
        finally:
            for name in frames:
                self._con.unregister(name)


@dataclass(frozen=True)
class _Held:
    """Buckets that count at a date.

    Attributes:
        rows: Bucket name to Arrow table.
        live: Bucket name to the first day on which any row of it counted, or None.
    """

    rows: Mapping[str, Any]
    live: Mapping[str, int | None]


@dataclass(frozen=True)
class _Lazy(Source):
    """What others keep as a table is a view here: it follows what it is made from."""

    def keep(self, name: str, rows: Any) -> Any:
        return self.connection.create_view(f"lazy_{name}", rows)


@dataclass(frozen=True)
class _Summed:
    """Tables of a session, and the buckets of their events."""

    source: Source
    buckets: Mapping[str, Bucket]

    def event_hashes(self) -> Any:
        """Sorted 64-bit hashes of the ids of all events."""
        source = self.source
        if not source.has("events"):
            return np.empty(0, dtype=np.uint64)
        ids = source.connection.compile(source.table("events").select("event_id"))
        hashes = np.asarray(
            source.connection.con.execute(f"SELECT hash(event_id) AS h FROM ({ids})").fetchnumpy()["h"]
        )
        hashes.sort()
        return hashes

    def reduced(self, day: int) -> _Held:
        """What counts at a day, and is not too old to matter."""
        rows, live = {}, {}
        for kind in KEPT:
            con = self.source.connection.con
            table = self.buckets[kind.name].rows.get_name().rpartition(".")[2]
            live[kind.name] = con.execute(f'SELECT min({_START}) FROM "{table}"').fetchall()[0][0]
            counts = f'SELECT * FROM "{table}" WHERE {_START} <= {day} AND {day} < gone_day'
            if kind is EVENT_DAYS:
                measures = [c for c in self.buckets[kind.name].rows.columns if c.startswith("n_")]
                lasts = ", ".join(f"max(event_day) FILTER ({m} > 0) AS last_{m}" for m in measures)
                old = ", ".join(f"last_{m}" for m in measures)
                counts = (
                    f"WITH counts AS ({counts}), lasts AS (SELECT partner_id, {lasts} FROM counts "
                    f"GROUP BY partner_id) SELECT counts.* FROM counts JOIN lasts USING (partner_id) "
                    f"WHERE event_day >= {day - REACH_DAYS} OR event_day IN ({old})"
                )
            else:
                counts += f" AND event_day >= {day - REACH_DAYS}"
            rows[kind.name] = con.sql(
                f"SELECT * REPLACE ({NEVER}::INTEGER AS gone_day) FROM ({counts})"
            ).to_arrow_table()
        return _Held(rows, live)


@contextmanager
def _summed(tables: TablePaths, *, settings: FeatureSettings) -> Iterator[_Summed]:
    with open_source(tables, threads=1) as source:
        yield _Summed(source, build_buckets(source, "events", settings=settings))


_START = "greatest(known_day, event_day + 1)"
_EVENT = ", ".join(f'"{c.name}"' for c in TABLES["events"].columns)
_SQL_TYPES = {"string": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN",
              "timestamp": "TIMESTAMP"}  # fmt: skip
_NOBODYS = {"partner_id": f"'{NOBODY}'", "item": "''", "event_day": "day - 1", "known_day": "day",
            "gone_day": str(NEVER)}  # fmt: skip
