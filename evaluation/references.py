"""The references every model is held against: base rate, a one-line rule, a plain logistic regression."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import Ranking, auc
from evaluation.resampling import Floats
from models.calibration import LINKS, fit_platt
from models.terms import Scaling
from training.dataset import Dataset
from training.evidence import Evidence, gather
from training.splits import Split

RECENCY = re.compile(r"^days[_ ]since[_ ](?!first)|recency", re.IGNORECASE)
LOGISTIC_C = 0.1


def known_labels(dataset: Dataset, split: Split) -> tuple[NDArray[np.int64], Floats]:
    """Training rows whose outcome at the judged horizon was known, and those outcomes."""
    y = dataset.labels()[split.refit]
    use = ~np.isnan(y)
    return split.refit[use], y[use]


def prevalence(dataset: Dataset, split: Split) -> Floats:
    """The base rate of the training rows, for every test row."""
    return np.full(split.test.size, known_labels(dataset, split)[1].mean())


def recency_column(dataset: Dataset, split: Split) -> str | None:
    """The recency column that ranks training rows best; None where there is none."""
    rows, y = known_labels(dataset, split)
    names = [f.name for f in dataset.spec.features if f.kind == "number" and RECENCY.search(f.name)]
    if not names or y.min() == y.max():
        return None
    power = {n: _auc(y, _recency(dataset, rows, n)) for n in names}
    return max(names, key=lambda n: power[n])


def recency_rule(dataset: Dataset, split: Split) -> tuple[Floats, str]:
    """Days since the last activity as a probability; NaN everywhere without such a column."""
    name = recency_column(dataset, split)
    if name is None:
        return np.full(split.test.size, np.nan), "no recency column"
    rows, y = known_labels(dataset, split)
    map_ = fit_platt(np.log1p(np.abs(_recency(dataset, rows, name))) * _sense(dataset), y)
    eta = map_(np.log1p(np.abs(_recency(dataset, split.test, name))) * _sense(dataset))
    return np.asarray(LINKS["log_odds"](eta), dtype=float), name


def logistic(dataset: Dataset, split: Split, *, encoder: Any = None) -> Floats:
    """A ridge logistic regression on signed logs, standardised, with flags for missing values."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    rows, y = known_labels(dataset, split)
    evidence: Evidence = gather(dataset, rows, known_by=split.refit_known_by, encoder=encoder)
    encoder = evidence.encoder
    matrix, test = encoder.encode(dataset.rows(rows)), encoder.encode(dataset.rows(split.test))
    scaling = Scaling.fit(matrix, encoder)
    design = [np.hstack([scaling(m), np.isnan(m).astype(float)]) for m in (matrix, test)]
    model = LogisticRegression(C=LOGISTIC_C, max_iter=400)
    with warnings.catch_warnings():
        # A reference that stopped early is still a reference; the limit keeps reports quick.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(design[0], y)
    return np.asarray(model.predict_proba(design[1])[:, 1], dtype=float)


def persistence(dataset: Dataset, split: Split) -> NDArray[np.int64]:
    """The class each entity had last, as known at its test date; the middle class where none was known."""
    y, group = dataset.labels(), _entities(dataset)
    fallback = int(np.median(known_labels(dataset, split)[1]))
    if not dataset.dated:
        return np.full(split.test.size, fallback)
    known, as_of = dataset.known_at(), dataset.as_of
    usable = np.flatnonzero(~np.isnan(y) & ~np.isnat(known))
    order = usable[np.argsort(as_of[usable], kind="stable")]
    found = np.full(split.test.size, fallback)
    for k, row in enumerate(split.test):
        past = order[(group[order] == group[row]) & (known[order] <= as_of[row])]
        if past.size:
            found[k] = int(y[past[-1]])
    return found


def _entities(dataset: Dataset) -> NDArray[np.int64]:
    import pandas as pd

    keys = [dataset.frame[c].astype(str) for c in dataset.spec.entity_id if c in dataset.frame.columns]
    text = keys[0]
    for other in keys[1:]:
        text = text + "\x1f" + other
    return pd.factorize(text)[0].astype(np.int64)


def _sense(dataset: Dataset) -> float:
    return 1.0 if dataset.spec.adverse else -1.0


def _recency(dataset: Dataset, rows: NDArray[np.int64], name: str) -> Floats:
    """Values with the never-active as the longest ago."""
    values = dataset.frame[name].to_numpy(dtype=float)
    longest = np.nanmax(values) if np.isfinite(values).any() else 0.0
    found = values[rows]
    return np.where(np.isfinite(found), found, longest + 1.0)


def _auc(y: Floats, score: Floats) -> float:
    found = float(auc(Ranking.of(y, score, np.ones((1, y.size))))[0])
    return max(found, 1 - found)
