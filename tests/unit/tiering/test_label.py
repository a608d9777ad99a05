"""Contributions: what is counted, when it is known, and what is censored."""

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tiering import SPEC
from models.tiering.label import build_cohort, build_labels
from models.tiering.settings import TieringSettings
from models.versions import Versions

SETTINGS = TieringSettings()
AS_OF = date(2025, 1, 1)
FAR = datetime(2027, 1, 1)


def deals(*rows):
    """Rows of (partner, event day after AS_OF, amount[, known day[, key]])."""
    made = []
    for n, row in enumerate(rows):
        partner, day, amount, known, key = (*row, None, None)[:5]
        at = pd.Timestamp(AS_OF) + pd.Timedelta(days=day)
        seen = at if known is None else pd.Timestamp(AS_OF) + pd.Timedelta(days=known)
        made.append((partner, at, seen, key or f"d{n}", amount))
    return pd.DataFrame(made, columns=["partner_id", "event_at", "known_at", "record_key", "amount_usd"])


def cohort(*partners, at=AS_OF):
    return pd.DataFrame({"partner_id": list(partners), "as_of": pd.Timestamp(at)})


def amounts(rows, *partners, known_until=FAR):
    found = build_labels(rows, cohort(*partners), settings=SETTINGS, known_until=known_until)
    return dict(zip(found["partner_id"], found["y"], strict=True))


def test_the_window_holds_its_first_day_and_not_its_last():
    rows = deals(("A", -1, 1.0), ("A", 0, 10.0), ("A", 364, 100.0), ("A", 365, 1000.0))
    assert amounts(rows, "A") == {"A": 110.0}


def test_a_window_that_reaches_past_what_is_known_is_censored_and_never_zero():
    rows = deals(("A", 10, 5.0))
    assert amounts(rows, "A", known_until=datetime(2025, 12, 31)) == {}
    assert amounts(rows, "A", known_until=datetime(2026, 1, 1)) == {"A": 5.0}


def test_a_partner_without_a_deal_contributes_nothing_and_returns_never_make_it_less():
    assert amounts(deals(("B", 3, -40.0)), "A", "B") == {"A": 0.0, "B": 0.0}


def test_a_correction_counts_only_when_it_was_known_in_time():
    rows = deals(("A", 10, 5.0, 10, "k"), ("A", 10, 50.0, 400, "k"))
    assert amounts(rows, "A") == {"A": 5.0}


@given(st.permutations(list(range(6))))
@settings(max_examples=25, deadline=None)
def test_the_order_of_rows_changes_no_bit(order):
    rows = deals(*[("A", d, 0.1 * (d + 1)) for d in range(6)])
    assert amounts(rows.iloc[order], "A") == amounts(rows, "A")


def test_the_cohort_holds_who_is_under_agreement_then():
    signed = deals(("A", -100, 0), ("B", -100, 0), ("C", 5, 0), ("D", -300, 0))
    won = deals(("D", -10, 1.0))
    ended = deals(("B", -20, 0), ("D", -40, 0))
    found = build_cohort(signed, won, ended, as_ofs=[AS_OF], settings=SETTINGS)
    assert found["partner_id"].tolist() == ["A", "D"]


def test_recent_activity_can_be_asked_for():
    signed, won = deals(("A", -100, 0), ("B", -100, 0)), deals(("A", -10, 1.0), ("B", -90, 1.0))
    asked = TieringSettings(active_within_days=30)
    found = build_cohort(signed, won, won[:0], as_ofs=[AS_OF], settings=asked)
    assert found["partner_id"].tolist() == ["A"]


def test_a_deleted_deal_no_longer_counts():
    rows = deals(("A", 10, 5.0, 10, "k"), ("A", 10, 5.0, 20, "k"))
    rows.loc[1, "event_at"] = pd.NaT
    assert Versions(rows).known(by=FAR).empty


def test_the_tier_held_is_no_feature():
    assert "tier" not in SPEC.names
    assert not [f for f in SPEC.features if "tier" in f.name]


@pytest.mark.parametrize("known", [date(2025, 6, 1) + timedelta(days=k) for k in (0, 100)])
def test_every_label_is_known_a_year_and_the_lag_after_its_date(known):
    late = TieringSettings(reporting_lag_days=30)
    found = build_labels(deals(("A", 1, 1.0)), cohort("A", at=known), settings=late, known_until=FAR)
    assert (found["known_at"] == pd.Timestamp(known) + pd.Timedelta(days=395)).all()
    assert np.array_equal(found["horizon_days"], [365])
