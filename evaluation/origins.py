"""One test date: fit, predict, and predict with every reference, on the same rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import NotEnoughEvidenceError
from evaluation.amounts import run_amounts
from evaluation.bending import bent
from evaluation.ceiling import searched_ceiling
from evaluation.origin import CEILING, MODEL, POOLED, Origin, fitted_references, probabilities
from evaluation.references import logistic, persistence, prevalence, recency_rule
from evaluation.resampling import Floats
from models.bundle import Bundle
from training.dataset import Dataset
from training.estimators import fit, fit_held
from training.params import Params
from training.splits import EMPTY, Split


def run_origin(
    dataset: Dataset,
    split: Split,
    *,
    params: Params,
    seed: int,
    champion: Params | None = None,
    search_seconds: float = 0,
) -> Origin:
    """Fit and predict for one split.

    Args:
        dataset: Rows and labels.
        split: One test date.
        params: The candidate's settings.
        seed: Seed.
        champion: The champion's settings, refitted on the same rows, so that neither side has seen the test.
        search_seconds: How long to search for a ceiling; 0: not at all. Yes/no labels only.
    """
    if dataset.amounts:
        return run_amounts(dataset, split, params=params, seed=seed, champion=champion)
    bundle, held = fit_held(dataset, split, params=params, seed=seed, spread=False)
    if dataset.ordered:
        return _ordered(dataset, split, bundle)
    recency, recency_note = recency_rule(dataset, split)
    notes = {"recency": recency_note}
    predicted = {
        "prevalence": prevalence(dataset, split),
        "recency": recency,
        "logistic": logistic(dataset, split),
        MODEL: probabilities(bundle, dataset, split.test),
    }
    predicted |= fitted_references(dataset, split, params=params, seed=seed, champion=champion)
    if dataset.pooled is not None:
        predicted[POOLED] = pooled_probabilities(dataset, dataset.pooled, split, params=params, seed=seed)
    if search_seconds:
        predicted[CEILING], kind = searched_ceiling(dataset, split, seconds=search_seconds, seed=seed)
        notes[CEILING] = f"{search_seconds:g} s of FLAML, which chose {kind}"
    other_maps = bent(held.p, held.y, predicted[MODEL])
    return Origin(split, bundle, predicted, notes, other_maps)


def pooled_probabilities(
    dataset: Dataset, pooled: Dataset, split: Split, *, params: Params, seed: int
) -> Floats:
    """What the model of all motions, fitted on what was known by the same day, says of the test rows."""
    from models.calibration import LINKS

    by = split.refit_known_by
    known = pooled.known_at()
    rows = np.flatnonzero(~np.isnat(known) & ((known <= by) if by is not None else True))
    same = replace(split, train=rows, calibrate=EMPTY, refit=rows, test=EMPTY, train_known_by=by)
    bundle = fit(pooled, same, params=params, seed=seed, spread=False)
    matrix = bundle.encode(dataset.frame.iloc[split.test])
    eta = bundle.eta(matrix, horizon=pooled.horizon_days)
    return np.asarray(LINKS[bundle.link](eta), dtype=float)


def classes(bundle: Bundle, dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The middle class of the predicted distribution, which is the best guess for the absolute error."""
    matrix = bundle.encode(dataset.rows(rows))
    above = [bundle.eta(matrix, horizon=k) >= 0 for k in bundle.horizons]
    return np.sum(above, axis=0).astype(np.int64)


def _ordered(dataset: Dataset, split: Split, bundle: Bundle) -> Origin:
    y = dataset.labels()[split.refit]
    middle = int(np.median(y[~np.isnan(y)]))
    predicted = {
        "prevalence": np.full(split.test.size, middle),
        "persistence": persistence(dataset, split),
        MODEL: classes(bundle, dataset, split.test),
    }
    return Origin(split, bundle, predicted)


def run_all(
    dataset: Dataset,
    splits: list[Split],
    *,
    params: Params,
    seed: int,
    champion: Params | None = None,
    search_seconds: float = 0,
    progress: Any = None,
) -> list[Origin]:
    """Every split in turn; an origin whose training side cannot be learnt from is left out.

    Raises:
        NotEnoughEvidenceError: None of them can.
    """
    found: list[Origin] = []
    problem: NotEnoughEvidenceError | None = None
    for done, split in enumerate(splits):
        if progress:
            progress(split.name, done / len(splits))
        try:
            found.append(
                run_origin(
                    dataset,
                    split,
                    params=params,
                    seed=seed,
                    champion=champion,
                    search_seconds=search_seconds,
                )
            )
        except NotEnoughEvidenceError as error:
            problem = problem or error
    if not found:
        raise problem or NotEnoughEvidenceError("There is no test date.")
    if progress:
        progress("", 1.0)
    return found
