"""What would be answered to a lead now, with every candidate: nothing is offered and nothing is kept."""

from __future__ import annotations

from typing import Any

from models.routing.eligibility import MEANINGS
from serving.routing.deciding import unpack
from serving.routing.drafting import Wanted, nobody
from serving.routing.record import hold_answer
from serving.routing.registrations import Account
from serving.routing.routing import Routing
from serving.routing.telling import candidates


def preview(routing: Routing, wanted: Wanted) -> dict[str, Any]:
    """The answer as it would be, without a decision id, and all candidates with what excludes them.

    Args:
        routing: The use cases; capacity is read as it stands and not taken.
        wanted: The lead and what to show.
    """
    ready, now, lead = routing.ready(), routing.now(), wanted.lead
    account = Account(lead.company, lead.domain, lead.country, lead.city)
    claims = [] if wanted.resolved else routing.drafter.claims(ready, account, now=now)
    if claims:
        held = hold_answer("", lead.lead_id, [c.to_json() for c in claims])
        return {**held, "candidates": [], "codes": MEANINGS}
    parts = routing.drafter.parts(ready, lead.lead_id, now=now)
    if parts is None:
        return {**nobody(wanted, ""), "candidates": [], "codes": MEANINGS}
    preferred = ready.known_accounts.get((lead.domain or "").lower(), ())
    situation = routing.drafter.situation(
        ready, parts, wanted, routing.standing(now), now=now, preferred=preferred
    )
    decided = routing.drafter.draft(parts, situation).decided
    codes, scores = unpack(*decided.scored.packed())
    every = candidates(parts.block.partner_ids, codes, scores)
    return {**decided.response, "decision_id": "", "candidates": every, "codes": MEANINGS}
