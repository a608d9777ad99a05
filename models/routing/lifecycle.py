"""The life of a lead: offered, answered, offered again to somebody else, won or lost.

Pure rules: serving runs them inside a transaction, evaluation replays them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from data.errors import InputError

LeadState = Literal["offered", "accepted", "won", "lost", "unassigned", "conflict_hold"]
OfferState = Literal["offered", "accepted", "declined", "expired", "won", "lost"]
Answer = Literal["accepted", "declined", "expired"]
OVER: frozenset[str] = frozenset({"won", "lost"})


class StateError(InputError):
    """The lead is not in a state in which that can happen."""


@dataclass(frozen=True)
class Step:
    """What an event does.

    Attributes:
        offer: New state of the offer; None: nothing changes, the event was told before.
        lead: New state of the lead, unless it is offered again.
        frees: Whether the partner gets a unit of capacity back.
        reroutes: Whether the lead is to be offered to somebody else.
    """

    offer: OfferState | None
    lead: LeadState
    frees: bool = False
    reroutes: bool = False


def answered(lead: str, offer: str, answer: Answer, *, reroutes: int, most_reroutes: int) -> Step:
    """What the answer to an offer does; the same answer twice does nothing.

    Args:
        lead: State of the lead.
        offer: State of the offer that is answered.
        answer: The answer; `expired` is given by the clock.
        reroutes: Times the lead was offered again so far.
        most_reroutes: Times it may be.

    Raises:
        StateError: The offer was answered otherwise, or is no longer open.
    """
    told_before = offer == answer or (answer == "accepted" and offer in OVER)
    if told_before:
        return Step(None, lead)  # type: ignore[arg-type]
    if offer != "offered":
        raise StateError(
            f"The offer is {offer}; it cannot become {answer}.",
            allowed="an answer to an offer that is still open",
            pointer="/response",
        )
    if answer == "accepted":
        return Step("accepted", "accepted")
    again = reroutes < most_reroutes
    return Step(answer, "unassigned", frees=True, reroutes=again)


def closed(lead: str, outcome: Literal["won", "lost"]) -> Step:
    """What the outcome of an accepted lead does; the same outcome twice does nothing.

    Raises:
        StateError: Nobody has accepted the lead, or it ended otherwise.
    """
    if lead == outcome:
        return Step(None, outcome)
    if lead != "accepted":
        raise StateError(
            f"The lead is {lead}; only an accepted lead is won or lost.",
            allowed="an outcome for an accepted lead",
            pointer="/outcome",
        )
    return Step(outcome, outcome, frees=True)
