"""What the lake knows about partners by name: for people, never for a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from serving.followed import Followed

FIELDS = (
    "name",
    "domain",
    "country",
    "region",
    "city",
    "partner_type",
    "tier",
    "motion",
    "industry",
    "signed_at",
)


@dataclass(frozen=True)
class Company:
    """One partner as the customer describes it; '' where nothing is known.

    Attributes:
        partner_id: Its identifier.
        name: Its name, or the identifier.
        facts: The other fields, in the order of `FIELDS`.
        ended_at: When its agreement ended, as ISO text.
    """

    partner_id: str
    name: str
    facts: Mapping[str, str]
    ended_at: str = ""

    def fact(self, name: str) -> str:
        """A field, or ''."""
        return self.facts.get(name, "")

    def holding(self, moves: Mapping[str, tuple[str, str]]) -> Company:
        """With the tier an approved change gave it, until the tables show another tier than it left.

        Args:
            moves: Partner → (tier left, tier given).
        """
        left, to = moves.get(self.partner_id, ("", ""))
        if not to or left.casefold() != self.fact("tier").casefold():
            return self
        return replace(self, facts={**self.facts, "tier": to})


class Directory:
    """Reads names from the lake, anew whenever its manifest has changed.

    Args:
        lake: Folder of the lake; need not exist.
    """

    def __init__(self, lake: Path) -> None:
        self._known = Followed[Mapping[str, Company]](lake / "manifest.json", lambda: _read(lake), empty={})

    def company(self, partner_id: str) -> Company:
        """One partner; with its identifier alone when the lake does not know it."""
        return self.all().get(partner_id) or Company(partner_id, partner_id, {})

    def all(self) -> Mapping[str, Company]:
        """Every partner of the lake."""
        return self._known()


def _read(folder: Path) -> Mapping[str, Company]:
    from data.lake import Lake

    lake = Lake(folder)
    if not lake.has("partners"):
        return {}
    ended = {}
    if lake.has("terminations"):
        rows = lake.read("terminations").sort_values("event_at")
        ended = {str(p): at.isoformat() for p, at in zip(rows["partner_id"], rows["event_at"], strict=True)}
    newest = lake.read("partners").sort_values(["known_at", "row_hash"], na_position="first", kind="stable")
    newest = newest.drop_duplicates("partner_id", keep="last")
    found = {}
    for row in newest.to_dict("records"):
        partner_id = str(row["partner_id"])
        facts = {name: _text(row.get(name)) for name in FIELDS}
        found[partner_id] = Company(partner_id, facts["name"] or partner_id, facts, ended.get(partner_id, ""))
    return found


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
