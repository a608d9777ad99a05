"""Do the alerts work? The policy replayed over past quarters, beside what one would do without it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evaluation.alert_rules import (
    Raised,
    above,
    crossings,
    departures_of,
    matched,
    replay,
    right,
    share_flagged,
)
from evaluation.resampling import Estimate, Resampler, estimate
from models.alerts.settings import AlertSettings

DAYS_AHEAD = (0, 30, 60, 90)
REPLICATES = 400
THRESHOLD, RISING = "plain threshold, every week", "plain threshold, when it is crossed"
LOGIN, LOGIN_RISING = "days since last login, every week", "days since last login, when it is crossed"


@dataclass(frozen=True)
class Figures:
    """How alerts did.

    Attributes:
        name: Who raised them.
        count: Shown alerts.
        per_manager_week: Shown alerts for each manager and week.
        precision: Share whose partner departed within 90 days, with its 95 % interval over partners.
        flagged: Days ahead → share of departures with an alert at least so long before.
        caught: Share of departures with an alert before the silence was over, early or late.
    """

    name: str
    count: int
    per_manager_week: float
    precision: Estimate
    flagged: Mapping[int, float]
    caught: float


@dataclass(frozen=True)
class HoldOut:
    """What alerts are worth, from those nobody acted on.

    Attributes:
        held_out: Alerts held out whose outcome is known.
        precision: Their share of departures, weighted by 1/propensity: what alerts would come to unattended.
        shown_precision: The same of the eligible alerts that were shown: what they come to when acted on.
        prevented: Difference: departures per alert that acting avoided.
    """

    held_out: int
    precision: Estimate
    shown_precision: Estimate
    prevented: float


def evaluate_alerts(
    panel: Any, *, settings: AlertSettings, link: str, silence_days: int = 90
) -> dict[str, Any]:
    """The report of a replay.

    The rules it is held against have no state: an alert for everybody above a threshold, every week; or, with
    the memory of one week, for everybody who crosses it. Their threshold is the greatest at which they catch
    as many departures as the policy does.

    Args:
        panel: Of `evaluation.alert_panel.build_panel`.
        settings: The policy; in a replay nothing is held out, since nobody acts on it.
        link: Scale of eta.
        silence_days: How long after a departure an alert still counts as caught.
    """
    policy = replay(panel, settings=settings.model_copy(update={"holdout_share": 0.0}), link=link)
    recall = share_flagged(policy, panel, days_ahead=-silence_days)
    given: dict[str, Any] = {"recall": recall, "days_ahead": -silence_days}
    rules = [policy, matched(panel, "probability", name=THRESHOLD, rule=above, **given)]
    rules.append(matched(panel, "probability", name=RISING, rule=crossings, **given))
    if panel["recency"].notna().any():
        rules.append(matched(panel, "recency", name=LOGIN, rule=above, **given))
        rules.append(matched(panel, "recency", name=LOGIN_RISING, rule=crossings, **given))
    found = [judge(r, panel, silence_days=silence_days) for r in rules]
    return {
        "weeks": int(panel["as_of"].nunique()),
        "from": str(panel["as_of"].min().date()),
        "to": str(panel["as_of"].max().date()),
        "partners": int(panel["partner_id"].nunique()),
        "managers": int(panel["manager_id"].nunique()),
        "departures": len(departures_of(panel)),
        "budget_per_manager": settings.budget_per_manager,
        "rules": [_plain(f) for f in found],
        "fewer_than_threshold": _fewer(found[0], found[1]),
        "fewer_than_crossings": _fewer(found[0], found[2]),
        "by_quarter": [_quarter(q, policy, panel) for q in _quarters(panel)],
    }


def judge(raised: Raised, panel: Any, *, silence_days: int = 90) -> Figures:
    """Figures of some alerts against what became of the partners."""
    shown = raised.shown.reset_index(drop=True)
    weeks, managers = panel["as_of"].nunique(), max(panel["manager_id"].nunique(), 1)
    flagged = {d: share_flagged(raised, panel, days_ahead=d) for d in DAYS_AHEAD}
    return Figures(
        name=raised.name,
        count=len(shown),
        per_manager_week=len(shown) / max(weeks * managers, 1),
        precision=share(right(shown, panel), shown["partner_id"]),
        flagged=flagged,
        caught=share_flagged(raised, panel, days_ahead=-silence_days),
    )


def hold_out(alerts: Any, outcome: Any) -> HoldOut:
    """Precision over eligible alerts, estimated on those held out.

    Args:
        alerts: DataFrame[partner_id, held_out, propensity] of alerts whose outcome is known.
        outcome: 0/1 (n,): the partner departed within the horizon.
    """
    eligible = (alerts["propensity"] > 0).to_numpy()
    held = eligible & alerts["held_out"].to_numpy(dtype=bool)
    shown = eligible & ~held
    chance = alerts["propensity"].to_numpy(dtype=np.float64)
    ids = alerts["partner_id"]
    quiet = share(outcome[held], ids[held], weight=1 / chance[held])
    acted = share(outcome[shown], ids[shown], weight=1 / (1 - chance[shown]))
    return HoldOut(int(held.sum()), quiet, acted, quiet.value - acted.value)


def share(outcome: Any, partner_ids: Any, *, weight: Any = None) -> Estimate:
    """A weighted share with a 95 % interval from drawing partners."""
    outcome = np.asarray(outcome, dtype=np.float64)
    if not outcome.size:
        return Estimate(math.nan, math.nan, math.nan)
    weight = np.ones(outcome.size) if weight is None else np.asarray(weight, dtype=np.float64)
    entity = pd.factorize(np.asarray(partner_ids, dtype=object))[0].astype(np.int64)
    draws = []
    for block in Resampler(entity, REPLICATES, 0).chunks():
        drawn = block * weight
        with np.errstate(invalid="ignore"):
            draws.append((drawn @ outcome) / drawn.sum(axis=1))
    return estimate(np.concatenate(draws))


def _quarters(panel: Any) -> Sequence[str]:
    """Stretches of one model each, in order."""
    return list(dict.fromkeys(panel.sort_values("as_of")["model"]))


def _quarter(name: str, policy: Raised, panel: Any) -> dict[str, Any]:
    part = panel[panel["model"] == name]
    first, last = part["as_of"].min(), part["as_of"].max()
    alerts = policy.alerts
    inside = Raised(name, alerts[(alerts["as_of"] >= first) & (alerts["as_of"] <= last)])
    found = judge(inside, part)
    return {"from": str(first.date()), "to": str(last.date()), **_plain(found)}


def _plain(figures: Figures) -> dict[str, Any]:
    return {
        "name": figures.name,
        "alerts": figures.count,
        "per_manager_week": _number(figures.per_manager_week),
        "precision": plain_estimate(figures.precision),
        "flagged_days_ahead": {str(d): _number(v) for d, v in figures.flagged.items()},
        "caught": _number(figures.caught),
    }


def plain_estimate(found: Estimate) -> dict[str, Any]:
    """An estimate as JSON; a figure that does not exist is null."""
    return {"value": _number(found.value), "low": _number(found.low), "high": _number(found.high)}


def plain_hold_out(found: HoldOut) -> dict[str, Any]:
    """A hold-out estimate as JSON."""
    return {
        "held_out": found.held_out,
        "precision": plain_estimate(found.precision),
        "shown_precision": plain_estimate(found.shown_precision),
        "prevented": _number(found.prevented),
    }


def _fewer(ours: Figures, theirs: Figures) -> float | None:
    return _number(1 - ours.count / theirs.count) if theirs.count else None


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
