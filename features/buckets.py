"""Daily buckets: row versions summed to (partner, event_day, known_day, gone_day).

Everything additive comes from these sums, which makes a build for many dates cheap. Sums are over integers
(cents, thousandths), so that the order of rows, files and threads changes no bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.settings import FeatureSettings
from features.source import Source
from features.versions import spans_of_large

DAY_KEY = ("partner_id", "event_day", "known_day", "gone_day")
THOUSANDTHS = 1000.0


@dataclass(frozen=True)
class Bucket:
    """Bucketed rows of one kind.

    Attributes:
        rows: Ibis table; key columns and integer measures.
        corrected: Whether some row has an end; if not, `gone_day` need not be looked at.
    """

    rows: Any
    corrected: bool


@dataclass(frozen=True)
class BucketKind:
    """How one kind of bucket is made.

    Attributes:
        name: Folder name of its files.
        table: Canonical table it reduces.
        reduce: From spans to bucketed rows.
    """

    name: str
    table: str
    reduce: Callable[[Any, FeatureSettings], Any]


def _event_days(rows: Any, settings: FeatureSettings) -> Any:
    many = (rows.quantity.fill_null(1.0) * THOUSANDTHS).round().cast("int64")
    rows = rows.select(*DAY_KEY, "event_type", many=many)
    groups = {
        f"n_{group}": rows.many.sum(where=rows.event_type.isin(types)).fill_null(0).cast("int64")
        for group, types in settings.event_groups.items()
    }
    return rows.group_by(list(DAY_KEY)).agg(**groups, n_all=rows.many.sum().cast("int64"))


def _event_users(rows: Any, settings: FeatureSettings) -> Any:
    del settings
    rows = rows.filter(rows.user_id.notnull(), rows.quantity.fill_null(1.0) > 0)
    return _items(rows, rows.user_id)


def is_won(rows: Any) -> Any:
    """A won deal: status won, and an amount that is not known or positive (returns are no wins)."""
    return (rows.status == "won") & (rows.amount_usd.isnull() | (rows.amount_usd > 0))


def _deal_days(rows: Any, settings: FeatureSettings) -> Any:
    del settings
    paid = rows.status == "won"
    cents = {c: (rows[c] * 100).round().cast("int64") for c in ("amount_usd", "margin_usd")}
    rows = rows.select(
        *DAY_KEY,
        n_registered=(rows.status == "registered").cast("int64"),
        n_won=is_won(rows).cast("int64"),
        n_lost=(rows.status == "lost").cast("int64"),
        won_cents=paid.ifelse(cents["amount_usd"], 0).fill_null(0),
        margin_cents=paid.ifelse(cents["margin_usd"], 0).fill_null(0),
        n_amount=rows.amount_usd.notnull().cast("int64"),
        n_margin=rows.margin_usd.notnull().cast("int64"),
    )
    sums = {c: rows[c].sum().cast("int64") for c in rows.columns if c not in DAY_KEY}
    return rows.group_by(list(DAY_KEY)).agg(**sums)


def _deal_products(rows: Any, settings: FeatureSettings) -> Any:
    del settings
    rows = rows.filter(is_won(rows), rows["product"].notnull())
    return _items(rows, rows["product"])


def _items(rows: Any, item: Any) -> Any:
    """Each item of a day once for each end: spans with the same end are one, from the earliest start."""
    rows = rows.select(*DAY_KEY, item=item)
    return rows.group_by("partner_id", "item", "event_day", "gone_day").agg(known_day=rows.known_day.min())


EVENT_DAYS = BucketKind("event_days", "events", _event_days)
EVENT_USERS = BucketKind("event_users", "events", _event_users)
DEAL_DAYS = BucketKind("deal_days", "deals", _deal_days)
DEAL_PRODUCTS = BucketKind("deal_products", "deals", _deal_products)
KINDS = (EVENT_DAYS, EVENT_USERS, DEAL_DAYS, DEAL_PRODUCTS)


def build_buckets(
    source: Source, table: str, *, settings: FeatureSettings, paths: Sequence[Path] | None = None
) -> dict[str, Bucket]:
    """Reduce one table to all its buckets, held in the session.

    Args:
        source: Where the table is.
        table: `events` or `deals`; no buckets when absent.
        settings: Event groups.
        paths: Some of the table's files; None: all.
    """
    if not source.has(table):
        return {}
    files = list(source.paths[table]) if paths is None else list(paths)
    rows, corrected = spans_of_large(source, table, paths=files)
    return {
        kind.name: Bucket(source.keep(f"bucket_{kind.name}", kind.reduce(rows, settings)), corrected)
        for kind in KINDS
        if kind.table == table
    }
