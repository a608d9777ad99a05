"""A small world with a known hazard, and bundles fitted on it once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.assembly import build_bundle, constants_of, unlabelled_bundle
from models.boosting import BoostParams
from models.bundle import Bundle, load_bundle, save_bundle
from models.calibration import fit_cloglog
from models.churn import SPEC
from models.design import Design, bootstrap_rows
from models.encoding import Encoder
from models.fitting import Choices, Fitted, fit_terms
from models.scorecard import CHURN_DEFAULT, Scorecard
from models.spread import fit_spread

LENGTHS = (30.0, 60.0, 90.0)
CHOICES = Choices(penalty=30.0, trees=60, linear_weight=0.4, boosted_weight=0.6)
PARAMS = BoostParams(trees=60, learning_rate=0.1, min_data_in_leaf=20)
CARD = CHURN_DEFAULT.restricted_to(["days_since_last_login", "login_count_30d", "registered_count_90d"])[0]


def make_frame(count: int, *, seed: int) -> Any:
    """Raw features of partners; some values missing."""
    rng = np.random.default_rng(seed)
    activity = rng.normal(size=count)
    return pd.DataFrame(
        {
            "partner_id": [f"P{i:05d}" for i in range(count)],
            "login_count_30d": rng.poisson(np.exp(1.2 + 0.6 * activity)).astype(float),
            "days_since_last_login": rng.exponential(np.exp(2.5 - 0.7 * activity)).round(),
            "registered_count_90d": rng.poisson(np.exp(0.3 * activity)).astype(float),
            "won_amount_usd_90d": rng.exponential(1000, count).round(2),
            "survey_score_latest": np.where(rng.random(count) < 0.4, np.nan, rng.integers(0, 11, count)),
            "employee_count": rng.lognormal(4, 1.2, count).round(),
            "country": rng.choice(["DE", "FR", "US", None], count),
            "partner_type": rng.choice(["reseller", "integrator"], count),
        }
    )


def true_log_hazard(frame: Any) -> Any:
    """Log hazard per 30 days."""
    survey = frame["survey_score_latest"].fillna(5).to_numpy()
    return (
        -2.6 - 0.5 * np.log1p(frame["login_count_30d"]) + 0.25 * np.log1p(frame["days_since_last_login"])
        - 0.6 * (frame["registered_count_90d"] > 1) - 0.1 * (survey - 5) + 0.4 * (frame["country"] == "FR")
    ).to_numpy()  # fmt: skip


def stacked(frame: Any, matrix: Any, *, seed: int) -> Design:
    """Departures drawn from the true hazard, as stacked intervals."""
    rate = np.exp(true_log_hazard(frame)) / 30.0
    at = np.random.default_rng(seed).exponential(1.0 / rate)
    parts = []
    for k, (start, length) in enumerate(zip((0.0, 30.0, 90.0), LENGTHS, strict=True)):
        row = np.flatnonzero(at >= start)
        event = at[row] < start + length
        parts.append((row, event, np.full(len(row), k), np.where(event, length / 2, length)))
    row, event, interval, exposure = (np.concatenate(v) for v in zip(*parts, strict=True))
    return Design.hazard(
        matrix, row=row, event=event, interval=interval, exposure_days=exposure, lengths_days=LENGTHS,
        group=frame["partner_id"].to_numpy(),
    )  # fmt: skip


def outcomes(design: Design) -> tuple[Any, Any, Any]:
    """Row, horizon and whether departed by then, for all horizons stacked."""
    count = len(design.matrix)
    gone = np.full(count, 99)
    np.minimum.at(gone, design.row[design.y > 0], design.interval[design.y > 0])
    row = np.tile(np.arange(count), 3)
    k = np.repeat(np.arange(3), count)
    return row, np.array([30, 90, 180])[k], (np.tile(gone, 3) <= k).astype(float)


def _refit(
    design: Design, spec: Any, encoder: Encoder, scorecard: Any, params: Any, choices: Any, *, number: int
) -> Any:
    drawn = bootstrap_rows(design.group, size=len(design.matrix), rng=np.random.default_rng(number))
    fitted = fit_terms(
        design.take(drawn), encoder, spec, scorecard=scorecard, params=params, seed=number, choices=choices
    )
    return fitted.terms.eta


def make_bundle(
    count: int = 700,
    *,
    seed: int = 1,
    scorecard: Scorecard | None = CARD,
    refits: int = 3,
    params: BoostParams = PARAMS,
    choices: Choices = CHOICES,
) -> Bundle:
    """A fitted hazard bundle of the small world."""
    frame = make_frame(count, seed=seed)
    spec = SPEC.restricted_to(frame.columns)
    encoder = Encoder.fit(frame, spec)
    design = stacked(frame, encoder.encode(frame), seed=seed + 1)
    fitted: Fitted = fit_terms(
        design, encoder, spec, scorecard=scorecard, params=params, seed=3, choices=choices
    )
    constants = constants_of(fitted, design, horizons_days=spec.horizons_days)
    fresh = make_frame(300, seed=seed + 50)
    late = stacked(fresh, encoder.encode(fresh), seed=seed + 51)
    row, horizon, y = outcomes(late)
    eta = fitted.terms.eta(late.matrix)[row]
    calibrator = fit_cloglog(eta, y, constant=np.array([constants[h] for h in horizon.tolist()]))
    # A bundle says a + b·(g + c): divided by b, the constants stay as they are.
    constants = {h: c / calibrator.b for h, c in constants.items()}
    again = [_refit(design, spec, encoder, scorecard, params, choices, number=k) for k in range(refits)]
    spread = fit_spread(design.matrix, encoder, eta=fitted.terms.eta, refits=again, seed=5)
    trained = {"n": count, "positives": design.positives, "seed": 3}
    return build_bundle(
        spec,
        fitted,
        frame=frame,
        constants=constants,
        calibrator=calibrator,
        spread=spread,
        timed=True,
        trained=trained,
    )


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """A hazard model with scorecard, linear part and trees."""
    return make_bundle()


@pytest.fixture(scope="session")
def unlabelled() -> Bundle:
    """A model without any label."""
    frame = make_frame(60, seed=9)
    return unlabelled_bundle(
        SPEC.restricted_to(frame.columns), frame, scorecard=CHURN_DEFAULT, trained={"n": 60}
    )


@pytest.fixture(scope="session")
def artifact(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved artifact; do not change it."""
    folder = tmp_path_factory.mktemp("artifacts") / "sound"
    save_bundle(bundle, folder)
    return folder


@pytest.fixture(scope="session")
def loaded(artifact: Path) -> Bundle:
    """The artifact loaded again."""
    return load_bundle(artifact)


@pytest.fixture
def rows() -> Any:
    """Raw rows the models have not seen."""
    return make_frame(50, seed=77)
