"""Put a bundle together: horizons, health, peers, golden rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from models.calibration import Affine
from models.design import Design
from models.encoding import Encoder
from models.fitting import Fitted, unlabelled_prior
from models.hazards import horizon_constants
from models.health import POINTS_AS_HEALTH, fit_scale
from models.peers import fit_peers
from models.scorecard import Scorecard
from models.scoring import Bundle
from models.spec import ModelSpec
from models.spread import Spread
from models.terms import Terms

EXAMPLES = 24
UNDATED = 0


def constants_of(fitted: Fitted, design: Design, *, horizons_days: tuple[int, ...]) -> dict[int, float]:
    """Horizon → constant: from the intervals of a hazard, or 0.0 for the one horizon of plain labels."""
    if not design.timed:
        return {int(horizons_days[0]) if horizons_days else UNDATED: 0.0}
    return horizon_constants(fitted.levels, lengths_days=design.lengths_days, horizons_days=horizons_days)


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
        link="log_amount" if spec.output == "amount" else "log_cumulative_hazard" if timed else "log_odds",
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
