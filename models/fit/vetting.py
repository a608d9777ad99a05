"""Accept, review or decline an applicant: thresholds that are policy, each check told with its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.fit.settings import VettingSettings

Verdict = Literal["accept", "review", "decline"]
GRADES = ("insufficient", "thin", "moderate", "strong")
ACCEPT_TIMES, DECLINE_TIMES = 1.25, 0.5


@dataclass(frozen=True)
class Check:
    """One criterion of the policy.

    Attributes:
        criterion: Its name.
        verdict: The best verdict it allows.
        sentence: What was given and what is asked.
    """

    criterion: str
    verdict: Verdict
    sentence: str


@dataclass(frozen=True)
class Vetting:
    """The verdict, which is the strictest that a check gives."""

    verdict: Verdict
    checks: tuple[Check, ...]


def thresholds(policy: VettingSettings, base_rate: float | None) -> tuple[float, float]:
    """(accept, decline) as fit scores; where the policy names none they follow the base rate of success."""
    usual = 100.0 * (base_rate if base_rate is not None else 0.5)
    decline = policy.decline if policy.decline is not None else round(usual * DECLINE_TIMES)
    accept = policy.accept if policy.accept is not None else round(min(usual * ACCEPT_TIMES, 100.0))
    return max(accept, decline), decline


def vet(
    row: Mapping[str, Any],
    *,
    fit_score: float | None,
    evidence: str,
    outside: bool,
    policy: VettingSettings,
    base_rate: float | None,
) -> Vetting:
    """The verdict about one applicant.

    A model never declines on thin ground: little evidence, or being outside experience, means that a person
    looks.

    Args:
        row: Canonical fields.
        fit_score: 0–100, or None.
        evidence: Grade of the score.
        outside: Whether the applicant is outside experience.
        policy: Thresholds and requirements.
        base_rate: Share of recruited partners that succeeded.
    """
    accept, decline = thresholds(policy, base_rate)
    checks = [_score(fit_score, accept, decline), _evidence(evidence, outside, policy)]
    missing = [f for f in policy.required if row.get(f) in (None, "")]
    if policy.required:
        told = f"not given: {', '.join(missing)}" if missing else "all given"
        allowed: Verdict = "review" if missing else "accept"
        checks.append(Check("required_fields", allowed, f"Required fields: {told}."))
    if policy.countries:
        checks.append(_country(row.get("country"), policy))
    doubt = any(c.verdict == "review" for c in checks[1:])
    refused = any(c.verdict == "decline" for c in checks[1:])
    if refused:
        return Vetting("decline", tuple(checks))
    if doubt or checks[0].verdict == "review":
        return Vetting("review", tuple(checks))
    return Vetting(checks[0].verdict, tuple(checks))


def _score(score: float | None, accept: float, decline: float) -> Check:
    if score is None:
        return Check("fit_score", "review", "There is no fit score.")
    verdict: Verdict = "accept" if score >= accept else "decline" if score < decline else "review"
    asked = f"{accept:g} or more is accepted, below {decline:g} is declined"
    return Check("fit_score", verdict, f"Fit score {score:g}; {asked}.")


def _evidence(evidence: str, outside: bool, policy: VettingSettings) -> Check:
    enough = GRADES.index(evidence) >= GRADES.index(policy.least_evidence)
    told = f"Evidence is {evidence}; {policy.least_evidence} or better is needed"
    if outside:
        return Check("evidence", "review", f"{told}; unlike the partners you recruited, so a person decides.")
    return Check("evidence", "accept" if enough else "review", f"{told}.")


def _country(country: Any, policy: VettingSettings) -> Check:
    known = str(country or "").upper()
    listed = ", ".join(policy.countries)
    if not known:
        return Check("country", "review", f"Country is not known; you sign partners in {listed}.")
    inside = known in {c.upper() for c in policy.countries}
    return Check(
        "country", "accept" if inside else "decline", f"Country is {known}; you sign partners in {listed}."
    )
