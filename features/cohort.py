"""Dated activities that show a relationship lives, and agreements that ended: the raw material of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from data.errors import ConfigError, MissingDataError
from data.tables import TABLES

_DEAL_KINDS = ("registered", "won", "lost", "expired")
_COLUMNS = ("partner_id", "event_at", "known_at", "record_key")


def value_activity(lake: Any, *, kinds: Sequence[str]) -> Any:
    """All dated activities of the given kinds, every version of each.

    A version that no longer is such an activity (a won deal corrected to a return) has no `event_at`, so that
    whoever keeps the last version known by a date sees it vanish.

    Args:
        lake: `data.lake.Lake`.
        kinds: `deals.won`, `deals.registered` (also written `deal_won`, `deal_registered`), or
            `events.<type>` (also `event:<type>`). A won deal needs an amount above zero, or none at all.

    Returns:
        DataFrame[partner_id: str, event_at, known_at: datetime64[us], record_key: str], sorted.

    Raises:
        ConfigError: A kind cannot be read.
        MissingDataError: A table it needs is absent.
    """
    wanted: dict[str, set[str]] = {}
    for kind in kinds:
        table, value = _parse(kind)
        wanted.setdefault(table, set()).add(value)
    return _sorted([_activities(lake, table, values) for table, values in sorted(wanted.items())])


def terminations(lake: Any) -> Any:
    """Agreements that ended, every version, in the columns of `value_activity`; may be empty."""
    if not lake.has("terminations"):
        return _sorted([])
    rows = lake.read("terminations")
    return _sorted([_keyed(rows, "terminations", counts=pd.Series(True, index=rows.index))])


def _parse(kind: str) -> tuple[str, str]:
    for prefix, table in (
        ("deals.", "deals"),
        ("deal_", "deals"),
        ("events.", "events"),
        ("event:", "events"),
    ):
        value = kind.removeprefix(prefix)
        if value != kind and value and (table == "events" or value in _DEAL_KINDS):
            return table, value
    raise ConfigError(
        f"{kind!r} is no kind of value activity.",
        allowed="deals.registered, deals.won, deals.lost, deals.expired, or events.<event type>",
        pointer="churn.value_activities",
    )


def _activities(lake: Any, table: str, values: set[str]) -> Any:
    if not lake.has(table):
        raise MissingDataError(
            f"Value activities are to come from `{table}`, which the lake does not have.",
            next_step=f"Map `{table}` under `tables:`, or change `churn.value_activities`.",
            pointer=table,
        )
    rows = lake.read(table)
    if table == "events":
        return _keyed(rows, table, counts=rows["event_type"].isin(values) & ~(rows["quantity"] <= 0))
    paid = rows["amount_usd"].isna() | (rows["amount_usd"] > 0)
    return _keyed(rows, table, counts=rows["status"].isin(values) & ((rows["status"] != "won") | paid))


def _keyed(rows: Any, table: str, *, counts: Any) -> Any:
    """One row for each (record, known_at), without records that never counted."""
    key = rows[TABLES[table].key[0]].astype(object)
    for column in TABLES[table].key[1:]:
        key = key + "\x1f" + rows[column].astype(str)
    keep = pd.DataFrame(
        {
            "partner_id": rows["partner_id"].astype(object),
            "event_at": rows["event_at"].where(counts),
            "known_at": rows["known_at"].fillna(rows["event_at"]),
            "record_key": f"{table}\x1f" + key,
            "row_hash": rows["row_hash"],
        }
    )
    keep = keep[counts.groupby(keep["record_key"]).transform("any")]
    keep = keep.sort_values(["record_key", "known_at", "row_hash"], kind="stable")
    return keep.drop_duplicates(["record_key", "known_at"], keep="last")


def _sorted(parts: Sequence[Any]) -> Any:
    empty = pd.DataFrame({c: pd.Series(dtype=object) for c in _COLUMNS})
    rows = pd.concat(parts, ignore_index=True) if parts else empty
    rows = rows[list(_COLUMNS)].astype({"event_at": "datetime64[us]", "known_at": "datetime64[us]"})
    return rows.sort_values(["partner_id", "known_at", "record_key"], ignore_index=True)
