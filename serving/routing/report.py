"""How offers were spread, answered and kept in time, and what fairness cost: sums over offers made here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import select

from models.routing.policy import KIND
from models.routing.roster import Roster
from serving.policies import Policies
from serving.routing.tables import OFFERS
from serving.state import Database, iso

BY = ("tier", "region", "size")
LEAST_KNOWN = 10
"""Known answers below which a rate says nothing."""
MOST_OFFERS = 100_000
USUAL = timedelta(days=365)
NOT_KNOWN = "not known"
Rows = Sequence[Mapping[str, Any]]


class OfferReport:
    """Reports on the offers of this service, whoever sent the leads.

    Args:
        database: State database.
        policies: For what a policy maximises.
        roster: Gives the partners as they are now; None: none are known.
        clock: Naive UTC time.
    """

    def __init__(
        self, database: Database, *, policies: Policies, roster: Callable[[], Roster | None],
        clock: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self._database, self._policies, self._roster, self._clock = database, policies, roster, clock

    def make(self, since: datetime | None = None) -> dict[str, Any]:
        """Exposure by tier, region and size; answers and deadlines; the price of fairness.

        Args:
            since: First moment, naive UTC; None: a year back. Of more than `MOST_OFFERS` the newest count,
                and `since` says from when.
        """
        now = self._clock()
        begin = now - USUAL if since is None else since
        rows = self._offers(begin)
        roster = self._roster()
        first = rows[-1]["offered_at"] if len(rows) == MOST_OFFERS else iso(begin)
        return {
            "since": first,
            "until": iso(now),
            "offers": len(rows),
            "leads": len({(r["owner"], r["lead_id"]) for r in rows}),
            "answers": answers_of(rows),
            "exposure": {by: exposure_of(rows, by, roster=roster) for by in BY},
            "fairness": [{**f, "objective": self._objective(f["policy_version"])} for f in fairness_of(rows)],
            "least_known": LEAST_KNOWN,
        }

    def _offers(self, since: datetime) -> list[dict[str, Any]]:
        c = OFFERS.c
        query = (
            select(c.owner, c.lead_id, c.partner_id, c.turn, c.state, c.tier, c.region, c.size, c.offered_at,
                   c.respond_by, c.answered_at, c.policy_version, c.fairness_cost)
            .where(c.offered_at >= iso(since)).order_by(c.offered_at.desc()).limit(MOST_OFFERS)
        )  # fmt: skip
        with self._database.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def _objective(self, version: str) -> str:
        return str(self._policies.read(KIND, int(version)).body["objective"])


def answers_of(offers: Rows) -> dict[str, Any]:
    """Offers by state, share answered in time, median hours to an answer; None where too few were."""
    states = Counter(str(o["state"]) for o in offers)
    answered = [o for o in offers if o["answered_at"] and o["state"] != "expired"]
    hours = [_hours(o["offered_at"], o["answered_at"]) for o in answered]
    due = len(answered) + states["expired"]
    in_time = sum(o["answered_at"] <= o["respond_by"] for o in answered)
    return {
        "states": dict(sorted(states.items())),
        "accepted_share": _accepted(offers),
        "in_time_share": in_time / due if due >= LEAST_KNOWN else None,
        "median_hours": median(hours) if len(hours) >= LEAST_KNOWN else None,
    }


def exposure_of(offers: Rows, by: str, *, roster: Roster | None = None) -> list[dict[str, Any]]:
    """First offers of leads by one trait of the partner, largest share first; groups without any last.

    Args:
        offers: Of any turn.
        by: `tier`, `region` or `size`.
        roster: Partners, to say how many each group has; None leaves that out.
    """
    first = [o for o in offers if o["turn"] == 0]
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for offer in first:
        groups.setdefault(str(offer[by] or NOT_KNOWN), []).append(offer)
    present = Counter() if roster is None else _present(roster, by)
    found = [
        {
            "value": value,
            "partners": present[value] if roster is not None else None,
            "partner_share": present[value] / present.total() if present else None,
            "partners_reached": len({r["partner_id"] for r in rows}),
            "offers": len(rows),
            "share": len(rows) / len(first) if first else 0.0,
            "accepted_share": _accepted(rows),
            "won": sum(r["state"] == "won" for r in rows),
        }
        for value, rows in ((v, groups.get(v, [])) for v in {*groups, *present})
    ]
    return sorted(found, key=lambda r: (-r["offers"], r["value"]))


def fairness_of(offers: Rows) -> list[dict[str, Any]]:
    """What each policy gave up of the expected gain for bands and relationships."""
    costs: dict[int, list[float]] = {}
    for offer in offers:
        costs.setdefault(int(offer["policy_version"]), []).append(float(offer["fairness_cost"]))
    return [
        {
            "policy_version": str(version),
            "offers": len(given_up),
            "moved": sum(c > 0 for c in given_up),
            "gain_given_up": sum(given_up),
        }
        for version, given_up in sorted(costs.items())
    ]


def _present(roster: Roster, by: str) -> Counter[str]:
    labels = zip(getattr(roster, by), roster.ended.tolist(), strict=True)
    return Counter(str(label or NOT_KNOWN) for label, ended in labels if not ended)


def _accepted(rows: Rows) -> float | None:
    """Share of those that were answered, or were due, that were accepted; None where too few were."""
    over = [r for r in rows if r["state"] != "offered"]
    taken = sum(r["state"] in ("accepted", "won", "lost") for r in over)
    return taken / len(over) if len(over) >= LEAST_KNOWN else None


def _hours(begun: str, ended: str) -> float:
    start, end = (datetime.fromisoformat(t.removesuffix("Z")) for t in (begun, ended))
    return (end - start).total_seconds() / 3600
