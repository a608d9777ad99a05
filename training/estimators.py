"""From rows to a bundle: scorecard as prior, weighted parts, one calibrator, an interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.assembly import build_bundle, constants_of, unlabelled_bundle
from models.bundle import Bundle
from models.calibration import LINKS, Affine, fit_cloglog, fit_platt, fit_tweedie
from models.doubt import Doubt, doubt_of
from models.experience import fit_experience
from models.fitting import Choices, Fitted
from models.glm import Likelihood, fit_glm
from models.hazards import horizon_constants
from models.scorecard import Scorecard
from models.spread import Spread
from training.crossfit import Unseen, choose, out_of_fold
from training.dataset import Dataset, Rows, entity_codes
from training.evidence import Evidence, Stamp, gather, is_hazard
from training.onethread import one_thread
from training.params import Params
from training.parts import Weights, fit_parts, learn_spread
from training.splits import Split

Floats = NDArray[np.float64]
PRIOR_SHARE = 0.5
MOST_RECRUITED = 2_000  # kept in the artifact, to show similar partners and base rates
NO_SPREAD = Spread(constant=0.5, missing=0.5)


@dataclass(frozen=True)
class Outcomes:
    """Known outcomes by horizon: row position, horizon (or cut, from 1) and 0/1, or the amount."""

    row: NDArray[np.int64]
    horizon: NDArray[np.int64]
    y: Floats


@dataclass(frozen=True)
class Held:
    """What the calibrator saw, and made of it, at the judged horizon.

    Attributes:
        p: Calibrated probabilities of rows the parts had not seen, (m,).
        y: What came of them, (m,).
    """

    p: Floats
    y: Floats


def fit(dataset: Dataset, split: Split, **given: Any) -> Bundle:
    """The bundle of `fit_held`."""
    return fit_held(dataset, split, **given)[0]


@one_thread()
def fit_held(
    dataset: Dataset,
    split: Split,
    *,
    params: Params | None = None,
    seed: int = 0,
    spread: bool = True,
    scorecard_only: bool = False,
) -> tuple[Bundle, Held]:
    """Fit a model on the training side of a split.

    The model that calibrates is fitted on `train` and seen on `calibrate`; the model returned is refitted on
    `refit` with the same parameters and weights and keeps that calibrator. Where a split has no calibration
    rows, the calibrator is fitted on out-of-fold predictions, grouped by entity.

    Args:
        dataset: Rows and labels.
        split: Who may be used for what.
        params: Settings; None: defaults.
        seed: Of folds and trees.
        spread: Whether the interval is learnt (eight refits); without, it is a placeholder.
        scorecard_only: Learn only the map of points, calibrated: the reference of the gate.

    Raises:
        NotEnoughEvidenceError: No label is known, or all are the same.
    """
    params = params or Params()
    scorecard = usable_scorecard(dataset, least_share=0.0 if scorecard_only else PRIOR_SHARE)
    learn = gather(dataset, split.train, known_by=split.train_known_by)
    quick = replace(params, rounds=0) if scorecard_only else params
    if scorecard_only:
        weights = Weights()
        unseen = out_of_fold(
            learn, dataset.spec, scorecard=scorecard, params=quick, seed=seed, weights=weights
        )
    else:
        unseen, scorecard = choose(learn, dataset.spec, scorecard=scorecard, params=params, seed=seed)
        weights = unseen.weights
    given: dict[str, Any] = {"scorecard": scorecard, "params": quick, "seed": seed}
    evidence, fitted = learn, fit_parts(learn, dataset.spec, weights=weights, **given).weighted(weights)
    if split.cross_fit:
        calibrator, doubt, held = _calibrate_out_of_fold(
            dataset, learn, unseen, weights, fitted, split.refit_known_by
        )
    else:
        calibrator, doubt, held = _calibrate(dataset, learn, fitted, split.calibrate, split.refit_known_by)
        evidence = gather(dataset, split.refit, known_by=split.refit_known_by)
        fitted = fit_parts(evidence, dataset.spec, weights=weights, **given).weighted(weights)
    interval = learn_spread(fitted, evidence, dataset.spec, **given) if spread else NO_SPREAD
    bundle = build_bundle(
        dataset.spec,
        fitted,
        frame=dataset.rows(evidence.rows),
        # A bundle says a + b·(g(x) + c): divided by b, the constants are left as they are.
        constants={h: c / calibrator.b for h, c in _constants(dataset, fitted, evidence).items()},
        calibrator=calibrator,
        spread=replace(interval, doubt=doubt),
        timed=is_hazard(dataset),
        trained=_trained(dataset, evidence, params, seed, fitted.choices),
    )
    bundle = _with_experience(bundle, dataset, evidence, split.refit_known_by)
    if dataset.once and spread:
        bundle = replace(bundle, trained={**bundle.trained, "recruited": _recruited(dataset, evidence.rows)})
    return bundle, held


def _recruited(dataset: Dataset, rows: Rows) -> dict[str, Any]:
    """Who was learnt from, the newest last: what people compare a prospect with."""
    chosen = dataset.frame.iloc[rows[-MOST_RECRUITED:]]
    columns = {c: chosen[c] for c in ("partner_id", "name", "margin_usd", *dataset.features) if c in chosen}
    plain = {k: [None if v is None or v != v else v for v in c.tolist()] for k, c in columns.items()}
    return {**plain, "y": [int(v) for v in dataset.labels()[rows[-MOST_RECRUITED:]]]}


def _with_experience(bundle: Bundle, dataset: Dataset, evidence: Evidence, known_by: Stamp | None) -> Bundle:
    """With the knowledge of who lies outside, where others than the labelled were considered too.

    A scorecard needs none: it says the same of everyone.
    """
    if dataset.population is None or bundle.kind == "scorecard":
        return bundle
    everyone = dataset.population
    if known_by is not None:
        everyone = everyone[everyone["known_at"] <= known_by]
    experience = fit_experience(
        evidence.design.matrix,
        bundle.encode(everyone),
        evidence.design.y,
        encoder=bundle.encoder,
        prior=bundle.terms.prior,
    )
    return replace(bundle, experience=experience)


def fit_unlabelled(dataset: Dataset) -> Bundle:
    """The scorecard alone, before any outcome is known: points and reasons, no probability.

    Raises:
        MissingDataError: The data has none of its criteria, or there is no scorecard.
    """
    from data.errors import MissingDataError

    if dataset.scorecard is None:
        raise MissingDataError(
            "No outcome is known and there is no scorecard.", next_step="Write one under `scorecards:`."
        )
    trained = {"n": dataset.size, "positives": 0}
    return unlabelled_bundle(
        dataset.spec, dataset.frame[dataset.features], scorecard=dataset.scorecard, trained=trained
    )


def usable_scorecard(dataset: Dataset, *, least_share: float = 0.0) -> Scorecard | None:
    """The scorecard on the columns the data has, or None.

    Args:
        dataset: Rows and the scorecard.
        least_share: Share of its weight the data must cover. A prior needs half: what is left of a scorecard
            whose columns are mostly absent is not what its author believes.
    """
    card = dataset.scorecard
    if card is None:
        return None
    text = {f.name: f.kind == "category" for f in dataset.spec.features}
    there = {c.feature for c in card.criteria if text.get(c.feature) is c.of_text}
    covered = sum(c.weight for c in card.criteria if c.feature in there) / 100
    return card.restricted_to(there)[0] if covered >= max(least_share, 1e-9) else None


def _constants(dataset: Dataset, fitted: Fitted, evidence: Evidence) -> dict[int, float]:
    """Constant of eta at each horizon; of ordered classes, at each cut, from 1; of amounts, their unit."""
    if dataset.amounts:
        return {dataset.horizon_days: float(np.log(dataset.unit))}
    if dataset.ordered:
        falling = np.minimum.accumulate(np.array(fitted.levels))
        return {k + 1: float(c) for k, c in enumerate(falling)}
    if is_hazard(dataset):
        return horizon_constants(
            fitted.levels, lengths_days=evidence.design.lengths_days, horizons_days=dataset.spec.horizons_days
        )
    horizons = (dataset.horizon_days,) if dataset.horizon_days else ()
    return constants_of(fitted, evidence.design, horizons_days=horizons)


def outcomes_of(dataset: Dataset, rows: Rows, *, known_by: Stamp | None) -> Outcomes:
    """Known outcomes of rows at every horizon (hazards), every cut (ordered), or the one there is."""
    if dataset.ordered:
        y = dataset.labels()[rows]
        pairs = [(np.flatnonzero(~np.isnan(y)), k + 1, y > k) for k in range(len(dataset.bands))]
        parts = [(at, k, hit[at].astype(float)) for at, k, hit in pairs]
    else:
        horizons = dataset.spec.horizons_days if is_hazard(dataset) else (dataset.horizon_days,)
        parts = [_at_horizon(dataset, rows, h, known_by) for h in horizons]
    row = np.concatenate([p[0] for p in parts])
    horizon = np.concatenate([np.full(p[0].size, p[1], dtype=np.int64) for p in parts])
    return Outcomes(row, horizon, np.concatenate([p[2] for p in parts]))


def _at_horizon(
    dataset: Dataset, rows: Rows, horizon: int, known_by: Stamp | None
) -> tuple[NDArray[np.int64], int, Floats]:
    y = dataset.labels(horizon)[rows]
    use = ~np.isnan(y)
    if known_by is not None:
        known = dataset.known_at(horizon)[rows]
        use &= ~np.isnat(known) & (known <= known_by)
    at = np.flatnonzero(use)
    return at, horizon, y[at]


def _calibrate(
    dataset: Dataset, learn: Evidence, first: Fitted, rows: Rows, known_by: Stamp | None
) -> tuple[Affine, Doubt, Held]:
    """From rows after the training period."""
    seen = outcomes_of(dataset, rows, known_by=known_by)
    eta = first.terms.eta(learn.encoder.encode(dataset.rows(rows)))
    return _calibrated(dataset, eta[seen.row], seen, rows, _constants(dataset, first, learn))


def _calibrate_out_of_fold(
    dataset: Dataset,
    learn: Evidence,
    unseen: Unseen,
    weights: Weights,
    fitted: Fitted,
    known_by: Stamp | None,
) -> tuple[Affine, Doubt, Held]:
    """From predictions for groups the parts had not seen."""
    seen = outcomes_of(dataset, unseen.rows, known_by=known_by)
    eta = (unseen.eta(weights) + fitted.terms.intercept)[seen.row]
    return _calibrated(dataset, eta, seen, unseen.rows, _constants(dataset, fitted, learn))


def _calibrated(
    dataset: Dataset, eta: Floats, seen: Outcomes, rows: Rows, constants: Mapping[int, float]
) -> tuple[Affine, Doubt, Held]:
    """The map, how sure it is, and what it makes of the rows it was fitted on."""
    found = calibrator_of(dataset, eta, seen, constants)
    shift = np.array([constants[int(h)] for h in seen.horizon])
    plain = not (is_hazard(dataset) or dataset.ordered)
    link = "log_amount" if dataset.amounts else "log_cumulative_hazard" if is_hazard(dataset) else "log_odds"
    doubt = doubt_of(
        eta,
        seen.y / dataset.unit if dataset.amounts else seen.y,
        entity_codes(dataset, rows)[seen.row],
        affine=found,
        link=link,
        constant=0.0 if plain else shift,
    )
    judged = seen.horizon == dataset.horizon_days
    held = Held(LINKS[link]((found(eta) + shift)[judged]), seen.y[judged])
    return found, doubt, held


def calibrator_of(dataset: Dataset, eta: Floats, seen: Outcomes, constants: Mapping[int, float]) -> Affine:
    """The affine map of g(x) for rows the parts have not seen; the constants of levels keep their distance.

    Args:
        dataset: Tells the link.
        eta: g(x) of each outcome, (m,).
        seen: Outcomes.
        constants: Level → constant.
    """
    shift = np.array([constants[int(h)] for h in seen.horizon])
    if is_hazard(dataset):
        return fit_cloglog(eta, seen.y, constant=shift)
    if dataset.amounts:
        return fit_tweedie(eta, seen.y / dataset.unit)
    if not dataset.ordered:
        return fit_platt(eta, seen.y)
    data = Likelihood("binomial", seen.y, shift, np.arange(eta.size), np.zeros(eta.size, dtype=np.int64))
    centre = eta.mean()
    found = fit_glm((eta - centre)[:, None], data, penalty=1.0, centre=[1.0], sign=[1], least=0.05)
    slope = float(found.coefficients[0])
    return Affine(float(found.intercepts[0]) - slope * centre, slope)


def _trained(
    dataset: Dataset, evidence: Evidence, params: Params, seed: int, choices: Choices
) -> Mapping[str, Any]:
    found: dict[str, Any] = {
        "n": int(evidence.rows.size),
        "entities": int(np.unique(evidence.design.group).size),
        "positives": evidence.rarer,
        "params": params.to_json(),
        "seed": seed,
        "overlap": evidence.weight,
        "linear_weight": choices.linear_weight,
        "boosted_weight": choices.boosted_weight,
        "source": dataset.source,
        "bands": list(dataset.bands),
        "about": dict(dataset.about),
    }
    if dataset.dated:
        as_of = dataset.as_of[evidence.rows]
        found["as_of"] = [str(np.datetime_as_string(t, unit="D")) for t in (as_of.min(), as_of.max())]
    return found
