"""The oracle tells the truth: its probabilities come true, and its answers fit the tables."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from data.errors import InputError
from data.simulate import simulate
from data.simulate.oracle import (
    accept_probability,
    bayes_score,
    departed_if_treated,
    hazard_score,
    next_revenue,
    win_probability,
)


@pytest.fixture(scope="module")
def analytic():
    return simulate("analytic", partners=800, seed=2)


@pytest.fixture(scope="module")
def rich():
    return simulate("demo", partners=400, seed=2)


def test_a_finer_grid_changes_nothing(analytic):
    as_ofs = [analytic.start + timedelta(days=d) for d in (300, 800)]
    coarse, fine = (bayes_score(analytic, as_ofs, points=n)["probability"] for n in (41, 81))
    assert np.abs(coarse - fine).max() < 0.002


def test_the_best_score_comes_true_at_every_level_and_horizon(analytic):
    as_ofs = [analytic.start + timedelta(days=d) for d in range(250, 1000, 125)]
    scores = bayes_score(analytic, as_ofs)
    departed = analytic.truth["partners"].set_index("partner_id")["departed_at"]
    left = departed.reindex(scores["partner_id"]).to_numpy()
    scores["left"] = left <= scores["as_of"] + pd.to_timedelta(scores["horizon_days"], unit="D")
    for horizon, rows in scores[scores["probability"] < 0.95].groupby("horizon_days"):
        level = pd.qcut(rows["probability"], 4, labels=False)
        means = rows.groupby(level)[["probability", "left"]].mean()
        assert means["left"].to_numpy() == pytest.approx(means["probability"], rel=0.35, abs=0.03), horizon


def test_the_best_score_uses_nothing_after_as_of(analytic):
    as_of = date(2025, 3, 1)
    cut = pd.Timestamp(as_of)
    known = {k: f[f["event_at"] < cut] if "event_at" in f else f for k, f in analytic.tables.items()}
    today = analytic.__class__(known, {}, analytic.config, analytic.start, as_of)
    pd.testing.assert_frame_equal(bayes_score(today, [as_of]), bayes_score(analytic, [as_of]))


def test_horizons_never_cross_in_the_best_score(analytic):
    wide = bayes_score(analytic, [date(2025, 1, 1)]).pivot(
        index="partner_id", columns="horizon_days", values="probability"
    )
    assert (wide[30] <= wide[90] + 1e-12).all()
    assert (wide[90] <= wide[180] + 1e-12).all()


def test_departed_partners_of_both_worlds_are_silent(analytic, rich):
    for world in (analytic, rich):
        departed = world.truth["partners"].set_index("partner_id")["departed_at"]
        for name, value in (("deals", ("registered", "won")), ("events", None)):
            rows = world.tables[name]
            rows = rows[rows["status"].isin(value)] if value else rows
            left = departed.reindex(rows["partner_id"]).to_numpy()
            assert not (rows["event_at"].to_numpy() >= left).any()


def test_offers_are_accepted_and_won_as_often_as_the_oracle_says(rich):
    rows = rich.tables["assignments"]
    first = rows[rows["assignment_id"].str[1:].astype(int) % 4 == 0]
    offered = first[first["status"] == "offered"]
    done = first.groupby("assignment_id")["status"].agg(set).reindex(offered["assignment_id"])
    accept = accept_probability(rich, offered["lead_id"], offered["partner_id"])
    accepted = done.map(lambda s: "accepted" in s).to_numpy()
    assert accepted.mean() == pytest.approx(accept.mean(), abs=0.03)
    win = win_probability(rich, offered["lead_id"], offered["partner_id"])
    closed = done.map(lambda s: bool(s & {"won", "lost"})).to_numpy()
    won = done.map(lambda s: "won" in s).to_numpy()
    assert won[closed].mean() == pytest.approx(win[closed].mean(), abs=0.05)
    order = np.argsort(win[closed])
    assert won[closed][order[-200:]].mean() > won[closed][order[:200]].mean() + 0.15


def test_unknown_partners_and_leads_are_named(rich):
    with pytest.raises(InputError, match="no partner 'P999999'"):
        accept_probability(rich, ["L000000"], ["P999999"])
    with pytest.raises(InputError, match="no lead L999999"):
        win_probability(rich, ["L999999"], ["P000000"])


def test_hazard_scores_come_true(rich):
    as_ofs = [rich.start + timedelta(days=d) for d in range(150, 1000, 90)]
    scores = hazard_score(rich, as_ofs, horizons=(90,))
    departed = rich.truth["partners"].set_index("partner_id")["departed_at"].reindex(scores["partner_id"])
    left = departed.to_numpy() < scores["as_of"].to_numpy() + np.timedelta64(90, "D")
    assert left.mean() == pytest.approx(scores["probability"].mean(), abs=0.02)


def test_a_check_in_postpones_departure_where_it_helps_and_changes_no_past(rich):
    truth = rich.truth["partners"].set_index("partner_id")
    gone = truth[truth["departed_at"].notna()].head(60)
    week_before = [d.date() - timedelta(days=10) for d in gone["departed_at"]]
    after = departed_if_treated(rich, gone.index, week_before).set_index("partner_id")
    assert (after["departed_at"] == gone["departed_at"]).all()
    helped = gone["checkin_hazard_ratio"] < 1
    late = pd.Timestamp(rich.end)
    moved = after["departed_at_if_treated"].fillna(late)
    assert (moved[helped] >= after.loc[helped, "departed_at"]).all()
    assert (moved[helped] > after.loc[helped, "departed_at"]).any()
    assert (moved[~helped] <= after.loc[~helped, "departed_at"]).all()
    too_late = [d.date() + timedelta(days=10) for d in gone["departed_at"]]
    unmoved = departed_if_treated(rich, gone.index, too_late).set_index("partner_id")
    assert (unmoved["departed_at_if_treated"] == gone["departed_at"]).all()


def test_expected_revenue_agrees_with_what_came(rich):
    revenue = next_revenue(rich, rich.end - timedelta(days=365))
    # Leads come on top of what is expected, returns are taken off.
    assert revenue["realised_usd"].sum() == pytest.approx(revenue["expected_usd"].sum(), rel=0.2)
    assert revenue["expected_usd"].corr(revenue["realised_usd"], method="spearman") > 0.8


def test_productive_partners_source_deals_in_their_first_year_and_no_others_do(rich):
    partners = rich.tables["partners"].drop_duplicates("partner_id").set_index("partner_id")
    productive = rich.truth["partners"].set_index("partner_id")["productive"]
    young = partners["signed_at"].between(
        pd.Timestamp(rich.start), pd.Timestamp(rich.end) - pd.Timedelta(days=365)
    )
    deals = rich.tables["deals"]
    won = deals[(deals["status"] == "won") & deals["sourced"].astype(bool)]
    signed = partners["signed_at"].reindex(won["partner_id"]).to_numpy()
    first_year = won[won["event_at"].to_numpy() < signed + np.timedelta64(365, "D")]
    success = pd.Series(young[young].index.isin(first_year["partner_id"]), index=young[young].index)
    assert not success[~productive.reindex(success.index)].any()
    assert success[productive.reindex(success.index)].mean() > 0.7
