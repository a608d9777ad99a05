"""Small data sets with known truth, for tests of training and evaluation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from models.spec import Feature, ModelSpec
from training.dataset import Dataset

START = np.datetime64("2023-01-01", "us")
DAY = np.timedelta64(1, "D")


def spec(n_features=3, *, output="probability", horizons=(90,)):
    features = tuple(Feature(f"x{k}", monotone=1 if k == 0 else 0) for k in range(n_features))
    return ModelSpec("toy", "Toy", ("partner_id",), features, output, horizons, True)


def dated(
    *,
    partners=60,
    snapshots=24,
    step=30,
    horizon=90,
    gap=90,
    seed=0,
    strength=1.0,
    n_features=3,
    shuffle=False,
):
    """Partners × snapshots; x0 raises the risk; labels of the last `gap` days are unknown."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(partners, n_features))
    frames = []
    for k in range(snapshots):
        x = base + rng.normal(scale=0.7, size=base.shape)
        eta = -1.0 + strength * x[:, 0]
        frames.append(
            pd.DataFrame(x, columns=[f"x{j}" for j in range(n_features)]).assign(
                partner_id=[f"p{i:04d}" for i in range(partners)],
                as_of=START + k * step * DAY,
                y=(rng.random(partners) < 1 / (1 + np.exp(-eta))).astype(float),
            )
        )
    frame = pd.concat(frames, ignore_index=True)
    if shuffle:
        frame = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
    return from_frame(frame, horizon=horizon, gap=gap, n_features=n_features)


def from_frame(frame, *, horizon=90, gap=90, n_features=3):
    end = frame["as_of"].max()
    frame = frame.assign(row_id=np.arange(len(frame)), group=frame["partner_id"])
    known = frame["as_of"] + pd.Timedelta(days=gap)
    outcomes = pd.DataFrame(
        {"row_id": frame["row_id"], "horizon_days": horizon, "y": frame["y"], "known_at": known}
    )
    outcomes = outcomes[known <= end].reset_index(drop=True)
    return Dataset(
        spec(n_features, horizons=(horizon,)), frame.drop(columns="y"), outcomes, None, horizon, gap
    )


def undated(*, n=300, entities=100, seed=0, order=False, strength=1.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    y = (rng.random(n) < 1 / (1 + np.exp(1 - strength * x[:, 0]))).astype(float)
    ids = [f"p{i:04d}" for i in rng.integers(0, entities, n)]
    frame = pd.DataFrame(x, columns=["x0", "x1", "x2"]).assign(row_id=np.arange(n), partner_id=ids, group=ids)
    if order:
        frame["order"] = rng.permutation(n).astype(float)
    outcomes = pd.DataFrame(
        {"row_id": np.arange(n), "horizon_days": 0, "y": y, "known_at": np.datetime64("NaT", "us")}
    )
    return Dataset(spec(horizons=()), frame, outcomes, None, 0, 0, source="snapshot")


def hazard(*, partners=120, snapshots=30, seed=0):
    """Constant hazards that grow with x0; horizons 30, 90 and 180 days, known after 30 more."""
    rng = np.random.default_rng(seed)
    horizons, lag = (30, 90, 180), 30
    frames, outcomes, stacked = [], [], []
    base = rng.normal(size=(partners, 3))
    end = START + snapshots * 30 * DAY
    for k in range(snapshots):
        as_of = START + k * 30 * DAY
        x = base + rng.normal(scale=0.5, size=base.shape)
        days = rng.exponential(1 / (0.003 * np.exp(x[:, 0])))
        ids = np.arange(partners) + k * partners
        names = [f"p{i:04d}" for i in range(partners)]
        frame = pd.DataFrame(x, columns=["x0", "x1", "x2"]).assign(row_id=ids, partner_id=names, group=names)
        frames.append(frame.assign(as_of=as_of))
        start = 0
        for number, h in enumerate(horizons):
            known = as_of + (h + lag) * DAY
            if known <= end:
                y = (days < h).astype(float)
                outcomes.append(pd.DataFrame({"row_id": ids, "horizon_days": h, "y": y, "known_at": known}))
                risk = days >= start
                event = (days[risk] < h).astype(int)
                exposure = np.maximum(np.minimum(days[risk], h) - start, 0.5)
                parts = {"row_id": ids[risk], "interval": number, "exposure_days": exposure, "event": event}
                stacked.append(pd.DataFrame({**parts, "known_at": known}))
            start = h
    outcome = pd.concat(outcomes).sort_values("row_id", ignore_index=True)
    stack = pd.concat(stacked).sort_values("row_id", ignore_index=True)
    made = spec(3, output="hazard", horizons=horizons)
    return Dataset(made, pd.concat(frames, ignore_index=True), outcome, stack, 90, 120)


def ordered(*, partners=120, snapshots=20, seed=0):
    """A numeric label cut at 3 and 11 into three classes."""
    rng = np.random.default_rng(seed)
    data = dated(partners=partners, snapshots=snapshots, seed=seed)
    x = data.frame["x0"].to_numpy()[data.outcomes["row_id"]]
    amount = np.exp(1.6 + 1.1 * x + rng.normal(scale=0.4, size=x.size))
    return replace(
        data,
        outcomes=data.outcomes.assign(y=amount),
        bands=(3.0, 11.0),
        spec=replace(data.spec, output="ordered"),
    )
