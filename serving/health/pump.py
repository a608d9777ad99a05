"""From received events to served scores: the partners concerned get their features anew, within seconds.

Only what events feed is made again, for the partners that had some, by the same definitions as the nightly
build. The rows wait in the state database and go into the lake in larger batches: a file a second would
drown it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update

from serving.health.tables import RECEIVED
from serving.state import Database

VIEWS = ("engagement", "enablement", "satisfaction")
WHOLE = ("certifications", "surveys")
MOST_EVENTS = 20_000
DRAIN_SECONDS = 300.0


class Pump:
    """Applies received events.

    Args:
        database: State database.
        workspace: Folder with lake and feature store.
        store: Gives the feature store (features.store.FeatureStore), opened late: it is heavy.
        clock: Naive UTC time.
        drain_seconds: How often waiting rows go into the lake.
    """

    def __init__(
        self,
        database: Database,
        *,
        workspace: Path,
        store: Callable[[], Any],
        clock: Callable[[], datetime],
        drain_seconds: float = DRAIN_SECONDS,
    ) -> None:
        self._database, self._workspace, self._store, self._clock = database, workspace, store, clock
        self._drain_every = timedelta(seconds=drain_seconds)
        self._applied: int | None = None
        self._drained_at: datetime | None = None

    def work(self) -> bool:
        """One round; returns whether there is more at once."""
        if not (self._workspace / "feast" / "materialised.json").is_file():
            return False
        partners, last = self._waiting()
        if partners:
            self.apply(partners)
            self._applied = last
        now = self._clock()
        if self._drained_at is None:
            self._drained_at = now
        if now - self._drained_at >= self._drain_every:
            self.drain()
            self._drained_at = now
        return bool(partners)

    def apply(self, partner_ids: Sequence[str]) -> None:
        """Make the features of some partners anew, and offer them to the online store."""
        from features.build import build_features

        now = self._clock()
        store = self._store()
        with tempfile.TemporaryDirectory(prefix="partnerintel-") as folder:
            tables = self._tables(Path(folder), partner_ids)
            # Today counts: the snapshot of tonight's midnight, as far as it is known now.
            as_of = (now + timedelta(days=1)).date()
            views = build_features(tables, as_ofs=[as_of], settings=store.settings, views=VIEWS, threads=1)
        for name, rows in views.items():
            mine = rows[rows["partner_id"].isin(set(partner_ids))].drop(columns="as_of")
            store.online_store.write(name, mine.assign(event_at=now), now=now)

    def drain(self) -> int:
        """Put what waits into the lake; a crash in between adds nothing twice."""
        from data.lake import Lake

        with self._database.read() as connection:
            query = select(RECEIVED.c.seq, RECEIVED.c.row).where(RECEIVED.c.lake.is_(False))
            rows = connection.execute(query.order_by(RECEIVED.c.seq)).all()
        if not rows:
            return 0
        Lake(self._workspace / "lake").append(
            "events", _frame([json.loads(r.row) for r in rows]), ingested_at=self._clock()
        )
        last = rows[-1].seq
        with self._database.write() as connection:
            connection.execute(update(RECEIVED).where(RECEIVED.c.seq <= last).values(lake=True))
        return len(rows)

    def _waiting(self) -> tuple[list[str], int]:
        """Partners with events not applied yet; after a start, all that are not in the lake."""
        c = RECEIVED.c
        with self._database.read() as connection:
            query = select(c.partner_id, c.seq).order_by(c.seq).limit(MOST_EVENTS)
            newest = connection.execute(select(func.max(c.seq))).scalar() or 0
            if self._applied is None:
                query = query.where(c.lake.is_(False))
            elif newest <= self._applied:
                return [], newest
            else:
                query = query.where(c.seq > self._applied)
            rows = connection.execute(query).all()
        if not rows:
            self._applied = newest
            return [], newest
        return sorted({r.partner_id for r in rows}), int(rows[-1].seq)

    def _tables(self, folder: Path, partner_ids: Sequence[str]) -> dict[str, list[Path]]:
        """What the views read: events and partners cut to those concerned, the rest whole."""
        import duckdb
        import pandas as pd

        from data.lake import Lake

        lake = Lake(self._workspace / "lake")
        tables = {name: list(lake.paths(name)) for name in WHOLE if lake.has(name)}
        waiting = _frame(self._rows_of(partner_ids))
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET threads = 1")
            connection.register("wanted", pd.DataFrame({"partner_id": list(partner_ids)}))
            connection.register("waiting", waiting)
            for name in ("events", "partners"):
                parts = []
                if lake.has(name):
                    files = [str(p) for p in lake.paths(name)]
                    own = f"FROM read_parquet({files}) SEMI JOIN wanted USING (partner_id)"
                    # A correction may have moved a record to another partner: all its versions count.
                    key = "event_id" if name == "events" else "partner_id"
                    versions = f"WHERE {key} IN (SELECT {key} {own})"
                    parts.append(f"SELECT * FROM read_parquet({files}) {versions}")
                if name == "events":
                    # In the lake a hash settles which of two versions known at once is the later one.
                    parts.append("SELECT *, 'waiting' AS row_hash FROM waiting")
                if parts:
                    tables[name] = [folder / f"{name}.parquet"]
                    both = " UNION ALL BY NAME ".join(parts)
                    connection.execute(f"COPY ({both}) TO '{tables[name][0]}' (FORMAT parquet)")
        return tables

    def _rows_of(self, partner_ids: Sequence[str]) -> list[dict[str, Any]]:
        found = []
        ids = list(partner_ids)
        with self._database.read() as connection:
            for start in range(0, len(ids), 500):
                query = select(RECEIVED.c.row).where(
                    RECEIVED.c.lake.is_(False), RECEIVED.c.partner_id.in_(ids[start : start + 500])
                )
                found += [json.loads(text) for text in connection.execute(query).scalars()]
        return found


def _frame(rows: Sequence[dict[str, Any]]) -> Any:
    """Received rows with the types of the contract."""
    import pandas as pd

    from data.tables import TABLES

    names = TABLES["events"].names
    frame = pd.DataFrame({n: pd.Series([r.get(n) for r in rows], dtype=object) for n in names})
    for name in ("event_at", "known_at"):
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[us]")
    frame["quantity"] = frame["quantity"].astype("float64")
    return frame[list(names)]
