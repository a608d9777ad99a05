"""D3: late, corrected, repeated and future rows, on both online stores."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.catalog import view
from features.layout import CREATED, EVENT_US, SEQUENCE
from features.online import FUTURE_TOLERANCE
from features.settings import FeatureSettings, OnlineSettings
from features.store import FeatureStore
from tests import servers
from tests.faults.harness import Outcome, judged

TITLE = "Late, future and corrected rows end in the same features on SQLite and on Redis"
QUICK, FULL = 40, 1_000  # partners, each with a history of its own
NOW = datetime(2023, 10, 5, 12)
VIEW, COLUMN = "satisfaction", "survey_score_latest"
BATCHES = 12
Write = Callable[[FeatureStore, Any], None]


@dataclass(frozen=True)
class Offer:
    """A row on its way to the online store."""

    partner_id: str
    at: datetime
    sequence: int
    score: float


def run(size: int) -> Outcome:
    """Random histories, offered in the same random batches to every store there is."""
    with stores() as found:
        return _tried(size, found, _write)


def planted() -> Outcome:
    """The same on SQLite when rows go to Feast as they come."""
    with stores(redis=False) as found:
        return _tried(10, found, as_they_come)


def _tried(size: int, found: dict[str, FeatureStore], write: Write) -> Outcome:
    rng = random.Random(size)
    partners = [f"P{i}" for i in range(size)]
    offers = [offer for p in partners for offer in history(rng, p)]
    rng.shuffle(offers)
    expected = np.array([winner(p, offers) for p in partners])
    faults = []
    for name, store in found.items():
        for batch in np.array_split(np.arange(len(offers)), BATCHES):
            write(store, frame_of([offers[i] for i in batch]))
        stored = store.online(partners, [COLUMN])[COLUMN].to_numpy()
        wrong = ~((stored == expected) | (np.isnan(stored) & np.isnan(expected)))
        faults += [f"{name}, {partners[i]}: {stored[i]}, not {expected[i]}" for i in np.flatnonzero(wrong)]
    names = " and ".join(found) + ("" if "Redis" in found else "; no redis-server on this machine")
    return judged(size * len(found), faults, f"{len(offers)} rows for {size} partners on {names}, 0 differ")


def history(rng: random.Random, partner_id: str) -> Iterator[Offer]:
    """Rows in order, late and repeated, corrections of the same time, and some from the future."""
    times = [NOW - timedelta(hours=h) for h in rng.sample(range(200), 3)]
    edge = [
        NOW + FUTURE_TOLERANCE,
        NOW + FUTURE_TOLERANCE + timedelta(microseconds=1),
        NOW + timedelta(days=9),
    ]
    if rng.random() < 0.5:
        times.append(rng.choice(edge))
    if rng.random() < 0.1:
        times = edge[1:]
    for sequence in range(rng.randrange(1, 8)):
        offer = Offer(partner_id, rng.choice(times), sequence, round(rng.uniform(0, 10), 3))
        yield from [offer] * rng.choice([1, 1, 2])


def winner(partner_id: str, offers: Sequence[Offer]) -> float:
    """The rule itself: not from the future, then the newest, then the last correction."""
    valid = [o for o in offers if o.partner_id == partner_id and o.at <= NOW + FUTURE_TOLERANCE]
    return max(valid, key=lambda o: (o.at, o.sequence)).score if valid else float("nan")


def frame_of(offers: Sequence[Offer]) -> Any:
    empty = dict.fromkeys(view(VIEW).columns, np.nan)
    rows = [
        {
            "partner_id": o.partner_id,
            "event_at": o.at,
            "ingest_sequence": o.sequence,
            **empty,
            COLUMN: o.score,
        }
        for o in offers
    ]
    return pd.DataFrame(rows).astype({"event_at": "datetime64[us]"})


def _write(store: FeatureStore, rows: Any) -> None:
    store.online_store.write(VIEW, rows, now=NOW)


def as_they_come(store: FeatureStore, rows: Any) -> None:
    """Without our rule: Feast keeps whatever is written last."""
    event_us = rows["event_at"].astype("int64")
    order = {CREATED: rows["event_at"], "as_of": rows["event_at"]}
    order |= {EVENT_US.format(VIEW): event_us, SEQUENCE.format(VIEW): rows["ingest_sequence"]}
    store.online_store._store(VIEW, rows.assign(**order))


@contextmanager
def stores(*, redis: bool = True) -> Iterator[dict[str, FeatureStore]]:
    """An empty store of each kind; Redis where its binary is installed."""
    with tempfile.TemporaryDirectory() as folder:
        found = {"SQLite": _store(Path(folder) / "sqlite", OnlineSettings())}
        if not redis or servers.redis_binary() is None:
            yield found
            return
        with servers.redis_server() as running:
            online = OnlineSettings(type="redis", connection_string=running.connection_string, project="d3")
            yield found | {"Redis": _store(Path(folder) / "redis", online)}


def _store(root: Path, online: OnlineSettings) -> FeatureStore:
    store = FeatureStore(FeatureSettings(online=online), root)
    store.apply()
    return store
