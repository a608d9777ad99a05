"""Prices of capacity: kept by version, so that a decision can name those it paid."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, select

from data.errors import NotFoundError
from serving.decisions import canonical
from serving.routing.tables import PRICES
from serving.state import Database, iso


def keep_prices(
    database: Database,
    prices: Mapping[str, float],
    *,
    policy_version: int,
    about: Mapping[str, Any],
    at: datetime,
) -> int:
    """Keep prices as the newest of a policy; returns their version."""
    with database.write() as connection:
        version = int(connection.execute(select(func.max(PRICES.c.version))).scalar() or 0) + 1
        kept = {p: v for p, v in sorted(prices.items()) if v > 0}
        row = {
            "version": version, "policy_version": policy_version, "prices": canonical(kept),
            "about": canonical(dict(about)), "created_at": iso(at),
        }  # fmt: skip
        connection.execute(insert(PRICES).values(row))
    return version


def newest_prices(
    database: Database, policy_version: int, *, known: int = 0
) -> tuple[int, Mapping[str, float]]:
    """Version and prices of a policy; 0 where there are none, and no prices when the version is known."""
    with database.read() as connection:
        newest = select(func.max(PRICES.c.version)).where(PRICES.c.policy_version == policy_version)
        version = int(connection.execute(newest).scalar() or 0)
    return version, {} if version in (0, known) else read_prices(database, version)


def read_prices(database: Database, version: int) -> Mapping[str, float]:
    """Prices of a version; none for version 0.

    Raises:
        NotFoundError: There is no such version.
    """
    if version == 0:
        return {}
    with database.read() as connection:
        found = connection.execute(select(PRICES.c.prices).where(PRICES.c.version == version)).scalar()
    if found is None:
        raise NotFoundError(f"The prices of version {version} are gone.")
    prices: dict[str, float] = json.loads(found)
    return prices
