"""What can be done about a partner's risk, and what its features would be after a month of doing it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from models.counterfactual import Lever

MONTH_DAYS = 30
STEPS = (1, 2, 3, 5, 8, 13, 20)
LEVEL = 0.9
"""Amounts go up to what one partner in ten does in a month."""
KINDS: Mapping[str, tuple[str, str, str]] = {
    # lever: (count stem, days since, sentence)
    "logins": ("login", "days_since_last_login", "{amount} more portal {login|logins} in a month"),
    "downloads": ("content", "", "{amount} more content {download|downloads} in a month"),
    "meetings": ("meeting", "", "{amount} more {meeting|meetings} in a month"),
    "registrations": (
        "registered",
        "days_since_last_registration",
        "{amount} more deal {registration|registrations} in a month",
    ),
    "trainings": ("training", "", "{amount} more completed {training|trainings} in a month"),
    "certifications": (
        "", "days_since_last_certification", "{amount} more valid {certification|certifications}",
    ),
}  # fmt: skip
EVENTS = ("logins", "downloads", "meetings", "trainings")
MONTHLY = {"meetings": ("meeting_count_90d", 3.0), "trainings": ("training_count_90d", 3.0)}


def levers(rows: Any) -> list[Lever]:
    """What can be done, within what partners are seen to do in a month.

    Args:
        rows: Features of many partners.
    """
    found = []
    for name, (stem, _, sentence) in KINDS.items():
        column, months = MONTHLY.get(name, (f"{stem}_count_30d", 1.0))
        if name == "certifications":
            column, months = "certifications_active_count", 1.0
        if column not in rows.columns:
            continue
        values = rows[column].to_numpy(dtype=np.float64)
        known = values[np.isfinite(values)]
        most = float(np.quantile(known, LEVEL)) / months if known.size else 0.0
        if name == "certifications":
            most = min(most, 3.0)
        amounts = tuple(float(s) for s in STEPS if s <= max(most, 1.0))
        found.append(Lever(name, amounts, sentence))
    return found


def recompute(row: Mapping[str, Any], actions: Mapping[str, float]) -> dict[str, Any]:
    """The features after a month in which the actions were done, evenly spread; all else as it is.

    Counts of every window, days since the last time, activity in all and trends follow. A value that is
    missing starts from none.
    """
    after = dict(row)
    for name, amount in actions.items():
        stem, since, _ = KINDS[name]
        if name == "certifications":
            for column in ("certifications_active_count", "certified_users_count"):
                _add(after, column, amount)
        else:
            _windows(after, stem, amount)
        if name in EVENTS:
            _windows(after, "event", amount)
            _days(after, amount)
            _since(after, "days_since_last_event", amount)
        if since:
            _since(after, since, amount)
    _trend(after)
    return after


def _windows(row: dict[str, Any], stem: str, amount: float) -> None:
    for column in [c for c in row if c.startswith(f"{stem}_count_")]:
        days = int(column.removeprefix(f"{stem}_count_").removesuffix("d"))
        _add(row, column, amount * min(days / MONTH_DAYS, 1.0))


def _days(row: dict[str, Any], amount: float) -> None:
    for window in (30, 90):
        column = f"active_days_{window}d"
        if column in row:
            _add(row, column, min(amount, MONTH_DAYS - _number(row[column]) if window == 30 else amount))


def _since(row: dict[str, Any], column: str, amount: float) -> None:
    """Evenly spread over the month, the last time is a part of a month ago."""
    if column in row:
        gap = MONTH_DAYS / (amount + 1)
        value = row[column]
        row[column] = gap if _missing(value) else min(float(value), gap)


def _trend(row: dict[str, Any]) -> None:
    """As `features.engagement` defines it."""
    recent, before = row.get("login_count_30d"), row.get("login_count_90d")
    if "login_trend" in row and not _missing(recent) and not _missing(before):
        row["login_trend"] = math.log((float(recent or 0) + 1) / (float(before or 0) / 3 + 1))


def _add(row: dict[str, Any], column: str, amount: float) -> None:
    if column in row:
        row[column] = _number(row[column]) + amount


def _number(value: Any) -> float:
    return 0.0 if _missing(value) else float(value)


def _missing(value: Any) -> bool:
    return value is None or value != value
