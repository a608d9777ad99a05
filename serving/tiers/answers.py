"""A recommendation as the contract tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from models.tiering.gap import Need
from models.tiering.points import Potential
from models.tiering.policy import TierPolicy
from models.tiering.recommend import Recommendation, why

DIGITS = 4
ENDED = "agreement_ended"


def told(policy: TierPolicy, found: Recommendation, *, chance: float | None) -> dict[str, Any]:
    """Everything but ids, potential and what surrounds an answer."""
    verdict, above = found.verdict, found.held + 1
    top = above >= len(policy.tiers)
    return {
        "current_tier": policy.names[found.held],
        "recommended_tier": policy.names[verdict.level],
        "change": verdict.change,
        "needs_human_decision": found.adverse,
        "points": {
            "now": _round(found.card.total),
            "interval": [_round(found.card.low), _round(found.card.high)],
            "smoothed": _round(verdict.points),
            "smoothed_low": _round(verdict.low),
            "reviews": len(verdict.memory.points),
        },
        "categories": [
            {"category": c, "points": _round(p), "of": _round(of)}
            for c, (p, of) in found.card.categories.items()
        ],
        "measures": [
            {
                "feature": e.measure.feature,
                "label": e.measure.label,
                "have": e.have,
                "points": _round(e.points),
                "of": e.measure.points,
                "unit": e.measure.unit,
            }
            for e in found.card.earned
        ],
        "why": why(policy, found),
        "next_tier": None if top else policy.names[above],
        "gap_to_next": [need_json(n) for n in found.gap],
        "chance_of_next": None if top else chance,
        "to_keep": [need_json(n) for n in found.keep],
        "reviews_below": verdict.below,
        "protected": verdict.protected,
        "policy": policy.name,
    }


def ended_in_words(day: str) -> str:
    """Why a partner that left is recommended nothing."""
    return f"The agreement ended on {_spoken(day)}, so no tier is recommended."


def _spoken(day: str) -> str:
    on = date.fromisoformat(day)
    return f"{on.day} {on:%B %Y}"


def without_recommendation(said: Mapping[str, Any], day: str) -> dict[str, Any]:
    """The figures of a partner whose agreement has ended, without any advice."""
    return {
        **said,
        "recommended_tier": None,
        "change": "none",
        "needs_human_decision": False,
        "why": [ended_in_words(day)],
        "next_tier": None,
        "gap_to_next": [],
        "chance_of_next": None,
        "to_keep": [],
    }


def need_json(need: Need) -> dict[str, Any]:
    """One missing thing."""
    return {**asdict(need), "have": None if need.have is None else _round(need.have)}


def potential_of(score: Mapping[str, Any] | None) -> Potential:
    """The figures of a score; none without one, or where the evidence is insufficient."""
    if score is None or score["value"] is None:
        return Potential()
    low, high = score["interval"] or (None, None)
    return Potential(score["value"], low, high)


def _round(value: float) -> float:
    return round(value, DIGITS)
