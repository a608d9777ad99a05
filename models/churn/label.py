"""Churn labels: what became of each partner after `as_of`, and when that could be known.

A partner departs at `max(last value activity, as_of)` when a silence of S days follows, or when the agreement
ends. A label covers [as_of, as_of + horizon) and is known after horizon + S + reporting lag. Whether a row
is there depends on dates alone, never on the outcome: keeping events while dropping censored non-events
ruins a model, and a censored row is never a zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from models.churn.cohort import build_cohort, silence_days
from models.churn.settings import ChurnSettings
from models.versions import Versions

DAY = np.timedelta64(86_400_000_000, "us")
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Labels:
    """Known outcomes.

    Attributes:
        outcomes: DataFrame[partner_id, as_of, horizon_days: int64, y: int8, known_at].
        stacked: DataFrame[partner_id, as_of, interval: int64, exposure_days: float64, event: int8, known_at];
            one row for each interval between horizons that the partner entered at risk. Exposure is the
            interval's length, and half of it where the partner departed within (the actuarial convention).
    """

    outcomes: Any
    stacked: Any


def build_labels(
    activity: Any,
    terminations: Any,
    cohort: Any = None,
    *,
    as_ofs: Sequence[date],
    settings: ChurnSettings,
    known_until: datetime,
) -> Labels:
    """Labels of the cohort as far as they are known.

    Args:
        activity: DataFrame[partner_id, event_at, known_at[, record_key]] of value activities, or `Versions`.
        terminations: The same, for agreements that ended.
        cohort: DataFrame[partner_id, as_of]; None: built by `build_cohort`.
        as_ofs: Midnights UTC.
        settings: The mapping's churn section.
        known_until: Rows known later are not used, and labels known later are not given.
    """
    activity, terminations = Versions.of(activity), Versions.of(terminations)
    if cohort is None:
        cohort = build_cohort(activity, terminations, as_ofs=as_ofs, settings=settings)
    until = np.datetime64(pd.Timestamp(known_until).to_datetime64(), "us")
    history = _Timeline(activity.known(by=known_until))
    endings = _Timeline(terminations.known(by=known_until))
    outcomes, stacked = [_no_outcomes()], [_no_stacked()]
    for as_of in sorted({pd.Timestamp(a) for a in as_ofs}):
        partners = cohort.loc[cohort["as_of"] == as_of, "partner_id"].to_numpy(dtype=object)
        if len(partners):
            silence = silence_days(activity, partners, as_of=as_of, settings=settings)
            row = _Row(np.datetime64(as_of.to_datetime64(), "us"), partners, settings, until)
            departed = _departure(row, history, endings, silence)
            outcomes.extend(_outcomes(row, departed))
            stacked.extend(_stacked(row, departed))
    keys = ["as_of", "partner_id"]
    return Labels(
        pd.concat(outcomes, ignore_index=True).sort_values([*keys, "horizon_days"], ignore_index=True),
        pd.concat(stacked, ignore_index=True).sort_values([*keys, "interval"], ignore_index=True),
    )


def departures(
    activity: Any,
    terminations: Any,
    partner_ids: Sequence[str],
    *,
    as_of: date,
    settings: ChurnSettings,
    known_until: datetime,
) -> Any:
    """When each partner departs from `as_of` on, by what is known until `known_until`.

    Args:
        activity: As `build_labels` takes it.
        terminations: The same.
        partner_ids: Partners asked about.
        as_of: Midnight UTC; a partner that is silent from then on departs then.
        settings: The mapping's churn section.
        known_until: Rows known later are not used. A silence is only certain a silence length before it.

    Returns:
        datetime64[us] (n,), NaT where the data show no departure.
    """
    moment, until = (np.datetime64(pd.Timestamp(t).to_datetime64(), "us") for t in (as_of, known_until))
    partners = np.asarray(partner_ids, dtype=object)
    silence = silence_days(activity, partners, as_of=as_of, settings=settings)
    history, endings = (_Timeline(Versions.of(r).known(by=known_until)) for r in (activity, terminations))
    departed = _departure(_Row(moment, partners, settings, until), history, endings, silence)
    found = departed.astype("datetime64[us]")
    found[departed == NEVER] = np.datetime64("NaT")
    # A silence that is not over yet is not one: it would need activity that nobody can know of.
    length = (silence * DAY.astype(np.int64)).astype("timedelta64[us]")
    ended = endings.first_from(partners, moment)[1] == departed
    found[~ended & (found + length > until)] = np.datetime64("NaT")
    return found


@dataclass(frozen=True)
class _Row:
    """The cohort of one `as_of`."""

    as_of: np.datetime64
    partners: Any
    settings: ChurnSettings
    until: np.datetime64

    def known_at(self, horizon_days: int) -> np.datetime64:
        return self.as_of + self.settings.known_after_days(horizon_days) * DAY


class _Timeline:
    """Event times by partner, sorted, with the first one at or after a moment found at once."""

    def __init__(self, rows: Any) -> None:
        self.partners = np.sort(rows["partner_id"].unique().astype(object))
        code = pd.Index(self.partners).get_indexer(rows["partner_id"])
        at = rows["event_at"].to_numpy().astype("datetime64[us]")
        order = np.lexsort((at, code))
        self.code, self.at = code[order], at[order]
        # Times as ranks: (partner, time) becomes one sortable number that cannot overflow.
        self.moments, rank = np.unique(self.at, return_inverse=True)
        self.width = len(self.moments) + 1
        self.place = self.code * self.width + rank

    def first_from(self, partners: Any, as_of: np.datetime64) -> tuple[Any, Any]:
        """Index of each partner's first event at or after `as_of`, and its time in µs (NEVER: none)."""
        code = pd.Index(self.partners).get_indexer(partners)
        rank = np.searchsorted(self.moments, as_of, side="left")
        index = np.searchsorted(self.place, code * self.width + rank, side="left")
        index = np.minimum(index, max(len(self.at) - 1, 0))
        if not len(self.at):
            return index, np.full(len(code), NEVER)
        found = (self.code[index] == code) & (self.at[index] >= as_of) & (code >= 0)
        return index, np.where(found, self.at[index].astype(np.int64), NEVER)

    def next_quiet(self, silence: Any) -> Any:
        """For each event: time in µs of the first event from it on that its partner's silence follows.

        Args:
            silence: µs of silence, one for each of `partners`.
        """
        at = self.at.astype(np.int64)
        last = np.append(self.code[1:] != self.code[:-1], True)
        gap = np.append(np.diff(at), NEVER)
        quiet = last | (gap >= silence[self.code])
        # The last event of a partner is always quiet, so the search never runs into the next partner.
        index = np.where(quiet, np.arange(len(at)), len(at))
        return at[np.minimum.accumulate(index[::-1])[::-1]]


def _departure(row: _Row, history: _Timeline, endings: _Timeline, silence: Any) -> Any:
    """µs of each partner's departure; NEVER when the data show none.

    For `label: silence`, departure is at `as_of` when nothing at all follows within the horizon.
    """
    start = row.as_of.astype(np.int64)
    index, first = history.first_from(row.partners, row.as_of)
    if row.settings.label == "silence":
        horizon = row.settings.horizons_days[-1] * DAY.astype(np.int64)
        return np.where(first >= start + horizon, start, NEVER)
    length = (silence * DAY.astype(np.int64)).astype(np.int64)
    already_silent = first >= start + length
    later = np.full(len(first), NEVER)
    if len(history.at):
        lengths = np.full(len(history.partners), DAY.astype(np.int64))
        own = pd.Index(history.partners).get_indexer(row.partners)
        lengths[own[own >= 0]] = length[own >= 0]
        later = np.where(first == NEVER, NEVER, history.next_quiet(lengths)[index])
    by_silence = np.where(already_silent, start, later)
    return np.minimum(by_silence, endings.first_from(row.partners, row.as_of)[1])


def _outcomes(row: _Row, departed: Any) -> list[Any]:
    parts = []
    for horizon in row.settings.horizons_days:
        known_at = row.known_at(horizon)
        if known_at > row.until:
            continue
        gone = departed < (row.as_of + horizon * DAY).astype(np.int64)
        parts.append(
            pd.DataFrame(
                {
                    "partner_id": row.partners,
                    "as_of": row.as_of,
                    "horizon_days": np.int64(horizon),
                    "y": gone.astype(np.int8),
                    "known_at": known_at,
                }
            )
        )
    return parts


def _stacked(row: _Row, departed: Any) -> list[Any]:
    parts = []
    for number, (start, end) in enumerate(row.settings.intervals):
        known_at = row.known_at(end)
        if known_at > row.until:
            continue
        at_risk = departed >= (row.as_of + start * DAY).astype(np.int64)
        event = departed[at_risk] < (row.as_of + end * DAY).astype(np.int64)
        parts.append(
            pd.DataFrame(
                {
                    "partner_id": row.partners[at_risk],
                    "as_of": row.as_of,
                    "interval": np.int64(number),
                    "exposure_days": (end - start) * np.where(event, 0.5, 1.0),
                    "event": event.astype(np.int8),
                    "known_at": known_at,
                }
            )
        )
    return parts


def _no_outcomes() -> Any:
    return _empty({"horizon_days": "int64", "y": "int8"})


def _no_stacked() -> Any:
    return _empty({"interval": "int64", "exposure_days": "float64", "event": "int8"})


def _empty(middle: dict[str, str]) -> Any:
    types = {"partner_id": "object", "as_of": "datetime64[us]", **middle, "known_at": "datetime64[us]"}
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in types.items()})
