"""A trial of the hold-out in a simulated world: alerts that are acted on, and what they would have come to.

Managers check in on every partner whose alert they see; in the simulator that changes when the partner
leaves, for better or worse. Then the outcomes one sees say little about the alerts; those held out say all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from data.simulate.oracle import departed_if_treated
from data.simulate.world import World
from evaluation.alert_rules import Raised, replay
from evaluation.alerts import HoldOut, hold_out
from models.alerts.settings import AlertSettings

HORIZON_DAYS = 90
LINK = "log_cumulative_hazard"


@dataclass(frozen=True)
class Trial:
    """One simulated year.

    Attributes:
        alerts: DataFrame[partner_id, as_of, held_out, propensity]: eligible alerts only.
        unattended: 0/1: would the partner have left within the horizon, had nobody acted.
        observed: 0/1: did it leave, those shown having been acted on.
    """

    alerts: Any
    unattended: Any
    observed: Any

    @property
    def truth(self) -> float:
        """Precision of the eligible alerts, unattended: what the hold-out estimates."""
        return float(self.unattended.mean())

    @property
    def naive(self) -> float:
        """What one would say without a hold-out: the outcomes of the alerts that were shown."""
        return float(self.observed[~self.alerts["held_out"].to_numpy()].mean())

    def estimate(self) -> HoldOut:
        """The estimate from those held out."""
        return hold_out(self.alerts, self.observed)


def pooled(trials: list[Trial]) -> Trial:
    """Trials of several seeds as one; partners of different worlds are different partners."""
    alerts = [
        t.alerts.assign(partner_id=f"{k}/" + t.alerts["partner_id"].astype(str)) for k, t in enumerate(trials)
    ]
    return Trial(
        pd.concat(alerts, ignore_index=True),
        np.concatenate([t.unattended for t in trials]),
        np.concatenate([t.observed for t in trials]),
    )


def run_trial(world: World, *, settings: AlertSettings, noise: float = 0.7, seed: int = 0) -> Trial:
    """Alerts over the last two years of a rich world, on a score as good as noise allows.

    Args:
        world: A rich world that was just simulated.
        settings: The policy; its hold-out share is what is tried.
        noise: Standard deviation of the error of the score, on the scale of eta.
        seed: Of that error.
    """
    panel = _panel(world, noise=noise, seed=seed)
    raised = replay(panel, settings=settings, link=LINK)
    return _outcomes(world, raised)


def _panel(world: World, *, noise: float, seed: int) -> Any:
    """Weekly scores: the true hazard of the week over the horizon, with an error that lasts."""
    weekly = world.truth["weekly"]
    end = pd.Timestamp(world.end) - pd.Timedelta(days=HORIZON_DAYS)
    part = weekly[(weekly["week_start"] <= end) & (weekly["week_start"] >= end - pd.Timedelta(days=730))]
    monday = part["week_start"].dt.normalize()
    rng = np.random.default_rng(seed)
    partners = np.sort(part["partner_id"].unique().astype(object))
    lasting = pd.Series(rng.normal(0, 0.7 * noise, partners.size), index=partners)
    error = lasting.reindex(part["partner_id"]).to_numpy() + rng.normal(0, 0.7 * noise, len(part))
    true = np.log(part["hazard"].to_numpy() * HORIZON_DAYS / 7)
    # What a calibrated model would say of so uncertain a reading: drawn toward the middle.
    eta = true.mean() + (true + error - true.mean()) * true.var() / (true.var() + error.var())
    managers = world.tables["partner_managers"].drop_duplicates("partner_id", keep="last")
    owner = managers.set_index("partner_id")["manager_id"].reindex(part["partner_id"]).fillna("").to_numpy()
    size = pd.Series(rng.lognormal(10, 1.0, partners.size), index=partners)
    return pd.DataFrame(
        {
            "partner_id": part["partner_id"].to_numpy(), "as_of": monday.to_numpy(), "manager_id": owner,
            "model": "1", "eta": eta, "previous_eta": np.nan, "probability": -np.expm1(-np.exp(eta)),
            "margin_cents": size.reindex(part["partner_id"]).to_numpy().astype(np.int64) * 100,
            "driver": "", "silent_days": 0.0, "departed": False, "recency": np.nan,
            "departed_at": pd.NaT,
        }
    )  # fmt: skip


def _outcomes(world: World, raised: Raised) -> Trial:
    """Partners whose alert was shown were checked on: their departure is the treated one."""
    alerts = raised.alerts[raised.alerts["propensity"] > 0].reset_index(drop=True)
    days: list[date] = [t.date() for t in alerts["as_of"]]
    both = departed_if_treated(world, alerts["partner_id"].tolist(), days)
    until = alerts["as_of"] + pd.Timedelta(days=HORIZON_DAYS)
    unattended = (both["departed_at"] < until).to_numpy(dtype=np.float64)
    treated = (both["departed_at_if_treated"] < until).to_numpy(dtype=np.float64)
    held = alerts["held_out"].to_numpy()
    return Trial(alerts, unattended, np.where(held, unattended, treated))
