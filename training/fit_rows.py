"""Training rows of fit: every partner whose first year is over, with what was known before it signed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from data.errors import MissingDataError, NotEnoughEvidenceError
from models.fit.facts import GIVEN, build_facts
from models.fit.label import build_labels
from models.fit.settings import FitSettings
from models.scorecard import Scorecard
from models.spec import ModelSpec
from training.columns import useless_columns
from training.dataset import Dataset

WINDOW_DAYS = 91
"""Partners signed within so many days are tested together; labels known by the first of them train."""
DAY = pd.Timedelta(days=1)


def from_lake(
    lake: Any,
    spec: ModelSpec,
    *,
    settings: FitSettings,
    known_until: datetime,
    scorecard: Scorecard | None,
    motion: str | None = None,
) -> Dataset:
    """Recruited partners with their outcome, and everyone who was considered.

    Facts are those of the prospects table in the last version known before signing; where a partner has none,
    those of the partners table as known on the day of signing.

    Args:
        lake: `data.lake.Lake` with partners and deals, and prospects where there are any.
        spec: `models.fit.SPEC`.
        settings: The mapping's fit section.
        known_until: Nothing known later is used.
        scorecard: The customer's, or the default.
        motion: Only partners of this go-to-market motion; None: all.

    Raises:
        MissingDataError: There is neither a partner nor a prospect.
        NotEnoughEvidenceError: No fact tells them apart, or nobody is of that motion.
    """
    partners, prospects, deals = (lake.read(t) for t in ("partners", "prospects", "deals"))
    labels = _labels(partners, deals, settings=settings, known_until=known_until)
    population = _population(prospects, known_until)
    # Without an outcome the scorecard can still be looked at on whoever is on record.
    frame = _unlabelled(partners, population) if labels.empty else _frame(labels, partners, prospects)
    if frame.empty:
        raise MissingDataError(
            "There is neither a partner nor a prospect on record.",
            allowed="partners with `signed_at` and deals with `sourced`; for the scorecard alone, prospects",
            next_step="Map them under `tables:`.",
        )
    given: dict[str, Any] = {"spec": _told(spec, scorecard), "settings": settings, "scorecard": scorecard}
    pooled = _dataset(frame, population, motion=None, **given)
    if motion is None:
        return pooled
    frame = frame[frame["motion"] == motion].reset_index(drop=True)
    if frame.empty:
        known = ", ".join(sorted(set(pooled.frame["motion"].dropna()))) or "none is on record"
        raise NotEnoughEvidenceError(f"No partner of motion {motion!r} has a known outcome.", allowed=known)
    one = _dataset(frame, population[population["motion"] == motion], motion=motion, **given)
    return replace(one, pooled=pooled)


def _labels(partners: Any, deals: Any, *, settings: FitSettings, known_until: datetime) -> Any:
    """Outcomes known; none where nothing says who signed when, or what was won."""
    start = deals["event_at"].min().floor("D") if len(deals) else known_until
    return build_labels(
        _signed(partners), deals, settings=settings, data_start=start, known_until=known_until
    )


def _unlabelled(partners: Any, population: Any) -> Any:
    """Prospects, or else partners, as rows without an outcome."""
    if len(population):
        rows = population.rename(columns={"known_at": "signed_at"})
        names = population.index.astype(str)
        rows = rows.assign(prospect_id=names, partner_id=names)
    else:
        last = partners.drop_duplicates("partner_id", keep="last").reset_index(drop=True)
        facts = build_facts(last, year=last["known_at"].dt.year.to_numpy(dtype=np.float64))
        rows = facts.assign(
            signed_at=last["known_at"], prospect_id=last["partner_id"], partner_id=last["partner_id"]
        )
    never = np.full(len(rows), np.datetime64("NaT", "us"))
    return rows.assign(y=np.nan, known_at=never, name=None, group=rows["prospect_id"]).reset_index(drop=True)


def motions(lake: Any, *, settings: FitSettings, known_until: datetime) -> list[str]:
    """Go-to-market motions with enough partners of known outcome for a profile of their own, sorted."""
    partners = lake.read("partners")
    if "motion" not in partners or partners.empty:
        return []
    signed = _signed(partners)
    over = signed["signed_at"] + pd.Timedelta(days=settings.known_after_days) <= pd.Timestamp(known_until)
    known = partners[partners["partner_id"].isin(signed["partner_id"][over])].drop_duplicates("partner_id")
    counts = build_facts(known, year=0)["motion"].value_counts()
    return sorted(str(m) for m in counts.index[counts >= settings.motion_rows])


def _signed(partners: Any) -> Any:
    """First signing date of each partner."""
    dated = partners.dropna(subset=["signed_at"])
    first = dated.groupby("partner_id", as_index=False)["signed_at"].min()
    return first.astype({"signed_at": "datetime64[us]"})


def _frame(labels: Any, partners: Any, prospects: Any) -> Any:
    """One row for each label: facts as known before signing, and who it was."""
    linked = _linked(labels, prospects)
    own = partners.merge(labels[["partner_id", "signed_at"]], on="partner_id", suffixes=("_row", ""))
    own = own[own["known_at"] <= own["signed_at"]].sort_values(["partner_id", "known_at", "row_hash"])
    own = own.drop_duplicates("partner_id", keep="last").set_index("partner_id")
    own = own.reindex(labels["partner_id"])
    rows = pd.DataFrame(index=pd.Index(labels["partner_id"], name="partner_id"))
    before = linked.reindex(rows.index)
    for column in GIVEN:
        rows[column] = before[column].where(before[column].notna(), own[column])
    years = labels["signed_at"].dt.year.to_numpy(dtype=np.float64)
    facts = build_facts(rows.reset_index(drop=True), year=years)
    last = partners.sort_values(["partner_id", "known_at", "row_hash"]).drop_duplicates(
        "partner_id", keep="last"
    )
    last = last.set_index("partner_id").reindex(labels["partner_id"])
    found = pd.concat([labels.reset_index(drop=True), facts], axis=1)
    found["prospect_id"] = before["prospect_id"].where(before["prospect_id"].notna(), rows.index).to_numpy()
    found["name"] = last["name"].to_numpy(dtype=object)
    parent = last["parent_id"]
    found["group"] = parent.where(parent.notna(), rows.index).astype(str).to_numpy()
    return found


def _linked(labels: Any, prospects: Any) -> Any:
    """The last version of each partner's prospect that was known before it signed."""
    link = prospects.dropna(subset=["partner_id"]).sort_values(["partner_id", "known_at", "row_hash"])
    link = link.drop_duplicates("partner_id", keep="first")[["prospect_id", "partner_id"]]
    versions = prospects.drop(columns="partner_id").merge(link, on="prospect_id")
    versions = versions.merge(labels[["partner_id", "signed_at"]], on="partner_id")
    versions = versions[versions["known_at"] < versions["signed_at"]]
    versions = versions.sort_values(["partner_id", "known_at", "row_hash"])
    return versions.drop_duplicates("partner_id", keep="last").set_index("partner_id")


def _population(prospects: Any, known_until: datetime) -> Any:
    """Everyone considered, in the first version, with the moment it was known."""
    seen = prospects[prospects["known_at"] <= pd.Timestamp(known_until)]
    first = seen.sort_values(["prospect_id", "known_at", "row_hash"]).drop_duplicates("prospect_id")
    first = first.reset_index(drop=True)
    years = first["event_at"].dt.year.to_numpy(dtype=np.float64)
    return build_facts(first, year=years).assign(known_at=first["known_at"])


def _told(spec: ModelSpec, scorecard: Scorecard | None) -> ModelSpec:
    """The spec with the categories that the scorecard names, in the spelling of the facts."""
    levels = {c.feature: c.levels for c in scorecard.criteria if c.of_text} if scorecard else {}
    features = tuple(replace(f, levels=levels.get(f.name, ())) for f in spec.features)
    return replace(spec, features=features)


def _dataset(
    frame: Any,
    population: Any,
    *,
    spec: ModelSpec,
    settings: FitSettings,
    scorecard: Scorecard | None,
    motion: str | None,
) -> Dataset:
    frame = frame.sort_values(["signed_at", "partner_id"], ignore_index=True)
    frame["row_id"] = np.arange(len(frame), dtype=np.int64)
    frame["as_of"] = _windows(frame["signed_at"])
    dropped = useless_columns(frame, list(spec.names))
    if len(dropped) == len(spec.names):
        raise NotEnoughEvidenceError(
            f"No fact tells one of {len(frame)} partners from another.",
            next_step="Map more columns of partners or prospects, such as employee_count and partner_type.",
        )
    spec = spec.restricted_to(set(spec.names) - {d.column for d in dropped})
    horizon = settings.horizon_days
    outcomes = frame[["row_id", "y", "known_at"]].assign(horizon_days=np.int64(horizon))
    outcomes = outcomes[outcomes["y"].notna()].reset_index(drop=True)
    name = f"{spec.name}.{motion}" if motion else spec.name
    title = f"{spec.title}: {motion}" if motion else spec.title
    return Dataset(
        replace(spec, name=name, title=title, horizons_days=(horizon,)),
        frame.drop(columns=["y", "known_at"]),
        outcomes[["row_id", "horizon_days", "y", "known_at"]],
        None,
        horizon_days=horizon,
        gap_days=settings.known_after_days,
        scorecard=scorecard,
        dropped=dropped,
        source="tables",
        about=_about(frame, settings, motion),
        once=True,
        population=population if len(population) else None,
        step_days=WINDOW_DAYS,
    )


def _windows(signed_at: Any) -> Any:
    """First day of the window each partner signed in; the last window ends with the last signing."""
    day = signed_at.dt.floor("D")
    end = day.max() + DAY
    windows = np.ceil((end - day) / (WINDOW_DAYS * DAY))
    return (end - pd.to_timedelta(windows * WINDOW_DAYS, unit="D")).astype("datetime64[us]")


def _about(frame: Any, settings: FitSettings, motion: str | None) -> tuple[tuple[str, str], ...]:
    first, last = frame["signed_at"].min().date(), frame["signed_at"].max().date()
    deals = "deal" if settings.least_won_count == 1 else "deals"
    return (
        (
            "Outcome",
            f"success: at least {settings.least_won_count} won {deals} it sourced itself, and a margin above "
            f"{settings.least_margin_usd:g} USD, within {settings.horizon_days} days of signing",
        ),
        (
            "Population",
            f"{len(frame)} partners{f' of motion {motion}' if motion else ''} signed {first} to {last}",
        ),
        ("Known before signing", "facts of the prospect as on record before the signing date"),
        ("Known after", f"{settings.known_after_days} days"),
    )
