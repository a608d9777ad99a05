"""How values are shown to people: shares, numbers, money, times, identifiers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from models.tiering.gap import counted

DASH = "–"
SHA256 = 64
EVIDENCE = {
    "strong": "Strong evidence",
    "moderate": "Moderate evidence",
    "thin": "Thin evidence",
    "insufficient": "Not enough evidence",
}
EVIDENCE_MEANS = {
    "strong": "Most facts are known and there were many cases like this one.",
    "moderate": "Enough facts are known to act on; check the reasons.",
    "thin": "Few facts are known; take the number as a hint.",
    "insufficient": "Too little is known for a number; fill the gaps first.",
}
ROLE = {
    "recruiter": "Recruiter",
    "channel_manager": "Channel manager",
    "prm": "PRM engineer",
    "admin": "Administrator",
}
GROUP = {
    "engagement": "Engagement",
    "pipeline": "Pipeline",
    "enablement": "Enablement",
    "revenue": "Revenue",
    "satisfaction": "Satisfaction",
    "context": "Context",
}


def pct(value: Any, *, digits: int = 0) -> str:
    """A share as per cent: `46%`; never `0%` or `100%` for what is only near them."""
    if not is_number(value):
        return DASH
    if digits == 0 and 0 < value < 0.005:
        return "<1%"
    if digits == 0 and 0.995 <= value < 1:
        return ">99%"
    return f"{value:.{digits}%}"


def number(value: Any) -> str:
    """A number at a readable length; text as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not is_number(value):
        return DASH if value is None or isinstance(value, float) else str(value)
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def amount(value: Any, unit: str = "") -> str:
    """A number with its unit: `$622,000`, `85%`, `2 people`, `1 person`."""
    if unit == "usd":
        return money(value)
    if unit == "share":
        return pct(value)
    return f"{number(value)} {counted(unit, value)}".rstrip()


def silence(quiet_days: float | None) -> str:
    """How long a partner has been silent."""
    if quiet_days is None or math.isinf(quiet_days):
        return "no deal on record"
    return f"silent for {quiet_days:,.0f} days"


def figure(value: Any) -> str:
    """A figure with three decimals; amounts in whole units."""
    if not is_number(value):
        return DASH
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}"


def signed(value: Any, *, digits: int = 1) -> str:
    """A number with its sign; a real minus."""
    if not is_number(value):
        return DASH
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else "−") + text


def money(value: Any) -> str:
    """Whole US dollars."""
    return f"${value:,.0f}" if is_number(value) else DASH


def money_text(amount: Any, currency: str = "USD") -> str:
    """An amount of the contract, such as "84000.00", as whole units."""
    try:
        value = float(amount)
    except (TypeError, ValueError):
        return DASH
    return money(value) if currency == "USD" else f"{value:,.0f} {currency}"


def is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def moment(value: Any) -> str:
    """A time as `20 Nov 2026, 09:30 UTC`; midnight as a date."""
    at = parsed(value)
    if at is None:
        return DASH
    if (at.hour, at.minute, at.second) == (0, 0, 0):
        return f"{at.day} {at:%b %Y}"
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def day(value: Any) -> str:
    """A date as `20 Nov 2026`."""
    at = parsed(value)
    return f"{at.day} {at:%b %Y}" if at else DASH


def age(value: Any, *, now: datetime) -> str:
    """How long ago: `3 h ago`, `2 days ago`."""
    at = parsed(value)
    if at is None:
        return DASH
    seconds = (now - at).total_seconds()
    if seconds < 0:
        return "in " + _span(-seconds)
    return "just now" if seconds < 60 else _span(seconds) + " ago"


def _span(seconds: float) -> str:
    for unit, length in (("day", 86_400), ("h", 3_600), ("min", 60)):
        count = int(seconds // length)
        if count >= 1 and (unit != "day" or count >= 2):
            return f"{count} {unit}" + ("s" if unit == "day" else "")
    return "less than a minute"


def parsed(value: Any) -> datetime | None:
    """A naive UTC time from what reports and tables hold."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if not isinstance(value, str) or not value:
        return None
    try:
        return datetime.fromisoformat(value.removesuffix("Z")).replace(tzinfo=None)
    except ValueError:
        return None


def words(name: str) -> str:
    """An identifier as words: `days_since_last_login` → `Days since last login`; a currency by its name."""
    text = name.removesuffix("_usd").replace("_", " ").strip() + (
        ", US dollars" if name.endswith("_usd") else ""
    )
    return text[:1].upper() + text[1:]


def kind(action: str) -> str:
    """A kind of the audit log in words: `fit_list.score` → `Fit list: score`."""
    return words(action).replace(".", ": ")


def told(detail: Mapping[str, Any]) -> str:
    """What an entry of the audit log adds, in words; what lies deeper stands in brackets."""
    return ", ".join(f"{words(name).lower()} {_plain(value)}" for name, value in detail.items())


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({told(value)})"
    if value is None or value == "":
        return "none"
    if isinstance(value, bool | int | float):
        return number(value)
    text = str(value)
    if len(text) == SHA256 and text.isalnum():
        return text[:12] + "…"
    return moment(text) if parsed(text) and "T" in text else text


def sentence(text: str) -> str:
    """A sentence that begins with a capital letter, otherwise as it is."""
    return text[:1].upper() + text[1:]


def risk(value: Any) -> str:
    """A level for colour and words: how a churn probability is shown."""
    if not is_number(value):
        return "unknown"
    return "high" if value >= 0.3 else "raised" if value >= 0.15 else "low"
