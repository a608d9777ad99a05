"""Where settings compete: inner training and validation parts, binned once and used by every trial."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from data.errors import NotEnoughEvidenceError
from models.boosting import inputs_of, lightgbm_params
from models.design import Design, grouped_folds
from models.fitting import Fitted
from models.scorecard import Scorecard
from training.dataset import DAY, Dataset
from training.evidence import Evidence, gather
from training.params import Params
from training.parts import Weights, fit_parts
from training.splits import Split

CHUNK = 25
MOST_ROUNDS = 400
PATIENCE = 3  # chunks without gain before a trial stops
MAX_BIN = 255
PENALTIES = (10.0, 30.0, 100.0, 300.0, 1000.0)
INNER_ORIGINS, INNER_FOLDS = 2, 3


@dataclass(frozen=True)
class Bout:
    """One inner split, encoded and binned.

    Attributes:
        learn: Observations to fit on.
        judge: Observations to be judged on.
        near: (m,) settled part of eta of `learn`, the scorecard's and constants', exposure included.
        far: The same of `judge`.
        train: Binned lightgbm.Dataset.
        valid: Binned with the same edges.
    """

    learn: Design
    judge: Design
    near: Any
    far: Any
    train: Any
    valid: Any


@dataclass(frozen=True)
class Arena:
    """All inner splits of a search.

    Attributes:
        bouts: Inner splits.
        evidence: Columns and overlap of all training rows.
        seed: Seed of trees.
        key: Hash of data, columns and seed: the name under which a search can be resumed.
    """

    bouts: tuple[Bout, ...]
    evidence: Evidence
    seed: int
    key: str

    @property
    def rarer(self) -> int:
        """Entities with the rarer outcome."""
        return self.evidence.rarer

    def options(self, params: Params) -> dict[str, Any]:
        """LightGBM's settings for a point."""
        boost = params.boost(self.evidence.weight)
        found = lightgbm_params(self.evidence.encoder, self.bouts[0].learn, boost, seed=self.seed)
        return {**found, "max_bin": MAX_BIN, "metric": "None", "boost_from_average": False}

    def race(self, params: Params) -> Race:
        """Start a point on every bout."""
        import lightgbm as lgb

        options = self.options(params)
        boosters = []
        for bout in self.bouts:
            booster = lgb.Booster(options, bout.train)
            booster.add_valid(bout.valid, "valid")
            boosters.append(booster)
        return Race(self, boosters)


class Race:
    """Trees growing on every bout in step, judged every 25 rounds."""

    def __init__(self, arena: Arena, boosters: Sequence[Any]) -> None:
        self.arena, self.boosters, self.rounds = arena, boosters, 0

    def advance(self, rounds: int = CHUNK) -> float:
        """Grow and judge: mean log-loss of the bouts, weighted alike."""
        for booster in self.boosters:
            for _ in range(rounds):
                booster.update()
        self.rounds += rounds
        return self.loss()

    def loss(self) -> float:
        """Mean negative log-likelihood on the validation parts."""
        found = []
        for booster, bout in zip(self.boosters, self.arena.bouts, strict=True):
            score = booster.eval_valid(feval=_loss(bout))
            found.append(score[0][2])
        return float(np.mean(found))


def _loss(bout: Bout) -> Any:
    from models.glm import losses

    family, y = bout.judge.family, bout.judge.y

    def judge(raw: Any, _data: Any) -> tuple[str, float, bool]:
        # LightGBM hands over eta for custom objectives and the mean for its own: both are brought to eta.
        score = np.asarray(raw, dtype=float)
        eta = np.log(np.maximum(score, 1e-15))
        if family == "binomial":
            eta = eta - np.log1p(-np.minimum(score, 1 - 1e-15))
        return "loss", float(losses(family, y, eta).mean()), False

    return judge


def build_arena(dataset: Dataset, split: Split, *, scorecard: Scorecard | None, seed: int) -> Arena:
    """Encode and bin the inner splits of the training rows.

    Dated rows are validated on later snapshots, purged like the test; where history is too short, and for
    undated rows, on grouped folds.

    Args:
        dataset: Rows and labels.
        split: Only its `train` rows are looked at.
        scorecard: The prior, or None.
        seed: Of folds and trees.

    Raises:
        NotEnoughEvidenceError: Too few groups or labels for any inner split.
    """
    whole = gather(dataset, split.train, known_by=split.train_known_by)
    pairs = _by_time(dataset, whole) if dataset.dated else []
    pairs = pairs or _by_group(whole, seed)
    bouts = [b for a, z in pairs if (b := _bout(dataset, whole, a, z, scorecard)) is not None]
    if not bouts:
        raise NotEnoughEvidenceError(
            "Too few outcomes for a search: no inner split has both kinds on both sides.",
            next_step="Train with `trials: 0`; the defaults are made for little data.",
        )
    return Arena(tuple(bouts), whole, seed, _key(whole, seed))


def _by_time(dataset: Dataset, whole: Evidence) -> list[tuple[Any, Any]]:
    """(rows to learn from, rows to judge) as positions: later snapshots, a gap apart."""
    as_of = dataset.as_of[whole.rows]
    dates = np.unique(as_of)
    found: list[tuple[Any, Any]] = []
    at = dates[-1]
    while len(found) < INNER_ORIGINS:
        learn = np.flatnonzero(as_of <= at - dataset.gap_days * DAY)
        if learn.size < whole.rows.size * 0.15:
            break
        found.append((learn, np.flatnonzero((as_of > at - dataset.horizon_days * DAY) & (as_of <= at))))
        earlier = dates[dates <= at - dataset.horizon_days * DAY]
        if not earlier.size:
            break
        at = earlier[-1]
    return found


def _by_group(whole: Evidence, seed: int) -> list[tuple[Any, Any]]:
    groups = np.unique(whole.design.group).size
    if groups < 2:
        return []
    fold = grouped_folds(whole.design.group, folds=min(INNER_FOLDS, groups), seed=seed)
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(int(fold.max()) + 1)]


def _bout(
    dataset: Dataset, whole: Evidence, learn_at: Any, judge_at: Any, scorecard: Scorecard | None
) -> Bout | None:
    learn, judge = whole.design.take(learn_at), whole.design.take(judge_at)
    if min(_two_sided(learn), _two_sided(judge)) < 2:
        return None
    part = replace(whole, rows=whole.rows[learn_at], design=learn)
    none = Weights()
    base = fit_parts(part, dataset.spec, scorecard=scorecard, params=Params(rounds=0), seed=0, weights=none)
    near, far = (_settled(base.weighted(none), d) for d in (learn, judge))
    train = _binned(whole, learn, near)
    return Bout(learn, judge, near, far, train, _binned(whole, judge, far, reference=train))


def _two_sided(design: Design) -> int:
    return int(np.unique(design.y).size)


def _binned(whole: Evidence, design: Design, offset: Any, *, reference: Any = None) -> Any:
    import lightgbm as lgb

    settings = {"feature_pre_filter": False, "max_bin": MAX_BIN, "verbosity": -1, "num_threads": 1}
    data = lgb.Dataset(
        np.ascontiguousarray(inputs_of(design, whole.encoder)), design.y, init_score=offset,
        reference=reference, params=settings, free_raw_data=False,
    )  # fmt: skip
    return data.construct()


def _settled(fitted: Fitted, design: Design) -> Any:
    """(m,) eta of observations, exposure and constants included."""
    eta = fitted.terms.eta(design.matrix)[design.row]
    return design.log_exposure + eta + np.array(fitted.levels)[design.interval]


def best_penalty(arena: Arena, dataset: Dataset, *, scorecard: Scorecard | None) -> float:
    """The ridge of the linear part with the least mean loss on the validation parts."""
    from models.glm import losses

    alone = Weights(linear=1.0)
    found = []
    for penalty in PENALTIES:
        params = Params(rounds=0, linear_penalty=penalty)
        per_bout = []
        for bout in arena.bouts:
            part = replace(arena.evidence, design=bout.learn)
            parts = fit_parts(part, dataset.spec, scorecard=scorecard, params=params, seed=0, weights=alone)
            eta = _settled(parts.weighted(alone), bout.judge)
            per_bout.append(float(losses(bout.judge.family, bout.judge.y, eta).mean()))
        found.append(float(np.mean(per_bout)))
    return PENALTIES[int(np.argmin(found))]


def _key(whole: Evidence, seed: int) -> str:
    digest = hashlib.sha256(repr((whole.encoder.columns, whole.weight, seed)).encode())
    for part in (whole.design.matrix, whole.design.y, whole.design.row, whole.design.interval):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:16]
