"""From received events to served scores: the partners concerned get their features anew, within seconds.

Only what events feed is made again, for the partners that had some, by the same definitions as the nightly
build (features.today). The rows wait in the state database and go into the lake in larger batches: a file a
second would drown it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, select, update

from serving.health.tables import RECEIVED
from serving.lastknown import mark
from serving.state import Database, iso

TABLES = ("events", "partners", "certifications", "surveys")
MOST_EVENTS = 20_000
DRAIN_SECONDS = 300.0
BEGIN_AFTER = timedelta(seconds=20)
KEPT_DAYS = 3
"""An event sent again within these days is known to be one; later, the lake tells."""


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
        self._today: Any = None
        self._made_from: tuple[Any, ...] = ()
        self._covered: frozenset[Path] = frozenset()
        self._unsent: set[str] = set()
        self._started: datetime | None = None

    def work(self) -> bool:
        """One round; returns whether there is more at once."""
        if not (self._workspace / "feast" / "materialised.json").is_file():
            return False
        rows = self._waiting()
        if rows or self._unsent or self._might_begin():
            self._unsent |= {r.partner_id for r in rows}
            self._count(rows)
            self._send()
        now = self._clock()
        if self._drained_at is None:
            self._drained_at = now
        if now - self._drained_at >= self._drain_every:
            self.drain()
            self._drained_at = now
        return len(rows) == MOST_EVENTS

    def apply(self, partner_ids: Sequence[str]) -> None:
        """Make the features of some partners anew, and offer them to the online store."""
        self._unsent |= set(partner_ids)
        self._count(self._waiting())
        self._send()

    def close(self) -> None:
        """Give the memory back."""
        if self._today is not None:
            self._today.close()
        self._today = None

    def _might_begin(self) -> bool:
        """Where events come in, the day is begun before its first one, in a quiet moment after the start."""
        now = self._clock()
        self._started = self._started or now
        if not self._applied or now - self._started < BEGIN_AFTER:
            return False
        return self._today is None or self._made_from[0] != self._as_of()

    def _as_of(self) -> date:
        """Today counts: the snapshot of tonight's midnight, as far as it is known now."""
        return (self._clock() + timedelta(days=1)).date()

    def _send(self) -> None:
        """Offer what changed to the online store; what could not be written is tried again."""
        now, store = self._clock(), self._store()
        for name, rows in self._today.changed(sorted(self._unsent)).items():
            store.online_store.write(name, rows.assign(event_at=now), now=now)
            self._today.sent(name, rows)
        self._unsent = set()

    def _count(self, rows: Sequence[Any]) -> None:
        """Let today's features know of events; begin anew when the day, the lake or the night's store did."""
        as_of = self._as_of()
        key = (as_of, mark(self._workspace / "feast" / "materialised.json"))
        if self._today is None or key != self._made_from or self._files() != self._covered:
            self._begin(as_of)
            self._made_from = key
        elif rows:
            try:
                self._add(rows)
            except BaseException:
                self.close()  # half of them may be counted
                raise
        if rows:
            self._applied = max(self._applied or 0, rows[-1].seq)

    def _begin(self, as_of: date) -> None:
        from features.today import Today

        # First what waits, then the lake: a row that moves in between is seen twice, which counts once.
        waiting = self._rows()
        self._covered = self._files()
        self.close()
        with tempfile.TemporaryDirectory(prefix="partnerintel-") as folder:
            self._today = Today(
                self._tables(Path(folder), waiting), as_of=as_of, settings=self._store().settings
            )
        if waiting:
            self._unsent |= {r.partner_id for r in waiting if r.seq > (self._applied or 0)}
            self._applied = max(self._applied or 0, waiting[-1].seq)

    def _add(self, rows: Sequence[Any]) -> None:
        """New events are added; partners of which something was corrected are counted anew."""
        known = set(self._today.corrects([r.event_id for r in rows]))
        plain = [r for r in rows if r.corrects is None and r.event_id not in known]
        if plain:
            self._today.add(_frame([json.loads(r.row) for r in plain]))
        if len(plain) == len(rows):
            return
        corrected = [r for r in rows if r.corrects is not None or r.event_id in known]
        touched = {p for r in corrected for p in (r.partner_id, *json.loads(r.corrects or "[]"))}
        touched |= self._owners([r.event_id for r in corrected])
        with tempfile.TemporaryDirectory(prefix="partnerintel-") as folder:
            waiting = self._rows(sorted(touched), until=rows[-1].seq)
            self._today.replace(sorted(touched), self._events_of(Path(folder), sorted(touched), waiting))
        self._unsent |= touched

    def drain(self) -> int:
        """Put what waits into the lake; a crash in between adds nothing twice."""
        from data.lake import Lake

        with self._database.read() as connection:
            query = select(RECEIVED.c.seq, RECEIVED.c.row).where(RECEIVED.c.lake.is_(False))
            rows = connection.execute(query.order_by(RECEIVED.c.seq)).all()
        if not rows:
            return 0
        before, now, last = self._files(), self._clock(), rows[-1].seq
        Lake(self._workspace / "lake").append(
            "events", _frame([json.loads(r.row) for r in rows]), ingested_at=now
        )
        with self._database.write() as connection:
            c = RECEIVED.c
            connection.execute(update(RECEIVED).where(c.seq <= last, c.lake.is_(False)).values(lake=True))
            # The newest stays, whatever its age: the next number follows it.
            old = delete(RECEIVED).where(c.lake.is_(True), c.seq < last)
            connection.execute(old.where(c.received_at < iso(now - timedelta(days=KEPT_DAYS))))
        added = self._files() - before
        if len(added) == 1 and last <= (self._applied or 0):
            # Ours: its events are counted already.
            self._covered |= added
        return len(rows)

    def _waiting(self) -> list[Any]:
        """Events not applied yet; after a start, all that are not in the lake."""
        c = RECEIVED.c
        with self._database.read() as connection:
            query = select(c.seq, c.event_id, c.partner_id, c.corrects, c.row).order_by(c.seq)
            if self._applied is None:
                first = connection.execute(select(func.min(c.seq)).where(c.lake.is_(False))).scalar()
                newest = connection.execute(select(func.max(c.seq))).scalar() or 0
                self._applied = newest if first is None else first - 1
            query = query.where(c.seq > self._applied).limit(MOST_EVENTS)
            return list(connection.execute(query).all())

    def _rows(self, partner_ids: Sequence[str] | None = None, *, until: int | None = None) -> list[Any]:
        """Events that are not in the lake, oldest first; of some partners, up to a number."""
        c = RECEIVED.c
        query = select(c.seq, c.partner_id, c.row).where(c.lake.is_(False)).order_by(c.seq)
        if until is not None:
            query = query.where(c.seq <= until)
        ids = list(partner_ids or ())
        parts = [query] if partner_ids is None else [
            query.where(c.partner_id.in_(ids[i : i + 500])) for i in range(0, len(ids), 500)
        ]  # fmt: skip
        with self._database.read() as connection:
            return [row for part in parts for row in connection.execute(part).all()]

    def _files(self) -> frozenset[Path]:
        """Files of the lake that today's features are made from."""
        from data.lake import Lake

        lake = Lake(self._workspace / "lake")
        return frozenset(p for name in TABLES for p in lake.paths(name))

    def _owners(self, event_ids: Iterable[str]) -> set[str]:
        """Partners that the lake has events of these ids for."""
        from data.lake import Lake, connect

        files = [str(p) for p in Lake(self._workspace / "lake").paths("events")]
        if not files:
            return set()
        with connect() as connection:
            found = connection.execute(
                f"SELECT DISTINCT partner_id FROM read_parquet({files}) WHERE event_id IN (SELECT unnest(?))",
                [list(event_ids)],
            )
            return {partner_id for (partner_id,) in found.fetchall()}

    def _tables(self, folder: Path, waiting: Sequence[Any]) -> dict[str, list[Path]]:
        """What the views read: the lake's files and what waits."""
        from data.lake import Lake

        lake = Lake(self._workspace / "lake")
        tables = {name: list(lake.paths(name)) for name in TABLES if lake.has(name)}
        waits = _frame([json.loads(r.row) for r in waiting])
        # In the lake a hash settles which of two versions known at once is the later one.
        waits.assign(row_hash="waiting").to_parquet(folder / "waiting.parquet", index=False)
        tables["events"] = [*tables.get("events", ()), folder / "waiting.parquet"]
        return tables

    def _events_of(
        self, folder: Path, partner_ids: Sequence[str], waiting: Sequence[Any]
    ) -> dict[str, list[Path]]:
        """All versions of all events that were ever one of some partners'."""
        from data.lake import connect

        files = self._tables(folder, waiting)["events"]
        listed = [str(p) for p in files]
        # A correction may have moved an event to another partner: all its versions count.
        own = f"SELECT event_id FROM read_parquet({listed}) WHERE partner_id IN (SELECT unnest($1))"
        with connect() as connection:
            rows = connection.execute(
                f"SELECT * FROM read_parquet({listed}, union_by_name=true) WHERE event_id IN ({own})",
                [list(partner_ids)],
            ).df()
        rows.to_parquet(folder / "events.parquet", index=False, coerce_timestamps="us")
        return {"events": [folder / "events.parquet"]}


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
