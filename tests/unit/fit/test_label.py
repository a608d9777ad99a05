"""Success within 12 months of signing: what counts, and who is not known yet."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fit.label import build_labels
from models.fit.settings import FitSettings

START, SIGNED = datetime(2024, 1, 1), datetime(2024, 3, 1)
LATE = datetime(2026, 1, 1)


def deal(day: str, *, partner: str = "A", known: str = "", **more: Any) -> dict[str, Any]:
    """A won, sourced deal."""
    row = {"deal_id": "D1", "partner_id": partner, "status": "won", "sourced": True, "margin_usd": 100.0}
    return {**row, "event_at": day, "known_at": known or day, **more}


def labels(*deals: dict[str, Any], signed: datetime = SIGNED, until: datetime = LATE, **more: Any) -> Any:
    columns = ["deal_id", "partner_id", "status", "sourced", "margin_usd", "event_at", "known_at"]
    table = pd.DataFrame(list(deals), columns=columns)
    for name in ("event_at", "known_at"):
        table[name] = pd.to_datetime(table[name]).astype("datetime64[us]")
    partners = pd.DataFrame(
        {"partner_id": ["A"], "signed_at": pd.to_datetime([signed]).astype("datetime64[us]")}
    )
    return build_labels(partners, table, settings=FitSettings(**more), data_start=START, known_until=until)


def success(*deals: dict[str, Any], **more: Any) -> int:
    return int(labels(*deals, **more)["y"].iloc[0])


def test_one_sourced_won_deal_within_the_year_is_a_success() -> None:
    assert success(deal("2024-09-01")) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"sourced": False},
        {"sourced": None},
        {"status": "registered"},
        {"status": "lost"},
        {"partner_id": "B"},
    ],
)
def test_other_deals_are_no_success(change: dict[str, Any]) -> None:
    assert success(deal("2024-09-01", **change)) == 0


@pytest.mark.parametrize(
    ("day", "expected"), [("2024-02-29", 0), ("2024-03-01", 1), ("2025-02-28", 1), ("2025-03-01", 0)]
)
def test_the_year_begins_with_the_signing_and_ends_before_its_anniversary(day: str, expected: int) -> None:
    assert success(deal(day)) == expected


def test_a_margin_at_the_threshold_is_not_over_it() -> None:
    assert success(deal("2024-09-01"), least_margin_usd=100.0) == 0
    assert success(deal("2024-09-01"), least_margin_usd=99.0) == 1


def test_without_any_margin_on_record_the_threshold_is_ignored() -> None:
    assert success(deal("2024-09-01", margin_usd=np.nan), least_margin_usd=100.0) == 1


def test_a_deal_reported_after_the_label_was_due_does_not_count() -> None:
    assert success(deal("2025-02-01", known="2025-03-30")) == 1
    assert success(deal("2025-02-01", known="2025-04-02")) == 0


def test_a_correction_takes_a_success_back() -> None:
    first = deal("2024-09-01")
    assert success(first, deal("2024-09-01", known="2024-10-01", sourced=False)) == 0


def test_a_young_partner_is_unknown_even_when_it_has_won_already() -> None:
    known = SIGNED + pd.Timedelta(days=395)
    assert labels(deal("2024-04-01"), until=known - pd.Timedelta(days=1)).empty
    assert labels(deal("2024-04-01"), until=known)["known_at"].iloc[0] == known


def test_a_partner_signed_before_the_deals_begin_is_unknown() -> None:
    assert labels(deal("2024-04-01"), signed=datetime(2023, 12, 31)).empty


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 700), max_size=6), st.integers(0, 900))
def test_who_is_labelled_depends_on_dates_alone(days: list[int], until: int) -> None:
    moment = SIGNED + pd.Timedelta(days=until)
    won = [deal(str(SIGNED + pd.Timedelta(days=d)), deal_id=f"D{i}") for i, d in enumerate(days)]
    assert len(labels(*won, until=moment)) == len(labels(until=moment)) == (until >= 395)
