"""Many leads at once: exploration is carved out first, the rest is assigned for the most gain in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from models.routing.eligibility import capacities, loads
from models.routing.optimum import NOBODY, assign
from serving.auth import Identity
from serving.decisions import canonical
from serving.errors import ConflictError, UnavailableError
from serving.routing.deciding import Parts, Scored, Situation, decide, score_candidates
from serving.routing.drafting import Draft, Wanted
from serving.routing.feed import Ready
from serving.routing.idempotency import Claim
from serving.routing.keeping import TakenError, Unplaced
from serving.routing.record import decision_of, keep_log
from serving.routing.routing import Routing
from serving.routing.store import tick

MOST_LEADS = 1_000


@dataclass(frozen=True)
class _Row:
    """One lead of a batch, scored, and the partner it comes to."""

    wanted: Wanted
    before: Any
    situation: Situation
    scored: Scored
    place: int = NOBODY
    explored: bool = False


class Batch:
    """Assigns batches of leads.

    Args:
        routing: The use cases for one lead, whose state and rules a batch shares.
    """

    def __init__(self, routing: Routing) -> None:
        self._routing = routing

    def assign(
        self, leads: Sequence[Wanted], *, key: str, request: Any, errors: Any, identity: Identity
    ) -> str:
        """Assign leads; the answer as JSON text, the same bytes for the same key.

        Args:
            leads: Up to a thousand leads, each id once.
            key: Idempotency key.
            request: The request as sent.
            errors: Rows that were faulty, for the answer.
            identity: Whose leads they are.
        """

        def work(claim: Claim) -> str:
            found = self._routing.answered(claim)
            if found is not None:
                return found
            return self._routing.again(lambda: self._assign_once(leads, errors, claim, identity))

        return self._routing.once(key, {"assign": request}, work, identity)

    def _assign_once(self, leads: Sequence[Wanted], errors: Any, claim: Claim, identity: Identity) -> str:
        now = self._routing.now()
        ready = self._routing.ready()
        faults, unplaced, open_leads = list(errors), [], []
        for wanted in leads:
            try:
                with self._routing.reading() as connection:
                    before = self._routing.before(connection, wanted.lead.lead_id, identity)
            except ConflictError as error:
                faults.append(_fault(wanted, str(error)))
                continue
            found = self._routing.held(ready, wanted, before, now)
            if found is None and ready.block is None:
                found = self._routing.nobody(wanted, before, now)
            if found is None:
                open_leads.append((wanted, before))
            else:
                unplaced.append(found)
        rows = self._scored(ready, open_leads, now)
        return self._kept(ready, rows, unplaced, faults, claim, identity, now)

    def _scored(self, ready: Ready, leads: Sequence[tuple[Wanted, Any]], now: datetime) -> list[_Row]:
        """Leads with their candidates; all see the same standing."""
        standing = self._routing.standing(now)
        rows = []
        for wanted, before in leads:
            parts = self._parts(ready, wanted, now)
            had = tuple(o.partner_id for o in before[1]) if before else ()
            turn = max((o.turn for o in before[1]), default=-1) + 1 if before else 0
            again = replace(wanted, had=had, turn=turn)
            known = ready.known_accounts.get((wanted.lead.domain or "").lower(), ())
            situation = self._routing.drafter.situation(
                ready, parts, again, standing, now=now, preferred=known, assigned=""
            )
            rows.append(_Row(again, before, situation, score_candidates(parts, situation)))
        return self._placed(ready, rows, now)

    def _parts(self, ready: Ready, wanted: Wanted, now: datetime) -> Parts:
        parts = self._routing.drafter.parts(ready, wanted.lead.lead_id, now=now)
        if parts is None:
            raise UnavailableError("No partner features could be loaded; nothing was assigned.")
        # Capacity has its own place in the programme; a price on top would count it twice.
        return replace(parts, prices={}, price_version=0)

    def _placed(self, ready: Ready, rows: list[_Row], now: datetime) -> list[_Row]:
        """With the partner of each: first those that explore, then the optimum over what capacity is left."""
        if not rows or ready.block is None:
            return rows
        roster = ready.block.roster
        parts = [self._parts(ready, r.wanted, now) for r in rows]
        standing = rows[0].situation.standing
        left = capacities(parts[0].policy, roster, standing) - loads(roster, standing)
        done: list[_Row] = []
        for row, part in zip(rows, parts, strict=True):
            drawn = decide(part, row.situation, row.scored).choice
            if drawn.explored and drawn.position is not None and left[drawn.position] > 0:
                left[drawn.position] -= 1
                done.append(replace(row, place=drawn.position, explored=True))
            else:
                done.append(row)
        rest = [n for n, row in enumerate(done) if not row.explored]
        if not rest:
            return done
        gain = np.zeros((len(rest), len(roster)))
        eligible = np.zeros(gain.shape, dtype=bool)
        for k, n in enumerate(rest):
            gain[k, rows[n].scored.rows] = rows[n].scored.gain
            eligible[k, rows[n].scored.rows] = True
        found = assign(
            gain, eligible, left, lead_ids=[rows[n].wanted.lead.lead_id for n in rest],
            partner_ids=roster.partner_ids, seed=parts[0].policy.seed,
        )  # fmt: skip
        for k, n in enumerate(rest):
            done[n] = replace(done[n], place=int(found[k]))
        return done

    def _kept(
        self, ready: Ready, rows: list[_Row], unplaced: list[Unplaced], faults: list[Any], claim: Claim,
        identity: Identity, now: datetime,
    ) -> str:  # fmt: skip
        """Decide each as placed, and keep all of them or none."""
        drafts = [self._draft(ready, row, now) for row in rows]
        answers = [(row.wanted.row, d.decided.response) for row, d in zip(rows, drafts, strict=True)]
        answers += [(u.wanted.row, u.answer) for u in unplaced]
        answer = {
            "results": [given for _, given in sorted(answers, key=lambda a: a[0])],
            "errors": sorted(faults, key=lambda f: f["row"]),
            "assigned_count": sum(d.decided.partner_id is not None for d in drafts),
            "held_count": sum(u.answer["outcome"] == "conflict_hold" for u in unplaced),
        }
        text = canonical(answer)
        keeper = self._routing.keeper
        with keeper.writing() as connection:
            keeper.idempotency.finish(connection, claim, text)
            seq = tick(connection)
            for one in unplaced:
                keeper.keep_unplaced(connection, one, identity, now)
            for row, draft in zip(rows, drafts, strict=True):
                keeper.keep_offer(connection, draft, row.before, row.wanted, identity, now, seq)
                decision = decision_of(draft.parts, draft.situation, draft.decided, personal=None)
                keeper.keep_decision(connection, decision, identity, now)
                keep_log(connection, decision.decision_id, draft.decided)
        return text

    def _draft(self, ready: Ready, row: _Row, now: datetime) -> Draft:
        parts = self._parts(ready, row.wanted, now)
        partner = "" if row.place == NOBODY else parts.block.partner_ids[row.place]
        situation = replace(row.situation, assigned=partner)
        draft = self._routing.drafter.draft(parts, situation, row.scored)
        if partner and draft.decided.partner_id != partner:
            # Only when exploration drew a partner that an earlier lead of the batch had filled.
            raise TakenError
        return draft


def _fault(wanted: Wanted, said: str) -> dict[str, Any]:
    where = {"pointer": f"/leads/{wanted.row}/lead_id", "detail": said}
    return {"row": wanted.row, "lead_id": wanted.lead.lead_id, "errors": [where]}
