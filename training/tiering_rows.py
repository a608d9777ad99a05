"""Rows for the potential of partners: features at each date, joined to what came in the year after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from data.errors import MissingDataError, NotEnoughEvidenceError
from models.scorecard import Scorecard
from models.spec import ModelSpec
from models.tiering.label import build_cohort, build_labels
from models.tiering.settings import TieringSettings
from training.columns import useless_columns
from training.dataset import Dataset

KEYS = ["partner_id", "as_of"]
AMOUNTS = {"won_amount": "amount_usd", "won_margin": "margin_usd"}
ALIVE = ("deals.registered", "deals.won")
LOOK_BACK = pd.Timedelta(days=365)


@dataclass(frozen=True)
class Contributions:
    """What labels are made of.

    Attributes:
        agreements: DataFrame[partner_id, event_at, known_at, record_key], dated at the signature.
        activity: The same columns, of won and registered deals.
        terminations: The same columns, for agreements that ended.
        amounts: The same columns and `amount_usd`: won deals and returns, every version.
        parents: partner_id → parent_id, where known.
    """

    agreements: Any
    activity: Any
    terminations: Any
    amounts: Any
    parents: dict[str, str]


def read_contributions(lake: Any, *, settings: TieringSettings) -> Contributions:
    """Won deals, activity, terminations and parents from the lake.

    Raises:
        MissingDataError: There are no deals, or none carries an amount.
    """
    from features.cohort import terminations, value_activity

    column = AMOUNTS[settings.contribution]
    if not lake.has("deals"):
        raise MissingDataError(
            "Tiers need the table `deals`, which the lake does not have.",
            next_step="Map `deals` under `tables:` and run `partnerintel ingest`.",
            pointer="deals",
        )
    deals = lake.read("deals")
    if not deals[column].notna().any():
        raise MissingDataError(
            f"No deal carries `{column}`, so there is no contribution to learn.",
            next_step=f"Map `{column}`, or choose another `tiers: contribution:`.",
            pointer=column,
        )
    partners = lake.read("partners").sort_values(["known_at", "row_hash"])
    last = partners.drop_duplicates("partner_id", keep="last").dropna(subset=["parent_id"])
    parents = dict(zip(last["partner_id"].astype(str), last["parent_id"].astype(str), strict=True))
    signed = partners["signed_at"].fillna(partners["known_at"])
    agreements = partners[["partner_id", "known_at"]].assign(
        event_at=signed, record_key=partners["partner_id"]
    )
    return Contributions(
        agreements, value_activity(lake, kinds=ALIVE), terminations(lake), _versions(deals, column), parents
    )


def _versions(deals: Any, column: str) -> Any:
    """Every version of every deal; one that is not (or no longer) won has no `event_at`."""
    won = deals["status"] == "won"
    rows = pd.DataFrame(
        {
            "partner_id": deals["partner_id"].astype(object),
            "event_at": deals["event_at"].where(won),
            "known_at": deals["known_at"].fillna(deals["event_at"]),
            "record_key": deals["deal_id"].astype(str) + "\x1f" + deals["status"].astype(str),
            "amount_usd": deals[column],
            "row_hash": deals["row_hash"],
        }
    )[won]
    ordered = rows.sort_values(["record_key", "known_at", "row_hash"], kind="stable")
    return ordered.drop_duplicates(["record_key", "known_at"], keep="last").drop(columns="row_hash")


def tiering_dataset(
    spec: ModelSpec,
    features: Any,
    history: Contributions,
    *,
    settings: TieringSettings,
    known_until: datetime,
    scorecard: Scorecard | None = None,
) -> Dataset:
    """Cohort × features × next year's contribution at every snapshot date in `features`.

    Args:
        spec: The model.
        features: DataFrame[partner_id, as_of, features].
        history: What labels are made of.
        settings: Horizon and cohort.
        known_until: Nothing known later is used.
        scorecard: The customer's, or the model's default.

    Raises:
        NotEnoughEvidenceError: No partner is in the cohort, no year is complete, or no feature differs.
    """
    features = with_whole_windows(features, history, settings=settings, known_until=known_until)
    as_ofs = sorted({t.date() for t in pd.to_datetime(features["as_of"].unique())})
    given = (history.agreements, history.activity, history.terminations)
    cohort = build_cohort(*given, as_ofs=as_ofs, settings=settings)
    frame = cohort.merge(features, on=KEYS, how="inner").sort_values(
        ["as_of", "partner_id"], ignore_index=True
    )
    labels = build_labels(history.amounts, cohort, settings=settings, known_until=known_until)
    if frame.empty or labels.empty:
        raise NotEnoughEvidenceError(
            f"No partner's next {settings.horizon_days} days are known after any of {len(as_ofs)} snapshots.",
            allowed=f"deals over more than {settings.known_after_days} days",
            next_step="Bring older deals, or wait: until then tiers follow the policy without a potential.",
        )
    frame = frame.assign(row_id=np.arange(len(frame), dtype=np.int64))
    frame["group"] = frame["partner_id"].map(lambda p: history.parents.get(p, p)).astype(str)
    present = spec.restricted_to(features.columns)
    dropped = useless_columns(frame, list(present.names))
    kept = set(present.names) - {d.column for d in dropped}
    if not kept:
        raise NotEnoughEvidenceError(
            f"None of {len(dropped)} features tells one of {len(frame)} rows from another.",
            next_step="Map more tables of dated rows, or more of their history.",
        )
    outcomes = labels.merge(frame[[*KEYS, "row_id"]], on=KEYS, how="inner").drop(columns=KEYS)
    return Dataset(
        replace(
            spec.restricted_to([n for n in present.names if n in kept]),
            horizons_days=(settings.horizon_days,),
        ),
        frame,
        outcomes.sort_values("row_id", kind="stable", ignore_index=True),
        None,
        horizon_days=settings.horizon_days,
        gap_days=settings.known_after_days,
        scorecard=scorecard,
        dropped=dropped,
        about=_about(settings, as_ofs),
        unit=unit_of(outcomes["y"].to_numpy(dtype=float)),
    )


def with_whole_windows(
    features: Any, history: Contributions, *, settings: TieringSettings, known_until: datetime
) -> Any:
    """Snapshots whose look-back year lies within the data, where enough of them have a label.

    Before that, last year's value is low because the data begin, and a model learns that partners grow.
    With too little history for a test without them, all snapshots are kept.
    """
    whole = features[features["as_of"] >= history.amounts["event_at"].min() + LOOK_BACK]
    last = pd.Timestamp(known_until) - pd.Timedelta(days=settings.known_after_days)
    labelled = whole.loc[whole["as_of"] <= last, "as_of"]
    if labelled.empty or labelled.max() - labelled.min() < pd.Timedelta(days=settings.known_after_days):
        return features
    return whole


def unit_of(amounts: Any) -> float:
    """The power of ten below the mean amount: penalties then mean the same in any currency."""
    mean = float(np.mean(amounts)) if len(amounts) else 0.0
    return float(10.0 ** np.floor(np.log10(mean))) if mean > 0 else 1.0


def _about(settings: TieringSettings, as_ofs: Sequence[date]) -> tuple[tuple[str, str], ...]:
    what = "margin" if settings.contribution == "won_margin" else "value"
    return (
        (
            "Outcome",
            f"{what} of deals won within {settings.horizon_days} days, returns taken off, US dollars",
        ),
        ("Population", _population(settings)),
        ("Snapshots", f"{len(as_ofs)}, from {as_ofs[0]} to {as_ofs[-1]}"),
        ("Known after", f"{settings.known_after_days} days"),
        ("Left out", "the tier held: a model of past tiers repeats past favours"),
    )


def _population(settings: TieringSettings) -> str:
    within = settings.active_within_days
    return "partners under agreement" + (f" with a deal in the {within} days before" if within else "")
