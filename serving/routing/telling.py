"""Routing decisions in words, and all candidates as plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from models.routing.eligibility import CODES


def why_first(matches: Sequence[Mapping[str, Any]], *, because: str = "", by_model: bool = True) -> list[str]:
    """Why the first and not each of the others, in sentences.

    Args:
        matches: As answered, the one chosen first.
        because: What went before the best; '' nothing did.
        by_model: Whether gains are chances, and not points of the rules.
    """
    if not matches:
        return []
    first, told = matches[0], []
    for other in matches[1:]:
        a, b = (m["expected_gain"] - m["price"] for m in (first, other))
        lead = f"{first['partner_id']} before {other['partner_id']}"
        what = "expected gain" if by_model else "points by the rules"
        if first["price"] or other["price"]:
            what += " less the price of capacity"
        if a > b:
            said = f"{lead}: {what} {a:.3g} against {b:.3g}"
        elif a < b and because:
            said = f"{lead} although its {what} is {a:.3g} against {b:.3g}: {because}"
        else:
            draw = "fewer offers this month, then the draw of the day"
            said = f"{lead}: equal {what} {a:.3g}; {because or draw}"
        told.append(said + _differences(first, other) + ".")
    return told


def _differences(first: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The factors in which two partners differ most."""
    if not first["win_probability"] or not other["win_probability"]:
        return ""
    a, b = ({r["factor"]: r["contribution"] for r in m["win_probability"]["reasons"]} for m in (first, other))
    gaps = {f: a.get(f, 0.0) - b.get(f, 0.0) for f in {*a, *b}}
    strongest = sorted(gaps, key=lambda f: (-abs(gaps[f]), f))[:3]
    shown = [f"{f} {gaps[f]:+.2f}" for f in strongest if abs(gaps[f]) >= 0.005]
    chances = f"acceptance {first['accept_probability']:.2f} against {other['accept_probability']:.2f}"
    return f" ({chances}; winning: {', '.join(shown) or 'alike'})"


def candidates(partner_ids: Sequence[str], codes: Any, scores: Any) -> list[dict[str, Any]]:
    """All candidates of a decision, for people and machines: why not, or what spoke for it."""
    found: list[dict[str, Any]] = []
    k = 0
    for place, partner in enumerate(partner_ids):
        code = CODES[int(codes[place])]
        if code:
            found.append({"partner_id": partner, "excluded": code})
            continue
        accept, win, gain, price = (None if math.isnan(v) else float(v) for v in scores[:, k])
        found.append(
            {"partner_id": partner, "excluded": None, "accept_probability": accept, "win_probability": win,
             "expected_gain": gain, "price": price}
        )  # fmt: skip
        k += 1
    return found


def moment(at: datetime | None) -> str | None:
    """RFC 3339 from a naive UTC time."""
    if at is None:
        return None
    return at.isoformat(timespec="seconds" if at.microsecond == 0 else "microseconds") + "Z"
