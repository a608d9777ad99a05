"""Small random channels with everything that goes wrong in real ones: late, corrected, repeated, missing."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.tables import TABLES

Row = dict[str, Any]
START = datetime(2023, 1, 1)
DAYS = 500
TYPES = ("portal_login", "portal_login", "content_download", "email_open", "email_click", "meeting",
         "training_completed", "ticket_opened", "something_else")  # fmt: skip
ARROW = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
}


def moment(rng: random.Random) -> datetime:
    at = START + timedelta(days=rng.randrange(DAYS))
    return (
        at
        if rng.random() < 0.2
        else at + timedelta(seconds=rng.randrange(86_400), microseconds=rng.randrange(3))
    )


def learnt(rng: random.Random, at: datetime) -> datetime | None:
    """Usually at once, sometimes late, sometimes exactly at midnight, sometimes before it happens."""
    chance = rng.random()
    if chance < 0.5:
        return None
    if chance < 0.9:
        return at + timedelta(hours=rng.randrange(24 * 40))
    return datetime(at.year, at.month, at.day) + timedelta(days=rng.randrange(-20, 60))


def hashed(row: Row) -> Row:
    """With the hash of its content, as the lake stores it."""
    content = json.dumps({k: str(v) for k, v in row.items()}, sort_keys=True)
    return {**row, "row_hash": hashlib.md5(content.encode()).hexdigest()}


def partner_ids(count: int) -> list[str]:
    return [f"P{i}" for i in range(count)]


def _event(rng: random.Random, i: int, partner: str) -> Row:
    at = moment(rng)
    return {
        "event_id": f"e{i}",
        "partner_id": partner,
        "event_type": rng.choice(TYPES),
        "user_id": rng.choice([None, "u1", "u2", "u3"]),
        "source": rng.choice(["portal", "mail", None]),
        "quantity": rng.choice([None, None, 1.0, 2.5, 0.0]),
        "event_at": at,
        "known_at": learnt(rng, at),
    }


def _deal(rng: random.Random, i: int, partner: str) -> Row:
    at = moment(rng)
    return {
        "deal_id": f"d{i // 2}",
        "partner_id": partner,
        "status": rng.choice(["registered", "won", "won", "lost", "expired"]),
        "product": rng.choice([None, "x", "y", "z"]),
        "amount_usd": rng.choice([None, 0.0, -20.5, 100.01, 1234.56, 7.0]),
        "margin_usd": rng.choice([None, 10.1, -3.33]),
        "event_at": at,
        "known_at": learnt(rng, at),
    }


def _certification(rng: random.Random, i: int, partner: str) -> Row:
    at = moment(rng)
    expires = at + timedelta(days=rng.randrange(400))
    return {
        "certification_id": f"c{i}",
        "partner_id": partner,
        "user_id": rng.choice([None, "u1", "u2"]),
        "expires_at": rng.choice([None, expires, datetime(expires.year, expires.month, expires.day)]),
        "event_at": at,
        "known_at": learnt(rng, at),
    }


def _survey(rng: random.Random, i: int, partner: str) -> Row:
    at = moment(rng)
    return {
        "survey_id": f"s{i}",
        "partner_id": partner,
        "score": rng.choice([0.0, 3.5, 7.25, 9.0, 10.0]),
        "event_at": at,
        "known_at": learnt(rng, at),
    }


def _tier(rng: random.Random, i: int, partner: str) -> Row:
    at = moment(rng)
    return {"partner_id": partner, "tier": rng.choice(["gold", "silver"]), "event_at": at,
            "known_at": learnt(rng, at)}  # fmt: skip


def _partner(rng: random.Random, i: int, partner: str) -> Row:
    return {
        "partner_id": partner,
        "country": rng.choice([None, "NA", "US"]),
        "region": rng.choice([None, "north"]),
        "partner_type": "reseller",
        "motion": None,
        "industry": rng.choice(["it", "retail"]),
        "employee_count": rng.choice([None, 5, 2**40]),
        "annual_revenue_usd": rng.choice([None, 1e6]),
        "founded_year": rng.choice([None, 1999]),
        "tier": rng.choice(["gold", None]),
        "signed_at": rng.choice([None, moment(rng)]),
        "known_at": rng.choice([None, moment(rng)]),
    }


MAKERS = {
    "partners": (_partner, 1),
    "events": (_event, 18),
    "deals": (_deal, 9),
    "certifications": (_certification, 4),
    "surveys": (_survey, 3),
    "tier_history": (_tier, 2),
}


def random_world(seed: int, *, partners: int = 4, without: Sequence[str] = ()) -> dict[str, list[Row]]:
    """All tables of a small channel; a third of the records is corrected, some rows are repeated."""
    rng = random.Random(seed)
    tables: dict[str, list[Row]] = {}
    for table, (make, many) in MAKERS.items():
        if table in without:
            continue
        ids = partner_ids(partners)
        if table == "partners":
            rows = [make(rng, i, p) for i, p in enumerate(ids)]
        else:
            rows = [make(rng, i, rng.choice(ids)) for i in range(many * partners)]
        rows += [corrected(rng, table, r) for r in rng.sample(rows, len(rows) // 3)]
        rows += [corrected(rng, table, r) for r in rng.sample(rows, len(rows) // 9)]
        rows = [hashed(r) for r in rows]
        tables[table] = rows + rng.sample(rows, len(rows) // 5)
    return tables


def corrected(rng: random.Random, table: str, row: Row) -> Row:
    """Another version of a record: other content, known at another time or at the same."""
    make, _ = MAKERS[table]
    other = make(rng, 0, rng.choice([row["partner_id"], "P0"]))
    key = {k: row[k] for k in TABLES[table].key}
    same_time = {"known_at": row["known_at"]} if rng.random() < 0.2 else {}
    return {**other, **key, **same_time}


def write(folder: Path, tables: Mapping[str, Sequence[Row]], *, parts: int = 1) -> dict[str, list[Path]]:
    """Parquet files as the lake writes them, dealt out over `parts` files a table."""
    paths: dict[str, list[Path]] = {}
    for table, rows in tables.items():
        fields = [(c.name, ARROW[c.type]) for c in TABLES[table].columns]
        schema = pa.schema([*fields, ("row_hash", pa.string())])
        for part in range(parts):
            path = folder / f"{table}-{part}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist(list(rows[part::parts]), schema=schema), path)
            paths.setdefault(table, []).append(path)
    return paths


def wide(frames: Mapping[str, Any]) -> Any:
    """The views of a build side by side, indexed by partner and date."""
    return pd.concat([f.set_index(["partner_id", "as_of"]) for f in frames.values()], axis=1)
