"""How the weights of the matcher are found: a logistic regression with signs that cannot turn round.

Weights of signs that the data at hand cannot show (web domain, city, country) are stated, not fitted; they
enter as an offset. Agreement may only raise the probability and disagreement may only lower it, whatever a
small or odd sample says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.accounts.blocking import candidates
from models.accounts.compare import SIGNS, Comparison, Floats
from models.accounts.records import Records

# In log-odds. A registrable domain is nearly a key; two countries may still be two branches of one company.
# Numbers tell funds, series and branches apart, which the sites (one number, many spellings) do not show.
STATED = {
    "name_unlike": -3.0,
    "name_numbers_differ": -3.0,
    "name_is_domain": 1.5,
    "domain_same": 7.5,
    "label_same": 1.5,
    "domain_differs": -2.5,
    "city_same": 0.7,
    "city_differs": -1.0,
    "country_differs": -2.5,
}
LOWERS = frozenset({"house_differs", "phone_differs"})
FREE = frozenset({"address_unknown", "contact_unknown"})


@dataclass(frozen=True)
class Examples:
    """Pairs with the truth.

    Attributes:
        signs: (n, len(SIGNS)).
        same: (n,) 1 when the two records are one company.
        weight: (n,) weight of the pair.
    """

    signs: Floats
    same: Floats
    weight: Floats

    def take(self, rows: Floats) -> Examples:
        """The pairs of a mask or of positions."""
        return Examples(self.signs[rows], self.same[rows], self.weight[rows])


def join(*parts: Examples) -> Examples:
    """Several sets of pairs as one."""
    return Examples(
        np.concatenate([p.signs for p in parts]),
        np.concatenate([p.same for p in parts]),
        np.concatenate([p.weight for p in parts]),
    )


def examples(left: Records, right: Records, truth: Mapping[str, str], *, weight: float = 1.0) -> Examples:
    """Candidate pairs of two lists (or of one: `left is right`) with the truth.

    Args:
        left: Records.
        right: Records.
        truth: Record id → true company.
        weight: Weight of each pair.
    """
    a, b = candidates(left, right)
    same = [truth[i] == truth[j] for i, j in zip(left.ids[a], right.ids[b], strict=True)]
    return Examples(Comparison(left, right).signs(a, b), np.array(same, dtype=float), np.full(a.size, weight))


def fit_weights(given: Examples, *, ridge: float = 1.0) -> tuple[float, dict[str, float]]:
    """Intercept and weight of every sign.

    Pairs at one address whose names have nothing in common are left out: where such pairs count as one, it is
    the site that is meant and not the company.

    Args:
        given: Pairs with the truth.
        ridge: Penalty on squared weights, relative to one pair.
    """
    kept = given.take(given.signs[:, SIGNS.index("name_unlike")] == 0)
    fitted = [s for s in SIGNS if s not in STATED]
    offset = kept.signs @ np.array([STATED.get(s, 0.0) for s in SIGNS])
    design = np.column_stack([np.ones(kept.same.size), kept.signs[:, [SIGNS.index(s) for s in fitted]]])
    penalty = np.array([0.0] + [ridge] * len(fitted))
    bounds = np.array([(-np.inf, np.inf), *(_bound(s) for s in fitted)])
    beta = _projected_newton(design, kept.same, kept.weight, offset, penalty, bounds)
    named = dict(zip(fitted, (float(v) for v in beta[1:]), strict=True))
    return float(beta[0]), {s: named.get(s, STATED.get(s, 0.0)) for s in SIGNS}


def _projected_newton(
    design: Floats, same: Floats, weight: Floats, offset: Floats, penalty: Floats, bounds: Floats
) -> Floats:
    """Least penalised log-loss within bounds.

    Newton steps over the weights that may still move; halved until the loss falls.
    """

    def loss(beta: Floats) -> float:
        eta = offset + design @ beta
        return float(weight @ (np.logaddexp(0.0, eta) - same * eta) + 0.5 * penalty @ beta**2)

    beta = np.zeros(design.shape[1])
    value = loss(beta)
    for _ in range(100):
        p = 1.0 / (1.0 + np.exp(-(offset + design @ beta)))
        slope = design.T @ (weight * (p - same)) + penalty * beta
        held = ((beta <= bounds[:, 0]) & (slope > 0)) | ((beta >= bounds[:, 1]) & (slope < 0))
        free = np.flatnonzero(~held)
        curve = (design[:, free].T * (weight * p * (1 - p))) @ design[:, free] + np.diag(penalty[free] + 1e-9)
        step = np.zeros_like(beta)
        step[free] = np.linalg.solve(curve, slope[free])
        scale = 1.0
        trial = np.clip(beta - step, bounds[:, 0], bounds[:, 1])
        while loss(trial) > value and scale > 1e-6:
            scale /= 2
            trial = np.clip(beta - scale * step, bounds[:, 0], bounds[:, 1])
        moved, beta, value = float(np.abs(trial - beta).max()), trial, loss(trial)
        if moved < 1e-8:
            break
    return beta


def _bound(sign: str) -> tuple[float, float]:
    if sign in FREE:
        return (-np.inf, np.inf)
    return (-np.inf, 0.0) if sign in LOWERS else (0.0, np.inf)
