"""Tiers: whom the potential ranks first, how steady tiers are, and what is refused as not learnable."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import reduce

import numpy as np
import pandas as pd
import pytest

from data.ingest import ingest
from data.lake import Lake
from data.mapping import DataSettings, SnapshotMapping, read_config
from data.simulate import simulate
from data.simulate.write import write
from data.snapshots import read_snapshot
from evaluation.backtest import run_backtest
from evaluation.card import render
from evaluation.settings import EvaluationSettings
from evaluation.tiers import audit_managers, judge_steadiness
from features.settings import FeatureSettings
from features.snapshot import build_features
from features.source import lake_paths
from models.tiering import SPEC
from models.tiering.points import Potential
from models.tiering.policy import read_policy
from models.tiering.scorecard import TIERING_DEFAULT
from models.tiering.settings import TieringSettings
from models.tiering.simulate import Member, traits_of
from training.estimators import fit
from training.from_snapshot import from_snapshot
from training.from_tables import snapshot_grid
from training.splits import rolling_origin
from training.tiering_rows import read_contributions, tiering_dataset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SETTINGS = EvaluationSettings(replicates=200, simulated=True)
SEEDS = (11, 12, 13)
PARTNERS = 1_200


@pytest.fixture(scope="module", params=SEEDS)
def world(request, tmp_path_factory):
    """A rich world through the same doors as a customer's export: data set and features."""
    made = simulate("demo", partners=PARTNERS, seed=request.param)
    root = tmp_path_factory.mktemp("world")
    write(replace(made, truth={}), root)
    end = datetime.combine(made.end, datetime.min.time())
    lake = Lake(root / "lake")
    ingest(DataSettings.from_config(read_config(root)), base=root, lake=lake, ingested_at=end)
    test_at = made.end - timedelta(days=366)
    grid = snapshot_grid(made.start + timedelta(days=150), made.end, every_days=30, anchor=test_at)
    views = build_features(lake_paths(lake), as_ofs=grid, settings=FeatureSettings())
    wide = reduce(lambda a, b: a.merge(b, on=["partner_id", "as_of"], how="outer"), views.values())
    settings = TieringSettings()
    data = tiering_dataset(
        SPEC, wide, read_contributions(lake, settings=settings), settings=settings, known_until=end,
        scorecard=TIERING_DEFAULT,
    )  # fmt: skip
    return request.param, data, wide


SHARES: dict[int, dict[str, float]] = {}


def test_the_ladder_of_the_potential(world):
    seed, data, _ = world
    report = run_backtest(data, settings=SETTINGS).report
    shares = {r.name: r.metrics["top_fifth_share"] for r in report.ladder if r.metrics}
    print(seed, {k: (round(e.value, 3), round(e.low, 3), round(e.high, 3)) for k, e in shares.items()})
    SHARES[seed] = {k: e.value for k, e in shares.items()}
    assert report.passed, report.refusals
    assert shares["model"].value > shares["past_revenue"].value
    assert report.decisive["loss_minus_scorecard"].high < 0
    assert report.decisive["loss_minus_past_revenue"].high < 0
    assert shares["hindsight"].value - shares["model"].value < 0.08


def test_over_all_seeds_past_revenue_is_below_the_scorecard_and_that_below_the_model():
    if set(SHARES) != set(SEEDS):
        pytest.skip("the seeds were not all run in this process")
    mean = {k: float(np.mean([s[k] for s in SHARES.values()])) for k in SHARES[SEEDS[0]]}
    print({k: round(v, 3) for k, v in mean.items()})
    assert mean["past_revenue"] < mean["scorecard"] < mean["model"] < mean["hindsight"]
    # The reference world came within 0.058 of hindsight, these within 0.07: who leaves is not in the past.
    assert mean["hindsight"] - mean["model"] < 0.075


def test_rules_of_stability_halve_the_changes_and_spare_most_reversals(world):
    """Reviews a quarter apart over the last year, with a model that has seen nothing of it."""
    seed, data, wide = world
    split = rolling_origin(data, origins=1)[0]
    bundle = fit(data, split, seed=7)
    policy = read_policy("balanced_scorecard")
    found = judge_steadiness(policy, members(bundle, wide, since=data.as_of[split.test].min()))
    print(
        seed, found, f"{found.fewer_changes:.0%} fewer changes, {found.fewer_reversals:.0%} fewer reversals"
    )
    assert found.plain.changes > 100
    assert found.fewer_changes >= 0.5
    assert found.fewer_reversals >= 0.7


def members(bundle, wide, *, since):
    """Partners with a review every quarter from a date on."""
    dates = np.unique(wide["as_of"].to_numpy())
    dates = dates[dates >= np.datetime64(since)][::3]
    frame = wide[wide["as_of"].isin(dates)].sort_values(["partner_id", "as_of"])
    scores = bundle.score(bundle.encode(frame.reindex(columns=list(bundle.spec.names))))
    h = max(bundle.horizons)
    potentials = [
        Potential() if np.isnan(v) else Potential(float(v), float(a), float(b))
        for v, a, b in zip(scores.probability[h], scores.low[h], scores.high[h], strict=True)
    ]
    rows = frame.to_dict("records")
    found = []
    for partner_id, places in frame.reset_index(drop=True).groupby("partner_id").groups.items():
        own = tuple((rows[k], potentials[k]) for k in places)
        found.append(Member(str(partner_id), own[-1][0].get("tier"), own, traits_of(own[-1][0])))
    return found


def test_favourites_of_managers_show_up_in_the_audit(world):
    _, data, wide = world
    split = rolling_origin(data, origins=1)[0]
    bundle = fit(data, split, seed=7, spread=False)
    policy = read_policy("balanced_scorecard")
    found = audit_managers(policy, members(bundle, wide, since=data.as_of[split.test].min()), managers={})
    print(found.partners, round(found.agree, 3), round(found.mean, 3), round(found.kappa, 3))
    assert found.partners > 500
    assert found.kappa > 0.3


def test_the_tier_of_revenue_is_not_learnable_from_firmographics_alone(datasets, tmp_path):
    folder = datasets / "adventureworks_resellers"
    sales = pd.read_parquet(folder / "FactResellerSales.parquet", columns=["ResellerKey", "SalesAmount"])
    revenue = sales["SalesAmount"].astype(float).groupby(sales["ResellerKey"]).sum()
    firms = pd.read_parquet(folder / "DimReseller.parquet")
    firms["revenue"] = firms["ResellerKey"].map(revenue)
    firms = firms[firms["revenue"].notna()]
    kept = ["BusinessType", "ProductLine", "NumberEmployees", "AnnualSales", "YearOpened"]
    table = firms[["ResellerAlternateKey", *kept, "revenue"]].astype({"AnnualSales": float})
    table.to_csv(tmp_path / "tiers.csv", index=False)
    bands = [float(b) for b in np.quantile(firms["revenue"], [0.25, 0.5, 0.75])]
    mapping = SnapshotMapping.model_validate(
        {"model": "tiering", "path": "tiers.csv", "entity_id": "ResellerAlternateKey", "label": "revenue",
         "bands": bands}
    )  # fmt: skip
    report = run_backtest(from_snapshot(mapping, read_snapshot(mapping, base=tmp_path))).report
    kappa = report.metrics["quadratic_weighted_kappa"]
    print(kappa, report.refusals)
    assert not report.passed
    told = next(r.message for r in report.refusals if r.code == "PI-G003")
    assert "not learnable from these columns" in told
    assert f"{kappa.value:.4g}" in told
    assert kappa.value < 0.2


def test_ready_made_columns_with_a_future_amount_in_four_bands(tmp_path):
    """A panel as a customer's warehouse would build it: trains, evaluates against persistence, reports."""
    table = panel(np.random.default_rng(3), partners=400, quarters=14)
    table.to_csv(tmp_path / "panel.csv", index=False)
    mapping = SnapshotMapping.model_validate(
        {"model": "tiering", "path": "panel.csv", "entity_id": "account", "as_of": "day",
         "label": "next_quarter_revenue", "bands": [20_000, 60_000, 150_000], "horizon_days": 91}
    )  # fmt: skip
    report = run_backtest(
        from_snapshot(mapping, read_snapshot(mapping, base=tmp_path)), settings=EvaluationSettings()
    ).report
    figures = {
        r.name: {k: round(e.value, 3) for k, e in r.metrics.items()} for r in report.ladder if r.metrics
    }
    print(figures, report.refusals)
    assert report.passed, report.refusals
    for metric in ("quadratic_weighted_kappa", "macro_f1"):
        assert figures["model"][metric] > figures["persistence"][metric]
    assert "Weighted kappa" in render(report)


def panel(rng, *, partners, quarters):
    level = rng.normal(10.8, 0.7, partners)
    last = np.exp(level)
    rows = []
    for q in range(quarters):
        pipeline = level + rng.normal(0, 0.5, partners)
        amount = np.exp(level + 0.5 * (pipeline - level) + rng.normal(0, 0.6, partners))
        day = date(2022, 1, 1) + timedelta(days=91 * q)
        frame = {
            "account": [f"A{k:04}" for k in range(partners)],
            "day": day.isoformat(),
            "revenue": last.round(2),
            "pipeline": np.exp(pipeline).round(2),
            "orders": rng.poisson(np.exp(0.9 * (level - 9))),
            "next_quarter_revenue": amount.round(2),
        }
        rows.append(pd.DataFrame(frame))
        last = amount
        level = 0.97 * (level - 10.8) + 10.8 + rng.normal(0, 0.2, partners)
    return pd.concat(rows, ignore_index=True)
