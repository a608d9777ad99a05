from __future__ import annotations

from datetime import datetime

import pandas as pd

from serving.managers import managers_at


def frame(*rows: tuple[str, str, str, str | None, str]) -> object:
    columns = ["partner_id", "manager_id", "event_at", "known_at", "row_hash"]
    found = pd.DataFrame(rows, columns=columns)
    for name in ("event_at", "known_at"):
        found[name] = pd.to_datetime(found[name]).astype("datetime64[us]")
    return found


def test_the_newest_valid_row_names_the_manager_whatever_the_order() -> None:
    rows = (
        ("A", "M1", "2026-01-01", None, "a"),
        ("A", "M2", "2026-05-01", "2026-06-01", "b"),
        ("A", "M9", "2027-01-01", None, "c"),
        ("B", "M3", "2026-01-01", "2026-01-01", "d"),
        ("B", "M4", "2026-01-01", "2026-02-01", "e"),
    )
    for order in (rows, rows[::-1]):
        assert managers_at(frame(*order), now=datetime(2026, 5, 15)) == {"A": "M1", "B": "M4"}
        assert managers_at(frame(*order), now=datetime(2026, 6, 15)) == {"A": "M2", "B": "M4"}


def test_no_rows_mean_no_managers() -> None:
    assert managers_at(frame(), now=datetime(2026, 1, 1)) == {}
