"""Prospects: every company recruiters looked at, the signed ones among them, as known before signing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from data.simulate.config import RichConfig
from data.simulate.rich.firmographics import columns, fit_probability, recruiter_liking
from data.simulate.rich.messy import at, exported
from data.simulate.rich.population import CANDIDATES, Population, candidates
from data.simulate.streams import Floats, uniform
from data.simulate.world import labels


def build_prospects(config: RichConfig, who: Population) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The prospects table, and its truth.

    A prospect is known one to four months before its group's signing; the one that signs gets a second
    version with its partner id, known on the day of signing. Facts are those before signing; small companies
    hide more of them (missing not at random).
    """
    firms, chosen = candidates(config, who.index)
    option = np.tile(np.arange(CANDIDATES), who.index.size)
    row = np.repeat(np.arange(who.index.size), CANDIDATES)
    firms = firms.take((row, option))
    number = who.index[row] * CANDIDATES + option
    values = columns(firms, number)
    if config.messy:
        _hide(config, values, number, small=firms.employees < 25)
    lead_days = 30 + np.floor(90 * uniform(config.seed, "prospect.lead", number))
    entered = at(config, who.signed_day[row] - lead_days)
    values.update(prospect_id=labels("Q", number, width=7), event_at=entered, known_at=entered)
    signed = option == chosen[row]
    nobody: Any = None
    later = {k: np.asarray(v, dtype=object)[signed] for k, v in values.items() if k != "known_at"}
    later.update(partner_id=who.ids[row][signed], known_at=at(config, who.signed_day[row][signed]))
    values["partner_id"] = np.full(row.size, nobody, dtype=object)
    both = {k: np.concatenate([np.asarray(values[k], dtype=object), later[k]]) for k in values}
    table = exported(config, "prospects", {k: _typed(k, v) for k, v in both.items()})
    truth = pd.DataFrame(
        {
            "prospect_id": values["prospect_id"],
            "fit_probability": fit_probability(firms),
            "recruit_propensity": _propensity(recruiter_liking(firms)),
            "partner_id": np.where(signed, who.ids[row], nobody),
        }
    )
    return table, truth.sort_values("prospect_id", ignore_index=True)


def _hide(config: RichConfig, values: dict[str, Any], number: Any, *, small: Any) -> None:
    for column, small_share, share in (
        ("annual_revenue_usd", 0.35, 0.1), ("employee_count", 0.12, 0.05), ("founded_year", 0.15, 0.08),
        ("industry", 0.05, 0.03),
    ):  # fmt: skip
        hidden = uniform(config.seed, f"prospect.hide.{column}", number) < np.where(small, small_share, share)
        values[column] = np.asarray(values[column], dtype=object)
        values[column][hidden] = None


def _propensity(liking: Floats) -> Floats:
    """Softmax of the recruiter's liking among the companies compared for one signing."""
    weight = np.exp(liking)
    return np.asarray(weight / np.repeat(weight.reshape(-1, CANDIDATES).sum(axis=1), CANDIDATES))


def _typed(name: str, values: Any) -> Any:
    if name in ("event_at", "known_at"):
        return values.astype("datetime64[us]")
    if name in ("employee_count", "founded_year"):
        return pd.array(values, dtype="Int64")
    if name == "annual_revenue_usd":
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    return values
