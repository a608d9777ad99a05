"""How every partner stands with the model and the features in service: for lists; nothing is recorded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from models.churn.settings import ChurnSettings
from serving.auth import Identity
from serving.console.directory import Company, Directory
from serving.encoded import ResidentRows
from serving.scoring import CHURN
from serving.view import Partners, Served, View

SINCE: Mapping[str, str] = {
    "deals.registered": "days_since_last_registration",
    "deals.won": "days_since_last_won",
}
"""The feature that tells how long ago a value activity was."""


@dataclass(frozen=True)
class Standing:
    """One partner in a list.

    Attributes:
        partner_id: Its identifier.
        company: Name and facts.
        manager_id: Who owns it; ''.
        health: 0–100, higher is healthier; None when the model has no health score.
        churn: Probability at the reference horizon; None when there is not enough evidence.
        interval: Its 80 % interval.
        evidence: Grade.
        quiet_days: Days since the last value activity, from the features; None where they do not tell.
        state: `active`; `silent`, when it has been quiet for so long that it counts as gone; or `ended`.
    """

    partner_id: str
    company: Company
    manager_id: str
    health: float | None
    churn: float | None
    interval: tuple[float, float] | None
    evidence: str
    quiet_days: float | None = None
    state: str = "active"


@dataclass(frozen=True)
class _Scored:
    horizon: int
    churn: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    evidence: Sequence[str]
    health: Any


class Standings:
    """Scores all resident partners once for each model and each set of features.

    Args:
        directory: Names.
        churn: What churn means to this customer.
    """

    def __init__(self, directory: Directory, churn: ChurnSettings) -> None:
        self._churn = churn
        self._directory, self._lock, self._resident = directory, Lock(), ResidentRows()
        self._key: tuple[Any, Any] | None = None
        self._scored: _Scored | None = None
        self._listed: tuple[tuple[Any, ...], list[Standing]] | None = None

    def horizon(self, view: View) -> int | None:
        """The horizon lists show; None without a model."""
        served = view.models.get(CHURN)
        if served is None:
            return None
        from models.health import reference_horizon

        return reference_horizon(served.bundle)

    def visible(self, view: View, identity: Identity) -> list[Standing]:
        """Every partner the caller may see, by identifier; empty without features."""
        rows, limit = self._rows(view), manager_limit(identity)
        return list(rows) if limit is None else [r for r in rows if limit and r.manager_id == limit]

    def _rows(self, view: View) -> Sequence[Standing]:
        """All partners; made anew only when model, features, owners or names have changed."""
        partners, served = view.partners, view.models.get(CHURN)
        if partners is None:
            return ()
        scored = self._of(served, partners) if served and can_score(served, partners) else None
        companies = self._directory.all()
        with self._lock:
            key = (scored, partners.matrix, partners.managers, companies)
            if self._listed is None or any(a is not b for a, b in zip(self._listed[0], key, strict=True)):
                self._listed = (
                    key,
                    [self._row(p, i, partners, scored, companies) for p, i in partners.places.items()],
                )
            return self._listed[1]

    def _row(
        self,
        partner_id: str,
        place: int,
        partners: Partners,
        scored: _Scored | None,
        companies: Mapping[str, Company],
    ) -> Standing:
        company = companies.get(partner_id) or Company(partner_id, partner_id, {})
        standing = _standing(partner_id, company, partners.managers.get(partner_id, ""), scored, place)
        quiet = quiet_days(partners, place, self._churn)
        return replace(standing, quiet_days=quiet, state=self._state(company, quiet))

    def state(self, view: View, partner_id: str) -> tuple[str, float | None]:
        """`active`, `silent` or `ended`, and the days since the last value activity."""
        if view.partners is None:
            return "active", None
        quiet = quiet_days(view.partners, view.partners.places[partner_id], self._churn)
        return self._state(self._directory.company(partner_id), quiet), quiet

    def _state(self, company: Company, quiet: float | None) -> str:
        if company.ended_at:
            return "ended"
        return "silent" if quiet is not None and quiet > silence_days(self._churn) else "active"

    def _of(self, served: Served, partners: Partners) -> _Scored:
        with self._lock:
            key = (served.bundle, partners.matrix)
            same = self._key is not None and all(a is b for a, b in zip(self._key, key, strict=True))
            if self._scored is None or not same:
                rows = self._resident.take(served, partners, partners.matrix.partner_ids)
                self._key, self._scored = key, _score(served.bundle, rows.matrix)
            return self._scored


def manager_limit(identity: Identity) -> str | None:
    """The manager whose partners are visible; a channel manager without one sees nobody."""
    return (identity.manager_id or "") if identity.role == "channel_manager" else None


def silence_days(churn: ChurnSettings) -> int:
    """The shortest silence after which a partner counts as gone."""
    return churn.silence if isinstance(churn.silence, int) else churn.silence_floor_days


def quiet_days(partners: Partners, place: int, churn: ChurnSettings) -> float | None:
    """Days since a partner's last value activity; infinite without one, None when no feature would tell."""
    columns = [partners.columns.get(SINCE.get(kind, "")) for kind in churn.value_activities]
    if any(c is None for c in columns):
        return None
    found = [c[place] for c in columns if c is not None]
    known = [v for v in found if isinstance(v, int | float) and not math.isnan(v)]
    return min(known, default=math.inf)


def can_score(served: Served, partners: Partners) -> bool:
    """Whether the resident features are those of the model (they are not in snapshot mode)."""
    return bool(set(served.bundle.spec.names) & set(partners.matrix.columns))


def _score(bundle: Any, matrix: Any) -> _Scored:
    from models.health import health, reference_horizon

    horizon = reference_horizon(bundle)
    scores = bundle.score(matrix, horizons=[horizon])
    found = health(bundle, matrix) if "health" in bundle.trained else None
    return _Scored(
        horizon,
        scores.probability[horizon].tolist(),
        scores.low[horizon].tolist(),
        scores.high[horizon].tolist(),
        scores.evidence,
        found,
    )


def _standing(
    partner_id: str, company: Company, manager: str, scored: _Scored | None, place: int
) -> Standing:
    if scored is None:
        return Standing(partner_id, company, manager, None, None, None, "insufficient")
    churn, low, high = scored.churn[place], scored.low[place], scored.high[place]
    known = not math.isnan(churn)
    return Standing(
        partner_id,
        company,
        manager,
        float(scored.health.score[place]) if scored.health is not None else None,
        churn if known else None,
        (low, high) if known and not math.isnan(low) else None,
        scored.evidence[place],
    )
