"""Value activities and terminations are handed over with every version, so that labels see what was known."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from data.errors import ConfigError, MissingDataError
from data.lake import Lake
from features.cohort import terminations, value_activity
from tests.functional.features.channel import append

AT = datetime(2023, 3, 1, 10)


def deal(
    deal_id: str, status: str, amount: float | None, known_at: datetime | None = None
) -> dict[str, object]:
    return {"deal_id": deal_id, "partner_id": "P", "status": status, "amount_usd": amount, "event_at": AT,
            "known_at": known_at}  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path / "lake")
    append(made, "deals", [deal("1", "won", 10.0), deal("2", "won", -5.0), deal("3", "registered", None)])
    append(made, "deals", [deal("4", "won", None), deal("5", "lost", 1.0)])
    return made


def ids(rows: pd.DataFrame) -> list[str]:
    return [key.split("\x1f")[1] for key in rows["record_key"]]


def test_returns_are_no_won_deals(lake: Lake) -> None:
    assert ids(value_activity(lake, kinds=["deals.won"])) == ["1", "4"]


def test_kinds_may_be_written_both_ways_and_combined(lake: Lake) -> None:
    both = value_activity(lake, kinds=["deals.won", "deal_registered"])
    assert ids(both) == ["1", "3", "4"]
    pd.testing.assert_frame_equal(both, value_activity(lake, kinds=["deal_won", "deals.registered"]))
    assert both["known_at"].tolist() == [pd.Timestamp(AT)] * 3


def test_won_deal_corrected_to_a_return_vanishes_from_then_on(lake: Lake) -> None:
    append(lake, "deals", [deal("1", "won", -10.0, datetime(2023, 4, 1))])
    rows = value_activity(lake, kinds=["deals.won"])
    first = rows[rows["record_key"].str.contains("\x1f1\x1f")]
    assert first["known_at"].tolist() == [pd.Timestamp(AT), pd.Timestamp("2023-04-01")]
    assert first["event_at"].isna().tolist() == [False, True]


def test_missing_table_and_unknown_kind_are_said(lake: Lake) -> None:
    with pytest.raises(MissingDataError, match="events"):
        value_activity(lake, kinds=["event:meeting"])
    with pytest.raises(ConfigError, match="deal_wonn"):
        value_activity(lake, kinds=["deal_wonn"])


def test_terminations_are_empty_without_a_table(lake: Lake) -> None:
    none = terminations(lake)
    assert list(none.columns) == ["partner_id", "event_at", "known_at", "record_key"]
    assert none.empty
    append(lake, "terminations", [{"partner_id": "P", "event_at": AT}])
    assert terminations(lake)["event_at"].tolist() == [pd.Timestamp(AT)]
