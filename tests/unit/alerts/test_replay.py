"""Alerts of the past: what counts as right, early, and fewer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evaluation.alert_rules import Raised, above, crossings, departures_of, replay, right, share_flagged
from evaluation.alerts import evaluate_alerts, hold_out
from models.alerts.margin import margin_at_risk_cents
from models.alerts.settings import AlertSettings
from models.alerts.states import log_hazard

WEEKS = pd.date_range("2026-01-05", periods=30, freq="7D")
LINK = "log_cumulative_hazard"


def course(name: str, risks: list[float], *, left: str | None = None, manager: str = "M1") -> pd.DataFrame:
    gone = pd.Timestamp(left) if left else pd.NaT
    weeks = WEEKS[: len(risks)]
    departed = [max(gone, w) if left else pd.NaT for w in weeks]
    return pd.DataFrame(
        {
            "partner_id": name, "as_of": weeks, "manager_id": manager, "model": "1",
            "eta": [log_hazard(r) for r in risks], "previous_eta": np.nan, "probability": risks,
            "margin_cents": 100_000, "driver": "revenue", "silent_days": 5.0,
            "departed": [bool(left) and w > gone + pd.Timedelta(days=90) for w in weeks],
            "recency": [100 * r for r in risks], "departed_at": pd.to_datetime(departed),
        }
    ).astype({"as_of": "datetime64[us]", "departed_at": "datetime64[us]"})  # fmt: skip


def world() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    parts = []
    for i in range(60):
        leaves = i % 4 == 0
        base = np.clip(0.15 + 0.12 * rng.normal(size=30), 0.02, 0.9)
        if leaves:
            base[10:] = np.clip(0.75 + 0.15 * rng.normal(size=20), 0.05, 0.97)
        left = str(WEEKS[16].date()) if leaves else None
        parts.append(course(f"P{i:02d}", base.tolist(), left=left))
    return pd.concat(parts, ignore_index=True)


def raised(*rows: tuple[str, str]) -> Raised:
    frame = pd.DataFrame(rows, columns=["partner_id", "as_of"]).astype({"as_of": "datetime64[us]"})
    return Raised("x", frame.assign(held_out=False, propensity=0.0, manager_id="M1"))


def test_an_alert_is_right_when_the_partner_leaves_within_ninety_days() -> None:
    panel = course("A", [0.5] * 20, left="2026-05-01")
    weeks = pd.DataFrame({"partner_id": "A", "as_of": panel["as_of"]})
    days = (pd.Timestamp("2026-05-01") - panel["as_of"]).dt.days.to_numpy()
    np.testing.assert_array_equal(right(weeks, panel), (days < 90).astype(float))


@pytest.mark.parametrize(("day", "ahead", "share"), [("2026-02-02", 60, 1.0), ("2026-03-30", 60, 0.0)])
def test_flagged_ahead_means_so_many_days_before_the_departure(day: str, ahead: int, share: float) -> None:
    panel = course("A", [0.5] * 25, left="2026-05-01")
    assert share_flagged(raised(("A", day)), panel, days_ahead=ahead) == share


def test_a_departure_counts_once_and_only_if_it_could_be_foreseen() -> None:
    panel = pd.concat(
        [course("A", [0.5] * 25, left="2026-05-01"), course("B", [0.5] * 25, left="2026-01-01")]
    )
    assert departures_of(panel)["partner_id"].tolist() == ["A"]


def test_a_rule_that_fires_on_crossings_fires_once_a_crossing() -> None:
    panel = course("A", [0.1, 0.6, 0.7, 0.2, 0.8])
    assert len(crossings(panel, "probability", 0.5, name="x").alerts) == 2
    assert len(above(panel, "probability", 0.5, name="x").alerts) == 3


def test_the_replay_asks_for_far_fewer_alerts_at_the_same_recall() -> None:
    report = evaluate_alerts(world(), settings=AlertSettings(), link=LINK)
    assert report["fewer_than_threshold"] > 0.5
    assert report["rules"][0]["precision"]["value"] > 0.6
    assert report["departures"] == 15


def test_the_replay_never_looks_at_what_came_of_it() -> None:
    panel = world()
    blind = panel.assign(departed_at=pd.NaT)
    a, b = (replay(p, settings=AlertSettings(), link=LINK).alerts for p in (panel, blind))
    pd.testing.assert_frame_equal(a, b)


def test_the_hold_out_tells_what_alerts_come_to_unattended() -> None:
    rng = np.random.default_rng(1)
    alerts = pd.DataFrame({"partner_id": [f"P{i}" for i in range(8000)], "propensity": 0.1})
    alerts["held_out"] = rng.random(8000) < 0.1
    unattended = rng.random(8000) < 0.6
    outcome = np.where(alerts["held_out"], unattended, unattended & (rng.random(8000) < 0.5)).astype(float)
    found = hold_out(alerts, outcome)
    assert abs(found.precision.value - 0.6) < 0.05
    assert abs(found.shown_precision.value - 0.3) < 0.03
    assert found.precision.low < 0.6 < found.precision.high


def test_without_a_hold_out_there_is_no_figure() -> None:
    alerts = pd.DataFrame({"partner_id": ["A"], "propensity": [0.0], "held_out": [False]})
    assert np.isnan(hold_out(alerts, np.array([1.0])).precision.value)


def test_margin_at_risk_is_last_years_margin_or_a_fifth_of_the_value_won() -> None:
    frame = pd.DataFrame({"won_margin_usd_365d": [120.5, np.nan, np.nan, 0.0, -5.0],
                          "won_amount_usd_365d": [900.0, 1000.0, np.nan, 500.0, 10.0]})  # fmt: skip
    assert margin_at_risk_cents(frame).tolist() == [12050, 20000, 0, 10000, 0]
    assert margin_at_risk_cents(pd.DataFrame({"x": [1]})).tolist() == [0]
