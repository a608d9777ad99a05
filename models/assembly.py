"""Put a bundle together: horizons, calibration, interval, peers, golden rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from models.boosting import BoostParams
from models.calibration import Affine, fit_cloglog, fit_platt
from models.design import Design, bootstrap_rows
from models.encoding import Encoder
from models.fitting import Choices, Fitted, fit_terms, unlabelled_prior
from models.hazards import horizon_constants
from models.health import POINTS_AS_HEALTH, fit_scale
from models.peers import fit_peers
from models.scorecard import Scorecard
from models.scoring import Bundle
from models.spec import ModelSpec
from models.spread import Spread, fit_spread
from models.terms import Terms

EXAMPLES = 24
REFITS = 8
MAX_REFIT_ROWS = 12_000
MAX_SPREAD_ROWS = 4_000
UNDATED = 0


def constants_of(fitted: Fitted, design: Design, *, horizons_days: tuple[int, ...]) -> dict[int, float]:
    """Horizon → constant: from the intervals of a hazard, or 0.0 for the one horizon of plain labels."""
    if not design.timed:
        return {int(horizons_days[0]) if horizons_days else UNDATED: 0.0}
    return horizon_constants(fitted.levels, lengths_days=design.lengths_days, horizons_days=horizons_days)


def calibrate(
    terms: Terms, constants: Mapping[int, float], matrix: Any, *, row: Any, horizon: Any, y: Any, link: str
) -> tuple[Affine, dict[int, float]]:
    """The affine map for rows the parts have not seen, and the constants that go with it.

    A bundle says a + b·(g(x) + c_h). So that the slope acts on g alone, the constants come back as c_h / b.

    Args:
        terms: Fitted parts.
        constants: Horizon → constant, from `constants_of`.
        matrix: Encoded calibration rows, (n, p).
        row: Matrix row of each outcome, (m,).
        horizon: Horizon of each outcome, (m,).
        y: Outcomes 0/1, (m,).
        link: `log_odds` or `log_cumulative_hazard`.
    """
    if not len(y):
        return Affine(), dict(constants)
    eta = terms.eta(matrix)[np.asarray(row, dtype=int)]
    constant = np.array([constants[int(h)] for h in horizon])
    affine = (fit_platt if link == "log_odds" else fit_cloglog)(eta, y, constant=constant)
    return affine, {h: c / affine.b for h, c in constants.items()}


def bootstrap_spread(
    fitted: Fitted,
    design: Design,
    encoder: Encoder,
    spec: ModelSpec,
    *,
    scorecard: Scorecard | None,
    params: BoostParams,
    seed: int,
    refits: int = REFITS,
) -> Spread:
    """Standard deviation of eta from refits on resampled groups and from masked inputs."""
    rng = np.random.default_rng(seed)
    size = min(len(design.matrix), MAX_REFIT_ROWS)
    models = [
        _refit(design, encoder, spec, scorecard, params, fitted.choices, rng, size, seed + 1 + k)
        for k in range(refits)
    ]
    count = min(len(design.matrix), MAX_SPREAD_ROWS)
    sample = design.matrix[np.sort(rng.choice(len(design.matrix), count, replace=False))]
    scale = float(np.sqrt(size / len(design.matrix)))
    return fit_spread(sample, encoder, eta=fitted.terms.eta, refits=models, scale=scale, seed=seed)


def build_bundle(
    spec: ModelSpec,
    fitted: Fitted,
    *,
    frame: Any,
    constants: Mapping[int, float],
    calibrator: Affine,
    spread: Spread,
    timed: bool,
    trained: Mapping[str, Any],
) -> Bundle:
    """The bundle of a fit.

    Args:
        spec: Definition, restricted to the data's features.
        fitted: Parts.
        frame: Raw rows of training, for peers and golden rows.
        constants: Horizon → constant.
        calibrator: Affine map.
        spread: Standard deviation of eta.
        timed: Whether the parts give hazards.
        trained: Facts for the record; `positives` (number of the rarer outcome) limits the evidence grade.
    """
    learnt = fitted.terms.boosted or fitted.terms.linear
    bundle = Bundle(
        model=spec.name,
        kind="boosted" if learnt else "scorecard",
        spec=spec,
        terms=fitted.terms,
        calibrator=calibrator,
        horizons=dict(constants),
        link="log_cumulative_hazard" if timed else "log_odds",
        spread=spread,
        peers=fit_peers(frame, spec),
        trained=dict(trained),
        examples=example_rows(fitted.terms.encoder, frame),
    )
    if not spec.adverse:
        return bundle
    return replace(bundle, trained={**trained, "health": fit_scale(bundle, frame)})


def unlabelled_bundle(
    spec: ModelSpec, frame: Any, *, scorecard: Scorecard, trained: Mapping[str, Any]
) -> Bundle:
    """A bundle without any label: points and reasons, no probability.

    Raises:
        MissingDataError: the data has no criterion of the scorecard.
    """
    encoder = Encoder.fit(frame, spec)
    prior = unlabelled_prior(encoder.encode(frame), encoder, spec, scorecard)
    return Bundle(
        model=spec.name,
        kind="scorecard",
        spec=spec,
        terms=Terms(encoder, prior=prior),
        calibrator=Affine(),
        horizons=dict.fromkeys(spec.horizons_days or (UNDATED,), 0.0),
        link="log_odds",
        spread=Spread(constant=1.0, missing=1.0),
        peers=fit_peers(frame, spec),
        trained={**trained, "health": POINTS_AS_HEALTH},
        labelled=False,
        examples=example_rows(encoder, frame),
    )


def example_rows(encoder: Encoder, frame: Any) -> Any:
    """Rows spread over the frame, and one with everything missing, encoded: the golden inputs."""
    places = np.unique(np.linspace(0, max(len(frame) - 1, 0), min(EXAMPLES, len(frame))).astype(int))
    rows = encoder.encode(frame.iloc[places])
    if not len(rows):
        return rows
    blank = rows[:1]
    for name in encoder.names:
        blank = encoder.blank(blank, name)
    return np.concatenate([rows, blank])


def _refit(
    design: Design,
    encoder: Encoder,
    spec: ModelSpec,
    scorecard: Scorecard | None,
    params: BoostParams,
    choices: Choices,
    rng: Any,
    size: int,
    seed: int,
) -> Callable[[Any], Any]:
    resampled = design.take(bootstrap_rows(design.group, size=size, rng=rng))
    fitted = fit_terms(
        resampled, encoder, spec, scorecard=scorecard, params=params, seed=seed, choices=choices
    )
    return fitted.terms.eta
