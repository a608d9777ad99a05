"""Past leads as the log found them: outcomes, who was busy, and reports that add up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evaluation import routing_report as report
from evaluation.policy_replay import Replay, first_offers, joined, outcomes_of, standing_at
from features.leadhistory import offers_of
from models.routing.settings import RoutingSettings

SETTINGS = RoutingSettings(answer_days=10, win_days=60)
END = datetime(2026, 6, 1)


def stage(offer: str, lead: str, partner: str, status: str, day: str, **more: Any) -> dict[str, Any]:
    at = pd.Timestamp(day)
    return {"assignment_id": offer, "lead_id": lead, "partner_id": partner, "status": status, "reason": None,
            "value_usd": np.nan, "propensity": 0.5, "event_at": at, "known_at": at, **more}  # fmt: skip


def offers() -> Any:
    rows = [
        stage("1", "L1", "A", "offered", "2026-01-05"),
        stage("1", "L1", "A", "accepted", "2026-01-06"),
        stage("1", "L1", "A", "won", "2026-02-20", value_usd=900.0),
        stage("2", "L2", "A", "offered", "2026-01-10"),
        stage("2", "L2", "A", "declined", "2026-01-12", reason="too small"),
        stage("3", "L2", "B", "offered", "2026-01-12"),
        stage("3", "L2", "B", "accepted", "2026-01-13"),
        stage("4", "L3", "B", "offered", "2026-01-20"),
        stage("5", "L4", "B", "offered", "2026-02-02"),
        stage("5", "L4", "B", "accepted", "2026-02-20"),
        stage("6", "L5", "A", "offered", "2026-05-20"),
        stage("7", "L6", "C", "offered", "2026-01-07"),
        stage("7", "L6", "C", "accepted", "2026-01-08"),
        stage("7", "L6", "C", "won", "2026-05-30", value_usd=100.0),
    ]
    return offers_of(pd.DataFrame(rows), leads=None)


def test_outcomes_are_those_of_the_labels_and_unknown_until_their_time_is_over() -> None:
    found = outcomes_of(offers(), SETTINGS, known_until=END).set_index("lead_id")
    assert found.loc["L1", ["accepted", "won", "value_usd"]].tolist() == [1.0, 1.0, 900.0]
    assert found.loc["L3", ["accepted", "won"]].tolist() == [0.0, 0.0]
    assert found.loc["L4", ["accepted", "won"]].tolist() == [0.0, 0.0]
    assert found.loc["L6", ["accepted", "won", "value_usd"]].tolist() == [1.0, 0.0, 0.0]
    assert found.loc["L5", ["accepted", "won"]].tolist() == [0.0, pytest.approx(np.nan, nan_ok=True)]


def test_only_first_offers_with_a_known_outcome_are_judged() -> None:
    found = first_offers(offers(), SETTINGS, since=datetime(2026, 1, 1), known_until=END)
    assert found["lead_id"].tolist() == ["L1", "L6", "L2", "L3", "L4"]
    assert found.set_index("lead_id").loc["L2", "partner_id"] == "A"


def test_partners_are_busy_from_the_offer_until_it_is_over() -> None:
    def load(day: str) -> dict[str, int]:
        return dict(standing_at(offers(), pd.Timestamp(day).to_pydatetime(), SETTINGS).load)

    assert load("2026-01-05") == {}
    assert load("2026-01-05 12:00") == {"A": 1}
    assert load("2026-01-11") == {"A": 2, "C": 1}
    assert load("2026-01-13 12:00") == {"A": 1, "B": 1, "C": 1}
    assert load("2026-01-21") == {"A": 1, "B": 2, "C": 1}
    assert load("2026-02-01") == {"A": 1, "B": 1, "C": 1}


def test_shares_of_the_month_begin_anew_each_month() -> None:
    found = standing_at(offers(), datetime(2026, 2, 3), SETTINGS)
    assert dict(found.received) == {"B": 1}
    assert found.last_offer["A"] == pd.Timestamp("2026-01-10")


def replayed() -> Replay:
    """Two leads, three partners; `after` moves half of the first lead from A to B, and drops the second."""
    groups = pd.DataFrame({"tier": ["gold", "silver", "gold", "silver"], "region": "DE/BY", "size": "small"})
    return Replay(
        decisions=pd.DataFrame(
            {"lead_id": ["L1", "L2"], "offered_at": pd.to_datetime(["2026-01-05", "2026-01-07"]),
             "partner_id": ["A", "B"], "propensity": [0.5, 0.5], "accepted": [1.0, 0.0], "won": [1.0, 0.0],
             "value_usd": [900.0, 0.0]}
        ),
        decision=np.array([0, 0, 1, 1]),
        partner=np.array(["A", "B", "A", "B"], dtype=object),
        chosen=np.array([0, 3]),
        chances={"before": np.array([1.0, 0, 0, 1.0]), "after": np.array([0.4, 0.6, 0, 0])},
        gain=np.array([0.5, 0.3, 0.2, 0.4]),
        features=np.zeros((4, 1)),
        groups=groups,
    )  # fmt: skip


def test_a_difference_tells_who_would_get_what() -> None:
    rows = report.changed(replayed(), "before", "after")
    assert [(r["lead_id"], r["before"], r["after"]) for r in rows] == [("L2", "B", None), ("L1", "A", "B")]
    assert rows[1]["expected_wins"] == pytest.approx(-0.2)
    assert report.moved_share(replayed(), "before", "after") == pytest.approx((0.6 + 1.0) / 2)
    assert report.unassigned_share(replayed(), "after") == pytest.approx(0.5)
    assert report.expected_wins(replayed(), "before") == pytest.approx(45.0)


def test_shares_of_groups_add_up_to_one() -> None:
    rows = report.shares(replayed(), ["before", "after"], by="tier")
    for name in ("logged", "before", "after"):
        assert sum(r[name] for r in rows) == pytest.approx(1.0)
    assert next(r for r in rows if r["tier"] == "silver")["after"] == pytest.approx(0.6)


def test_the_price_of_fairness_is_what_bands_give_up() -> None:
    found = report.price_of_fairness(replayed(), "after", "before")
    assert found["wins_given_up_per_100"] == pytest.approx(45.0 - 19.0)


def test_stretches_joined_are_as_good_as_one() -> None:
    twice = joined([replayed(), replayed()])
    assert len(twice) == 4
    assert twice.decision.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert twice.chosen.tolist() == [0, 3, 4, 7]
    assert report.expected_wins(twice, "before") == report.expected_wins(replayed(), "before")
    judged = twice.judged("before")
    assert judged.weights().tolist() == [2.0, 2.0, 2.0, 2.0]


def test_a_rate_of_a_few_offers_is_left_out() -> None:
    rows = report.offers_of_replay(replayed())
    partners = pd.DataFrame({"partner_id": ["A", "B", "C"], "tier": ["gold", "silver", "silver"]})
    for row in report.exposure(rows, partners, by="tier"):
        assert row["offers"] < report.LEAST_KNOWN
        assert (row["accept_rate"], row["win_rate"], row["wins_per_100_offers"]) == (None, None, None)


def test_exposure_counts_everybody_and_acceptance_every_answer() -> None:
    rows = pd.concat([report.offers_of_replay(replayed())] * report.LEAST_KNOWN)
    partners = pd.DataFrame({"partner_id": ["A", "B", "C"], "tier": ["gold", "silver", "silver"]})
    found = {r["tier"]: r for r in report.exposure(rows, partners, by="tier")}
    assert found["silver"]["partners"] == 2
    assert found["silver"]["reached_share"] == 0.5
    assert found["gold"]["win_rate"] == 1.0
    assert found["silver"]["win_rate"] is None
    told = report.acceptance(offers())
    shares = [told[f"{a}_share"] for a in ("accepted", "declined", "expired", "open")]
    assert sum(shares) == pytest.approx(1.0, abs=1e-5)
    assert told["decline_reasons"] == {"too small": 1}


def test_a_web_domain_is_one_however_a_table_writes_it() -> None:
    from evaluation.moments import asked_of

    written = ("https://www.Acme.example/shop", "acme.example", "info@ACME.example")
    assert {asked_of({"lead_id": "L1", "domain": w}).domain for w in written} == {"acme.example"}
