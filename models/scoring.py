"""A fitted model in memory: scores with intervals and grades, and contributions that add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from data.errors import InputError
from models.calibration import LINKS, Affine
from models.encoding import Encoder
from models.experience import OUTSIDE, Experience
from models.peers import Peers
from models.scorecard import Scorecard
from models.spec import CONTEXT, ModelSpec
from models.spread import Z80, Spread, grade, group_index
from models.terms import Terms

NO_LABELS = (
    "No outcomes were known when this model was built, so there is no probability; the scorecard stands."
)


@dataclass(frozen=True)
class Scores:
    """Scores of n rows, by horizon.

    Attributes:
        eta: Calibrated log-odds, log cumulative hazard or log amount, (n,).
        probability: Probability or expected amount, (n,); NaN where the evidence is insufficient.
        low: Lower end of the 80 % interval, NaN alike.
        high: Upper end.
        evidence: Grade of each row.
        warnings: What to tell with each row.
    """

    eta: Mapping[int, Any]
    probability: Mapping[int, Any]
    low: Mapping[int, Any]
    high: Mapping[int, Any]
    evidence: list[str]
    warnings: list[list[str]]


@dataclass(frozen=True)
class Explanation:
    """Contributions to the calibrated eta.

    Attributes:
        baseline: Constant part without the horizon's constant; `Bundle.baseline(h)` has it.
        factors: Business factors.
        contributions: float64 (n, factors).
        features: Feature names.
        by_feature: float64 (n, features); a factor is the sum of its features.
    """

    baseline: float
    factors: tuple[str, ...]
    contributions: Any
    features: tuple[str, ...]
    by_feature: Any


@dataclass(frozen=True)
class Bundle:
    """A fitted model.

    Attributes:
        model: Model name.
        kind: `boosted`, or `scorecard` when nothing was learnt beyond the map of points.
        spec: Definition, restricted to the data's features.
        terms: Additive parts of eta.
        calibrator: Affine map of g(x) + c_h, g the sum of the terms.
        horizons: Horizon in days → c_h, log cumulative-hazard constant; 0.0 for a plain binary model, and
            horizon 0 for one without horizon.
        link: `log_odds`, `log_cumulative_hazard` or `log_amount`.
        spread: Standard deviation of eta.
        peers: Usual values.
        trained: n, positives, as_of range, data version, params, seed: whatever says where it comes from.
        labelled: Whether outcomes were known; without, the probability is null.
        examples: Encoded rows whose predictions are the artifact's golden ones.
        manifest_sha256: Identity of the artifact it was loaded from; empty before.
        experience: Who lies outside what the model has seen, and is drawn toward the scorecard; or None.
    """

    model: str
    kind: Literal["boosted", "scorecard"]
    spec: ModelSpec
    terms: Terms
    calibrator: Affine
    horizons: Mapping[int, float]
    link: Literal["log_odds", "log_cumulative_hazard", "log_amount"]
    spread: Spread
    peers: Peers
    trained: Mapping[str, Any] = field(default_factory=dict)
    labelled: bool = True
    examples: Any = None
    manifest_sha256: str = ""
    experience: Experience | None = None

    @property
    def encoder(self) -> Encoder:
        """Columns of the matrix."""
        return self.terms.encoder

    @property
    def booster(self) -> Any:
        """lightgbm.Booster, or None."""
        return self.terms.boosted.booster if self.terms.boosted else None

    @property
    def scorecard(self) -> Scorecard | None:
        """The scorecard in the prior, or None."""
        return self.terms.prior.scorecard if self.terms.prior else None

    def encode(self, frame: Any) -> Any:
        """Matrix of raw feature rows, float64 (n, columns)."""
        return self.encoder.encode(frame)

    def points(self, matrix: Any) -> Any:
        """Scorecard points 0–100, (n,); NaN without a scorecard."""
        if self.terms.prior is None:
            return np.full(len(matrix), np.nan)
        return np.clip(self.terms.prior.points(matrix), 0.0, 100.0)

    def baseline(self, horizon: int) -> float:
        """Constant part of the calibrated eta at a horizon."""
        constant = self.terms.baseline + self.horizons[self._checked([horizon])[0]]
        return float(self.calibrator(constant))

    def eta(self, matrix: Any, *, horizon: int) -> Any:
        """Calibrated log-odds or log cumulative hazard, (n,)."""
        plain = self.calibrator(self.terms.eta(matrix) + self.horizons[self._checked([horizon])[0]])
        return plain + self._shift(matrix, plain)

    def outside(self, matrix: Any) -> Any:
        """Whether each row lies outside experience, bool (n,); nobody does where that was not learnt."""
        return self.experience.outside(matrix) if self.experience else np.zeros(len(matrix), dtype=bool)

    def _shift(self, matrix: Any, eta: Any) -> Any:
        """What being outside experience adds to the calibrated eta."""
        if self.experience is None:
            return 0.0
        return self.experience.shift(matrix, eta, self.terms.prior)

    def score(self, matrix: Any, *, horizons: Iterable[int] | None = None) -> Scores:
        """Probabilities with 80 % intervals and evidence grades.

        Args:
            matrix: What `encode` gave.
            horizons: Horizons in days; None: all of the model.

        Raises:
            InputError: a horizon the model was not fitted for.
        """
        chosen = self._checked(self.horizons if horizons is None else horizons)
        link = LINKS[self.link]
        plain = self.terms.eta(matrix)
        missing = self.encoder.missing(matrix)
        sd = self.spread.calibrated_sd(plain, missing, self._groups, slope=self.calibrator.b)
        eta = {h: self.calibrator(plain + self.horizons[h]) for h in chosen}
        if self.experience is not None:
            moved = {h: self._shift(matrix, e) for h, e in eta.items()}
            eta = {h: e + moved[h] for h, e in eta.items()}
            # Half of what the move was is doubt: neither model nor scorecard is known to be right there.
            sd = np.hypot(sd, 0.5 * np.max(np.abs(list(moved.values())), axis=0))
        evidence = self._graded(sd, missing)
        blank = np.array([e == "insufficient" for e in evidence], dtype=bool)
        return Scores(
            eta,
            {h: np.where(blank, np.nan, link(e)) for h, e in eta.items()},
            {h: np.where(blank, np.nan, link(e - Z80 * sd)) for h, e in eta.items()},
            {h: np.where(blank, np.nan, link(e + Z80 * sd)) for h, e in eta.items()},
            evidence,
            [self._warnings(row, e) for row, e in zip(missing, evidence, strict=True)],
        )

    def explain(self, matrix: Any) -> Explanation:
        """Contribution of every factor and feature to the calibrated eta, the same for all horizons."""
        by_column = self.calibrator.b * self.terms.contributions(matrix)
        spans = self.encoder.spans
        by_feature = np.column_stack([by_column[:, spans[f.name]].sum(axis=1) for f in self.spec.features])
        factors = self.spec.factors
        owner = np.array([factors.index(f.shown_factor) for f in self.spec.features])
        by_factor = np.column_stack([by_feature[:, owner == k].sum(axis=1) for k in range(len(factors))])
        baseline = float(self.calibrator(self.terms.baseline))
        names = self.spec.names
        if self.experience is not None:
            # Such a model has one horizon, so what it adds is one number.
            constant = next(iter(self.horizons.values()))
            moved = self._shift(matrix, self.calibrator(self.terms.eta(matrix) + constant))
            by_factor, by_feature = (np.column_stack([part, moved]) for part in (by_factor, by_feature))
            factors, names = (*factors, OUTSIDE.name), (*names, OUTSIDE.name)
        return Explanation(baseline, factors, by_factor, names, by_feature)

    def warnings(self, frame: Any) -> list[list[str]]:
        """For each raw row, categories and values the model has not seen."""
        return self.encoder.warnings(frame)

    @property
    def positives(self) -> int:
        """Number of the rarer outcome in training."""
        return int(self.trained.get("positives", 0))

    @cached_property
    def _groups(self) -> Any:
        return group_index(self.encoder)

    def _known(self, missing: Any) -> Any:
        telling = np.array([f.group != CONTEXT for f in self.encoder.features])
        # Ready-made columns are all context: then any of them tells.
        return (~missing[:, telling if telling.any() else ~telling]).any(axis=1)

    def _graded(self, sd: Any, missing: Any) -> list[str]:
        return grade(sd, known=self._known(missing), labelled=self.labelled, positives=self.positives)

    def _warnings(self, missing: Any, evidence: str) -> list[str]:
        out = [] if self.labelled else [NO_LABELS]
        groups: dict[str, list[bool]] = {}
        for feature, gone in zip(self.encoder.features, missing, strict=True):
            groups.setdefault(feature.group, []).append(bool(gone))
        dark = [g for g, gone in groups.items() if all(gone)]
        if evidence == "insufficient" and self.labelled:
            out.append(
                f"Not enough is known for a probability: no value for {', '.join(dark) or 'most features'}."
            )
        elif dark:
            out.append(f"Nothing is known about {', '.join(dark)}; the interval is wider for it.")
        return out

    def _checked(self, horizons: Iterable[int]) -> list[int]:
        chosen = [int(h) for h in horizons]
        unknown = [h for h in chosen if h not in self.horizons]
        if unknown:
            raise InputError(
                f"Model {self.model} does not answer for {unknown[0]} days.",
                allowed=", ".join(str(h) for h in self.horizons) + " days",
                pointer="/horizons_days",
            )
        return chosen
