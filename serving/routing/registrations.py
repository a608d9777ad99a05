"""Open deal registrations, and whether a lead's account is one that a partner has claimed already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from data.domains import bare_domain

COLUMNS = ("id", "name", "domain", "country", "city")
ALIKE = 70.0
"""Least likeness of two names, of 100, that is worth a full comparison."""
NEAREST = 20


@dataclass(frozen=True)
class Claimed:
    """A registration that claims an account.

    Attributes:
        registration_id: The deal's id.
        partner_id: Who registered it.
        registered_at: When, RFC 3339.
        probability: That the account is the lead's.
        evidence: Why, in sentences.
    """

    registration_id: str
    partner_id: str
    registered_at: str
    probability: float
    evidence: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As the contract shows it."""
        return {**vars(self), "evidence": list(self.evidence)}


@dataclass(frozen=True)
class Account:
    """An end customer as asked for."""

    name: str | None
    domain: str | None
    country: str | None
    city: str | None


class Registrations:
    """Open registrations, indexed for one account at a time; immutable, replaced as a whole.

    Args:
        rows: DataFrame with `COLUMNS`, `partner_id` and `registered_at` (RFC 3339).
    """

    def __init__(self, rows: Any) -> None:
        self._rows = rows.sort_values("id", kind="stable", ignore_index=True)

    def __len__(self) -> int:
        return len(self._rows)

    @cached_property
    def _index(self) -> tuple[Any, list[str], dict[str, list[int]]]:
        from models.accounts.records import read_records

        records = read_records(self._rows[list(COLUMNS)])
        domains: dict[str, list[int]] = defaultdict(list)
        for position, domain in enumerate(records.domain):
            if domain:
                domains[domain].append(position)
        # read_records sorts by id as text, as the rows here are.
        return records, list(records.squeezed), dict(domains)

    def claims(self, account: Account, *, least: float, at: datetime, days: int) -> list[Claimed]:
        """Registrations that claim the account, most likely first, of equally likely ones the earliest.

        Args:
            account: Who the end customer is; without name and web domain nothing can be compared.
            least: Least probability.
            at: Naive UTC.
            days: A registration older than this claims nothing.
        """
        if not (account.name or account.domain) or not len(self._rows):
            return []
        import pandas as pd

        from models.accounts import pairs

        sought = pd.DataFrame([["lead", account.name, account.domain, account.country, account.city]],
                              columns=list(COLUMNS))  # fmt: skip
        near = self._near(sought)
        since = (at - timedelta(days=days)).isoformat()
        near = [n for n in near if self._rows["registered_at"].iat[n] >= since]
        if not near:
            return []
        found = pairs(sought, self._rows.iloc[near][list(COLUMNS)], least=least)
        by_id = {str(i): n for n, i in enumerate(self._rows["id"].astype(str))}
        rows = [(m, self._rows.iloc[by_id[m.right_id]]) for m in found]
        claimed = [
            Claimed(m.right_id, str(r["partner_id"]), str(r["registered_at"]), m.probability, m.evidence)
            for m, r in rows
        ]
        return sorted(claimed, key=lambda c: (-c.probability, c.registered_at, c.registration_id))

    def _near(self, sought: Any) -> list[int]:
        """Positions worth comparing: the same web domain, or a name that is written much alike."""
        from rapidfuzz import fuzz, process

        from models.accounts.records import read_records

        _, names, domains = self._index
        one = read_records(sought)
        near = set(domains.get(str(one.domain[0]), ())) if one.domain[0] else set()
        name = str(one.squeezed[0])
        if name:
            alike = process.extract(name, names, scorer=fuzz.ratio, score_cutoff=ALIKE, limit=NEAREST)
            near |= {position for _, _, position in alike}
        return sorted(near)


def open_registrations(deals: Any, *, now: datetime) -> Registrations:
    """Registrations that were neither won, lost nor expired by a moment, from canonical `deals` rows."""
    import pandas as pd

    known = deals["known_at"].fillna(deals["event_at"])
    rows = deals[(deals["event_at"] <= now) & (known <= now)]
    closed = set(rows.loc[rows["status"].isin(("won", "lost", "expired")), "deal_id"])
    named = rows["account_name"].notna() | rows["account_domain"].notna()
    still = rows[(rows["status"] == "registered") & ~rows["deal_id"].isin(closed) & named]
    still = still.sort_values(["known_at", "row_hash"]).drop_duplicates("deal_id", keep="last")
    frame = pd.DataFrame(
        {
            "id": still["deal_id"].astype(str), "name": still["account_name"],
            "domain": still["account_domain"], "country": still["account_country"],
            "city": still["account_city"], "partner_id": still["partner_id"].astype(str),
            "registered_at": still["event_at"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )  # fmt: skip
    return Registrations(frame)


def relationships(deals: Any, *, now: datetime, days: int) -> dict[str, tuple[str, ...]]:
    """Web domain of an account → partners that won a deal with it lately, sorted."""
    known = deals["known_at"].fillna(deals["event_at"])
    use = (deals["status"] == "won") & deals["account_domain"].notna() & (known <= now)
    use &= (deals["event_at"] <= now) & (deals["event_at"] >= now - timedelta(days=days))
    keys = ["account_domain", "partner_id"]
    seen = deals.loc[use, keys]
    seen = (
        seen.assign(account_domain=seen["account_domain"].map(bare_domain))
        .drop_duplicates()
        .sort_values(keys)
    )
    return {str(d): tuple(map(str, g)) for d, g in seen.groupby("account_domain")["partner_id"]}


def no_registrations() -> Registrations:
    """None at all."""
    import pandas as pd

    return Registrations(pd.DataFrame({c: [] for c in (*COLUMNS, "partner_id", "registered_at")}))


def owners(claims: Sequence[Claimed]) -> list[str]:
    """Partners that claim the account, each once."""
    return list(dict.fromkeys(c.partner_id for c in claims))
