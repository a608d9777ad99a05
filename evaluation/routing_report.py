"""Who gets leads, who takes them, who wins them, and what fairness costs: sums over frames of offers.

The frames come from anywhere: the lake's assignments, the service's own offers, or a policy's replay.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from evaluation.policy_replay import Replay

GROUPS = ("tier", "region", "size")
MOST_SHOWN = 50
LEAST_KNOWN = 10
"""Known answers below which a rate of a group says nothing; it is left out then."""


def exposure(offers: Any, partners: Any, *, by: str) -> list[dict[str, Any]]:
    """Offers and what came of them for each group, beside the group's share of partners.

    Args:
        offers: DataFrame with `by`, `partner_id`, `accepted` and `won` (0/1; NaN not known yet).
        partners: DataFrame with `by` and `partner_id`: everybody who could have got leads.
        by: Column of the group.

    Returns:
        Rows: group, partners, partner_share, offers, offer_share, reached_share (partners with any offer),
        accept_rate, win_rate (of the accepted), wins_per_100_offers; None: fewer than `LEAST_KNOWN` known.
    """
    here = partners[by].fillna("none").astype(str)
    got = offers[by].fillna("none").astype(str)
    rows = []
    for group in sorted({*here.unique(), *got.unique()}):
        part = offers[(got == group).to_numpy()]
        members_here = partners.loc[(here == group).to_numpy(), "partner_id"]
        members = len(members_here)
        accepted = part["accepted"] == 1
        rows.append(
            {
                by: group,
                "partners": members,
                "partner_share": _ratio(members, len(partners)),
                "offers": len(part),
                "offer_share": _ratio(len(part), len(offers)),
                "reached_share": _ratio(int(members_here.isin(part["partner_id"]).sum()), members),
                "accept_rate": _rate(part["accepted"]),
                "win_rate": _rate(part.loc[accepted.to_numpy(), "won"]),
                "wins_per_100_offers": _times(_rate(part["won"]), 100),
            }
        )
    return rows


def acceptance(offers: Any) -> dict[str, Any]:
    """How offers were answered: shares of accepted, declined, expired and open; days to the answer; reasons.

    Args:
        offers: Of `features.leadhistory.offers_of`; `respond_by`, if there, tells the answers in time.
    """
    answer = offers["answer"].astype(object).where(offers["answer"].notna(), "open")
    waited = (offers["answered_at"] - offers["offered_at"]) / pd.Timedelta(days=1)
    waited = waited[answer.isin(("accepted", "declined"))]
    reasons = offers.loc[answer == "declined", "reason"].dropna().value_counts()
    found: dict[str, Any] = {
        "offers": len(offers),
        "leads": int(offers["lead_id"].nunique()),
        **{
            f"{a}_share": _mean((answer == a).astype(float))
            for a in ("accepted", "declined", "expired", "open")
        },
        "median_days_to_answer": _number(waited.median()) if len(waited) else None,
        "decline_reasons": {str(k): int(v) for k, v in reasons.head(10).items()},
        "offers_per_lead": _ratio(len(offers), offers["lead_id"].nunique()),
    }
    if "respond_by" in offers:
        due = offers[answer.isin(("accepted", "declined", "expired")).to_numpy()]
        on_time = (due["answered_at"] <= due["respond_by"]) & (due["answer"] != "expired")
        found["answered_in_time_share"] = _mean(on_time.astype(float))
    return found


def changed(replay: Replay, before: str, after: str) -> list[dict[str, Any]]:
    """Leads whose likeliest partner differs between two policies, greatest change of expected wins first."""
    rows = []
    old, new = (_favourites(replay, name) for name in (before, after))
    for place in np.flatnonzero(old != new):
        row = replay.decisions.iloc[place]
        rows.append(
            {
                "lead_id": str(row["lead_id"]),
                "offered_at": row["offered_at"].isoformat() + "Z",
                "logged": str(row["partner_id"]),
                "before": _who(replay, old[place]),
                "after": _who(replay, new[place]),
                "expected_wins": _number(_gain(replay, new[place]) - _gain(replay, old[place])),
            }
        )
    return sorted(rows, key=lambda r: (-abs(r["expected_wins"] or 0.0), r["lead_id"]))


def moved_share(replay: Replay, before: str, after: str) -> float:
    """Share of leads that would go elsewhere: half the difference of the two policies' probabilities."""
    apart = np.abs(replay.chances[after] - replay.chances[before])
    nobody = np.abs(_assigned(replay, after) - _assigned(replay, before))
    return float((np.bincount(replay.decision, weights=apart, minlength=len(replay)) + nobody).mean() / 2)


def shares(replay: Replay, names: Sequence[str], *, by: str) -> list[dict[str, Any]]:
    """Share of offers of each group under the log and under policies, expected over their chances."""
    groups = replay.groups[by].astype(str)
    logged = np.zeros(len(replay.decision))
    logged[replay.chosen] = 1.0
    columns = {"logged": logged, **{n: replay.chances[n] for n in names}}
    totals = {n: max(float(c.sum()), 1e-12) for n, c in columns.items()}
    found = pd.DataFrame(columns).groupby(groups.to_numpy()).sum()
    return [{by: str(g), **{n: _number(row[n] / totals[n]) for n in columns}} for g, row in found.iterrows()]


def expected_wins(replay: Replay, name: str) -> float:
    """Wins of 100 leads that the models expect of a policy, from the first offer."""
    return 100 * float((replay.chances[name] * replay.gain).sum()) / max(len(replay), 1)


def unassigned_share(replay: Replay, name: str) -> float:
    """Share of leads that a policy gives to nobody."""
    return 1.0 - float(_assigned(replay, name).mean()) if len(replay) else 0.0


def price_of_fairness(replay: Replay, with_bands: str, without: str) -> dict[str, float]:
    """What bands cost: expected wins of 100 leads with them and without, and the difference."""
    fair, free = expected_wins(replay, with_bands), expected_wins(replay, without)
    return {"with_bands": fair, "without_bands": free, "wins_given_up_per_100": free - fair}


def offers_of_replay(replay: Replay) -> Any:
    """The log's own offers with the groups of their partners: what `exposure` takes."""
    groups = replay.groups.iloc[replay.chosen].reset_index(drop=True)
    return pd.concat([replay.decisions[["partner_id", "accepted", "won"]], groups], axis=1)


def to_json(value: Any) -> Any:
    """Plain values for a report; what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    if isinstance(value, float | np.floating):
        return _number(float(value))
    return int(value) if isinstance(value, np.integer) else value


def _favourites(replay: Replay, name: str) -> Any:
    """(n,) position of each decision's likeliest pair; -1 for nobody."""
    chance = replay.chances[name]
    order = np.lexsort((np.arange(len(chance)), -chance, replay.decision))
    first = order[np.searchsorted(replay.decision[order], np.arange(len(replay)))]
    return np.where(chance[first] > 0, first, -1)


def _assigned(replay: Replay, name: str) -> Any:
    return np.bincount(replay.decision, weights=replay.chances[name], minlength=len(replay))


def _who(replay: Replay, place: int) -> str | None:
    return None if place < 0 else str(replay.partner[place])


def _gain(replay: Replay, place: int) -> float:
    return 0.0 if place < 0 else float(replay.gain[place])


def _ratio(part: float, whole: float) -> float | None:
    return _number(part / whole) if whole else None


def _mean(values: Any) -> float | None:
    known = values.dropna()
    return _number(float(known.mean())) if len(known) else None


def _rate(values: Any) -> float | None:
    """A group's share of hits, where enough is known."""
    return _mean(values) if values.notna().sum() >= LEAST_KNOWN else None


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else _number(value * factor)


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
