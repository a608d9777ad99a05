"""The newest features of all partners, resident in memory, with a last-known copy on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import MissingDataError, NotFoundError
from features.catalog import definitions
from features.files import canonical_json, file_sha256, write_atomically, write_json
from features.freshness import read_feed_states, stale_features, stale_views
from features.journal import Entry
from features.layout import EVENT_US, feeds_path
from features.online import OnlineRows
from features.store import FeatureStore

_POINTER = "matrix.json"


@dataclass(frozen=True)
class FeatureMatrix:
    """Newest features of all partners.

    Attributes:
        version: Hash of the content; equal content has equal versions.
        partner_ids: Partners, sorted.
        columns: Feature names.
        frame: Index partner_id, columns as above; numbers float64 with NaN, categories str with None.
        features_as_of: For each row, the time its oldest view describes, datetime64[us].
        stale_views: Views, and event groups, whose feed had gone silent by then.
    """

    version: str
    partner_ids: tuple[str, ...]
    columns: tuple[str, ...]
    frame: Any = field(repr=False)
    features_as_of: Any = field(repr=False)
    stale_views: frozenset[str] = frozenset()

    @classmethod
    def of(cls, frame: Any, *, features_as_of: Any, stale: frozenset[str] = frozenset()) -> FeatureMatrix:
        """From a frame with index partner_id; rows are sorted, the version is worked out."""
        order = np.argsort(frame.index.to_numpy(dtype=str), kind="stable")
        frame = frame.iloc[order]
        as_of = np.asarray(features_as_of, dtype="datetime64[us]")[order]
        ids, columns = tuple(frame.index), tuple(frame.columns)
        return cls(_version(frame, as_of, stale), ids, columns, frame, as_of, stale)

    def has(self, partner_id: str) -> bool:
        """Whether there is a row for the partner."""
        return partner_id in self.frame.index

    def rows(self, partner_ids: Sequence[str]) -> Any:
        """Rows of some partners, in the order asked for.

        Raises:
            NotFoundError: A partner has no row.
        """
        return self.frame.iloc[self.positions(partner_ids)]

    def positions(self, partner_ids: Sequence[str]) -> Any:
        """Row numbers of some partners.

        Raises:
            NotFoundError: A partner has no row.
        """
        found = self.frame.index.get_indexer(list(partner_ids))
        if (found < 0).any():
            unknown = partner_ids[int(np.argmin(found))]
            raise NotFoundError(
                f"There is no partner {unknown!r}.",
                allowed=f"one of the {len(self.partner_ids)} partners with features",
                next_step="Check the identifier; a new partner appears after the next feature build.",
            )
        return found

    @property
    def stale_features(self) -> frozenset[str]:
        """Names of the features behind `stale_views`."""
        return frozenset(stale_features(self.stale_views))


def _version(frame: Any, features_as_of: Any, stale: frozenset[str]) -> str:
    found = hashlib.sha256(canonical_json([list(frame.index), list(frame.columns), sorted(stale)]).encode())
    for column in frame.columns:
        values = frame[column]
        if values.dtype == object:
            found.update(canonical_json([None if pd.isna(v) else v for v in values]).encode())
        else:
            numbers = values.to_numpy(dtype=np.float64) + 0.0  # -0.0 becomes 0.0
            found.update(np.where(np.isnan(numbers), np.nan, numbers).tobytes())
    found.update(features_as_of.astype(np.int64).tobytes())
    return found.hexdigest()


def load_matrix(store: FeatureStore, *, now: datetime | None = None) -> FeatureMatrix:
    """Read all partners of the newest materialised snapshot from the online store.

    Args:
        store: Feature store.
        now: The moment staleness of feeds is judged from, naive UTC; None: the date of the snapshot.

    Raises:
        MissingDataError: Nothing has been materialised.
    """
    return FollowedMatrix(store).load(now=now)


class FollowedMatrix:
    """The matrix of a store: read once, then kept current by the store's journal.

    Args:
        store: Feature store.
    """

    def __init__(self, store: FeatureStore) -> None:
        self._store = store
        self._read: tuple[Any, date, OnlineRows] | None = None
        self._head = 0

    def load(self, *, now: datetime | None = None, base: Any = None) -> FeatureMatrix:
        """The matrix as it is now.

        Args:
            now: The moment staleness of feeds is judged from, naive UTC; None: the date of the snapshot.
            base: While this stays equal, only what the journal tells is looked at.

        Raises:
            MissingDataError: Nothing has been materialised.
        """
        entries = self._store.journal.since(self._head)
        if self._read is None or self._read[0] != base or entries is None:
            # First the place in the journal: what is written during the read is then read twice.
            self._head = self._store.journal.head()
            self._read = (base, *self._whole())
        else:
            self._head = entries[1]
            self._apply(entries[0])
        _, as_of, rows = self._read
        times = rows.features_as_of
        present = ~np.isnat(times)
        states = read_feed_states(feeds_path(self._store.features_root), as_of=as_of)
        stale = frozenset(stale_views(states, as_of=now or as_of, settings=self._store.settings))
        return FeatureMatrix.of(rows.frame[present], features_as_of=times[present], stale=stale)

    def _whole(self) -> tuple[date, OnlineRows]:
        newest = self._store.materialised()
        if newest is None:
            raise MissingDataError(
                "The online store holds no features yet.", next_step="Run `partnerintel features`."
            )
        return newest[0], self._store.online_rows(newest[1])

    def _apply(self, entries: Sequence[Entry]) -> None:
        """Put the rows of entries in; a matrix that was given out does not change."""
        if not entries or self._read is None:
            return
        base, as_of, rows = self._read
        frame, event_us = rows.frame.copy(), {n: t.copy() for n, t in rows.event_us.items()}
        for entry in entries:
            places = frame.index.get_indexer(entry.rows.index)
            fresh, places = entry.rows[places >= 0], places[places >= 0]
            for column in fresh.columns.intersection(frame.columns):
                values = frame[column].to_numpy(copy=True)
                values[places] = fresh[column].to_numpy()
                frame[column] = values
            event_us[entry.view][places] = fresh[EVENT_US.format(entry.view)].to_numpy()
        self._read = (base, as_of, OnlineRows(frame, event_us))


def save_matrix(matrix: FeatureMatrix, folder: Path) -> Path:
    """Keep the matrix as the last known one: a Parquet file named by content, and a pointer that is swapped.

    Returns:
        The Parquet file.
    """
    name = f"matrix-{matrix.version[:16]}.parquet"
    table = pa.Table.from_pandas(matrix.frame.reset_index(), preserve_index=False)
    table = table.append_column("__features_as_of", pa.array(matrix.features_as_of, type=pa.timestamp("us")))
    write_atomically(folder / name, lambda p: pq.write_table(table, p, compression="zstd"))
    document = {
        "file": name,
        "sha256": file_sha256(folder / name),
        "version": matrix.version,
        "stale_views": sorted(matrix.stale_views),
    }
    write_json(folder / _POINTER, document)
    for old in folder.glob("matrix-*.parquet"):
        if old.name != name:
            old.unlink(missing_ok=True)
    return folder / name


def read_matrix(folder: Path) -> FeatureMatrix | None:
    """The last known matrix; None when there is none, or when it is damaged and must not be used."""
    try:
        document = json.loads((folder / _POINTER).read_text(encoding="utf-8"))
        path = folder / Path(document["file"]).name
        if file_sha256(path) != document["sha256"]:
            return None
        frame = pq.read_table(path).to_pandas().set_index("partner_id")
        as_of = frame.pop("__features_as_of").to_numpy(dtype="datetime64[us]")
        matrix = FeatureMatrix.of(
            _typed(frame), features_as_of=as_of, stale=frozenset(document["stale_views"])
        )
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None
    return matrix if matrix.version == document["version"] else None


def _typed(frame: Any) -> Any:
    kinds = definitions()
    for column in frame.columns:
        if column in kinds:
            frame[column] = frame[column].astype(object if kinds[column].kind == "category" else np.float64)
    frame.index = frame.index.astype(object)
    return frame
