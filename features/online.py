"""The newest features of each partner, through Feast's online store, by one ordering rule on every store.

Feast's stores disagree: SQLite lets a late row overwrite a newer one, Redis drops a correction that carries
the same time and lets one row from the future block all that follow. So the rule is ours, and the stores
only keep what they are told: a row from the future is refused; the greatest event time wins; at the same
event time the greatest ingest sequence wins.
"""

from __future__ import annotations

import fcntl
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.catalog import definitions, view, view_of
from features.feast_import import keep_feasts_times
from features.journal import Journal
from features.layout import CREATED, EVENT_US, SEQUENCE

FUTURE_TOLERANCE = timedelta(minutes=5)
BATCH = 1_000
_UNSEEN = np.iinfo(np.int64).min


@dataclass(frozen=True)
class WriteReport:
    """What became of rows offered to the online store.

    Attributes:
        written: Rows stored.
        older: Rows that are not newer than what is stored.
        refused: Partner ids of rows that lie more than five minutes in the future.
    """

    written: int
    older: int
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class OnlineRows:
    """What the online store holds of some partners.

    Attributes:
        frame: Index partner_id, columns as asked for; missing where nothing is stored.
        event_us: For each view that was read, the event time of each partner's row in microseconds, float64;
            NaN where nothing is stored.
    """

    frame: Any
    event_us: Any

    @property
    def features_as_of(self) -> Any:
        """Event time of the oldest view of each partner, datetime64[us]; NaT where nothing is stored."""
        return oldest(self.event_us)


@dataclass
class _Seen:
    """Event time and sequence of rows this process knows to be stored, while nobody else writes.

    Attributes:
        head: Entry of the journal up to which it holds.
        stamps: View to partner to the two numbers.
    """

    head: int = -1
    stamps: dict[str, dict[str, Any]] = field(default_factory=dict)

    def forget(self, head: int) -> None:
        """Begin anew at an entry."""
        self.head, self.stamps = head, {}

    def note(self, name: str, partner_ids: Iterable[str], pairs: Any) -> None:
        """Remember rows."""
        self.stamps.setdefault(name, {}).update(zip(partner_ids, pairs.tolist(), strict=True))


@dataclass(frozen=True)
class OnlineStore:
    """Reads and writes of one Feast store, one at a time.

    Attributes:
        feast: A `feast.FeatureStore` whose views are applied.
        lock_file: Held while rows are compared and written, so that two processes do not interleave.
        journal: Told what was written.
    """

    feast: Any
    lock_file: Path
    journal: Journal
    _lock: Any = field(default_factory=threading.RLock, repr=False)
    _seen: _Seen = field(default_factory=lambda: _Seen(), repr=False)

    def write(self, name: str, rows: Any, *, now: datetime) -> WriteReport:
        """Offer rows of one view.

        Args:
            name: View.
            rows: DataFrame with partner_id, event_at (naive UTC), every feature of the view, and optionally
                ingest_sequence (whole number ≥ 0); without it a row counts as the newest of its event time.
            now: The present, naive UTC.
        """
        event_us = rows["event_at"].astype("datetime64[us]").astype("int64")
        limit = np.datetime64(now + FUTURE_TOLERANCE, "us").astype("int64")
        refused = tuple(rows.loc[event_us > limit, "partner_id"])
        rows = rows.assign(event_us=event_us)[event_us <= limit]
        if "ingest_sequence" in rows.columns:
            rows = rows.sort_values(["event_us", "ingest_sequence"], kind="stable")
        else:
            rows = rows.sort_values("event_us", kind="stable")
        latest = rows.drop_duplicates("partner_id", keep="last")
        with self._alone(writing=True):
            written = sum(
                self._write_batch(name, latest.iloc[i : i + BATCH]) for i in range(0, len(latest), BATCH)
            )
        return WriteReport(written, len(rows) - written, refused)

    def read(self, partner_ids: Sequence[str], columns: Sequence[str]) -> OnlineRows:
        """The stored features of some partners, in the order asked for.

        Args:
            partner_ids: Partners; one that is not stored has missing values.
            columns: Feature names.
        """
        names = list(dict.fromkeys(view_of(c) for c in columns))
        wanted = [f"{view_of(c)}:{c}" for c in columns]
        wanted += [f"{n}:{EVENT_US.format(n)}" for n in names]
        parts = [self._fetch(partner_ids[i : i + BATCH], wanted) for i in range(0, len(partner_ids), BATCH)]
        raw = {k: [v for p in parts for v in p[k]] for k in (parts[0] if parts else {})}
        kinds = definitions()
        index = pd.Index(list(partner_ids), name="partner_id", dtype=object)
        data = {
            c: pd.Series(
                raw.get(c, []), dtype=object if kinds[c].kind == "category" else np.float64
            ).to_numpy()
            for c in columns
        }
        times = {n: np.array(raw.get(EVENT_US.format(n), []), dtype=np.float64) for n in names}
        return OnlineRows(pd.DataFrame(data, index=index, columns=list(columns)), times)

    def _fetch(self, partner_ids: Sequence[str], wanted: Sequence[str]) -> dict[str, list[Any]]:
        rows = [{"partner_id": p} for p in partner_ids]
        with self._alone(writing=False):
            # The order of columns is random for each process: read by name.
            answer = self.feast.get_online_features(features=list(wanted), entity_rows=rows).to_dict()
        return {name.partition(":")[2]: answer[name.partition(":")[2]] for name in wanted}

    def _write_batch(self, name: str, rows: Any) -> int:
        stamps = [EVENT_US.format(name), SEQUENCE.format(name)]
        stored_us, stored_sequence = self._stored(name, list(rows["partner_id"])).T
        event_us = rows["event_us"].to_numpy(dtype=np.int64)
        same = event_us == stored_us
        if "ingest_sequence" in rows.columns:
            sequence = rows["ingest_sequence"].to_numpy(dtype=np.int64)
        else:
            sequence = np.where(same, stored_sequence + 1, 0)
        newer = (event_us > stored_us) | (same & (sequence > stored_sequence))
        if newer.any():
            times = pd.Series(event_us, index=rows.index).astype("datetime64[us]")
            order = {"as_of": times, CREATED: times, stamps[0]: event_us, stamps[1]: sequence}
            self._store(name, rows.assign(**order)[newer])
            ids = rows["partner_id"].to_numpy()[newer]
            self._seen.note(name, ids, np.stack([event_us[newer], sequence[newer]], axis=1))
            self._seen.head = self.journal.head()
        return int(newer.sum())

    def _stored(self, name: str, partner_ids: Sequence[str]) -> Any:
        """Event time and sequence of the stored rows, (n, 2); read only where others have written since."""
        head = self.journal.head()
        if self._seen.head != head:
            self._seen.forget(head)
        known = self._seen.stamps.setdefault(name, {})
        missing = [p for p in partner_ids if p not in known]
        if missing:
            stamps = [EVENT_US.format(name), SEQUENCE.format(name)]
            read = self._fetch(missing, [f"{name}:{s}" for s in stamps])
            columns = [[_UNSEEN if v is None else v for v in read[s]] for s in stamps]
            self._seen.note(name, missing, np.array(columns, dtype=np.int64).T)
        return np.array([known[p] for p in partner_ids], dtype=np.int64).reshape(-1, 2)

    def _store(self, name: str, rows: Any) -> None:
        stamps = [EVENT_US.format(name), SEQUENCE.format(name)]
        columns = ["partner_id", "as_of", CREATED, *view(name).columns, *stamps]
        with warnings.catch_warnings():
            # Feast warns of its own use of pandas while it converts; ends with a release that does not.
            warnings.simplefilter("ignore")
            self.feast.write_to_online_store(name, rows[columns].reset_index(drop=True))
        self.journal.append(name, rows[["partner_id", *view(name).columns, stamps[0]]])

    @contextmanager
    def _alone(self, *, writing: bool) -> Iterator[None]:
        """One thread at a time: Feast's SQLite store mixes up values under threads."""
        with self._lock:
            keep_feasts_times()
            if not writing:
                yield
                return
            self.lock_file.parent.mkdir(parents=True, exist_ok=True)
            with self.lock_file.open("w") as held:
                fcntl.flock(held, fcntl.LOCK_EX)
                yield


def oldest(event_us: Any) -> Any:
    """Of several views' event times (view to microseconds, NaN: nothing stored) the oldest of each row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a row without any view stays NaN
        found = np.nanmin(np.stack(list(event_us.values())), axis=0)
    known = ~np.isnan(found)
    times = np.full(len(found), np.datetime64("NaT", "us"))
    # Microseconds since 1970 are exact in float64 for two centuries.
    times[known] = found[known].astype(np.int64).astype("datetime64[us]")
    return times
