"""A routing decision as one pure function of recorded inputs: for fresh leads and for replays alike."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.pairing import LEAD_COLUMNS, PAIR_COLUMNS, lead_block, lead_columns, pair_columns
from models.routing.businesstime import add_business_hours
from models.routing.choice import Choice, Exposure, choose
from models.routing.eligibility import Codes, Standing, counted, exclusions, received
from models.routing.policy import RoutingPolicy
from models.routing.rules import rule_points
from serving.routing.block import Block
from serving.routing.lead import Lead, money
from serving.routing.pairmodel import PairModel
from serving.routing.telling import moment, why_first
from serving.scores import Input, Options, score_inputs

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Parts:
    """What a decision is made with, all of it immutable and versioned.

    Attributes:
        block: Partners.
        policy: Rules.
        policy_version: Their version.
        accept: Model of acceptance; None: the rules router answers.
        win: Model of winning.
        prices: Partner → price of a unit of capacity.
        price_version: Version of the prices; 0: none.
    """

    block: Block
    policy: RoutingPolicy
    policy_version: int
    accept: PairModel | None
    win: PairModel | None
    prices: Mapping[str, float] = field(default_factory=dict)
    price_version: int = 0


@dataclass(frozen=True)
class Situation:
    """What else a decision depends on; kept with it.

    Attributes:
        lead: The lead.
        turn: 0 for the first offer.
        had: Partners that had it.
        now: Naive UTC.
        standing: How partners stand.
        preferred: Partners that know the account.
        top_k: Matches to show.
        max_reasons: Reasons in each direction.
        decision_id: Its id.
        assigned: In a batch, the partner the batch came to; '' nobody; None: a lead by itself.
        degraded: Whether something is missing that should be there.
        warnings: What, in words.
        stale_views: Views whose feed is silent.
        stale_features: The features behind them.
        stale_before: Features of before this moment are stale, RFC 3339.
    """

    lead: Lead
    turn: int
    had: tuple[str, ...]
    now: datetime
    standing: Standing
    preferred: tuple[str, ...]
    top_k: int
    max_reasons: int
    decision_id: str
    assigned: str | None = None
    degraded: bool = False
    warnings: tuple[str, ...] = ()
    stale_views: tuple[str, ...] = ()
    stale_features: tuple[str, ...] = ()
    stale_before: str = ""


@dataclass(frozen=True)
class Scored:
    """Eligible partners and what speaks for them.

    Attributes:
        codes: (N,) exclusion codes.
        rows: (n,) positions of the eligible.
        pair: (n, pair columns) features of the pairs.
        accept: (n,) chance of acceptance; NaN by rules.
        win: (n,) chance of winning once accepted; NaN by rules.
        gain: (n,) what is maximised, before prices.
        price: (n,) price of capacity.
    """

    codes: Codes
    rows: NDArray[np.int64]
    pair: Floats
    accept: Floats
    win: Floats
    gain: Floats
    price: Floats

    def packed(self) -> tuple[bytes, bytes]:
        """Codes and scores for the log, without prices that are all 0 and a gain that is the product."""
        parts = [self.accept, self.win, self.gain, self.price]
        if not self.price.any():
            parts = parts[:3]
            if np.array_equal(self.gain, self.accept * self.win):
                parts = parts[:2]
        scores = np.concatenate(parts).astype("<f8", copy=False)
        return zlib.compress(self.codes.tobytes(), 1), scores.tobytes()

    def sha256(self) -> str:
        """Hash over codes and scores, to the last bit."""
        scores = np.concatenate([self.accept, self.win, self.gain, self.price]).astype("<f8", copy=False)
        return hashlib.sha256(self.codes.tobytes() + scores.tobytes()).hexdigest()


@dataclass(frozen=True)
class Decided:
    """A decision.

    Attributes:
        response: The answer.
        scored: All candidates.
        choice: What the rules came to.
        partner_id: Who is offered the lead, or None.
        respond_by: Until when, naive UTC.
    """

    response: dict[str, Any]
    scored: Scored
    choice: Choice
    partner_id: str | None
    respond_by: datetime | None


def unpack(codes: bytes, scores: bytes) -> tuple[Codes, Floats]:
    """Codes (N,), and (4, n) acceptance, winning, gain, price of the eligible."""
    found = np.frombuffer(zlib.decompress(codes), dtype=np.uint8)
    count = int((found == 0).sum())
    kept = np.frombuffer(scores, "<f8").reshape(-1, count) if count else np.zeros((4, 0))
    rest = [] if len(kept) > 2 else [kept[0] * kept[1]]
    return found, np.vstack([kept, *rest, *([np.zeros(count)] if len(kept) < 4 else [])])


def score_candidates(parts: Parts, situation: Situation) -> Scored:
    """Who may get the lead, and what speaks for each."""
    roster, lead = parts.block.roster, situation.lead
    asked = lead.asked(situation.had)
    codes = exclusions(parts.policy, roster, asked, situation.standing, now=situation.now)
    rows = np.flatnonzero(codes == 0)
    block = parts.block.pairs
    pair = pair_columns(lead_block([lead.raw()], block), 0, block, rows)
    nothing = np.full(len(rows), np.nan)
    if parts.accept is None or parts.win is None:
        named = dict(zip(PAIR_COLUMNS, pair.T, strict=True))
        points = rule_points_of(parts, rows, named)
        return Scored(codes, rows, pair, nothing, nothing, points, np.zeros(len(rows)))
    of_lead = lead_columns(lead.raw())
    accept, win = (_probability(m.eta(of_lead, pair, rows)) for m in (parts.accept, parts.win))
    gain = accept * win
    if parts.policy.objective == "value":
        gain = gain * (lead.value_usd if lead.value_usd is not None else parts.policy.value_unknown)
    return Scored(codes, rows, pair, accept, win, gain, _prices(parts, rows))


def rule_points_of(parts: Parts, rows: Any, named: Mapping[str, Floats]) -> Floats:
    """(n,) points of the rules router for some partners."""
    full = {n: np.full(len(parts.block.roster), np.nan) for n in named}
    for name, values in named.items():
        full[name][rows] = values
    return rule_points(
        parts.policy, parts.block.roster, specialty=full["product_known_share"],
        same_region=full["same_region"], same_country=full["same_country"],
    )[rows]  # fmt: skip


def decide(parts: Parts, situation: Situation, scored: Scored | None = None) -> Decided:
    """Choose, and say why.

    Args:
        parts: What it is made with.
        situation: What else it depends on.
        scored: The candidates, where they were worked out already.
    """
    scored = scored or score_candidates(parts, situation)
    choice = _choice(parts, situation, scored)
    who = None if choice.position is None else parts.block.partner_ids[choice.position]
    due = None
    if choice.position is not None:
        hours = parts.policy.sla(parts.block.roster.tier[choice.position])
        due = add_business_hours(situation.now, hours, parts.policy.calendar)
    return Decided(_answer(parts, situation, scored, choice, who, due), scored, choice, who, due)


def explorable(parts: Parts, lead: Lead) -> bool:
    """Whether a lead is worth little enough to explore; one of unknown value is not."""
    if parts.policy.exploration_share <= 0 or lead.value_cents is None or parts.accept is None:
        return False
    return lead.value_cents <= 100 * parts.policy.exploration_most_value


def _choice(parts: Parts, situation: Situation, scored: Scored) -> Choice:
    roster, policy = parts.block.roster, parts.policy
    net = np.full(len(roster), -np.inf)
    net[scored.rows] = scored.gain - scored.price
    got = received(roster, situation.standing)
    drawn = choose(
        policy,
        roster,
        scored.codes,
        net,
        lead_id=situation.lead.lead_id,
        day=situation.now.date(),
        turn=situation.turn,
        explorable=explorable(parts, situation.lead),
        received=got,
        exposure=Exposure.of(policy, roster, got),
        preferred=roster.positions(situation.preferred),
        shown=situation.top_k + 1,  # one more: in a batch another one may come first
    )
    if situation.assigned is None or drawn.explored or drawn.position is None:
        return drawn
    if not situation.assigned:
        return Choice(None, "no_capacity", 0.0, False, drawn.order)
    place = roster.places[situation.assigned]
    share = policy.exploration_share if explorable(parts, situation.lead) and scored.rows.size > 1 else 0.0
    order = np.concatenate([[place], drawn.order[drawn.order != place]])
    return Choice(place, "", 1.0 - share + share / scored.rows.size, False, order)


def _answer(
    parts: Parts, situation: Situation, scored: Scored, choice: Choice, who: str | None, due: datetime | None
) -> dict[str, Any]:
    matches = _matches(parts, situation, scored, choice)
    outcome: dict[str, Any] = {"outcome": "offered", "offered_to": who, "respond_by": moment(due)}
    if who is None:
        outcome = {"outcome": "unassigned", "code": choice.code, "offered_to": None, "respond_by": None}
    return {
        "lead_id": situation.lead.lead_id,
        **outcome,
        "turn": situation.turn,
        "matches": matches,
        "why": why_first(matches, because=_because(situation, choice), by_model=parts.accept is not None),
        "excluded_counts": counted(scored.codes),
        "candidate_count": len(scored.codes),
        "candidates_sha256": scored.sha256(),
        "propensity": choice.propensity if who else None,
        "explored": choice.explored,
        "fairness": {"bands": list(choice.fair), "cost": choice.fairness_cost},
        "by": "model" if parts.accept is not None else "rules",
        "policy_version": str(parts.policy_version),
        "price_version": str(parts.price_version) if parts.price_version else None,
        "models": {m.served.bundle.model: m.served.version for m in (parts.accept, parts.win) if m},
        "degraded": situation.degraded,
        "warnings": list(situation.warnings),
        "decision_id": situation.decision_id,
    }


def _because(situation: Situation, choice: Choice) -> str:
    """What went before the best expected gain; '' nothing did."""
    if choice.explored:
        return "it was drawn to explore"
    if "relationship" in choice.fair:
        return "it won a deal with this account before"
    if choice.fair:
        return f"fairness goes first ({', '.join(choice.fair)})"
    return "the whole batch gains most this way" if situation.assigned else ""


def _matches(parts: Parts, situation: Situation, scored: Scored, choice: Choice) -> list[dict[str, Any]]:
    """The best few, with chances and reasons."""
    top = choice.order[: situation.top_k]
    at = np.searchsorted(scored.rows, top)
    scores = (
        _scores(parts, situation, scored, at) if parts.win is not None and len(top) else [None] * len(top)
    )
    found = []
    for rank, (place, k) in enumerate(zip(top.tolist(), at.tolist(), strict=True), start=1):
        known = parts.win is not None
        chance = float(scored.accept[k] * scored.win[k])
        cents = situation.lead.value_cents
        worth = None if cents is None or not known else round(chance * cents)
        found.append(
            {
                "partner_id": parts.block.partner_ids[place],
                "rank": rank,
                "accept_probability": float(scored.accept[k]) if known else None,
                "win_probability": scores[rank - 1],
                "expected_value": money(worth, situation.lead.currency),
                "expected_gain": float(scored.gain[k]),
                "price": float(scored.price[k]),
            }
        )
    return found


def _scores(parts: Parts, situation: Situation, scored: Scored, at: Any) -> list[dict[str, Any] | None]:
    """The full score of winning for a few partners: interval, evidence, reasons."""
    model = parts.win
    if model is None:
        return []
    rows, pair = scored.rows[at], scored.pair[at]
    of_lead = lead_columns(situation.lead.raw())
    horizon = next(iter(model.served.bundle.horizons))
    options = Options(
        horizons=(horizon,),
        max_reasons=situation.max_reasons,
        stale_views=situation.stale_views,
        stale_features=situation.stale_features,
        degraded=situation.degraded,
    )
    as_of = [parts.block.as_of[r] for r in rows]
    inputs = [Input({}, t, stale=t < situation.stale_before) for t in as_of]
    encoded = _Rows(parts.block.frame, rows, pair, of_lead, model.matrix(of_lead, pair, rows))
    answers = score_inputs(model.served, inputs, options, encoded=encoded)  # type: ignore[arg-type]
    return [{**a[str(horizon)], "decision_id": situation.decision_id} for a in answers]


class _Rows:
    """Raw and encoded rows of a few pairs, as `score_inputs` reads them, without the cost of a frame."""

    def __init__(
        self, frame: Any, rows: Any, pair: Floats, lead: Mapping[str, float], matrix: Floats
    ) -> None:
        self.matrix = matrix
        self.noticed: list[list[str]] = [[] for _ in rows]
        self.frame = _Columns(frame, rows, dict(zip(PAIR_COLUMNS, pair.T, strict=True)), lead)


class _Columns:
    """Columns by name: of the pair, of the lead, else of the partner."""

    def __init__(self, frame: Any, rows: Any, pair: Mapping[str, Floats], lead: Mapping[str, float]) -> None:
        self._frame, self._rows, self._pair, self._lead = frame, rows, pair, lead
        self.columns = {*frame.columns, *PAIR_COLUMNS, *LEAD_COLUMNS}

    def __getitem__(self, name: str) -> Any:
        if name in self._pair:
            return self._pair[name]
        if name in self._lead:
            return np.full(len(self._rows), self._lead[name])
        return self._frame[name].to_numpy()[self._rows]


def _prices(parts: Parts, rows: Any) -> Floats:
    if not parts.policy.use_bid_prices or not parts.prices:
        return np.zeros(len(rows))
    ids = parts.block.partner_ids
    return np.array([parts.prices.get(ids[r], 0.0) for r in rows.tolist()], dtype=np.float64)


def _probability(eta: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-eta)))
